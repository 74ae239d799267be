"""The sessions: where a visit of the study meets a conversation of the therapist, for every medium.

An answer is written by a worker of its own, not by the request that asked for it: a closed tab, a robot that lost the
network or a second window change nothing about what is said and recorded. Whoever wants to read along calls
`follow`. What is kept here is only what is being written at this moment; a process that starts anew finds in the
record which answers are owed and writes them.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from portal.conversations import conversation_of, crisis_of
from portal.errors import Alarmed
from portal.holding import Holding
from portal.takeovers import Desk
from study import safety, unrecorded, visits
from study.enrolment import may_record
from study.errors import DraftChanged, NotDue, RecordError, StudyError
from study.protocol import EngineChoice
from study.safety import Source
from study.study import Participant, Person, Study
from study.turns import TurnKeeper
from study.visits import Visit
from therapist.conversation import Conversation
from therapist.engine import Engine, Generation, Sampling
from therapist.errors import EngineError, TherapistError
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.prompting import opening_prompt
from therapist.screen import Screen
from therapist.transcript import RecordedTurn, SafetyHit

__all__ = ["Event", "Sessions"]

log = structlog.get_logger()

WRITERS = 256
"""Answers that are written or wait for the model at a time: whoever waits here has no place in its queue."""

SCREENED = 20_000
"""Of words that are too long to be taken, so many characters at the beginning and as many at the end are screened."""

KEEP_ALIVE_S = 10.0
"""A stream that has nothing to say for so long sends a comment, which also finds out that nobody listens any more."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a reply stream: `place` in the queue, `sentence`, `turn`, `end`, or `wait` (nothing yet)."""

    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class _Writing:
    """Answers being written for one visit, and what has been written of them."""

    events: list[Event] = field(default_factory=list)
    place: Event | None = None
    """Where the answer stands that waits for the model: only the latest is of interest, and none once it has begun."""
    done: bool = False
    since: float = field(default_factory=time.monotonic)
    changed: threading.Condition = field(default_factory=threading.Condition)
    hurry: threading.Event = field(default_factory=threading.Event)
    """Set when the visit was stopped: nothing of it is held back any more."""

    def put(self, event: Event) -> None:
        with self.changed:
            self.events.append(event)
            self.place = None
            self.changed.notify_all()

    def stand(self, reply_to: int, place: int) -> None:
        """The answer to turn `reply_to` has so many others before it."""
        with self.changed:
            self.place = Event("place", {"reply_to": reply_to, "place": place})
            self.changed.notify_all()

    def finish(self) -> None:
        with self.changed:
            self.done = True
            self.changed.notify_all()

    def read(self, every: float) -> Iterator[Event]:
        """All events from the first, as they come; a `wait` event for every so many seconds of silence.

        Of the places in the queue a reader is told the one that holds when it looks.
        """
        position, told = 0, None
        while True:
            with self.changed:
                while position == len(self.events) and self.place in (None, told) and not self.done:
                    if not self.changed.wait(every):
                        break
                fresh = self.events[position:]
                place = self.place
                done = self.done
            if not fresh and done:
                return
            position += len(fresh)
            news = [*fresh, *([place] if place and place != told else [])]
            told = place
            yield from news or [Event("wait", {})]


