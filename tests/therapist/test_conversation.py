"""The conversation: whatever an engine does, every turn is answered once, properly, and in order."""

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapist.conversation import Conversation, Medium
from therapist.engine import Engine, EngineIdentity, Priority, Prompt, Sampling, Usage
from therapist.engines import open_engine
from therapist.errors import EngineError, ExerciseOver, ReplyPending, UnknownStep
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.rails import LONGEST, Rails, split
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
        self.retries = 0
        self.cut = False
        self.model: str | None = None

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> "_Writing":
        self.asked.append(prompt)
        return _Writing(self, prompt)

    def close(self) -> None:
        pass


class _Writing:
    place = 0

    def __init__(self, engine: Wilful, prompt: Prompt) -> None:
        self.usage = Usage(retries=engine.retries, cut=engine.cut, model=engine.model)
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


def test_an_engine_that_fails_leaves_nobody_with_an_error_and_is_not_asked_again() -> None:
    def write(prompt: Prompt) -> Iterator[str]:
        raise RuntimeError("out of memory")
        yield ""

    engine = Wilful(write)
    conversation = begun(engine)
    assert said(conversation, ANSWER) == [EXERCISE.steps[0].acknowledge[0], EXERCISE.steps[1].ask]
    assert len(engine.asked) == 1
    assert conversation.turns[-1].provenance["failures"] == ["EngineError"]  # type: ignore[attr-defined]


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


def test_a_crisis_on_paper_is_answered_too_and_once() -> None:
    conversation = begun(None, medium="worksheet")
    conversation.hear("I failed the exam.", "one", "situation")
    conversation.hear("I want to die.", "two", "thought")
    assert list(conversation.reply()) == split(CRISIS)
    assert list(conversation.reply()) == []
    assert conversation.stopped
    assert not conversation.finished
    assert conversation.step is None


def test_the_record_names_the_model_that_wrote_the_answer() -> None:
    for answered_by, named in [("test-2026-01", "test-2026-01"), (None, "test")]:
        engine = writing("It sounds like you failed the exam.")
        engine.model = answered_by
        transcript = MemoryTranscript()
        said(begun(engine, transcript), ANSWER)
        assert (transcript.turns()[-1].provenance or {})["model"] == named


@pytest.mark.parametrize("rest", ["It sounds like you have no need to", "It sounds like the teacher (the old one)"])
def test_what_was_cut_off_is_not_said_as_if_it_were_whole(rest: str) -> None:
    engine = writing(rest)
    engine.cut = True
    conversation = begun(engine)
    assert said(conversation, ANSWER)[0] == EXERCISE.steps[0].acknowledge[0]
    assert reasons(conversation) == ["runaway"]


@pytest.mark.parametrize(
    ("written", "cut", "sentence"),
    [
        ("It sounds like you failed the exam.", True, "It sounds like you failed the exam."),
        ("It sounds like you failed the exam", False, "It sounds like you failed the exam."),
        ("It sounds like it was “the exam”", False, "It sounds like it was “the exam”"),
    ],
)
def test_what_the_model_ended_is_said(written: str, cut: bool, sentence: str) -> None:
    engine = writing(written)
    engine.cut = cut
    assert said(begun(engine), ANSWER)[0] == sentence


@pytest.mark.parametrize(
    "pieces",
    [
        ("It may be best for you to kill\nyourself.",),
        ("It may be best for you to kill\n", " \n", "yourself."),
        ("It may be best for you to kill\nYourself.",),
        ("It may be best for you to kill\n- yourself.",),
        ("With a boss like that you should just go and end\nYour life.",),
    ],
)
def test_a_line_break_takes_no_harmful_sentence_past_the_screen(pieces: tuple[str, ...]) -> None:
    conversation = begun(writing(*pieces))
    assert said(conversation, ANSWER)[-2:] == split(CRISIS)
    assert conversation.stopped


def test_after_a_crisis_earlier_fields_are_owed_nothing_more() -> None:
    engine = writing("It sounds like you failed the exam.")
    conversation = begun(engine, medium="worksheet")
    conversation.hear(ANSWER, "one", "situation")
    stopping = conversation.hear("I want to die.", "two", "thought")
    assert conversation.pending == stopping
    assert list(conversation.reply()) == split(CRISIS)
    assert conversation.pending is None
    assert engine.asked == []


def test_a_worksheet_knows_what_was_answered() -> None:
    conversation = begun(None, medium="worksheet")
    turn = conversation.hear("It rained.", "one", "friend")
    assert conversation.answered == {"friend": turn}
    assert conversation.step == EXERCISE.steps[0].id


def test_the_seed_differs_from_turn_to_turn_and_is_the_same_when_the_turn_is_written_again() -> None:
    def seeds() -> list[int]:
        conversation = begun(writing("It sounds like you failed the exam."))
        for number in range(3):
            said(conversation, ANSWER, str(number))
        return [turn.provenance["seed"] for turn in conversation.turns if turn.reply_to]  # type: ignore[attr-defined]

    first = seeds()
    assert len(set(first)) == 3
    assert seeds() == first


