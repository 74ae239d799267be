"""An engine that is being opened: whoever asks it waits, gives up when they like, and is written to when it is there."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.queueing import QueueingEngine
from tests.therapist.test_conversation import ANSWER, EXERCISE, begun
from therapist.engine import Engine, EngineIdentity, Generation, Prompt, Sampling, Utterance
from therapist.engines import begin_opening
from therapist.engines.opening import OpeningEngine
from therapist.errors import EngineError
from therapist.rails import split
from therapist.transcript import MemoryTranscript

EXPECTED = EngineIdentity("transformers", "smollm2", None)


class Slow:
    """An engine that is opened when the test says so, and what became of it."""

    def __init__(self, result: Engine | Exception) -> None:
        self.result = result
        self.ready = threading.Event()
        self.failures: list[Exception] = []
        self.told = threading.Event()
        self.engine = OpeningEngine(EXPECTED, self._open, self._failed)

    def _open(self) -> Engine:
        assert self.ready.wait(60)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def _failed(self, error: Exception) -> None:
        self.failures.append(error)
        self.told.set()


@pytest.fixture
def slow() -> Iterator[Callable[[Engine | Exception], Slow]]:
    made: list[Slow] = []

    def make(result: Engine | Exception) -> Slow:
        made.append(Slow(result))
        return made[-1]

    yield make
    for one in made:
        one.ready.set()


def asked(engine: Engine) -> Generation:
    prompt = Prompt("s", (), (Utterance("participant", "hi"),), "", "statement")
    return engine.generate(prompt, sampling=Sampling(), seed=1, conversation="a")


def read(generation: Generation) -> tuple[threading.Thread, list[str]]:
    pieces: list[str] = []
    reading = threading.Thread(target=lambda: pieces.extend(generation))
    reading.start()
    return reading, pieces


def test_an_answer_asked_for_before_the_engine_was_there_is_written_by_it(
    slow: Callable[[Engine | Exception], Slow],
) -> None:
    model = QueueingEngine()
    model.let()
    opening = slow(model)
    assert not opening.engine.is_open
    assert opening.engine.identity == EXPECTED
    generation = asked(opening.engine)
    assert generation.place == 0
    reading, pieces = read(generation)
    assert model.asked == []
    opening.ready.set()
    reading.join(30)
    assert pieces == [model.text]
    assert opening.engine.is_open
    assert opening.engine.identity == model.identity
    assert generation.usage.queue_ms > 0  # from the call on, as for any busy engine
    assert not opening.failures
    assert isinstance(asked(opening.engine), type(model.asked[0]))  # from now on it is that engine


def test_whoever_gives_up_meanwhile_never_reaches_the_engine(slow: Callable[[Engine | Exception], Slow]) -> None:
    model = QueueingEngine()
    opening = slow(model)
    generation = asked(opening.engine)
    reading, pieces = read(generation)
    generation.close()
    generation.close()
    reading.join(30)
    assert not reading.is_alive()
    assert pieces == []
    opening.ready.set()
    assert list(generation) == []
    assert model.asked == []


def test_an_engine_that_cannot_be_opened_is_told_of_and_leaves_nobody_waiting(
    slow: Callable[[Engine | Exception], Slow],
) -> None:
    opening = slow(EngineError("The model is broken."))
    caught: list[Exception] = []

    def read_on() -> None:
        try:
            list(asked(opening.engine))
        except EngineError as error:
            caught.append(error)

    reading = threading.Thread(target=read_on)
    reading.start()
    opening.ready.set()
    reading.join(30)
    assert opening.told.wait(30)
    assert [str(one) for one in opening.failures] == ["The model is broken."]
    assert len(caught) == 1


def test_an_engine_that_was_closed_while_it_opened_is_closed_when_it_is_there(
    slow: Callable[[Engine | Exception], Slow],
) -> None:
    closed = threading.Event()
    model = QueueingEngine()
    model.close = closed.set  # type: ignore[method-assign]
    opening = slow(model)
    opening.engine.close()
    with pytest.raises(EngineError):
        list(asked(opening.engine))
    opening.ready.set()
    assert closed.wait(30)


def test_the_wait_for_a_model_that_loads_has_the_end_of_every_wait(slow: Callable[[Engine | Exception], Slow]) -> None:
    opening, transcript = slow(QueueingEngine()), MemoryTranscript()
    conversation = begun(opening.engine, transcript, deadline_s=0.3)
    conversation.open()
    conversation.hear(ANSWER, "t")
    assert list(conversation.reply()) == [*split(EXERCISE.steps[0].acknowledge[0]), EXERCISE.steps[1].ask]
    provenance = transcript.turns()[-1].provenance or {}
    assert (transcript.turns()[-1].origin, provenance["failures"]) == ("fallback", ["Late"])
    assert (provenance["engine"], provenance["model"], provenance["model_sha256"]) == ("transformers", "smollm2", None)


def test_the_record_names_the_engine_that_wrote_and_not_what_was_expected(
    slow: Callable[[Engine | Exception], Slow],
) -> None:
    model = QueueingEngine()
    model.let()
    opening, transcript = slow(model), MemoryTranscript()
    conversation = begun(opening.engine, transcript, waiting=lambda place: None)
    conversation.open()
    conversation.hear(ANSWER, "t")
    threading.Timer(0.05, opening.ready.set).start()
    assert list(conversation.reply()) == [model.text, EXERCISE.steps[1].ask]
    provenance = transcript.turns()[-1].provenance or {}
    assert (provenance["engine"], provenance["model"]) == ("queueing", "test")


def test_what_can_be_seen_at_once_is_said_at_once() -> None:
    def never() -> Engine:
        raise AssertionError("nothing is to be opened")

    for model in ("./no-such-model", "/no/such/model"):
        with pytest.raises(EngineError, match="There is no folder"):
            begin_opening("transformers", model, never, lambda error: None)
    rules = begin_opening("eliza", None, QueueingEngine, lambda error: None)
    assert isinstance(rules, QueueingEngine)  # there is nothing to wait for
