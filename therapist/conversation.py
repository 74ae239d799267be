"""The conversation: the one place that decides what is said, in every arm.

It is given an exercise, a persona, an engine, a screen and a transcript, and has two verbs. `hear` records what the
participant said, screened, before anything else happens. `reply` yields the sentences of the answer that is owed, as
they are ready, and records it when it is whole.

It keeps nothing to itself: the step and the answers owed follow from the turns in the transcript. A new conversation
on the same transcript goes on where the last one stood.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import structlog

from therapist._holding import Hold, held_back
from therapist._writing import Interrupted, Runaway, Writing
from therapist.engine import Engine, Form, Priority, Prompt, Sampling
from therapist.errors import EngineError, ExerciseOver, ReplyPending
from therapist.exercise import Exercise, Step
from therapist.persona import Persona
from therapist.prompting import build_prompt, prompt_so_far
from therapist.provenance import Provenance
from therapist.rails import Rails, Reason, judge, split
from therapist.screen import Screen
from therapist.transcript import Origin, RecordedTurn, SafetyHit, Transcript, Turn
from therapist.wizard import Wizard, Written

__all__ = ["Conversation", "Due", "Hold", "Medium"]

Medium = Literal["robot", "chat", "worksheet"]

log = structlog.get_logger()

PATIENCE_S = 600.0
"""The longest wait for a sentence, or for a place, where nobody waits for the answer."""


@dataclass(frozen=True, slots=True)
class Due:
    """What the answer to a turn has to be, which the script decides."""

    step: Step
    form: Form
    done: bool
    """Whether the participant is done with the step, so that the script's next question follows the answer."""
    following: Step | None
    """The step whose question waits then; None at the end."""


class _Crisis(Exception):
    """The screen found something in what the model, or a person in its place, wrote."""

    def __init__(self, hit: SafetyHit) -> None:
        self.hit = hit


class _Overtaken(Exception):
    """While it was waited for or written, the visit was stopped or left: the answer is owed to nobody any more."""


