"""An answer of the record is written again by the visit's own conversation, and what differs is named."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapist.conversation import Conversation, Medium
from therapist.differences import compare, word_diff
from therapist.engine import Engine, EngineIdentity, Priority, Prompt, Sampling, Usage
from therapist.engines import open_engine
from therapist.engines._messages import as_messages
from therapist.errors import EngineError
from therapist.exercise import Exercise, load_exercise
from therapist.persona import Persona, load_persona
from therapist.prompting import opening_prompt
from therapist.rails import Rails
from therapist.replaying import Beside, Replayed, replay, why_not
from therapist.screen import Screen
from therapist.transcript import MemoryTranscript, Turn
from therapist.wizard import Written

EXERCISE = load_exercise("cognitive_restructuring")
PERSONA = load_persona("neutral")
ANSWER = "I failed the maths exam yesterday and went home early."
REPLY = "It sounds like you failed the exam. And you went home early. "


class Scripted:
    """An engine that writes what a function of the prompt and the seed says, and notes what it was asked for."""

    def __init__(self, write: Callable[[Prompt, int], Iterator[str]], sha256: str | None = "a" * 64) -> None:
        self.identity = EngineIdentity("scripted", "test", sha256)
        self.write = write
        self.asked: list[tuple[int, Sampling, str]] = []

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> "_Generation":
        self.asked.append((seed, sampling, conversation))
        return _Generation(self.write(prompt, seed), as_messages(prompt))

    def close(self) -> None:
        pass


class _Generation:
    place = 0

    def __init__(self, pieces: Iterator[str], messages: list[dict[str, str]]) -> None:
        self.usage = Usage(messages=messages)
        self._pieces = pieces
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[str]:
        for piece in self._pieces:
            if self._closed.is_set():
                return
            yield piece

    def close(self) -> None:
        self._closed.set()


def writes(*pieces: str) -> Scripted:
    return Scripted(lambda prompt, seed: iter(pieces))


def conversation(
    engine: Engine | None,
    transcript: MemoryTranscript | None = None,
    *,
    medium: Medium = "chat",
    persona: Persona = PERSONA,
    exercise: Exercise = EXERCISE,
    seed: int = 7,
    **more: Any,
) -> Conversation:
    return Conversation(
        exercise=exercise,
        persona=persona,
        engine=engine,
        screen=Screen.load(),
        transcript=transcript if transcript is not None else MemoryTranscript(),
        medium=medium,
        crisis_message="I am stopping here. Please call 112.",
        key="visit 1",
        seed=seed,
        **more,
    )


def visit(engine: Engine | None, *words: str, medium: Medium = "chat", **more: Any) -> MemoryTranscript:
    """A visit in which these words were said, each answered by `engine`."""
    transcript = MemoryTranscript()
    held = conversation(engine, transcript, medium=medium, **more)
    held.open()
    for number, said in enumerate(words):
        step = EXERCISE.steps[number].id if medium == "worksheet" else None
        held.hear(said, f"t{number}", step)
        list(held.reply())
    return transcript


def again(engine: Engine, transcript: MemoryTranscript, *, number: int = -1, **more: Any) -> Replayed:
    turn = transcript.turns()[number]
    return replay(conversation(None, **more), transcript.turns(), turn, told(turn), engine)


def told(turn: Turn) -> dict[str, Any]:
    assert turn.provenance is not None
    return turn.provenance


def parts(found: Replayed) -> list[str]:
    return [one.part for one in found.differences]


def explained(found: Replayed) -> dict[str, bool]:
    return {one.what: one.explains for one in found.changes}


def test_an_answer_written_again_by_the_same_engine_is_the_same() -> None:
    transcript = visit(writes(REPLY), ANSWER)
    found = again(writes(REPLY), transcript)
    assert (found.verdict, found.differences, found.changes) == ("same", (), ())
    assert found.said == transcript.turns()[-1].text


def test_nothing_is_recorded_and_every_turn_of_a_visit_can_be_written_again() -> None:
    engine = open_engine("eliza")
    transcript = visit(engine, ANSWER, "I thought that I am stupid.", "I felt sad, about 70.", "They said I passed.")
    before = transcript.turns()
    for turn in before:
        if turn.speaker == "therapist" and turn.reply_to:
            assert replay(conversation(None), before, turn, told(turn), engine).verdict == "same"
    assert transcript.turns() == before


def test_the_seed_and_the_sampling_are_those_of_the_record_whatever_the_study_says_now() -> None:
    engine = writes(REPLY)
    transcript = visit(engine, ANSWER, sampling=Sampling(temperature=0.8, max_tokens=33))
    replayed = writes(REPLY)
    assert again(replayed, transcript, seed=99, sampling=Sampling()).verdict == "same"
    assert replayed.asked == engine.asked


def test_the_same_kind_of_answer_is_written_again_on_paper_though_later_fields_were_confirmed_first() -> None:
    engine = writes("It sounds like you failed the exam. ")
    transcript = MemoryTranscript()
    held = conversation(engine, transcript, medium="worksheet")
    held.open()
    for number, step in enumerate(EXERCISE.steps[:3]):
        held.hear(f"{ANSWER} Number {number}.", f"t{number}", step.id)
    for _ in range(3):
        list(held.reply())
    replayed = [again(engine, transcript, number=number, medium="worksheet") for number in (-3, -2, -1)]
    assert [one.verdict for one in replayed] == ["same"] * 3


def test_another_word_of_the_engine_is_found_with_its_place_and_nothing_that_changed_explains_it() -> None:
    transcript = visit(writes(REPLY), ANSWER)
    found = again(writes(REPLY.replace("failed", "missed")), transcript)
    assert found.verdict == "differs"
    assert parts(found) == ["raw", "said"]
    assert found.differences[0].at == REPLY.index("failed")
    assert found.changes == ()


def test_other_weights_explain_what_the_engine_wrote_and_an_other_screen_does_not() -> None:
    transcript = visit(writes(REPLY), ANSWER)
    other = Scripted(lambda prompt, seed: iter([REPLY.replace("failed", "missed")]), sha256="b" * 64)
    told(transcript.turns()[-1])["screen_sha256"] = "0" * 64
    assert explained(again(other, transcript)) == {"weights": True, "screen": False}


def test_another_persona_shows_in_the_prompt_and_explains_it() -> None:
    transcript = visit(writes(REPLY), ANSWER)
    found = again(writes(REPLY), transcript, persona=PERSONA.model_copy(update={"system": "Be x.", "sha256": "0" * 64}))
    assert parts(found) == ["prompt"]
    assert explained(found) == {"persona": True}


def test_a_file_that_changed_without_a_difference_is_named_and_explains_nothing() -> None:
    transcript = visit(writes(REPLY), ANSWER)
    found = again(writes(REPLY), transcript, persona=PERSONA.model_copy(update={"sha256": "0" * 64}))
    assert found.verdict == "same"
    assert explained(found) == {"persona": False}


def test_the_scripts_next_question_in_other_words_is_what_was_said_and_comes_from_the_exercise() -> None:
    transcript = visit(writes(REPLY), ANSWER)
    steps = (EXERCISE.steps[0], EXERCISE.steps[1].model_copy(update={"ask": "What then?"}), *EXERCISE.steps[2:])
    other = EXERCISE.model_copy(update={"steps": steps, "sha256": "0" * 64})
    found = again(writes(REPLY), transcript, exercise=other)
    assert parts(found) == ["said"]
    assert explained(found) == {"exercise": True}


def test_what_was_refused_is_compared_with_its_reason() -> None:
    transcript = visit(writes("You are lazy."), ANSWER)
    assert transcript.turns()[-1].origin == "fallback"
    assert again(writes("You are lazy."), transcript).verdict == "same"
    found = again(writes("As an AI, I know."), transcript)
    assert parts(found) == ["raw", "refused"]
    assert found.differences[1].then == "unkind: You are lazy."


def test_an_answer_that_called_for_the_fixed_message_is_compared_by_the_rule_not_by_todays_contacts() -> None:
    harm = "You should kill yourself."
    transcript = visit(writes(harm), ANSWER)
    turn = transcript.turns()[-1]
    assert (turn.origin, turn.hit is not None) == ("crisis", True)
    told_then = told(turn)
    elsewhere = replace(turn, text="I am stopping here. Please call 999.")
    found = replay(conversation(None), [*transcript.turns()[:-1], elsewhere], elsewhere, told_then, writes(harm))
    assert found.verdict == "same"
    assert "said" in parts(again(writes(REPLY), transcript))


@pytest.mark.parametrize("after", ["", "And", "And more. And still", "\n"])
def test_what_was_written_after_the_last_sentence_that_was_judged_is_no_difference(after: str) -> None:
    transcript = visit(writes(REPLY), ANSWER)
    assert again(writes(REPLY + after), transcript).verdict == "same"


def test_an_engine_that_writes_on_where_it_ended_and_is_heard_differs() -> None:
    transcript = visit(writes("It sounds like you failed the exam."), ANSWER)
    found = again(writes("It sounds like you failed the exam. And you went home early. "), transcript)
    assert parts(found) == ["raw", "said"]
    assert found.differences[0].at == len("It sounds like you failed the exam.")


def test_an_answer_cut_by_time_is_compared_as_far_as_it_was_written() -> None:
    released = threading.Event()

    def hangs(prompt: Prompt, seed: int) -> Iterator[str]:
        yield "It sounds like you failed the exam. And you "
        released.wait(20)

    transcript = visit(Scripted(hangs), ANSWER, deadline_s=0.3)
    released.set()
    assert told(transcript.turns()[-1])["failures"] == ["Late"]
    found = again(writes(REPLY), transcript)
    assert (found.verdict, found.cut) == ("same", True)
    other = again(writes("It sounds like you failed the exam. Then you left. "), transcript)
    assert parts(other) == ["raw"]


@pytest.mark.parametrize("words", [ANSWER, "I could write to her tomorrow after breakfast."])
def test_an_answer_of_a_visit_that_was_ended_meanwhile_is_compared_as_far_as_it_was_written(words: str) -> None:
    step = EXERCISE.steps[0] if words == ANSWER else EXERCISE.steps[-1]
    transcript = MemoryTranscript()
    transcript.add(Turn(speaker="therapist", step=step.id, text="Hello.", origin="script", next_step=step.id))
    held = conversation(writes(REPLY), transcript)
    held.hear(words, "t")
    list(held.reply())
    # Its first sentence had been said when the visit was ended, and the script asked nothing more.
    ended = replace(transcript.turns()[-1], text="It sounds like you failed the exam.", next_step=None)
    raw = {**told(ended), "raw": "It sounds like you failed the exam. And"}
    found = replay(conversation(None), [*transcript.turns()[:-1], ended], ended, raw, writes(REPLY))
    assert (found.verdict, found.cut) == ("same", True)
    found = replay(conversation(None), [*transcript.turns()[:-1], ended], ended, raw, writes("It was hard for you. "))
    assert parts(found)[0] == "raw"


def test_a_longer_closing_is_a_difference_at_a_visits_last_answer() -> None:
    step = EXERCISE.steps[-1]
    transcript = MemoryTranscript()
    transcript.add(Turn(speaker="therapist", step=step.id, text="Hello.", origin="script", next_step=step.id))
    held = conversation(writes(REPLY), transcript)
    held.hear("I could write to her tomorrow after breakfast.", "t")
    list(held.reply())
    for closing in (f"{EXERCISE.closing} And rest.", f"Well. {EXERCISE.closing}"):
        found = again(writes(REPLY), transcript, exercise=EXERCISE.model_copy(update={"closing": closing}))
        assert (found.verdict, found.cut, parts(found)) == ("differs", False, ["said"])


def test_a_longer_answer_is_a_difference_in_a_worksheet() -> None:
    transcript = visit(writes("You are lazy."), ANSWER, medium="worksheet")
    first = EXERCISE.steps[0]
    longer = first.model_copy(update={"acknowledge": (f"{first.acknowledge[0]} Well done.",)})
    exercise = EXERCISE.model_copy(update={"steps": (longer, *EXERCISE.steps[1:])})
    found = again(writes("You are lazy."), transcript, medium="worksheet", exercise=exercise)
    assert (found.verdict, found.cut, parts(found)) == ("differs", False, ["said"])


def test_what_no_engine_wrote_is_named_and_not_compared() -> None:
    def fails(prompt: Prompt, seed: int) -> Iterator[str]:
        raise EngineError("gone")
        yield ""

    opening, _, script = visit(None, ANSWER).turns()
    crisis = visit(writes(REPLY), "I want to kill myself.").turns()[-1]
    fallback = visit(Scripted(fails), ANSWER).turns()[-1]
    person = visit(writes(REPLY), ANSWER, wizard=_Person()).turns()[-1]
    model = visit(writes(REPLY), ANSWER).turns()[-1]
    turns = (opening, script, crisis, fallback, person, model)
    assert [why_not(turn, told(turn)) for turn in turns] == ["script", "script", "crisis", "time", "person", None]


class _Person:
    holds = True

    def write(self, number: int) -> Written | None:
        return Written("That was a hard day.", "Dr Okafor", 100.0)


def test_an_engine_that_fails_now_is_no_difference_but_a_failure() -> None:
    def fails(prompt: Prompt, seed: int) -> Iterator[str]:
        raise EngineError("gone")
        yield ""

    found = again(Scripted(fails), visit(writes(REPLY), ANSWER))
    assert (found.verdict, found.error) == ("failed", "The engine failed (EngineError).")


def test_other_conversations_are_written_beside_the_answer_from_before_it_is_begun_until_it_is_whole() -> None:
    words = ("It sounds ", "like you failed the exam. ", "And you went home early. ")
    others = threading.Condition()
    written = 0

    def reached(limit: int) -> bool:
        return written >= limit

    def write(prompt: Prompt, seed: int) -> Iterator[str]:
        nonlocal written
        if ANSWER in prompt.turns[-1].text:
            for word in words:
                with others:
                    limit = written + 1  # each word of the answer comes when the others have gone on
                    assert others.wait_for(partial(reached, limit), 10)
                yield word
        else:
            for number in range(1000):
                with others:
                    written += 1
                    others.notify_all()
                yield f"{number} "

    transcript = visit(writes(*words), ANSWER)
    turn = transcript.turns()[-1]
    prompts = [opening_prompt(EXERCISE, PERSONA)] * 3
    engine = Scripted(write)
    found = replay(conversation(None), transcript.turns(), turn, told(turn), engine, prompts)
    assert (found.verdict, found.others >= 3) == ("same", True)
    assert {key for _, _, key in engine.asked} == {"visit 1", "beside 0", "beside 1", "beside 2"}
    assert not [thread for thread in threading.enumerate() if thread.name == "beside"]


def test_an_engine_that_fails_at_what_is_beside_is_heard_of() -> None:
    def fails(prompt: Prompt, seed: int) -> Iterator[str]:
        raise EngineError("too many at once")
        yield ""

    with pytest.raises(EngineError, match="too many"), Beside(Scripted(fails), [opening_prompt(EXERCISE, PERSONA)]):
        pass


WORDS = st.text("ab \n", max_size=30)


@given(WORDS, WORDS)
def test_the_words_of_a_diff_are_both_texts_again(then: str, now: str) -> None:
    pieces = word_diff(then, now)
    for kept, text in (("then", then), ("now", now)):
        assert "".join(piece for kind, piece in pieces if kind in ("same", kept)) == text


@given(WORDS, WORDS)
@settings(deadline=None)
def test_what_two_wrote_differs_only_where_both_go_on_or_something_else_was_said(then: str, now: str) -> None:
    def written(raw: str) -> dict[str, Any]:
        return {"prompt": [], "raw": raw, "refused": []}

    alike = then.startswith(now) or now.startswith(then)
    assert bool(compare(written(then), written(now), said_then="x", said_now="x")) == (not alike)
    found = compare(written(then), written(now), said_then="x", said_now="y")
    assert [one.part for one in found] == (["said"] if then == now else ["raw", "said"])
    if then != now:
        at = found[0].at
        assert then[:at] == now[:at]
        assert then[at : at + 1] != now[at : at + 1]


def test_the_rails_are_those_of_the_conversation() -> None:
    transcript = visit(writes(REPLY), ANSWER, rails=Rails(sentences=1))
    assert again(writes(REPLY), transcript, rails=Rails(sentences=1)).verdict == "same"
    assert parts(again(writes(REPLY), transcript, rails=Rails(sentences=2))) == ["said"]