def test_a_turn_for_which_the_engine_tried_again_says_so() -> None:
    engine = writing("It sounds like you failed the exam.")
    engine.retries = 1
    conversation = begun(engine)
    said(conversation, ANSWER)
    provenance = conversation.turns[-1].provenance
    assert provenance is not None
    assert provenance["retries"] == 1
    assert json.loads(json.dumps(provenance)) == provenance


def test_no_words_of_a_participant_and_none_of_the_model_go_into_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "marmalade"

    def write(prompt: Prompt) -> Iterator[str]:
        yield f"As an AI I like {secret}. "
        raise RuntimeError(prompt.turns[-1].text)

    conversation = begun(Wilful(write))
    said(conversation, f"I dropped the {secret} on my {secret} exam.")
    conversation = begun(Wilful(lambda prompt: iter([])), MemoryTranscript())
    said(conversation, f"I want to die of {secret} and I want to die.", "u")
    written = capsys.readouterr()
    assert "out_of_role" in written.out + written.err
    assert secret not in written.out + written.err


@settings(max_examples=80, deadline=None)
@given(
    pieces=st.lists(
        st.one_of(
            st.text(max_size=40),
            st.sampled_from(
                [
                    "You are lazy. ",
                    "It sounds like ",
                    "you failed the exam",
                    ". ",
                    "? ",
                    "As an AI, ",
                    "\n\n",
                    "Sie sind ",
                ]
            ),
        ),
        max_size=12,
    ),
    fails_after=st.one_of(st.none(), st.integers(0, 12)),
    answer=st.sampled_from([ANSWER, "An exam."]),
    grounded=st.booleans(),
)
def test_whatever_an_engine_writes_the_participant_gets_one_to_three_proper_sentences(
    pieces: list[str], fails_after: int | None, answer: str, grounded: bool
) -> None:
    def write(prompt: Prompt) -> Iterator[str]:
        for number, piece in enumerate(pieces):
            if number == fails_after:
                raise EngineError("broken pipe")
            yield piece

    conversation = begun(Wilful(write), rails=Rails(grounded=grounded))
    sentences = said(conversation, answer)
    assert 1 <= len(sentences) <= 3
    assert all(sentence.strip() and len(sentence) <= LONGEST for sentence in sentences)
    assert sentences[-1].endswith("?")
    assert not any(Screen.load().put_down(sentence) for sentence in sentences)
    assert conversation.turns[-1].text == " ".join(sentences)
    assert conversation.pending is None


@settings(max_examples=40, deadline=None)
@given(
    medium=st.sampled_from(["robot", "chat", "worksheet"]),
    before=st.integers(0, 5),
    risk=st.sampled_from(["I want to kill myself", "I took all my pills", "my boyfriend hits me"]),
    restarts=st.booleans(),
)
def test_a_crisis_stops_the_exercise_in_every_medium_and_at_every_step(
    medium: Medium, before: int, risk: str, restarts: bool
) -> None:
    transcript = MemoryTranscript()
    conversation = begun(writing("It sounds like you failed the exam."), transcript, medium)
    for number, step in enumerate(EXERCISE.steps[:before]):
        conversation.hear(f"{ANSWER} It was {number}.", str(number), step.id)
        list(conversation.reply())
    conversation.hear(risk, "risk", conversation.step)
    if restarts:
        conversation = begun(writing("It sounds like you failed the exam."), transcript, medium)
    assert list(conversation.reply()) == split(CRISIS)
    last = conversation.turns[-1]
    assert (last.origin, last.next_step, last.hit is not None) == ("crisis", None, True)
    with pytest.raises(ExerciseOver):
        conversation.hear("hello?", "later", EXERCISE.steps[-1].id)


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


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(len(EXERCISE.steps))), st.lists(st.integers(0, 2), min_size=8, max_size=8))
def test_worksheet_fields_in_any_order_are_each_answered_once_after_their_words(
    order: list[int], reads: list[int]
) -> None:
    transcript = MemoryTranscript()
    for place, number in enumerate(order):
        conversation = begun(open_engine("eliza"), transcript, "worksheet")
        step = EXERCISE.steps[number]
        conversation.hear(f"{ANSWER} It was {number}.", step.id, step.id)
        for _ in range(reads[place]):
            list(conversation.reply())
    conversation = begun(open_engine("eliza"), transcript, "worksheet")
    while conversation.pending is not None:
        assert len(list(conversation.reply())) == 1
    assert conversation.finished
    turns = transcript.turns()
    answered = {turn.number: turn.step for turn in turns if turn.speaker == "participant"}
    replies = {turn.reply_to: turn.step for turn in turns if turn.reply_to is not None}
    assert replies == answered
    assert len(turns) == 1 + 2 * len(EXERCISE.steps)
