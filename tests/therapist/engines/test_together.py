"""Many replies at once: the same text as alone, in a fair order, and a place that is free at once when it is left.

Small models with random weights and the default model's tokenizer: what they write means nothing, and the next word
hangs by a hair, so that the least difference in arithmetic shows.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.therapist.engines.test_other_models import make
from therapist.engine import Generation, Prompt, Sampling, Utterance
from therapist.engines.local import LocalEngine

GREEDY = Sampling(max_tokens=24)
DRAWN = Sampling(max_tokens=24, temperature=0.9)
ENDLESS = Sampling(max_tokens=4000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("small"), "llama")


@pytest.fixture(scope="module", params=["float32", "bfloat16", "int8"])
def engine(request: pytest.FixtureRequest, folder: Path) -> Iterator[LocalEngine]:
    made = LocalEngine.open(str(folder), lambda said: None, precision=request.param)
    yield made
    made.close()


@pytest.fixture
def narrow(folder: Path) -> Iterator[LocalEngine]:
    """An engine that writes two replies at once."""
    made = LocalEngine.open(str(folder), lambda said: None, precision="float32", at_once=2)
    yield made
    made.close()


def prompts(first: Prompt) -> list[Prompt]:
    """Sixteen conversations that begin alike and go on in their own length."""
    said = ["I lost my keys.", "I was late, and everybody looked at me when I came in and sat down.", "No."]
    return [
        replace(
            first, turns=(*first.turns[:-1], Utterance("participant", f"{number} " + said[number % 3] * (number + 1)))
        )
        for number in range(16)
    ]


def written(engine: LocalEngine, prompts: list[Prompt], sampling: Sampling) -> list[str]:
    """The replies, written beside each other."""
    begun = [
        engine.generate(prompt, sampling=sampling, seed=number, conversation=str(number))
        for number, prompt in enumerate(prompts)
    ]
    return ["".join(one) for one in begun]


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_a_reply_is_the_same_to_the_letter_alone_beside_others_and_after_others(
    engine: LocalEngine, first_turn: Prompt, sampling: Sampling
) -> None:
    asked = prompts(first_turn)
    engine.forget()
    together = written(engine, asked, sampling)
    again = written(engine, asked, sampling)  # what was read is kept now
    assert again == together
    for number in (0, 3, 7, 15):
        engine.forget()
        generation = engine.generate(asked[number], sampling=sampling, seed=number, conversation="alone")
        assert "".join(generation) == together[number]
        assert generation.usage.tokens_cached == 0
    assert len(set(together)) > 3


def test_what_all_conversations_begin_with_is_read_once(engine: LocalEngine, first_turn: Prompt) -> None:
    engine.forget()
    usages = []
    for number, prompt in enumerate(prompts(first_turn)[:3]):
        generation = engine.generate(prompt, sampling=Sampling(max_tokens=1), seed=0, conversation=str(number))
        list(generation)
        usages.append(generation.usage)
    assert usages[0].tokens_cached == 0
    assert all(usage.tokens_cached > 0.8 * (usages[0].tokens_in - 30) for usage in usages[1:])


def endless(engine: LocalEngine, first_turn: Prompt, name: str) -> tuple[Generation, Iterator[str]]:
    """A reply that goes on and on, and has begun."""
    generation = engine.generate(first_turn, sampling=ENDLESS, seed=1, conversation=name)
    reading = iter(generation)
    next(reading)
    return generation, reading


def test_who_waits_is_told_their_place_and_a_place_that_is_left_is_free_at_once(
    narrow: LocalEngine, first_turn: Prompt
) -> None:
    running = [endless(narrow, first_turn, name) for name in "ab"]
    third, fourth = (narrow.generate(first_turn, sampling=GREEDY, seed=1, conversation=name) for name in "cd")
    assert (third.place, fourth.place) == (1, 2)
    third.close()
    assert fourth.place == 1
    assert list(third) == []
    running[0][0].close()
    assert "".join(fourth)
    assert fourth.usage.queue_ms > 0
    assert next(running[1][1])  # the other one has been writing all the while
    running[1][0].close()


def test_what_nobody_waits_for_halts_while_somebody_waits(narrow: LocalEngine, first_turn: Prompt) -> None:
    batch = [
        narrow.generate(first_turn, sampling=ENDLESS, seed=1, conversation=f"batch {number}", priority="batch")
        for number in range(4)
    ]
    reading = [iter(one) for one in batch[:2]]
    for one in reading:
        next(one)  # both places are taken
    urgent = narrow.generate(first_turn, sampling=ENDLESS, seed=1, conversation="urgent")
    pieces = iter(urgent)
    next(pieces)
    before = [one.usage.tokens_out for one in batch]
    for _ in range(20):
        next(pieces)
    assert [one.usage.tokens_out for one in batch] == before
    urgent.close()
    assert next(reading[0])
    assert [bool(one.usage.tokens_out) for one in batch] == [True, True, False, False]
    for one in batch:
        one.close()


def test_a_pass_that_fails_ends_those_in_it_and_no_others(narrow: LocalEngine, first_turn: Prompt) -> None:
    long = replace(first_turn, turns=(Utterance("participant", "marmalade " * 9000),))
    running, reading = endless(narrow, first_turn, "a")
    refused = narrow.generate(long, sampling=GREEDY, seed=1, conversation="b")
    with pytest.raises(Exception, match="the model reads"):
        list(refused)
    assert next(reading)
    running.close()
    assert written(narrow, [first_turn], GREEDY)[0]


def test_a_machine_that_never_agrees_with_itself_writes_one_at_a_time(
    folder: Path, first_turn: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    from therapist.engines import local
    from therapist.engines._probe import Measured

    monkeypatch.setattr(local, "probed", lambda *asked: Measured("float32", together=True))
    engine = LocalEngine.open(str(folder), lambda said: None)
    asked = prompts(first_turn)[:6]
    running, _ = endless(engine, first_turn, "a")
    waiting = engine.generate(asked[0], sampling=GREEDY, seed=0, conversation="0")
    threading.Event().wait(0.05)
    assert waiting.usage.tokens_in == 0
    running.close()
    alone = "".join(waiting)
    engine.forget()
    assert written(engine, asked, GREEDY)[0] == alone
    engine.close()
