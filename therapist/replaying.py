"""Writing an answer of the record again, as it was written then: same words before it, same engine, seed and sampling.

It is the visit's own `Conversation` that writes, on a transcript that ends where the answer was owed. What it would
record is compared with what is recorded, and nothing is recorded.
"""

import itertools
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from therapist.conversation import Conversation
from therapist.differences import Change, Difference, changes, compare
from therapist.engine import Engine, EngineIdentity, Generation, Priority, Prompt, Sampling
from therapist.errors import EngineError
from therapist.rails import split
from therapist.transcript import RecordedTurn, Turn

__all__ = ["REASONS", "Beside", "Reason", "Replayed", "Verdict", "replay", "why_not"]

Verdict = Literal["same", "differs", "not compared", "failed"]
"""`failed`: the engine could not write it again."""

Reason = Literal["script", "crisis", "person", "time"]

REASONS: dict[Reason, str] = {
    "script": "the script's own words; no engine was asked",
    "crisis": "the fixed message; no engine was asked",
    "person": "a person wrote it",
    "time": "the engine failed or was late and had written nothing",
}
"""Why a turn is not compared."""

DRAWN = Sampling(temperature=1.0)
"""How the conversations beside are drawn."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """One turn of the therapist's, beside itself."""

    turn: RecordedTurn
    then: Mapping[str, Any]
    """Its provenance in the record."""
    verdict: Verdict
    reason: Reason | None = None
    """Why it is not compared."""
    error: str = ""
    """Why it could not be written again."""
    now: Mapping[str, Any] | None = None
    """The provenance of the answer that was written again."""
    said: str = ""
    """What would be said now."""
    others: int = 0
    """Pieces of text that the conversations beside it were given meanwhile."""
    cut: bool = False
    """Whether it was cut short then: by the time, by a failure of the engine, or by the end of the visit."""
    differences: tuple[Difference, ...] = ()
    changes: tuple[Change, ...] = ()


def why_not(turn: RecordedTurn, then: Mapping[str, Any]) -> Reason | None:
    """Why a therapist's turn cannot be compared; None when an engine wrote it, or part of it."""
    if turn.origin == "person":
        return "person"
    if then["engine"] is None or turn.reply_to is None:
        return "crisis" if turn.origin == "crisis" else "script"
    if _cut(then) and not then["raw"]:
        return "time"
    return None


def replay(
    conversation: Conversation,
    turns: Sequence[RecordedTurn],
    turn: RecordedTurn,
    then: Mapping[str, Any],
    engine: Engine,
    beside: Sequence[Prompt] = (),
) -> Replayed:
    """Write `turn` again with `engine`, and compare.

    `conversation` is that of its visit, `turns` all turns of the visit, `then` the provenance of `turn`, in which
    `why_not` finds nothing against it. While it is written, the engine writes an answer to each prompt of `beside` too.
    """
    transcript = _Until(turns, turn)
    again = conversation.again(transcript, _Seeded(engine, then["seed"]), Sampling(**then["sampling"]))
    try:
        with Beside(engine, beside) as others:
            for _ in again.reply():
                pass
    except EngineError as error:
        return Replayed(turn, then, "failed", error=str(error))
    written = transcript.written
    if written is None or written.provenance is None or written.reply_to != turn.reply_to:
        return Replayed(turn, then, "failed", error="The record does not say what it answered.")
    now = {**written.provenance, "seed": then["seed"]}
    if _cut(now):
        return Replayed(turn, then, "failed", error=f"The engine failed ({now['failures'][-1]}).", now=now)
    pending = next(one for one in transcript.turns() if one.number == turn.reply_to)
    cut = _cut(then) or _ended(turn, written, again.says_next(again.due(pending)))
    found = compare(then, now, said_then=_said(turn), said_now=_said(written), cut=cut)
    return Replayed(
        turn,
        then,
        "differs" if found else "same",
        now=now,
        said=written.text,
        others=others.pieces,
        cut=cut,
        differences=found,
        changes=changes(then, now, found),
    )


