"""From the logs of inspect_ai to everything that a report says: read once, computed once."""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.errors import NoResults
from audit.identity import data_sha256
from audit.report.material import Material, Part, Run, Subject, digest, part_of
from audit.results import Found, Key, newest, rows
from audit.running import Options
from audit.suite import Suite, suites
from audit.suites import grading
from audit.suites.grading import Trial
from audit.summary import SEED
from study.auditing import NEUTRAL

if TYPE_CHECKING:
    import pandas as pd
    from inspect_ai.log import EvalLog, EvalSample

__all__ = ["gather"]

PERSONAS = (NEUTRAL, "warm_trait", "warm_behaviour", "secure_attachment")
"""The order in which personas are shown; others follow by name."""


def gather(
    folder: Path,
    known: Mapping[str, Suite] | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Material:
    """The newest complete log of each suite, model and persona under `folder`, as figures.

    `known` are the suites by name, all that there are if None; a log of another suite is left out. `progress` is told
    what is done now, how much of it is done, and how much there is. Raises `NoResults` where there is no log.
    """
    known = suites() if known is None else known
    runs: list[Run] = []
    tables: dict[str, dict[Subject, pd.DataFrame]] = {}
    graders: dict[Subject, tuple[Trial, ...]] = {}
    logs = sorted(newest(folder).items(), key=lambda one: _order(one[0], list(known)))
    for place, (key, found) in enumerate(logs):
        progress("reading the logs", place, len(logs))
        if key.suite == grading.SUITE.name:
            graders[Subject(key.model, key.persona)] = _trials(found)
        if key.suite not in known:
            continue
        run, table = _read(key, found)
        runs.append(run)
        if not table.empty:
            tables.setdefault(key.suite, {})[run.subject] = table
    if not tables and graders:
        raise NoResults(
            f"In {folder} grading models were tried and nothing was audited; `bedside audit ... --grader MODEL` in the "
            "same folder does both, and its report has the trial. `inspect view` shows it by itself."
        )
    if not tables:
        raise NoResults(
            f"The logs in {folder} are of none of the suites that there are; `bedside audit list` names them."
        )
    order = tuple(dict.fromkeys(run.subject for run in runs))
    parts: list[Part] = []
    for name in (name for name in known if name in tables):
        progress(f"figures: {name}", len(parts), len(tables))
        parts.append(part_of(known[name], tables[name], order))
    every = {f"{name} {one.model} {one.persona}": table for name in tables for one, table in tables[name].items()}
    return Material(
        title="The audit of " + (", ".join(dict.fromkeys(one.model for one in order if not one.floor)) or "the floor"),
        runs=tuple(runs),
        parts=tuple(parts),
        version=version("bedside"),
        warnings=tuple(_warnings(runs, graders, folder)),
        graders=graders,
        sha256=digest(every),
    )


def _order(key: Key, known: list[str]) -> tuple[int, str, int, str, int]:
    """Audited models before ELIZA, ELIZA before baselines; personas in their order; suites in theirs."""
    subject = Subject(key.model, key.persona)
    place = PERSONAS.index(key.persona) if key.persona in PERSONAS else len(PERSONAS)
    suite = known.index(key.suite) if key.suite in known else len(known)
    return subject.baseline * 2 + (subject.floor and not subject.baseline), key.model, place, key.persona, suite


def _read(key: Key, found: Found) -> "tuple[Run, pd.DataFrame]":
    from inspect_ai.log import read_eval_log

    log = read_eval_log(found.path)
    table = rows(log)
    kept = [sample for sample in log.samples or [] if sample.error is None]
    if not table.empty:
        table["why"] = [_why(sample) for sample in kept]
        if any("course" in sample.store for sample in kept):
            table["course"] = [sample.store.get("course") for sample in kept]
    return _run(key, log, kept), table


def _run(key: Key, log: "EvalLog", samples: "list[EvalSample]") -> Run:
    head = log.eval
    about = head.metadata or {}
    grader, pinned, own, rubrics = _grading(log, samples)
    given = {name: value for name, value in head.task_args.items() if name in Options.__dataclass_fields__}
    given |= about.get("options") or {}
    return Run(
        suite=key.suite,
        version=str(about.get("suite_version", head.task_version)),
        subject=Subject(key.model, key.persona),
        half=str(head.task_args.get("half", "both")),
        created=head.created,
        status=log.status,
        samples=(head.dataset.samples or len(log.samples or [])) * (head.config.epochs or 1),
        scored=len(samples),
        identity=_identity(about, samples, head.packages),
        grader=grader,
        pinned=pinned,
        self_graded=own,
        max_tokens=head.model_generate_config.max_tokens,
        rubrics=rubrics,
        options={name: str(value) for name, value in given.items() if value is not None},
    )


def _identity(about: Mapping[str, Any], samples: "Iterable[EvalSample]", packages: Mapping[str, str]) -> dict[str, str]:
    """What the results depend on: the model's file beside each reply, the persona's and the items' in the head."""
    found: dict[str, str] = {}
    engine = dict(about.get("engine") or {})
    names = {"kind": "engine", "sha256": "model_sha256", "precision": "precision", "temperature": "temperature"}
    for name, called in {**names, "base_url": "server"}.items():
        if engine.get(name) is not None:
            found[called] = str(engine[name])
    for sample in samples:
        answered = sample.output.metadata or {}
        for name in ("engine", "precision", "model_sha256"):
            if answered.get(name):
                found[name] = str(answered[name])
        break
    if about.get("persona_sha256"):
        found["persona_sha256"] = str(about["persona_sha256"])
    for name, sha256 in sorted(dict(about.get("data", {})).items()):
        found[f"data/{name}.toml"] = str(sha256)
    if "inspect_ai" in packages:
        found["inspect_ai"] = packages["inspect_ai"]
    return found


def _grading(log: "EvalLog", samples: "Iterable[EvalSample]") -> tuple[str, str, bool, tuple[str, ...]]:
    """The grading model, its revision or hash, whether it is the model that was audited, and its rubrics."""
    role = (log.eval.model_roles or {}).get("grader")
    several = role if isinstance(role, list) else [role] if role else []
    grader = ", ".join(one.model for one in several)
    own, pinned = log.eval.model in [one.model for one in several], ""
    rubrics: set[str] = set()
    for score in (score for sample in samples for score in (sample.scores or {}).values()):
        about = score.metadata or {}
        pinned = pinned or str(about.get("grader_revision") or about.get("grader_sha256") or "")
        grader = grader or str(about.get("grader") or "")
        value = score.value if isinstance(score.value, dict) else {}
        own = own or value.get("self_graded") == 1
        rubrics |= {str(about["rubric"])} if about.get("rubric") else set()
    return grader, pinned, own, tuple(sorted(rubrics))


def _why(sample: "EvalSample") -> list[tuple[str, str]]:
    """Of each scorer its short answer and its explanation, in the order in which they scored."""
    found = []
    for name, score in (sample.scores or {}).items():
        said = [one for one in (score.answer, score.explanation) if one]
        if said:
            found.append((name, ": ".join(dict.fromkeys(said))))
    return found


def _trials(found: Found) -> tuple[Trial, ...]:
    """The trial of a grader on the held-out half; none where its rubrics or the reader's grades have changed since."""
    table = rows(found.path)
    about = found.header.eval.metadata or {}
    if table.empty or about.get("data") != {name: data_sha256(name) for name in grading.SUITE.data}:
        return ()
    held_out = table[table["held_out"].astype(bool)]
    return tuple(grading.trials(table if held_out.empty else held_out, SEED))


def _warnings(runs: list[Run], graders: Mapping[Subject, tuple[Trial, ...]], folder: Path) -> Iterable[str]:
    for run in runs:
        if run.scored < run.samples:
            yield (
                f"{run.suite}, {run.subject.label}: {run.scored} of {run.samples} samples have a reply and a score; "
                "the others are left out, and if what was left out is not like the rest, so are the figures."
            )
        if run.self_graded:
            yield f"{run.suite}, {run.subject.label}: graded by {run.grader}, which is the model under test."
    tried = {(subject.model, trial.rubric) for subject, trials in graders.items() for trial in trials}
    graded = {(run.grader, rubric) for run in runs for rubric in run.rubrics}
    for grader in sorted({grader for grader, _ in graded - tried}):
        yield (
            f"How far the grader {grader} agrees with a reader was not tried; `bedside audit {grader} --suite "
            f"{grading.SUITE.name} --folder {folder}` does."
        )
    for run in runs:
        if (count := run.options.get("patients", "0")) != "0":
            yield f"{run.suite}, {run.subject.label}: each item comes after {count} exchanges with a simulated patient."
        if run.options.get("sets"):
            yield f"{run.suite}, {run.subject.label}: not of our items, but of {run.options['sets']}."
    halves = {(run.suite, run.half) for run in runs if run.half != "both"}
    for suite, half in sorted(halves):
        yield f"{suite}: only the half {half!r} of the items was run."
    if not any(run.subject.floor for run in runs):
        yield "Neither ELIZA nor a baseline was run, so the figures have no floor."
