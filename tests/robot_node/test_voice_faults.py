"""A voice whose synthesiser or loudspeaker fails, and a sentence that is given to it twice. Without sound."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from std_msgs.msg import String

from robot_node import companion as companions
from robot_node import voice as voices
from robot_node.companion import Companion
from robot_node.errors import SpeechError
from robot_node.node import overrides
from robot_node.running import spinning
from robot_node.speech.synthesis import Speech
from robot_node.voice import Voice
from tests.robot import wait_until


class FakeSpeaker:
    latency_s = 0.0
    alive = True
    failures: list[Exception] = []  # noqa: RUF012 - each test sets its own

    def __init__(self, *_: Any) -> None: ...
    def wait(self, timeout_s: float) -> bool:
        return True

    def play(self, samples: Any) -> None:
        if self.failures:
            raise self.failures.pop()

    def cut(self) -> None: ...
    def close(self) -> None: ...


class FakeSynthesiser:
    """Raises `failures`, the last one first, at sentences with the word `fail`."""

    name = "fake"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.seconds = 0.05

    def speak(self, sentence: str) -> Speech:
        if "fail" in sentence and self.failures:
            raise self.failures.pop()
        if not sentence.strip("."):
            raise SpeechError("no sound")
        return Speech(np.full(int(22050 * self.seconds), 0.1, np.float32), 22050, ())


@pytest.fixture
def graph(ros_domain: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    monkeypatch.setattr(voices, "Speaker", FakeSpeaker)
    monkeypatch.setattr(voices, "RETRY_S", 0.02)
    monkeypatch.setattr(FakeSpeaker, "failures", [])
    with spinning() as executor:
        yield executor


def voice(executor: Any, monkeypatch: pytest.MonkeyPatch, synthesiser: FakeSynthesiser) -> tuple[Voice, list[str]]:
    """A voice that is active, and what it has said."""
    monkeypatch.setattr(voices, "open_synthesiser", lambda *_: synthesiser)
    node = Voice()
    executor.add_node(node)
    node.trigger_configure()
    said: list[str] = []
    node._spoken_topic = SimpleNamespace(publish=lambda message: said.append(message.data))
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    return node, said


def test_whatever_fails_when_the_synthesiser_opens_is_reported(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("protobuf parsing failed")

    monkeypatch.setattr(voices, "open_synthesiser", broken)
    node = Voice()
    graph.add_node(node)
    node.trigger_configure()
    assert node.trigger_activate() == TransitionCallbackReturn.FAILURE
    level, message, _ = node._reports["synthesiser"]
    assert (level, message.partition(" at ")[0]) == ("error", "RuntimeError")


@pytest.mark.parametrize("error", [SpeechError("too slow"), OSError(28, "No space left on device"), KeyError("x")])
def test_a_sentence_at_which_the_synthesiser_fails_is_tried_again(
    graph: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    node, said = voice(graph, monkeypatch, FakeSynthesiser(error, error))
    for sentence in ("This may fail.", "Second."):
        node._on_say(String(data=sentence))
    wait_until(lambda: said == ["This may fail.", "Second."], 10, str(said))
    assert node._reports["synthesiser"][0] == "ok"
    assert not node.broken.is_set()
    node.autostop()


def test_a_synthesiser_that_fails_for_good_is_reported_and_ends_the_process(
    graph: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, said = voice(graph, monkeypatch, FakeSynthesiser(*[ValueError("this must fail")] * 3))
    node._on_say(String(data="This must fail."))
    wait_until(node.broken.is_set, 10, "nobody knows")
    level, message, _ = node._reports["synthesiser"]
    assert level == "error"
    assert "must fail" not in message
    assert said == []
    node._on_say(String(data="Second."))
    wait_until(lambda: said == ["Second."], 10, str(said))
    node.autostop()


def test_a_node_that_is_broken_ends_with_a_status_at_which_it_is_started_again(ros_domain: int) -> None:
    code = (
        "import sys; from robot_node import description, main, voice\n"
        "class Broken(voice.Voice):\n"
        "    def autostart(self):\n"
        "        self.broken.set()\n"
        "        return True\n"
        "sys.modules['broken'] = sys.modules['__main__']\n"
        "description.CLASSES['voice'] = 'broken:Broken'\n"
        "main.main(['voice'])\n"
    )
    environment = {**os.environ, "ROS_DOMAIN_ID": str(ros_domain)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 1, done.stderr
    assert "Error" not in done.stdout + done.stderr


def test_what_has_no_sound_counts_as_said(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    node, said = voice(graph, monkeypatch, FakeSynthesiser())
    node._on_say(String(data="..."))
    wait_until(lambda: said == ["..."], 10, str(said))
    node.autostop()


def test_a_loudspeaker_that_fails_as_nobody_expects_is_opened_again(
    graph: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, said = voice(graph, monkeypatch, FakeSynthesiser())
    FakeSpeaker.failures[:] = [OSError("gone"), MemoryError()]
    node._on_say(String(data="One."))
    wait_until(lambda: said == ["One."], 10, str(node._reports))
    assert node._reports["speaker"][0] == "ok"
    node.autostop()


def test_a_sentence_that_is_given_again_before_it_was_said_is_said_once(
    graph: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The companion gives its sentence to a voice that was started again, which may have got it while it started."""
    synthesiser = FakeSynthesiser()
    synthesiser.seconds = 0.5
    node, said = voice(graph, monkeypatch, synthesiser)
    node._on_say(String(data="One."))
    time.sleep(0.2)  # it is being said
    for sentence in ("One.", "Two."):
        node._on_say(String(data=sentence))
    wait_until(lambda: said == ["One.", "Two."], 10, str(said))
    node._on_say(String(data="Two."))
    wait_until(lambda: said == ["One.", "Two.", "Two."], 10, str(said))
    node._on_say(String(data="Three."))
    node.cut()
    node._on_say(String(data="Three."))
    wait_until(lambda: said[3:] == ["Three."], 10, str(said))
    node.autostop()


