"""The conversation: whatever an engine does, every turn is answered once, properly, and in order."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapist.conversation import Conversation, Medium
from therapist.engine import Engine, EngineIdentity, Prompt, Sampling, Usage
from therapist.engines import open_engine
from therapist.errors import EngineError, ExerciseOver, ReplyPending, UnknownStep
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.rails import Rails, split
from therapist.screen import Screen
from therapist.transcript import MemoryTranscript

CRISIS = "I am stopping here. Please call 112."
EXERCISE = load_exercise("cognitive_restructuring")
ANSWER = "I failed the maths exam yesterday and went home early."


class Wilful:
    """An engine that writes what the test wants it to: it stands for engines in a bad state, not for a model."""

    identity = EngineIdentity("wilful", "test", None)

    def __init__(self, write: Callable[[Prompt], Iterator[str]]) -> None:
        self.write = write
        self.asked: list[Prompt] = []
        self.closed = threading.Event()

    def generate(self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str) -> "_Writing":
        self.asked.append(prompt)
        return _Writing(self, prompt)

    def close(self) -> None:
        pass


class _Writing:
    def __init__(self, engine: Wilful, prompt: Prompt) -> None:
        self.usage = Usage()
        self._engine = engine
        self._prompt = prompt

    def __iter__(self) -> Iterator[str]:
        yield from self._engine.write(self._prompt)

    def close(self) -> None:
        self._engine.closed.set()


def begun(
    engine: Engine | None,
    transcript: MemoryTranscript | None = None,
    medium: Medium = "chat",
    **settings: object,
) -> Conversation:
    conversation = Conversation(
        exercise=EXERCISE,
        persona=load_persona("neutral"),
        engine=engine,
        screen=Screen.load(),
        transcript=transcript if transcript is not None else MemoryTranscript(),
        medium=medium,
        crisis_message=CRISIS,
        key="visit 1",
        seed=7,
        retry_after_s=0.0,
        **settings,  # type: ignore[arg-type]
    )
    conversation.open()
    return conversation


def said(conversation: Conversation, words: str, token: str = "t") -> list[str]:  # noqa: S107
    conversation.hear(words, token)
    return list(conversation.reply())


def writing(*pieces: str) -> Wilful:
    return Wilful(lambda prompt: iter(pieces))


def reasons(conversation: Conversation) -> list[str]:
    turn = conversation.turns[-1]
    assert turn.provenance is not None  # type: ignore[attr-defined]
    return [one["reason"] for one in turn.provenance["refused"]]  # type: ignore[attr-defined]


def test_a_reply_takes_up_what_was_said_and_ends_with_the_next_question() -> None:
    conversation = begun(writing("It sounds like you failed ", "the exam. And you went", " home early. And more."))
    assert said(conversation, ANSWER) == [
        "It sounds like you failed the exam.",
        "And you went home early.",
        EXERCISE.steps[1].ask,
    ]
    assert conversation.step == "thought"
    assert conversation.turns[-1].origin == "model"


def test_a_thin_answer_is_followed_up_with_one_question_and_the_step_stays() -> None:
    conversation = begun(writing("Where were you when you heard about the exam?"))
    assert said(conversation, "An exam.") == ["Where were you when you heard about the exam?"]
    assert conversation.step == "situation"


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ((), "empty"),
        (("   ", "\n"), "empty"),
        (("It sounds like you " + "and you then " * 60,), "runaway"),
        (("exam " * 200,), "runaway"),
        (("今天的考试很难，你很难过。",), "off_language"),
        (("As an AI, I have no feelings.",), "out_of_role"),
        (("You are lazy.",), "unkind"),
        (("Was it hard?",), "wrong_form"),
        ((EXERCISE.steps[0].ask.replace("?", "."),), "repeated"),
    ],
)
def test_what_must_not_be_said_is_replaced_by_the_steps_own_words_and_noted(
    pieces: tuple[str, ...], reason: str
) -> None:
    conversation = begun(writing(*pieces))
    assert said(conversation, ANSWER) == [EXERCISE.steps[0].acknowledge[0], EXERCISE.steps[1].ask]
    assert conversation.turns[-1].origin == "fallback"
    # A repeated question is refused for its form before it is compared; both are right.
    assert reasons(conversation) in ([reason], ["repeated"])


def test_an_engine_that_fails_once_is_asked_once_more() -> None:
    attempts = iter([True, False])

    def write(prompt: Prompt) -> Iterator[str]:
        if next(attempts):
            raise EngineError("broken pipe")
        yield "It sounds like you failed the exam."

    engine = Wilful(write)
    conversation = begun(engine)
    assert said(conversation, ANSWER)[0] == "It sounds like you failed the exam."
    assert len(engine.asked) == 2
    assert conversation.turns[-1].provenance["failures"] == ["EngineError"]  # type: ignore[attr-defined]


def test_an_engine_that_keeps_failing_leaves_nobody_with_an_error() -> None:
    def write(prompt: Prompt) -> Iterator[str]:
        raise RuntimeError("out of memory")
        yield ""

    engine = Wilful(write)
    conversation = begun(engine)
    assert said(conversation, ANSWER) == [EXERCISE.steps[0].acknowledge[0], EXERCISE.steps[1].ask]
    assert len(engine.asked) == 2


def test_an_engine_that_hangs_is_left_after_the_deadline_and_stopped() -> None:
    released = threading.Event()

    def write(prompt: Prompt) -> Iterator[str]:
        released.wait(20)
        yield "Too late."

    engine = Wilful(write)
    conversation = begun(engine, deadline_s=0.3)
    began = time.monotonic()
    assert said(conversation, ANSWER) == [EXERCISE.steps[0].acknowledge[0], EXERCISE.steps[1].ask]
    assert time.monotonic() - began < 5
    assert engine.closed.is_set()
    assert conversation.turns[-1].provenance["failures"] == ["Late"]  # type: ignore[attr-defined]
    released.set()


def test_the_first_sentence_is_said_before_the_second_is_written() -> None:
    heard_first = threading.Event()

    def write(prompt: Prompt) -> Iterator[str]:
        yield "It sounds like you failed the exam. "
        assert heard_first.wait(10)
        yield "You went home early."

    conversation = begun(Wilful(write))
    conversation.hear(ANSWER, "t")
    reply = conversation.reply()
    assert next(reply) == "It sounds like you failed the exam."
    heard_first.set()
    assert list(reply) == ["You went home early.", EXERCISE.steps[1].ask]


def test_the_words_are_kept_before_the_engine_is_asked() -> None:
    transcript = MemoryTranscript()
    kept: list[str] = []

    def write(prompt: Prompt) -> Iterator[str]:
        kept.extend(turn.text for turn in transcript.turns())
        yield "It sounds like you failed the exam."

    said(begun(Wilful(write), transcript), ANSWER)
    assert ANSWER in kept


def test_a_crisis_stops_the_exercise_without_asking_the_engine() -> None:
    engine = writing("It sounds like you want to die.")
    conversation = begun(engine)
    assert said(conversation, "I want to kill myself") == split(CRISIS)
    assert engine.asked == []
    assert conversation.stopped
    assert conversation.step is None
    with pytest.raises(ExerciseOver):
        conversation.hear("hello?", "u")


def test_a_harmful_reply_is_never_said_and_stops_the_exercise() -> None:
    conversation = begun(writing("It sounds like you failed the exam. You should just end it all."))
    reply = said(conversation, ANSWER)
    assert reply[-2:] == split(CRISIS)
    assert not any("end it all" in sentence for sentence in reply)
    assert conversation.stopped
    hit = conversation.turns[-1].hit
    assert hit is not None
    assert hit.source == "therapist"


def test_the_same_token_is_the_same_turn_even_when_the_exercise_went_on() -> None:
    conversation = begun(writing("It sounds like you failed the exam."))
    first = conversation.hear(ANSWER, "one")
    assert conversation.hear("other words, same token", "one") == first
    list(conversation.reply())
    assert conversation.hear(ANSWER, "one") == first
    assert list(conversation.reply()) == []
    conversation.hear("second", "two")
    with pytest.raises(ReplyPending):
        conversation.hear("third", "three")


def test_an_answer_that_was_left_half_read_is_owed_still() -> None:
    transcript = MemoryTranscript()
    conversation = begun(writing("It sounds like you failed the exam. "), transcript)
    conversation.hear(ANSWER, "one")
    half = conversation.reply()
    next(half)
    half.close()  # type: ignore[attr-defined]
    again = begun(writing("It sounds like you failed the exam. "), transcript)
    assert again.pending is not None
    assert list(again.reply())[-1] == EXERCISE.steps[1].ask
    assert [turn.speaker for turn in again.turns] == ["therapist", "participant", "therapist"]


def test_a_worksheet_takes_its_fields_in_any_order_and_answers_each_with_one_sentence() -> None:
    conversation = begun(open_engine("eliza"), medium="worksheet")
    for step in reversed(EXERCISE.steps):
        conversation.hear("I failed the exam and was sad, 80", step.id, step.id)
    with pytest.raises(ExerciseOver):
        conversation.hear("again", "other", "thought")
    with pytest.raises(UnknownStep):
        conversation.hear("again", "other", "nothing")
    assert not conversation.finished
    for _ in EXERCISE.steps:
        assert len(list(conversation.reply())) == 1
    assert conversation.finished


def test_a_worksheet_on_paper_is_answered_by_nobody() -> None:
    conversation = begun(None, medium="worksheet")
    for step in EXERCISE.steps:
        conversation.hear("something", step.id, step.id)
        assert list(conversation.reply()) == []
    assert conversation.finished
    assert [turn.speaker for turn in conversation.turns].count("therapist") == 1


def test_the_prompt_begins_the_same_at_every_turn() -> None:
    engine = writing("It sounds like you failed the exam.")
    conversation = begun(engine)
    for number in range(4):
        said(conversation, f"{ANSWER} It was day {number} of the week.", str(number))
    first, last = engine.asked[0], engine.asked[-1]
    assert last.system == first.system
    assert last.examples == first.examples
    assert last.turns[: len(first.turns)] == first.turns


def test_every_turn_says_how_it_came_about() -> None:
    conversation = begun(open_engine("eliza"), rails=Rails())
    said(conversation, ANSWER)
    origin = conversation.turns[-1].provenance  # type: ignore[attr-defined]
    assert origin["engine"] == "eliza"
    assert len(origin["model_sha256"]) == len(origin["exercise_sha256"]) == len(origin["persona_sha256"]) == 64
    assert origin["prompt"]
    assert origin["seed"] is not None
    assert origin["total_ms"] >= origin["first_sentence_ms"] > 0


answers = st.sampled_from(["no", "80", "I am not sure about that", ANSWER, "sad sad sad", "Why do you ask?", "..."])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(answers, st.booleans(), st.integers(0, 5)), min_size=20, max_size=20))
def test_through_any_answers_and_restarts_every_turn_is_answered_once_and_in_order(
    plan: list[tuple[str, bool, int]],
) -> None:
    transcript = MemoryTranscript()
    conversation = begun(open_engine("eliza"), transcript)
    for number, (words, restarts, read) in enumerate(plan):
        if conversation.finished:
            break
        conversation.hear(words, str(number))
        if restarts:
            reply = conversation.reply()
            for _, _sentence in zip(range(read), reply, strict=False):
                pass
            reply.close()  # type: ignore[attr-defined]
            conversation = begun(open_engine("eliza"), transcript)
        sentences = list(conversation.reply())
        assert conversation.pending is None
        assert len(sentences) <= 4
        conversation = begun(open_engine("eliza"), transcript)
    turns = transcript.turns()
    assert [turn.speaker for turn in turns] == ["therapist", "participant"] * (len(turns) // 2) + ["therapist"]
    steps = [turn.step for turn in turns if turn.speaker == "participant"]
    order = [step.id for step in EXERCISE.steps]
    assert steps == sorted(steps, key=order.index)
    assert all(steps.count(step.id) <= step.turns.max for step in EXERCISE.steps)
    assert conversation.finished
