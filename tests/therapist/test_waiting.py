"""Waiting for a model that writes for others: it is told, it has an end, and it takes nobody's place any longer."""

import threading

import pytest

from tests.queueing import QueueingEngine
from tests.therapist.test_conversation import ANSWER, EXERCISE, begun
from therapist.rails import split
from therapist.transcript import MemoryTranscript

FALLBACK = [*split(EXERCISE.steps[0].acknowledge[0]), EXERCISE.steps[1].ask]


def test_an_answer_that_was_not_begun_in_time_is_the_scripts_own_and_leaves_the_queue() -> None:
    engine, transcript, told = QueueingEngine(place=3), MemoryTranscript(), list[int]()
    conversation = begun(engine, transcript, wait_s=0.3, waiting=told.append)
    conversation.open()
    conversation.hear(ANSWER, "t")
    assert list(conversation.reply()) == FALLBACK
    turn = transcript.turns()[-1]
    assert turn.origin == "fallback"
    provenance = turn.provenance or {}
    assert provenance["failures"] == ["Busy"]
    assert provenance["retries"] == 0
    assert provenance["first_sentence_ms"] is None
    assert told == [3]
    [standing] = engine.asked  # there was no second attempt
    assert standing.closed.is_set()


def test_every_new_place_is_told_once_and_the_model_writes_when_it_is_its_turn() -> None:
    engine, transcript, told = QueueingEngine(place=3), MemoryTranscript(), list[int]()

    def waiting(place: int) -> None:
        told.append(place)
        engine.place = max(0, place - 1)
        if place == 0:
            engine.let()

    conversation = begun(engine, transcript, wait_s=600.0, waiting=waiting)
    conversation.open()
    conversation.hear(ANSWER, "t")
    assert list(conversation.reply()) == [engine.text, EXERCISE.steps[1].ask]
    assert told == [3, 2, 1, 0]
    assert transcript.turns()[-1].origin == "model"


def test_the_wait_for_a_place_counts_as_waiting_for_the_first_sentence() -> None:
    engine, transcript = QueueingEngine(place=3), MemoryTranscript()
    conversation = begun(engine, transcript, wait_s=600.0, deadline_s=0.3)
    conversation.open()
    conversation.hear(ANSWER, "t")
    assert list(conversation.reply()) == FALLBACK
    assert (transcript.turns()[-1].provenance or {})["failures"] == ["Late"]
    assert engine.asked[0].closed.is_set()


@pytest.mark.parametrize("place", [0, 3])
def test_a_visit_that_is_ended_elsewhere_frees_the_model_and_nothing_is_said(place: int) -> None:
    engine, transcript, ended = QueueingEngine(place=place), MemoryTranscript(), threading.Event()
    conversation = begun(engine, transcript, wait_s=600.0, deadline_s=600.0, over=ended.is_set)
    conversation.open()
    conversation.hear(ANSWER, "t")
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.extend(conversation.reply()))
    reading.start()
    assert engine.begun.acquire(timeout=30)
    ended.set()
    reading.join(30)
    assert not reading.is_alive()
    assert said == []
    assert engine.asked[0].closed.is_set()
    assert len(engine.asked) == 1
    assert transcript.turns()[-1].speaker == "participant"


def test_what_was_said_before_the_visit_was_ended_stands_and_no_question_follows() -> None:
    engine, transcript, ended = QueueingEngine(), MemoryTranscript(), threading.Event()
    engine.let()
    conversation = begun(engine, transcript, over=ended.is_set)
    conversation.open()
    conversation.hear(ANSWER, "t")
    said = []
    for sentence in conversation.reply():
        said.append(sentence)
        ended.set()
    assert said == [engine.text]
    turn = transcript.turns()[-1]
    assert (turn.text, turn.origin, turn.next_step) == (engine.text, "model", None)
