"""Replaying a study: each answer in the record that an engine wrote, written again and compared.

One visit after another is read, so that a study of thousands of answers needs no more memory than its longest visit.
Nothing is written into the record.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from bedside.assembly import open_choice
from bedside.simulated import Character
from portal.conversations import conversation_of
from study import visits
from study.errors import StudyError
from study.protocol import EngineChoice, EngineSource
from study.study import Study
from study.turns import Turn, TurnKeeper, provenance_of
from study.visits import Visit
from therapist.engine import Engine, Prompt, Utterance
from therapist.engines import KINDS
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.prompting import opening_prompt
from therapist.replaying import Reason, Replayed, Verdict, replay, why_not

__all__ = ["Count", "Engines", "chosen", "replay_visit"]


@dataclass(slots=True)
class Count:
    """How the turns of a replay came out."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    """Why turns were not compared."""
    cut: int = 0
    """Cut short then, and compared as far as they were written."""
    others: int = 0
    """Pieces of text that were written beside them."""

    def add(self, one: Replayed) -> None:
        self.verdicts[one.verdict] += 1
        if one.reason is not None:
            self.reasons[one.reason] += 1
        self.cut += one.cut
        self.others += one.others

    @property
    def compared(self) -> int:
        return self.verdicts["same"] + self.verdicts["differs"]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, with a number for every verdict there is."""
        return {
            **{verdict: self.verdicts[verdict] for verdict in get_args(Verdict)},
            "reasons": dict(self.reasons),
            "compared as far as written": self.cut,
            "pieces written beside": self.others,
        }


class Engines:
    """The engines that wrote what is replayed, each opened when it is first needed; with `instead`, only that one."""

    def __init__(self, progress: Callable[[str], None], instead: EngineChoice | None = None) -> None:
        self._progress = progress
        self._instead = instead
        self._opened: dict[EngineSource, Engine] = {}

    def that_wrote(self, provenance: Mapping[str, Any], choice: EngineChoice | None) -> Engine:
        """The engine that a turn's `provenance` names, where the protocol's `choice` says how to reach it.

        Raises `EngineError` when it cannot be opened, and `StudyError` when nothing says where it is.
        """
        wanted = self._instead or _as_recorded(provenance, choice)
        source = wanted.source
        if source not in self._opened:
            self._opened[source] = open_choice(wanted, self._progress)
        return self._opened[source]

    def close(self) -> None:
        for engine in self._opened.values():
            engine.close()


def _as_recorded(provenance: Mapping[str, Any], choice: EngineChoice | None) -> EngineChoice:
    """The protocol's choice, unless another engine wrote: in a rehearsal one may stand in for all."""
    kind, model = provenance["engine"], provenance["model"]
    local = {"model": model, "precision": provenance.get("precision") or "auto"} if kind == "transformers" else {}
    if choice is not None and choice.kind == kind:
        return choice.model_copy(update=local)
    if kind not in KINDS or kind == "openai":
        raise StudyError(
            f"The record names the engine {kind} ({model}), and study.toml does not say where it is. Replay with one "
            "that you name: --engine openai --base-url ADDRESS."
        )
    return EngineChoice(kind=kind, **local)


def chosen(study: Study, visit: int | None = None, participant: str | None = None) -> tuple[list[int], int]:
    """The visits in which something was said, all or those asked for, and how many turns the therapist has in them.

    Raises `UnknownCode` when there is no such visit or participant.
    """
    if visit is not None:
        visits.find(study, visit)
    if participant is not None:
        study.participant(participant)
    rows = study.records.rows(
        "SELECT visit.id, count(*) AS turns FROM visit JOIN turn ON turn.visit = visit.id"
        " WHERE turn.speaker = 'therapist' AND visit.id = ifnull(?, visit.id)"
        " AND visit.participant = ifnull(?, visit.participant) GROUP BY visit.id ORDER BY visit.id",
        visit,
        participant,
    )
    return [row["id"] for row in rows], sum(row["turns"] for row in rows)


def replay_visit(study: Study, visit: Visit, engines: Engines, beside: int = 0) -> Iterator[Replayed]:
    """The therapist's turns of `visit`, each written again, with as many other conversations `beside` it.

    Raises what `Engines.that_wrote` raises.
    """
    participant = study.participant(visit.participant)
    choice = participant.protocol.engine_of(participant.arm)
    keeper = TurnKeeper(study, visit)
    turns, known = keeper.turns(), provenance_of(study, visit.id)
    for turn in turns:
        if turn.speaker == "participant":
            continue
        then = known[turn.number]
        reason = why_not(turn, then)
        if reason is not None:
            yield Replayed(turn, then, "not compared", reason)
            continue
        engine = engines.that_wrote(then, choice)
        conversation = conversation_of(study, visit, engine, keeper)
        yield replay(conversation, turns, turn, then, engine, list(_others(study, visit, turn, beside)))


def _others(study: Study, visit: Visit, turn: Turn, count: int) -> Iterator[Prompt]:
    """What invented people say at the same step, as prompts."""
    participant = study.participant(visit.participant)
    language = participant.protocol.language
    opening = opening_prompt(load_exercise(visit.exercise, language), load_persona(participant.arm.persona, language))
    for number in range(count):
        words = Character.draw(f"beside/{turn.number}/{number}").answer(turn.step, 0)
        yield replace(opening, turns=(*opening.turns, Utterance("participant", words)))
