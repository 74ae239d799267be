"""One suite for every server that Bedside is said to work with: each is started for real, with the default model.

llama.cpp's server and `transformers serve`, as it is and with its continuous batching, are started here. With
BEDSIDE_SERVER (an address ending in /v1) and BEDSIDE_SERVER_MODEL in the environment the same suite runs against that
server, too: so vLLM was tried, and so a cluster is tried before a study.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from transformers import AutoTokenizer

from therapist.conversation import Conversation
from therapist.engine import Engine, Prompt, Sampling, Utterance
from therapist.engines import open_engine
from therapist.engines._weights import find_model, packaged_gguf
from therapist.exercise import load_exercise
from therapist.persona import load_persona
from therapist.screen import Screen
from therapist.transcript import MemoryTranscript

EXERCISE = load_exercise("coping_strategies")
ANSWERS = "My sister shouted at me on the phone last night and I could not sleep because of it."

BATCHING = "transformers serve --continuous-batching"
YOURS = "BEDSIDE_SERVER"
KINDS = ["llama.cpp", "transformers serve", BATCHING, *([YOURS] if os.environ.get(YOURS) else [])]

NEEDS = {"llama.cpp": "xllamacpp", "transformers serve": "fastapi", BATCHING: "fastapi"}


@dataclass
class Server:
    """A server under test."""

    kind: str
    url: str
    model: str
    process: subprocess.Popen[str] | None = None

    def engine(self, timeout_s: float = 120.0) -> Engine:
        return open_engine("openai", base_url=self.url, model=self.model, timeout_s=timeout_s)


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    kind: str = request.param
    if kind == YOURS:
        yield Server(kind, os.environ[YOURS], os.environ["BEDSIDE_SERVER_MODEL"])
        return
    if find_spec(NEEDS[kind]) is None and not os.environ.get("BEDSIDE_SKIP_NOTHING"):
        pytest.skip(f"{NEEDS[kind]} is not installed")
    if kind == "llama.cpp":
        model = "smollm2"
        command = [sys.executable, str(Path(__file__).with_name("llamacpp.py")), str(packaged_gguf())]
    else:
        model = str(find_model("smollm2", print)[0])
        options = kind.split()[2:]
        command = [sys.executable, "-m", "transformers.cli.transformers", *kind.split()[1:2], *options]
        command += ["--host", "127.0.0.1", "--port", "0", "--device", "cpu", model]
    # As many threads as there are here, asleep while they wait, and no look beyond this machine.
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        env=environment,
    )
    try:
        yield Server(kind, f"{_address(process)}/v1", model, process)
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[str]) -> str:
    """The address that the server prints when it serves; its other words are read and dropped, then and later."""
    assert process.stdout is not None
    too_late = threading.Timer(120, process.kill)
    too_late.start()
    read: list[str] = []
    for line in process.stdout:
        read.append(line)
        found = re.search(r"(?:listening|running) on (http://[\d.:]+)", line)
        if found:
            too_late.cancel()
            threading.Thread(target=lambda: [None for _ in process.stdout or ()], daemon=True).start()
            return found[1]
    raise AssertionError("The server ended: " + "".join(read[-20:]))


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    opened = server.engine()
    yield opened
    opened.close()


def conversation(engine: Engine, **settings: Any) -> Conversation:
    begun = Conversation(
        exercise=EXERCISE,
        persona=load_persona("neutral"),
        engine=engine,
        screen=Screen.load(),
        transcript=MemoryTranscript(),
        medium="chat",
        crisis_message="I am stopping here.",
        key="visit 1",
        seed=7,
        sampling=Sampling(max_tokens=24),
        **{"deadline_s": 120.0, **settings},
    )
    begun.open()
    return begun


def asked(engine: Engine, prompt: Prompt, *, seed: int = 1, max_tokens: int = 16) -> Any:
    return engine.generate(prompt, sampling=Sampling(max_tokens=max_tokens), seed=seed, conversation="a")


def test_a_whole_exercise_is_held(server: Server, engine: Engine) -> None:
    held = conversation(engine)
    while (step := held.step) is not None:
        held.hear(f"{ANSWERS} It was {len(held.turns)}.", str(len(held.turns)), step)
        assert list(held.reply())
    assert held.finished
    told = [turn.provenance or {} for turn in held.turns if turn.reply_to is not None]
    assert len(told) >= len(EXERCISE.steps)
    for one in told:
        assert one["failures"] == []
        assert one["engine"] == "openai"
        assert one["raw"].strip()
        if server.kind in ("llama.cpp", YOURS):  # the others tell at the end, before which most are stopped
            assert one["tokens_in"] > 100
            assert 1 <= one["tokens_out"] <= 24
        assert 0 < one["first_token_ms"] <= one["last_token_ms"] <= one["total_ms"]
    assert [turn.origin for turn in held.turns if turn.reply_to is not None].count("model") >= 1


def test_a_reply_streams_with_a_beginning_and_its_tokens_are_counted(engine: Engine, first_turn: Prompt) -> None:
    generation = asked(engine, first_turn)
    pieces = list(generation)
    assert len(pieces) > 3
    assert "".join(pieces).startswith("It sounds like ")
    usage = generation.usage
    tokenizer = AutoTokenizer.from_pretrained(find_model("smollm2", print)[0])
    assert usage.tokens_in == len(
        tokenizer.apply_chat_template(usage.messages, add_generation_prompt=True, return_dict=False)
    )
    assert 1 < usage.tokens_out <= 16
    assert usage.first_token_ms < usage.last_token_ms


def test_without_temperature_the_same_is_written_again_whatever_the_seed(engine: Engine, first_turn: Prompt) -> None:
    first = "".join(asked(engine, first_turn, seed=1))
    assert first
    assert "".join(asked(engine, first_turn, seed=2)) == first


def test_what_is_drawn_follows_the_seed(server: Server, engine: Engine, first_turn: Prompt) -> None:
    def drawn(seed: int) -> str:
        generation = engine.generate(
            first_turn, sampling=Sampling(temperature=1.0, top_p=1.0, max_tokens=16), seed=seed, conversation="a"
        )
        return "".join(generation)

    texts = {drawn(seed) for seed in range(3)}
    assert drawn(0) in texts
    if server.kind.startswith("transformers"):
        # It draws only where the model's own settings say do_sample; those of the default model do not. docs/engines.md
        # says so.
        assert len(texts) == 1
    else:
        assert len(texts) > 1
        assert drawn(1) == drawn(1)


def test_what_was_read_before_is_kept_where_the_server_keeps_it(
    server: Server, engine: Engine, first_turn: Prompt
) -> None:
    list(asked(engine, first_turn))
    again = asked(engine, first_turn)
    list(again)
    if server.kind == "llama.cpp":
        assert again.usage.tokens_cached > again.usage.tokens_in / 2
    else:  # they keep nothing, or do not tell
        assert 0 <= again.usage.tokens_cached <= again.usage.tokens_in


def test_four_at_once_are_answered(engine: Engine, first_turn: Prompt) -> None:
    found: dict[int, str] = {}

    def write(number: int) -> None:
        words = Utterance("participant", f"I lost {number} keys and I was sad.")
        prompt = replace(first_turn, turns=(*first_turn.turns, Utterance("therapist", "Go on."), words))
        generation = engine.generate(prompt, sampling=Sampling(max_tokens=8), seed=1, conversation=str(number))
        found[number] = "".join(generation)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(240)
    assert sorted(found) == [0, 1, 2, 3]
    assert all(text.strip() for text in found.values())


@pytest.fixture
def own(server: Server) -> psutil.Process:
    """The server's process; one that somebody else started is not ours to look into or to stop."""
    if server.process is None:
        pytest.skip("this server is not ours")
    return psutil.Process(server.process.pid)