class Conversation:
    """One visit's exercise, being talked through (robot, chat) or filled in (worksheet)."""

    def __init__(
        self,
        *,
        exercise: Exercise,
        persona: Persona,
        engine: Engine | None,
        screen: Screen,
        transcript: Transcript,
        medium: Medium,
        crisis_message: str,
        key: str,
        seed: int,
        rails: Rails | None = None,
        sampling: Sampling | None = None,
        deadline_s: float = 20.0,
        wait_s: float = 10.0,
        priority: Priority = "interactive",
        waiting: Callable[[int], None] = lambda place: None,
        over: Callable[[], bool] = lambda: False,
        wizard: Wizard | None = None,
        hold: Hold | None = None,
        hurry: threading.Event | None = None,
    ) -> None:
        """Without an `engine`, a worksheet is answered by nobody; a chat or a robot says the script's own sentences.

        `key` names the visit: with `seed` and the number of the turn it gives each answer its own seed, and it is the
        name under which the engine keeps what it has read. `deadline_s` is the longest wait for one sentence,
        `wait_s` for a place at a busy engine; `waiting` is told each new place there, and 0 at last. When `over`
        says that the visit was ended elsewhere, the engine is stopped at once. A person at the `wizard`'s place writes
        the answers for as long as they hold it, and the engine none. `hold` may hold back the first sentence of an
        answer, never the fixed message; whoever sets `hurry` ends that.
        """
        self.exercise = exercise
        self.medium: Medium = medium
        self._persona = persona
        self._engine = engine
        self._screen = screen
        self._transcript = transcript
        self._crisis_message = crisis_message
        self._key = key
        self._seed = seed
        self._rails = rails or Rails()
        self._sampling = sampling or Sampling()
        self._deadline_s = deadline_s
        self._wait_s = wait_s
        self._priority: Priority = priority
        self._waiting = waiting
        self._over = over
        self._wizard = wizard
        self._hold = hold
        self._hurry = hurry or threading.Event()

    def again(self, transcript: Transcript, engine: Engine, sampling: Sampling) -> "Conversation":
        """The same conversation on another `transcript`, to write an answer again: nobody waits for it."""
        twin = copy(self)
        twin._transcript, twin._engine, twin._sampling = transcript, engine, sampling
        twin._deadline_s = twin._wait_s = PATIENCE_S
        twin._priority = "interactive"  # behind nothing that it is written beside
        return twin

    # Where the exercise stands

    @property
    def turns(self) -> Sequence[RecordedTurn]:
        """All turns so far, oldest first."""
        return self._transcript.turns()

    @property
    def step(self) -> str | None:
        """The step whose question waits for an answer, in a worksheet the first open one; None when none does."""
        turns = self.turns
        if self.stopped:
            return None
        if self.medium == "worksheet":
            return next((step.id for step in self.exercise.steps if step.id not in self.answered), None)
        said = [turn for turn in turns if turn.speaker == "therapist"]
        return said[-1].next_step if said else self.exercise.steps[0].id

    @property
    def pending(self) -> RecordedTurn | None:
        """The oldest turn of the participant that is owed an answer.

        Once the exercise is stopped nothing is owed but the fixed message, once, to the words that stopped it.
        """
        turns = self.turns
        answered = {turn.reply_to for turn in turns if turn.speaker == "therapist"}
        owed = [turn for turn in turns if turn.speaker == "participant" and turn.number not in answered]
        if self.stopped:
            told = any(turn.origin == "crisis" for turn in turns)
            return None if told else next((turn for turn in owed if turn.hit is not None), None)
        if self.medium == "worksheet" and self._engine is None:
            return None
        return owed[0] if owed else None

    @property
    def answered(self) -> dict[str, RecordedTurn]:
        """The participant's last turn at each step that has one; for a worksheet, its confirmed answers."""
        return {turn.step: turn for turn in self.turns if turn.speaker == "participant"}

    @property
    def stopped(self) -> bool:
        """Whether the screen stopped the exercise."""
        return any(turn.hit is not None for turn in self.turns)

    @property
    def finished(self) -> bool:
        """Whether the exercise came to its own end, every answer given."""
        return not self.stopped and bool(self.turns) and self.step is None and self.pending is None

    def due(self, pending: RecordedTurn) -> Due:
        """What the answer to `pending` has to be."""
        step = self.exercise.step(pending.step)
        printed = self.medium == "worksheet"
        done = printed or step.is_done([turn.text for turn in self._answers(step)], self._screen.words)
        return Due(step, "statement" if done else "question", done, self.exercise.after(step.id) if done else step)

    def says_next(self, due: Due) -> str:
        """What the script says after the answer: the next question or the closing; nothing in a worksheet."""
        if self.medium == "worksheet" or not due.done:
            return ""
        return due.following.ask if due.following else self.exercise.closing

    def so_far(self) -> Prompt | None:
        """What the prompt of the next answer begins with, which an engine may read while the participant thinks; None
        where there is no next answer or it does not begin so."""
        if self._engine is None or self._rails.grounded or self.step is None or self.pending is not None:
            return None
        return prompt_so_far(self.exercise, self._persona, self.turns, printed=self.medium == "worksheet")

    # The two verbs, and the opening

    def open(self) -> RecordedTurn:
        """Record the opening, if it is not yet: the greeting, and in a conversation the first question."""
        turns = self.turns
        if turns:
            return turns[0]
        first = self.exercise.steps[0]
        printed = self.medium == "worksheet"
        return self._transcript.add(
            Turn(
                speaker="therapist",
                step=first.id,
                text=self.exercise.opening if printed else f"{self.exercise.opening} {first.ask}",
                origin="script",
                next_step=None if printed else first.id,
                provenance=self._provenance().as_dict(),
            )
        )

    def hear(self, words: str, token: str, step: str | None = None) -> RecordedTurn:
        """Record what the participant said. When this returns, it is kept, and so is what the screen found in it.

        The same `token` again gives the turn that stands, wherever the exercise is by now. A worksheet names the
        `step` that is answered. Raises `ReplyPending` while an answer is owed (not in a worksheet), `ExerciseOver`
        when nothing more is taken, and `UnknownStep`. Of two calls at once for one visit both may pass these checks:
        the caller makes them one after the other.
        """
        for turn in self.turns:
            if turn.token == token:
                return turn
        if self.stopped:
            raise ExerciseOver("The exercise was stopped.")
        if self.medium == "worksheet":
            name = self.exercise.step(step or "").id
            if name in self.answered:
                raise ExerciseOver("This answer is confirmed already.")
        else:
            if self.pending is not None:
                raise ReplyPending("The answer to the last message is still being written.")
            current = self.step
            if current is None:
                raise ExerciseOver("The exercise is over.")
            name = current
        return self._transcript.add(
            Turn(
                speaker="participant",
                step=name,
                text=words,
                origin="participant",
                token=token,
                hit=self._screen.check(words, "participant"),
            )
        )

    def reply(self) -> Iterator[str]:
        """The sentences of the oldest answer that is owed, each as soon as it may be said; none when none is owed.

        The answer is recorded after its last sentence, so the caller has to read to the end; an answer that was left
        half read is owed still and written anew. No failure of an engine reaches the participant. When the visit is
        stopped or ended elsewhere meanwhile, nothing is said or recorded beyond what had been said by then.
        """
        pending = self.pending
        if pending is None:
            return
        started = time.monotonic()
        provenance = self._provenance()
        due = self.due(pending)
        step, following = due.step, due.following
        printed = self.medium == "worksheet"
        hit = _own(pending)
        stopped = self.stopped
        ended = False
        origin: Origin = "crisis"
        said: list[str] = []
        if not stopped:
            try:
                answer = self._answer(pending, self._answers(step), step, due.form, provenance)
                for origin, sentence in self._in_time(answer, pending.number, started, provenance):  # noqa: B007 - the last is the turn's
                    said.append(sentence)
                    yield sentence
                ended = self._over()
                for sentence in split("" if ended else self.says_next(due)):
                    said.append(sentence)
                    yield sentence
            except _Crisis as crisis:
                hit, origin, stopped = crisis.hit, "crisis", True
            except _Overtaken:
                return
        if stopped:
            if provenance.ready_ms is None:
                provenance.ready_ms = round(1000 * (time.monotonic() - started), 1)
            for sentence in split(self._crisis_message):
                said.append(sentence)  # behind what had been said before it was found
                yield sentence
        provenance.total_ms = round(1000 * (time.monotonic() - started), 1)
        self._transcript.add(
            Turn(
                speaker="therapist",
                step=step.id,
                text=" ".join(said),
                origin=origin,
                reply_to=pending.number,
                next_step=following.id if following and not stopped and not ended and not printed else None,
                hit=hit,
                provenance=provenance.as_dict(),
            )
        )

    # Inside

    def _answers(self, step: Step) -> list[RecordedTurn]:
        """What the participant said at this step."""
        return [turn for turn in self.turns if turn.speaker == "participant" and turn.step == step.id]

    def _answer(
        self,
        pending: RecordedTurn,
        answers: Sequence[RecordedTurn],
        step: Step,
        form: Form,
        provenance: Provenance,
    ) -> Iterator[tuple[Origin, str]]:
        """The part of a reply that takes up what was said: a person's who took over, or else the engine's."""
        while True:
            written = self._wizard.write(pending.number) if self._wizard is not None else None
            owed = self.pending
            if owed is None or owed.number != pending.number or self._over():
                raise _Overtaken
            try:
                if written is not None:
                    yield from self._persons(written, form, provenance)
                else:
                    yield from self._engines(pending, answers, step, form, provenance)
                return
            except Interrupted:
                continue

    def _in_time(
        self, answer: Iterator[tuple[Origin, str]], number: int, started: float, provenance: Provenance
    ) -> Iterator[tuple[Origin, str]]:
        """The sentences of the answer to turn `number`, the first when it is its time. A person's is not held back."""
        hold = self._hold
        first = next(answer, None)
        if first is None:
            return
        ready_ms = 1000 * (time.monotonic() - started)
        provenance.ready_ms = round(ready_ms, 1)
        if hold is None or first[0] == "person":
            yield first
            yield from answer
            return

        def wait() -> None:
            provenance.held_ms = round(hold(number, ready_ms, self._hurry), 1)

        yield from held_back(chain([first], answer), wait, self._hurry)

    def _persons(self, written: Written, form: Form, provenance: Provenance) -> Iterator[tuple[Origin, str]]:
        """What a person wrote, all of it screened before any of it is said."""
        provenance.by_person(written, form, self._engine.identity if self._engine else None)
        sentences = split(written.text)
        self._look_at(written.text)
        for number, sentence in enumerate(sentences):
            self._look_at(sentence, *sentences[max(0, number - 1) : number])
        for sentence in sentences:
            yield "person", sentence

    def _look_at(self, sentence: str, *before: str) -> None:
        """Screen a sentence of the answer, alone and together with what stands `before` it in the same answer: what
        was cut in two may be harmless in each half. Raises `_Crisis`."""
        for text in dict.fromkeys((sentence, " ".join((*before, sentence.lstrip("-–—*•> "))))):
            hit = self._screen.check(text, "therapist")
            if hit is not None:
                raise _Crisis(hit)

    def _engines(
        self,
        pending: RecordedTurn,
        answers: Sequence[RecordedTurn],
        step: Step,
        form: Form,
        provenance: Provenance,
    ) -> Iterator[tuple[Origin, str]]:
        """The model's words, or the step's own in their place.

        Raises `Interrupted` when a person takes over, or the visit ends, before any of them was said.
        """
        if self._engine is None:
            yield "script", self._own_words(step, form)
            return
        spoken = False
        for sentence in self._attempt(self._engine, pending, answers, step, form, provenance):
            spoken = True
            yield "model", sentence
        # No second attempt here: what may be tried again, the engine has tried again.
        if not spoken:
            yield "fallback", self._own_words(step, form)

    def _attempt(
        self,
        engine: Engine,
        pending: RecordedTurn,
        answers: Sequence[RecordedTurn],
        step: Step,
        form: Form,
        provenance: Provenance,
    ) -> Iterator[str]:
        """One attempt of the engine: the sentences that passed. What was refused or failed goes into `provenance`."""
        earlier = _before(pending, self.turns)
        printed = self.medium == "worksheet"
        prompt = build_prompt(
            self.exercise, self._persona, [*earlier, pending], step, form, printed=printed, bare=self._rails.grounded
        )
        seed = self._seed_of(pending.number)
        provenance.asked(form, seed, self._sampling)
        passed = 0
        writing = Writing(
            engine,
            prompt,
            self._sampling,
            seed,
            self._key,
            self._deadline_s,
            wait_s=self._wait_s,
            priority=self._priority,
            waiting=self._waiting,
            interrupted=lambda: self._over() or (not passed and self._wizard is not None and self._wizard.holds),
        )
        said = [sentence for turn in earlier if turn.speaker == "therapist" for sentence in split(turn.text)]
        heard = " ".join(turn.text for turn in answers)
        most = 1 if printed or form == "question" else self._rails.sentences
        sentences = writing.sentences()
        try:
            for sentence in sentences:
                reason = judge(
                    sentence,
                    form=form,
                    rails=self._rails,
                    screen=self._screen,
                    said=said,
                    heard=heard,
                    around=step.ask,
                    begin=prompt.begin,
                )
                # Screened even when refused for another reason: a model that wrote this must be known of.
                self._look_at(sentence, *said[len(said) - min(passed, 1) :])
                if reason is not None:
                    self._refuse(provenance, reason, sentence)
                    break
                passed += 1
                said.append(sentence)
                yield sentence
                if passed == most:
                    break
            else:
                if not passed and not provenance.refused:
                    self._refuse(provenance, "empty", "")
        except Interrupted:
            if not passed:
                raise
        except Runaway:
            self._refuse(provenance, "runaway", writing.raw)
        except EngineError as error:
            provenance.failures.append(type(error).__name__)
            log.warning("attempt failed", visit=self._key, error=type(error).__name__)
        finally:
            sentences.close()  # type: ignore[attr-defined] # a generator; this stops the engine at once
            provenance.written(engine.identity, writing.raw, writing.usage, writing.first_sentence_ms)

    def _refuse(self, provenance: Provenance, reason: Reason, sentence: str) -> None:
        provenance.refused.append({"reason": reason, "text": sentence})
        log.info("sentence refused", visit=self._key, reason=reason)

    def _own_words(self, step: Step, form: Form) -> str:
        """The step's own wording; of several, the first that was not said before in this visit."""
        if form == "question":
            return step.follow_up
        before = " ".join(turn.text for turn in self.turns if turn.speaker == "therapist")
        return next((one for one in step.acknowledge if one not in before), step.acknowledge[0])

    def _seed_of(self, number: int) -> int:
        digest = hashlib.sha256(f"{self._seed}/{self._key}/{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def _provenance(self) -> Provenance:
        return Provenance.of(self.medium, self.exercise, self._persona, self._screen)


def _before(pending: RecordedTurn, turns: Sequence[RecordedTurn]) -> list[RecordedTurn]:
    """What was said before `pending`, each answer after what it answers.

    In a worksheet an answer may be recorded after later fields; the model reads it where it belongs.
    """
    known = [
        turn
        for turn in turns
        if (turn.number if turn.speaker == "participant" else turn.reply_to or 0) < pending.number
    ]
    return sorted(known, key=lambda turn: (turn.reply_to or turn.number, turn.speaker == "therapist"))


def _own(turn: RecordedTurn) -> SafetyHit | None:
    """The turn's hit as this room's own class."""
    found = turn.hit
    return SafetyHit(found.category, found.rule, found.start, found.end, found.source) if found else None