@pytest.mark.parametrize(
    ("runs", "troubled", "kept"),
    [(["1"], True, True), ([str(run) for run in range(12)], False, False), (["1"], False, False)],
)
def test_the_companion_waits_for_no_voice_without_end(
    graph: Any, monkeypatch: pytest.MonkeyPatch, runs: list[str], troubled: bool, kept: bool
) -> None:
    """What there was no sound for is said when there is; a sentence of which the voice dies is not."""
    monkeypatch.setattr(companions, "LONGEST_SENTENCE_S", 1.0 if len(runs) == 1 else 60.0)
    monkeypatch.setattr(companions, "LONGEST_TROUBLE_S", 1.0)
    node = Companion(parameter_overrides=overrides({"url": "http://127.0.0.1:9", "token": "t", "voice": True}))
    graph.add_node(node)
    node.trigger_configure()
    left = list(runs)
    node._colleagues = SimpleNamespace(  # type: ignore[assignment]
        run=lambda name: left.pop(0) if len(left) > 1 else left[0],
        troubled=lambda name: troubled,
        missing=list,
        restarted=list,
    )
    began = time.monotonic()
    assert node._speak("One.") is not kept
    assert time.monotonic() - began < 10
    assert node._unsaid == (["One."] if kept else [])
    assert node._reports["voice"][0] == "error"
    node.trigger_cleanup()


def test_what_was_given_up_is_dropped_and_said_once_when_it_is_given_again(
    graph: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companions, "LONGEST_SENTENCE_S", 0.3)
    monkeypatch.setattr(companions, "LONGEST_TROUBLE_S", 0.3)
    monkeypatch.setattr(FakeSpeaker, "alive", False)
    speaker, said = voice(graph, monkeypatch, FakeSynthesiser())
    node = Companion(parameter_overrides=overrides({"url": "http://127.0.0.1:9", "token": "t", "voice": True}))
    graph.add_node(node)
    node.trigger_configure()
    wait_until(node._is_read, 10, "they do not find each other")
    for sentence in ("One.", "Two."):
        node._colleagues._errors["voice"] = {"speaker"}
        assert node._speak(sentence) is False
    assert node._unsaid == ["One.", "Two."]
    wait_until(lambda: not speaker._pending, 10, "it is kept")
    monkeypatch.setattr(FakeSpeaker, "alive", True)
    time.sleep(0.5)
    assert said == []
    for sentence in node._unsaid:
        speaker._on_say(String(data=sentence))
    wait_until(lambda: said == ["One.", "Two."], 10, str(said))
    node.trigger_cleanup()
    speaker.autostop()


def test_the_message_of_a_crisis_waits_for_sound(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "LONGEST_SENTENCE_S", 0.2)
    monkeypatch.setattr(companions, "LONGEST_TROUBLE_S", 0.2)
    node = Companion(parameter_overrides=overrides({"url": "http://127.0.0.1:9", "token": "t", "voice": True}))
    graph.add_node(node)
    node.trigger_configure()
    node._colleagues = SimpleNamespace(  # type: ignore[assignment]
        run=lambda name: "1", troubled=lambda name: True, missing=list, restarted=list
    )
    node._hold_floor()
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(node._speak("One.")))
    thread.start()
    time.sleep(2.0)
    assert results == []
    node._on_spoken(String(data="One."))
    thread.join(5)
    assert results == [True]
    node.trigger_cleanup()