class Sessions:
    """All visits under way. Safe to use from several threads."""

    def __init__(self, study: Study, engines: Mapping[EngineChoice, Engine], *, holding: Holding | None = None) -> None:
        """`engines` has one engine for each choice that an arm of the protocol makes."""
        self.study = study
        self.holding = holding or Holding(study)
        self.engines = engines
        self.desk = Desk(study)
        self._writing: dict[int, _Writing] = {}
        self._ahead: dict[int, Generation] = {}
        # A visit has always the same one of these locks, so what happens to one visit happens one after another, and
        # visits wait for each other only while one of them is on its way to the disk and shares its lock.
        self._locks = [threading.Lock() for _ in range(WRITERS)]
        # A pool, not a thread for each answer: every thread has its own connection to the record.
        self._workers = ThreadPoolExecutor(WRITERS, thread_name_prefix="answer")

    def warm(self) -> None:
        """Have every engine read what all visits of an arm begin with, so that no first answer waits for that."""
        for protocol, arm in [(one, arm) for one in self.study.protocols() for arm in one.arms]:
            choice = protocol.engine_of(arm)
            for name in dict.fromkeys(protocol.exercises.rota):
                if choice is not None:
                    prompt = opening_prompt(
                        load_exercise(name, protocol.language), load_persona(arm.persona, protocol.language)
                    )
                    key = f"shared {protocol.language} {arm.persona} {name}"
                    for _ in self.engines[choice].generate(
                        prompt, sampling=Sampling(max_tokens=1), seed=0, conversation=key, priority="batch"
                    ):
                        pass

    def conversation(
        self,
        visit: Visit,
        waiting: Callable[[int], None] = lambda place: None,
        hurry: threading.Event | None = None,
    ) -> Conversation:
        """The conversation of a visit, as the record has it now; `waiting` is told of its answers' places. Whoever
        sets `hurry` ends what holds its answers."""
        participant = self.study.participant(visit.participant)
        return conversation_of(
            self.study,
            visit,
            self._engine_of(participant),
            TurnKeeper(self.study, visit),
            waiting=waiting,
            over=lambda: self._is_over(visit),
            wizard=self.desk.seat(visit.id),
            hold=self.holding.of(visit, participant),
            hurry=hurry,
        )

    def enter(self, visit: Visit) -> tuple[Visit, Conversation]:
        """The visit and its conversation, brought to where the record says they are.

        The exercise is opened when its time has come, an owed answer is begun, and an exercise that came to its end
        is closed, whatever had been cut off before.
        """
        conversation = self.conversation(visit)
        if visit.state == "exercise":
            conversation.open()
            visit = self._close_if_finished(visit, conversation)
        self._write(visit)
        return visit, conversation

    def hear(
        self, visit: Visit, words: str, token: str, step: str | None = None, *, base: str | None = None
    ) -> RecordedTurn:
        """Record the participant's words, screened, and begin the answer. When this returns they are on the disk.

        With `base`, what the worksheet's field held when these words were written, raises `DraftChanged` when it holds
        other words by now. Raises `NotDue` when the visit is not at its exercise, and what `Conversation.hear` raises.
        Words that are refused are screened as well; when that finds something, raises `Alarmed` instead.
        """
        conversation = self.conversation(visit)
        # One at a time, so that of two windows that send at once the second finds an answer owed.
        with self._lock(visit):
            known = next((turn for turn in conversation.turns if turn.token == token), None)
            if known is not None:
                if known.text != words and self.alarmed(visit, words, "participant"):
                    raise Alarmed
                return known
            try:
                if visit.state != "exercise":
                    raise NotDue("The exercise of this visit is not under way.")
                standing = visits.drafts(self.study, visit).get(step or "", "") if base is not None else base
                if standing != base and (standing or "").strip() != words:
                    raise DraftChanged(standing or "", confirmed=False)
                conversation.open()
                turn = conversation.hear(words, token, step)
            except (StudyError, TherapistError) as refusal:
                if self.alarmed(visit, words, "participant"):
                    raise Alarmed from refusal
                raise
            if ahead := self._ahead.pop(visit.id, None):
                ahead.close()
            if turn.hit is not None:
                self._hurry(visit)
        self._close_if_finished(visits.find(self.study, visit.id), conversation)
        self._write(visit)
        return turn

    def keep_draft(self, visit: Visit, step: str, text: str, base: str | None) -> Visit:
        """Keep what stands in a worksheet's field that is not confirmed yet, screened like any other words.

        Raises what `visits.save_draft` raises. The words are screened all the same; when that finds something, raises
        `Alarmed` instead.
        """
        with self._lock(visit):
            try:
                visits.save_draft(self.study, visit, step, text, base)
            except StudyError as refusal:
                if self.alarmed(visit, text, "draft"):
                    raise Alarmed from refusal
                raise
            self.alarmed(visit, text, "draft")
        return visits.find(self.study, visit.id)

    def alarmed(self, visit: Visit, text: str, source: Source) -> bool:
        """Screen words that become no turn. Whether something is found: it stops the visit as any other words do."""
        hit = _found(text, self.study.participant(visit.participant).protocol.language)
        if hit is None:
            return False
        self._record(visit.participant, hit, lambda: visits.stop(self.study, visit, source, hit))
        self._hurry(visit)
        return True

    def alarmed_outside(self, person: Person, text: str) -> bool:
        """The same for words that belong to no visit. Of what is sent twice, one event is raised."""
        hit = _found(text, person.protocol.language)
        if hit is None:
            return False
        self._record(person.code, hit, lambda: self._raise_outside(person, hit))
        return True

    def _raise_outside(self, person: Person, hit: SafetyHit) -> None:
        with self.study.records.write() as write:
            standing = (
                "SELECT 1 FROM safety_event WHERE participant = ? AND visit IS NULL AND rule = ?"
                " AND source = 'participant' AND acknowledged_at IS NULL"
            )
            if write.row(standing, person.code, hit.rule) is None:
                now = self.study.clock.now()
                safety.raise_event(self.study, write, person.code, None, None, "participant", hit, now)

    def _record(self, participant: str, hit: SafetyHit, record: Callable[[], object]) -> None:
        """Do what records a hit; when the disk takes nothing, have it told without, and recorded later."""
        try:
            record()
        except RecordError as error:
            log.error("a safety event cannot be recorded yet", participant=participant, error=type(error).__name__)
            unrecorded.remember(self.study, participant, hit.category, record)

    def follow(self, visit: Visit, after: int, every: float = KEEP_ALIVE_S) -> Iterator[Event]:
        """What the therapist says from turn `after` on: first what is recorded, then what is being written."""
        writing = self._write(visit)
        recorded = set()
        for turn in TurnKeeper(self.study, visit).turns():
            if turn.speaker != "therapist":
                continue
            recorded.add(turn.reply_to)
            if turn.number > after:
                yield Event("sentence", {"reply_to": turn.reply_to, "index": 0, "text": turn.text, "whole": True})
                yield Event("turn", {"number": turn.number, "reply_to": turn.reply_to})
        if writing:
            for event in writing.read(every):
                if event.name == "wait" or event.data["reply_to"] not in recorded:
                    yield event
        yield Event("end", self.describe(visits.find(self.study, visit.id)))

    def being_written(self, visit: Visit) -> list[str]:
        """The sentences of the answer that is being written at this moment."""
        writing = self._writing.get(visit.id)
        events = list(writing.events) if writing else []
        whole = {event.data["reply_to"] for event in events if event.name == "turn"}
        return [
            event.data["text"] for event in events if event.name == "sentence" and event.data["reply_to"] not in whole
        ]

    def describe(self, visit: Visit, conversation: Conversation | None = None) -> dict[str, Any]:
        """The visit as the device API and the pages' scripts see it; `conversation` is its own, where there is one."""
        conversation = conversation or self.conversation(visit)
        participant = self.study.participant(visit.participant)
        step = conversation.step if visit.state == "exercise" else None
        return {
            "visit": visit.id,
            "state": visit.state,
            "code": visit.code,
            "day": visit.day,
            "days": participant.protocol.days,
            "language": participant.protocol.language,
            "pending": self._owed(visit, conversation) is not None,
            "claimed": visit.device is not None,
            "message": crisis_of(self.study, participant.protocol) if visit.state == "stopped" else None,
            "reflect": step is not None and conversation.exercise.step(step).reflect,
            "record": may_record(self.study, participant),
            "turns": [
                {"number": turn.number, "speaker": turn.speaker, "text": turn.text, "origin": turn.origin}
                for turn in conversation.turns
            ],
        }

    def under_way(self) -> list[tuple[float, bool]]:
        """Of each visit with answers being written: for how many seconds, and whether there is a sentence yet."""
        writing = list(self._writing.values())
        return [(time.monotonic() - one.since, bool(one.events)) for one in writing]

    def close(self) -> None:
        """Wait for the answers that are being written, by engines now; begin no more."""
        self.desk.close()
        for writing in list(self._writing.values()):
            writing.hurry.set()
        self._workers.shutdown()

    def _write(self, visit: Visit) -> _Writing | None:
        """The answers being written for this visit; begun if one is owed; None when there is nothing to write."""
        with self._lock(visit):
            writing = self._writing.get(visit.id)
            if writing is not None:
                return writing
            if self._owed(visit, self.conversation(visit)) is None:
                return None
            writing = self._writing[visit.id] = _Writing()
        try:
            self._workers.submit(self._work, visit, writing)
        except RuntimeError:  # no thread can be started now, or the server stops: the next look begins it
            log.exception("an answer could not be begun", visit=visit.id)
            self._give_up(visit, writing)
            return None
        return writing

    def _give_up(self, visit: Visit, writing: _Writing) -> None:
        """What is owed stays owed: the next look at the page, or the robot's next call, begins it anew."""
        with self._lock(visit):
            if self._writing.get(visit.id) is writing:
                del self._writing[visit.id]
        writing.finish()

    def _hurry(self, visit: Visit) -> None:
        writing = self._writing.get(visit.id)
        if writing is not None:
            writing.hurry.set()

    def _work(self, visit: Visit, writing: _Writing) -> None:
        to = 0
        try:
            conversation = self.conversation(visit, lambda place: writing.stand(to, place), writing.hurry)
            while True:
                # Looked at under the lock, so that words recorded while this worker is about to leave are not left
                # without an answer: either it sees them here, or whoever recorded them starts another worker.
                with self._lock(visit):
                    if self._writing.get(visit.id) is not writing:
                        return  # it was given up before there was a thread for it
                    pending = self._owed(visit, conversation)
                    if pending is None:
                        self._close_if_finished(visits.find(self.study, visit.id), conversation)
                        del self._writing[visit.id]
                        self._read_ahead(visit, conversation)
                        return
                to = pending.number
                for index, sentence in enumerate(conversation.reply()):
                    writing.put(Event("sentence", {"reply_to": pending.number, "index": index, "text": sentence}))
                for turn in TurnKeeper(self.study, visit).turns():
                    if turn.reply_to == pending.number:  # none, when the visit was stopped meanwhile
                        writing.put(Event("turn", {"number": turn.number, "reply_to": pending.number}))
        except Exception:
            # What went wrong is logged without anybody's words.
            log.exception("an answer could not be recorded", visit=visit.id)
            self._give_up(visit, writing)
        finally:
            writing.finish()

    def _read_ahead(self, visit: Visit, conversation: Conversation) -> None:
        """Have a model on this machine read what was said, while nobody waits for it: the next answer comes sooner."""
        engine = self._engine_of(self.study.participant(visit.participant))
        if engine is None or engine.identity.kind != "transformers":
            return
        prompt = conversation.so_far()
        if prompt is None or self._is_over(visit):
            self._ahead.pop(visit.id, None)
            return
        with suppress(EngineError):  # one that was closed meanwhile
            self._ahead[visit.id] = engine.generate(
                prompt, sampling=Sampling(max_tokens=1), seed=0, conversation=f"ahead {visit.id}", priority="batch"
            )

    def _engine_of(self, participant: Participant) -> Engine | None:
        choice = participant.protocol.engine_of(participant.arm)
        return self.engines[choice] if choice else None

    def _owed(self, visit: Visit, conversation: Conversation) -> RecordedTurn | None:
        """The turn whose answer is owed. In a visit that was ended early nothing is owed but the fixed message."""
        pending = conversation.pending
        return pending if pending is not None and (conversation.stopped or not self._is_over(visit)) else None

    def _is_over(self, visit: Visit) -> bool:
        """Whether the visit was stopped or ended early, or its participant left: by whomever, in whatever process."""
        return (
            self.study.records.row(
                "SELECT 1 FROM visit JOIN participant ON participant.code = visit.participant WHERE visit.id = ?"
                " AND (visit.state IN ('stopped', 'missed', 'unfinished') OR participant.status = 'withdrawn')",
                visit.id,
            )
            is not None
        )

    def _lock(self, visit: Visit) -> threading.Lock:
        return self._locks[visit.id % len(self._locks)]

    def _close_if_finished(self, visit: Visit, conversation: Conversation) -> Visit:
        if visit.state == "exercise" and conversation.finished:
            return visits.finish_exercise(self.study, visit)
        return visit


def _found(text: str, language: str) -> SafetyHit | None:
    """What the screen finds in words of any length."""
    parts = [text] if len(text) <= 2 * SCREENED else [text[:SCREENED], text[-SCREENED:]]
    screen = Screen.load(language)
    return next((hit for part in parts if (hit := screen.check(part, "participant")) is not None), None)
