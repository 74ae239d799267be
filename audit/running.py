"""Running an audit: a piece for each suite, engine and persona, each in a folder of its own.

The folder's name has a fingerprint of all that the results depend on (the weights, the persona's text, the items, the
options). So a piece that was done is done as long as nothing of that changed, and one that was killed goes on from its
last samples: inspect_ai's `eval_set` finds them in its logs. What is changed makes a new folder, and the old one stays.
"""

import hashlib
import inspect
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from audit.engines import AuditedEngine, baseline_engine, engine_for, engine_named
from audit.errors import AuditError, NoResults
from audit.identity import provenance
from audit.items import Half
from audit.suite import all_suites, suite_named
from study.auditing import NEUTRAL
from study.parallel import RAY_ADDRESS, each, where

__all__ = ["Options", "Piece", "Standing", "pieces_of", "run_piece", "run_pieces", "standing", "takes"]

LOGS = "logs"

Display = Literal["rich", "plain", "none"]


@dataclass(frozen=True, slots=True)
class Options:
    """What can be chosen for a run."""

    half: Half = "both"
    limit_items: int | None = None
    design: str | None = None
    """For suites whose task has that parameter; None is the task's own default."""
    grader: str | None = None
    """inspect_ai's name of the model that grades."""
    seed: int = 1
    language: str = "en"
    patients: int | None = None
    """Exchanges with a simulated patient before each item, for suites whose task has that parameter."""
    sets: str = ""
    """Public sets instead of our items, for suites whose task has that parameter (`audit.public_sets`)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One task: a suite run on an engine with a persona. It can be pickled."""

    suite: str
    engine: AuditedEngine
    persona: str
    options: Options

    @property
    def arguments(self) -> dict[str, Any]:
        """The task's, as far as its function has such parameters."""
        wanted = {
            "persona": self.persona,
            "half": self.options.half,
            "limit_items": self.options.limit_items,
            "design": self.options.design,
            "grader": self.options.grader,
            "patients": self.options.patients,
            "sets": self.options.sets or None,
            "language": self.options.language if self.options.language != "en" else None,
        }
        return {name: value for name, value in wanted.items() if value is not None and takes(self.suite, name)}

    @property
    def about(self) -> dict[str, Any]:
        """What goes into the log's metadata: suite, persona and their hashes, the engine, the options."""
        about = provenance(suite_named(self.suite), self.persona, self.options.language)
        # Only what this task was given: what concerns others alone changes nothing here.
        given = {name: value for name, value in self.arguments.items() if name != "persona"}
        return about | {"engine": asdict(self.engine), "options": given | {"seed": self.options.seed}}

    @property
    def folder(self) -> str:
        """The name of its folder under the audit's `logs`."""
        # A task knows what else it hangs on: the screen's rules, a rubric.
        task = suite_named(self.suite).task(**self.arguments)
        depends = [self.about, self.arguments, task.version, task.metadata]
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()
        name = "".join(letter if letter.isalnum() else "-" for letter in self.engine.name)[-40:]
        return f"{self.suite}.{name}.{self.persona}.{digest[:10]}"


def takes(suite: str, option: str) -> bool:
    """Whether the task of `suite` has a parameter called `option`. Raises `AuditError` for no suite's name."""
    return option in inspect.signature(suite_named(suite).task).parameters


def pieces_of(
    pairs: Iterable[tuple[AuditedEngine, str]], suites: Sequence[str], options: Options, *, baselines: bool
) -> list[Piece]:
    """The pieces of an audit in the order in which they are run, each once.

    With `baselines`, each suite's own, too. Engines that read no persona, and graders, are run with `neutral` alone; a
    suite that asks no model is run once, with ELIZA. Where a grader is named and a suite has a rubric for it, the
    grader is tried against a reader first. Raises `AuditError` for a suite or an engine that there is not.
    """
    found: dict[Piece, None] = {}
    if options.grader is not None:
        grader = engine_named(options.grader)
        options = replace(options, grader=grader.model)
        if any(suite_named(suite).rubric for suite in suites):
            trials = [name for name, suite in all_suites().items() if suite.of_graders]
            found |= dict.fromkeys(pieces_of([(grader, NEUTRAL)], trials, _of_trial(options), baselines=baselines))
    pairs = list(pairs)
    for suite in suites:
        asks, of_graders = suite_named(suite).model_matters, suite_named(suite).of_graders
        given = _of_trial(options) if of_graders else options
        for engine, persona in pairs if asks else [(engine_for("eliza", None), NEUTRAL)]:
            reads = engine.hangs_on_persona and not of_graders
            found[Piece(suite, engine, persona if reads else NEUTRAL, given)] = None
        for baseline in suite_named(suite).baselines if baselines else ():
            found[Piece(suite, baseline_engine(suite, baseline.name), NEUTRAL, given)] = None
    return list(found)


