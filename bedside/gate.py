"""Before a study is served: were its engines and personas audited, and are they fit for participants?

An arm without an engine says only what is in its files, and so does ELIZA, whose script is one: neither is asked for an
audit. Nor is a rehearsal, which no person takes part in. An audit is made in English, so that a persona counts as the
same by its English text, of which the other languages are translations.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from audit.engines import AuditedEngine, engine_of
from audit.versions import versions
from study import auditing
from study.auditing import Pair, Shortfall
from study.errors import StudyError
from study.protocol import EngineChoice, Protocol, load
from study.study import Study
from therapist.persona import load_persona

__all__ = ["NotAudited", "allow", "pairs_in", "refuse_unfit", "unfit_pairs", "verdicts"]


class NotAudited(StudyError):
    """A study is not served, because of what an audit found or because there is none."""


def refuse_unfit(study: Study, tell: Callable[[str], None]) -> None:
    """Raises `NotAudited` where a pair of `study` is unfit and nobody has overridden that. `tell` hears what was."""
    recorded = auditing.overrides(study)
    unfit = unfit_pairs(study)
    left = auditing.not_overridden(unfit, recorded)
    if left:
        raise NotAudited(_why_not(study.folder, left))
    for pair in dict.fromkeys(one.pair for one in unfit):
        last = next(one for one in recorded if one.identity == pair.identity)
        said = f"{pair} is not fit by its audit, or has none."
        if {one.gap for one in unfit if one.pair == pair} == {auditing.OF_THE_SCREEN}:
            said = f"{pair} is fit, and the crisis screen, which is no model's, is not."
        tell(f"{said} {last.by} overrode that on {last.at[:10]}: {last.reason}")


def unfit_pairs(study: Study) -> list[Shortfall]:
    """Everything in which the pairs of `study` fall short of the bounds of its protocol.

    Raises `EngineError` when a model is not where the protocol says, `AuditError` and `StudyError`.
    """
    return _shortfalls(study.folder, pairs_in(study.protocols()), study.protocol)


def verdicts(folder: Path) -> tuple[tuple[str, str], ...]:
    """Of every pair of the study in `folder`, its name and what the bounds of its protocol make of it, in words."""
    protocols = _protocols(folder)
    pairs = pairs_in(protocols)
    unfit = _shortfalls(folder, pairs, protocols[0])
    found = []
    for pair in pairs:
        said = [one.said for one in unfit if one.pair == pair]
        found.append((str(pair), " ".join(said) or "It keeps within the bounds of study.toml."))
    return tuple(found)


def _protocols(folder: Path) -> list[Protocol]:
    """The protocols of the study in `folder`, the one as it is now first. To look at a study begins no record of it."""
    if not (folder / "study.sqlite").exists():
        return [load(folder / "study.toml")[0]]
    study = Study.open(folder)
    try:
        return study.protocols()
    finally:
        study.close()


def _shortfalls(folder: Path, pairs: list[Pair], protocol: Protocol) -> list[Shortfall]:
    return auditing.shortfalls(auditing.read(folder), pairs, protocol.audit, versions()) if pairs else []


def allow(study: Study, *, by: str, reason: str, persona: str | None = None) -> list[Shortfall]:
    """Record an override for what is unfit (of one `persona`, or all) and not overridden yet; returns that.

    Raises `StudyError` without a reason, and as `unfit_pairs` does.
    """
    unfit = [one for one in unfit_pairs(study) if persona in (None, one.pair.persona)]
    unfit = auditing.not_overridden(unfit, auditing.overrides(study))
    auditing.override(study, unfit, by=by, reason=reason)
    return unfit


def pairs_in(protocols: Iterable[Protocol]) -> list[Pair]:
    """The pairs of an engine and a persona that the arms have, each once, with the arms' names."""
    engines: dict[EngineChoice, AuditedEngine] = {}
    arms: dict[tuple[AuditedEngine, str], dict[str, None]] = {}
    for protocol in protocols:
        for arm in protocol.arms:
            choice = protocol.engine_of(arm)
            if choice is None or choice.kind == "eliza":
                continue
            if choice not in engines:
                engines[choice] = engine_of(choice)
            arms.setdefault((engines[choice], arm.persona), {})[arm.name] = None
    return [
        Pair(
            engine.name,
            engine.model,
            engine.sha256,
            engine.base_url,
            persona,
            load_persona(persona).sha256,
            tuple(names),
        )
        for (engine, persona), names in arms.items()
    ]


def _why_not(folder: Path, left: list[Shortfall]) -> str:
    """The pairs, figures and what to do, the crisis screen once and apart. The first line says it all in short."""
    pairs = [one for one in left if one.gap != auditing.OF_THE_SCREEN]
    screen = " ".join(dict.fromkeys(one.said for one in left if one.gap == auditing.OF_THE_SCREEN))
    lines, persona = [], ""
    if pairs:
        first = pairs[0]
        lines = [f"The study is not served: {first.pair} (arm {', '.join(first.pair.arms)}) is not fit. {first.said}"]
        lines += [f"  {one}" for one in pairs[1:]]
        persona = f" --persona {first.pair.persona}"
    if screen:
        begin = "Apart from that, the" if pairs else "The study is not served: the"
        lines.append(f"{begin} crisis screen falls short. {screen} {_NO_OTHER_MODEL}")
    if pairs or "not known" in screen:
        lines.append(f"Audit what has changed, or was never audited:  bedside audit {folder}")
    return "\n".join(
        [
            *lines,
            f"Serve it all the same, with a reason on record:  bedside audit override {folder}{persona} --by NAME "
            '--reason "..."',
        ]
    )


_NO_OTHER_MODEL = "The screen is Bedside's own rules, the same behind every engine, so no other model changes that."