class Beside:
    """Other conversations that the same engine writes for as long as the block lasts, one for each of `prompts`.

    When the block begins, something of each has been written; whenever one is whole, the next is asked for. Raises
    `EngineError` at the end when the engine failed at one of them.
    """

    def __init__(self, engine: Engine, prompts: Sequence[Prompt]) -> None:
        self.pieces = 0
        """How many pieces of text they were given since the block began."""
        self._engine = engine
        self._over = threading.Event()
        self._begun = [threading.Event() for _ in prompts]
        self._lock = threading.Lock()
        self._writing: dict[int, Generation] = {}
        self._errors: list[EngineError] = []
        self._threads = [
            threading.Thread(target=self._write, args=(number, prompt), name="beside", daemon=True)
            for number, prompt in enumerate(prompts)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        for begun in self._begun:
            begun.wait()
        with self._lock:
            self.pieces = 0
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with self._lock:
            writing = list(self._writing.values())
        for one in writing:
            one.close()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _write(self, number: int, prompt: Prompt) -> None:
        try:
            for seed in itertools.count(1000 * number):
                self._write_one(number, prompt, seed)
                if self._over.is_set():
                    return
        except EngineError as error:
            if not self._over.is_set():
                self._errors.append(error)
        finally:
            self._begun[number].set()

    def _write_one(self, number: int, prompt: Prompt, seed: int) -> None:
        # Drawn, and with another seed each time: the others are to be as different as they can.
        generation = self._engine.generate(prompt, sampling=DRAWN, seed=seed, conversation=f"beside {number}")
        with self._lock:
            self._writing[number] = generation
        try:
            if self._over.is_set():
                return
            for _ in generation:
                with self._lock:
                    self.pieces += 1
                self._begun[number].set()
        finally:
            self._begun[number].set()  # also where it had nothing to say
            generation.close()


class _Until:
    """The transcript as it stood when `turn` was owed: what was said before what it answers, and that.

    In a worksheet later fields may have been confirmed by then; the answer did not depend on them.
    """

    def __init__(self, turns: Iterable[RecordedTurn], turn: RecordedTurn) -> None:
        answered = turn.reply_to or 0
        self._turns = [
            one
            for one in turns
            if (one.number <= answered if one.speaker == "participant" else (one.reply_to or 0) < answered)
        ]
        self.written: Turn | None = None

    def turns(self) -> Sequence[RecordedTurn]:
        return self._turns

    def add(self, turn: Turn) -> Turn:
        self.written = replace(turn, number=len(self._turns) + 1)
        return self.written


class _Seeded:
    """An engine that is given the seed of the record, whatever the study's own would be by now."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._seed = seed

    @property
    def identity(self) -> EngineIdentity:
        return self._engine.identity

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> Generation:
        return self._engine.generate(
            prompt, sampling=sampling, seed=self._seed, conversation=conversation, priority=priority
        )

    def close(self) -> None:
        """Whoever opened the engine closes it."""


def _cut(provenance: Mapping[str, Any]) -> bool:
    """Whether the answer ended with a failure: what could be tried again, the engine had tried again by then."""
    return bool(provenance["failures"])


def _ended(turn: RecordedTurn, written: Turn, script: str) -> bool:
    """Whether the visit was ended while the answer was being said: what the script says after it is wholly missing.

    `script` is what it says now; in a worksheet, whose answers are one sentence, nothing.
    """
    if turn.next_step is not None or turn.origin == "crisis":
        return False
    answer = written.text.removesuffix(" ".join(split(script))).rstrip()
    return written.next_step is not None or (bool(script) and answer.startswith(turn.text))


def _said(turn: RecordedTurn) -> str:
    """What was said; for the fixed message the rule that called for it, since its contacts may be others by now."""
    if turn.origin == "crisis" and turn.hit is not None:
        return f"({turn.hit.category}: {turn.hit.rule})"
    return turn.text