def _of_trial(options: Options) -> Options:
    """What of the options concerns the trial of a grader, which is run once for all that they have in common."""
    return Options(half=options.half, limit_items=options.limit_items, seed=options.seed)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a piece is."""

    done: bool
    kept: int = 0
    """Of one that was begun: the answers in whichever of its logs has the most; inspect_ai may find some more."""


def standing(piece: Piece, folder: Path) -> Standing:
    """How far `piece` is, by its logs in the audit's `folder`."""
    from inspect_ai.log import list_eval_logs, read_eval_log_sample_summaries

    from audit.results import newest

    where = folder / LOGS / piece.folder
    if not where.is_dir():
        return Standing(False)
    try:
        newest(where)
    except NoResults:
        kept = 0
        for log in list_eval_logs(str(where)):
            with suppress(
                Exception
            ):  # a log that was cut off while it was written has none, whatever its reader raises
                kept = max(kept, sum(one.completed and not one.error for one in read_eval_log_sample_summaries(log)))
        return Standing(False, kept)
    return Standing(True)


def run_piece(piece: Piece, folder: Path, display: Display = "none") -> None:
    """Run `piece`, or what of it is missing. Raises `AuditError` when it does not come to its end."""
    from inspect_ai import eval_set
    from inspect_ai._eval.task.constants import TASK_FILE_ATTR
    from inspect_ai._util.error import PrerequisiteError

    import audit._registry  # noqa: F401 # so that inspect_ai knows our tasks and models

    where = folder / LOGS / piece.folder
    where.mkdir(parents=True, exist_ok=True)
    grader = {"grader": piece.options.grader} if piece.options.grader else None
    task = suite_named(piece.suite).task(**piece.arguments)
    # inspect_ai knows the answers of a task by the path of its file, as seen from the working directory. Ours are in a
    # folder of their own, whose name says more; without the path they are found from anywhere.
    vars(task).pop(TASK_FILE_ATTR, None)
    try:
        complete, logs = eval_set(
            task,
            log_dir=str(where),
            model=piece.engine.as_model(),
            model_roles=grader,
            metadata=piece.about,
            display=display,
            retry_attempts=1,
            retry_wait=5,
            continue_on_fail=True,
            log_dir_allow_dirty=True,
            max_connections=16,
            seed=piece.options.seed,
            ctl_server=False,
        )
    except PrerequisiteError as error:
        raise AuditError(f"{_called(piece)} cannot be run: {' '.join(str(error.message).split())}") from None
    if not complete:
        errors = [log.error.message.splitlines()[0] for log in logs if log.error and log.error.message]
        raise AuditError(
            f"{_called(piece)} did not come to its end{': ' + errors[-1] if errors else ''}. What it has is kept in "
            f"{where}; the same command goes on from there."
        )


def run_pieces(
    pieces: Sequence[Piece], folder: Path, tell: Callable[[str], None], *, display: Display = "none"
) -> None:
    """Run all `pieces` that are not done, here or on the Ray cluster that `RAY_ADDRESS` names.

    `tell` hears a line for each. Raises `AuditError` and `StudyError` at the first that fails.
    """
    waiting = [piece for piece in pieces if not standing(piece, folder).done]
    if done := len(pieces) - len(waiting):
        tell(f"{done} of {len(pieces)} parts are done already and are kept.")
    if os.environ.get(RAY_ADDRESS):
        tell(f"{len(waiting)} parts go to {where(1)}.")
        for place, files in each(_run_elsewhere, waiting, jobs=1):
            _put(files, folder / LOGS / waiting[place].folder)
            tell(f"{_called(waiting[place])}: done")
        return
    for number, piece in enumerate(waiting, 1):
        state = standing(piece, folder)
        if state.done:  # meanwhile, by another audit in the same folder
            continue
        before = f", which goes on after {state.kept} answers or more" if state.kept else ""
        tell(f"{number} of {len(waiting)}: {_called(piece)}{before}")
        run_piece(piece, folder, display)


def _called(piece: Piece) -> str:
    return f"{piece.suite}, {piece.engine.name}, {piece.persona}"


def _run_elsewhere(piece: Piece) -> dict[str, bytes]:
    """Run `piece` on another machine, whose disk is not ours; its logs, by name."""
    with tempfile.TemporaryDirectory() as folder:
        run_piece(piece, Path(folder))
        return dict(_files(Path(folder) / LOGS / piece.folder))


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.iterdir()):
        if file.is_file():
            yield file.name, file.read_bytes()


def _put(files: dict[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        draft = folder / f".{name}.draft"
        draft.write_bytes(data)
        draft.replace(folder / name)
