"""Putting the rooms together: a study with its engines, checked as a whole, and the portal that serves it."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import structlog
from flask import Flask

from portal.app import create_app
from portal.sessions import Sessions
from study import texts
from study.clock import Clock
from study.errors import MeasureError, ProtocolError
from study.measure import load_measure, measure_names
from study.messages import address_mistakes
from study.protocol import EngineChoice, EngineSource, Protocol, load
from study.study import Study
from therapist.engine import Engine
from therapist.engines import begin_opening, open_engine
from therapist.errors import EngineError
from therapist.exercise import exercise_names
from therapist.languages import ENGLISH_ONLY, lacks
from therapist.persona import persona_names

__all__ = ["check", "open_choice", "open_engines", "open_study", "portal_of"]

log = structlog.get_logger()


def check(folder: Path) -> Protocol:
    """The protocol in `folder`, whole and sound. Raises `ProtocolError` with every mistake in it.

    What `study` cannot know, because it knows no therapist, is looked at here: exercises and personas by name.
    """
    protocol, _ = load(folder / "study.toml")
    mistakes = [
        _unknown(f"exercises.rota[{number}]", name, exercise_names())
        for number, name in enumerate(protocol.exercises.rota, 1)
        if name not in exercise_names()
    ]
    mistakes += [
        _unknown(f"arms[{number}].persona", arm.persona, persona_names())
        for number, arm in enumerate(protocol.arms, 1)
        if arm.persona not in persona_names()
    ]
    mistakes += _mistakes_of_language(protocol)
    mistakes += _mistakes_of_measures(protocol, folder)
    mistakes += address_mistakes("safety.notify", protocol.safety.notify)
    mistakes += address_mistakes("safety.escalate", protocol.safety.escalate)
    mistakes += address_mistakes("reminders.send", protocol.reminders.send)
    if mistakes:
        raise ProtocolError(mistakes)
    return protocol


def _mistakes_of_language(protocol: Protocol) -> Iterator[str]:
    """What an exercise in the study's language lacks, and engines that do not write it."""
    language = protocol.language
    if lacking := lacks(language):
        complete = [one for one in texts.languages() if not lacks(one)]
        yield f"study.toml: language: {texts.unfinished(language, lacking, complete)}."
    if language == "en":
        return
    chosen = {
        f"arms[{number}].engine" if arm.engine else "engine": choice
        for number, arm in enumerate(protocol.arms, 1)
        if (choice := protocol.engine_of(arm)) is not None
    }
    for key, choice in chosen.items():
        for name in (choice.kind, choice.model or ("smollm2" if choice.kind == "transformers" else "")):
            if name in ENGLISH_ONLY:
                yield (
                    f"study.toml: {key}: {name} does not write {language!r}: {ENGLISH_ONLY[name]}; allowed: "
                    'kind = "openai", kind = "transformers" with a model that knows the language, or worksheets with '
                    "assist = false alone."
                )


def _mistakes_of_measures(protocol: Protocol, folder: Path) -> Iterator[str]:
    """Measures that are not there or lack wording, and scales that a rule, a stratum or the plan names wrongly."""
    scales: dict[str, list[str]] = {}
    for number, due in enumerate(protocol.measures, 1):
        key = f"measures[{number}]"
        if due.measure not in measure_names(folder):
            yield _unknown(f"{key}.measure", due.measure, measure_names(folder))
            continue
        try:
            measure = load_measure(due.measure, folder)
            measure.wording(due.language or protocol.language)
        except MeasureError as error:
            yield f"study.toml: {key}: {error}"
        else:
            scales[due.measure] = [scale.name for scale in measure.scales]
    named = {f"eligibility[{number}].question": rule.question for number, rule in enumerate(protocol.eligibility, 1)}
    named |= {
        f"allocation.strata[{number}].question": factor.question
        for number, factor in enumerate(protocol.allocation.strata, 1)
    }
    if protocol.analysis:
        named["analysis.primary.measure"] = protocol.analysis.primary.measure
        named |= {
            f"analysis.secondary[{number}].measure": outcome.measure
            for number, outcome in enumerate(protocol.analysis.secondary, 1)
        }
    for key, name in named.items():
        measure_name, dot, scale = name.partition(".")
        if dot and measure_name in scales and scale not in scales[measure_name]:
            yield _unknown(key, name, [f"{measure_name}.{one}" for one in scales[measure_name]])


def _unknown(key: str, name: str, allowed: list[str]) -> str:
    return f"study.toml: {key} is {name!r}; allowed: {', '.join(allowed)}."


def open_study(folder: Path, *, clock: Clock | None = None, rehearsal: Path | None = None) -> Study:
    """The study in `folder`, checked as a whole."""
    check(folder)
    return Study.open(folder, clock=clock, rehearsal=rehearsal)


def open_engines(
    protocols: Iterable[Protocol],
    progress: Callable[[str], None],
    instead: str | None = None,
    failed: Callable[[Exception], None] | None = None,
) -> Mapping[EngineChoice, Engine]:
    """An engine for each choice that an arm of `protocols` makes; arms that choose alike share one.

    `progress` is told of long work. With `instead`, an engine of that kind stands in for every choice: for rehearsals.
    With `failed`, a model on this machine goes on loading when this returns, and `failed` is told, in another thread,
    why that did not succeed. Raises `EngineError`.
    """
    choices = {
        choice for protocol in protocols for arm in protocol.arms if (choice := protocol.engine_of(arm)) is not None
    }
    if instead is not None:
        engine = open_engine(instead, progress=progress)
        return dict.fromkeys(choices, engine)
    # Two choices that differ only in how replies are drawn share a model too: there is memory for one.
    opened: dict[EngineSource, Engine] = {}
    engines: dict[EngineChoice, Engine] = {}
    for choice in sorted(choices, key=lambda one: one.kind):
        source = choice.source
        if source not in opened:
            open_it = partial(open_choice, choice, progress)
            opened[source] = begin_opening(choice.kind, choice.model, open_it, failed) if failed else open_it()
        engines[choice] = opened[source]
    return engines


def open_choice(choice: EngineChoice, progress: Callable[[str], None]) -> Engine:
    """The engine that `choice` names. Raises `EngineError`."""
    return open_engine(
        choice.kind,
        model=choice.model,
        base_url=choice.base_url,
        api_key_env=choice.api_key_env,
        timeout_s=choice.timeout_s,
        at_once=choice.at_once,
        precision=choice.precision,
        progress=progress,
    )


def portal_of(
    study: Study,
    progress: Callable[[str], None],
    failed: Callable[[Exception], None],
    instead: str | None = None,
    *,
    second_factor: bool = True,
    behind_proxy: bool = False,
) -> Flask:
    """The portal of `study`, its engines being loaded and warmed; `failed` is told, in another thread, if one cannot.

    Pages are served meanwhile. In a rehearsal nobody waits for a page, and every answer is to be the engine's, so there
    the engines are loaded before this returns. Raises `EngineError` for what can be seen at once.
    """
    engines = open_engines(study.protocols(), progress, instead, None if study.rehearsal else failed)
    app = create_app(study, engines, second_factor=second_factor, behind_proxy=behind_proxy)
    sessions: Sessions = app.extensions["bedside"]
    threading.Thread(target=_warm, args=(sessions,), name="warm").start()
    return app


def _warm(sessions: Sessions) -> None:
    try:
        sessions.warm()
    except EngineError as error:
        # Not fatal: a server that is away now may be there when the first participant writes.
        log.warning("engine could not be warmed", error=type(error).__name__)