@pytest.mark.parametrize("when", ["reading", "writing"])
def test_hanging_up_frees_the_server(own: psutil.Process, engine: Engine, when: str) -> None:
    generation = asked(engine, LONG_TO_READ if when == "reading" else LONG_TO_WRITE, max_tokens=1500)
    pieces = iter(generation)
    if when == "reading":
        reader = threading.Thread(target=lambda: list(pieces))
        reader.start()
        while not _is_busy(own):
            pass
        generation.close()
        reader.join(20)
        assert not reader.is_alive()
    else:
        next(pieces)
        generation.close()
        assert list(pieces) == []
    before = _computed(own)
    while _is_busy(own):
        pass
    # To write it all takes ten times as much on a fast machine. In processor time, which other work does not lengthen.
    assert _computed(own) - before < 12


def test_a_server_that_hangs_gives_the_script_s_sentence_and_is_asked_again(
    own: psutil.Process, server: Server
) -> None:
    engine = server.engine(timeout_s=1.0)
    held = conversation(engine, deadline_s=1.0)
    held.hear(ANSWERS, "one", held.step)
    own.send_signal(signal.SIGSTOP)
    try:
        sentences = list(held.reply())
    finally:
        own.send_signal(signal.SIGCONT)
    turn = held.turns[-1]
    assert turn.origin == "fallback"
    assert sentences[0] == EXERCISE.steps[0].acknowledge[0]
    assert turn.provenance is not None
    assert len(turn.provenance["failures"]) == 1
    engine.close()
    assert "".join(asked(server.engine(), SHORT)).strip()


SHORT = Prompt("You are kind.", (), (Utterance("participant", "I lost my keys."),), "Say it back.", "statement")

LONG_TO_WRITE = Prompt(
    "You write long stories.",
    (),
    (Utterance("participant", "Write a very long story about a house with a thousand rooms."),),
    "",
    "statement",
)

LONG_TO_READ = replace(LONG_TO_WRITE, system=" ".join(f"Room {number} is red." for number in range(120)))


def _computed(process: psutil.Process) -> float:
    """The seconds of processor time it has used, of all its cores."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _is_busy(process: psutil.Process) -> bool:
    """Whether the server computes: more than a fifth of a core in a third of a second."""
    before = _computed(process)
    time.sleep(0.3)
    return _computed(process) - before > 0.06
