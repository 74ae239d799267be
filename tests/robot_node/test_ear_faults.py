"""An ear whose recogniser or recordings fail, and one that is closed while somebody speaks. Without sound."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from std_msgs.msg import Bool, String

from robot_node import ear as ears
from robot_node.ear import Ear
from robot_node.node import overrides
from robot_node.running import spinning
from robot_node.speech.endpoint import FRAME_S
from robot_node.speech.recognition import Heard
from tests.robot import wait_until


class FakeActivity:
    """Hears speech in whatever is loud."""

    failures: list[Exception] = []  # noqa: RUF012 - each test sets its own

    def feed(self, frame: Any) -> float:
        if self.failures:
            raise self.failures.pop()
        return float(np.abs(frame).max() > 0.1)

    def reset(self) -> None: ...


class FakeRecogniser:
    name = "fake"

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.number = 0
        self.fed = 0

    def begin(self, expecting: str = "words") -> None:
        self.fed = 0

    def feed(self, samples: Any, quiet: bool = False) -> None:
        self.fed += len(samples)

    def peek(self) -> Heard:
        return Heard("")

    def finish(self) -> Heard:
        if self.failures:
            self.failures -= 1
            raise ValueError("what was said")
        self.number += 1
        return Heard(f"Words {self.number}." if self.fed else "")

    def close(self) -> None: ...


class Room:
    def __init__(self, executor: Any, monkeypatch: pytest.MonkeyPatch, failures: int = 0, **parameters: Any) -> None:
        monkeypatch.setattr(ears, "Activity", FakeActivity)
        monkeypatch.setattr(ears, "RETRY_S", 0.2)
        monkeypatch.setattr(ears, "open_recogniser", lambda *_: FakeRecogniser(failures))
        self.heard: list[str] = []
        self.levels: list[str] = []
        self.ear = Ear(parameter_overrides=overrides({"source": "topic", **parameters}))
        executor.add_node(self.ear)
        self.ear.trigger_configure()
        node = self.ear
        report = node.report

        def noted(part: str, level: str, message: str, **values: object) -> None:
            if part == "recogniser" and self.levels[-1:] != [level]:
                self.levels.append(level)
            assert "what was said" not in message
            report(part, level, message, **values)

        node.report = noted  # type: ignore[method-assign]
        node._heard_topic.publish = lambda message: self.heard.append(message.data)
        node.trigger_activate()
        node._on_listening(Bool(data=True))

    def hear(self, speech_s: float, silence_s: float) -> None:
        for level, seconds in ((0.5, speech_s), (0.0, silence_s)):
            for _ in range(round(seconds / FRAME_S)):
                self.ear._frames.put(np.full(512, level, np.float32))
        wait_until(self.ear._frames.empty, 10, "the ear does not listen")


@pytest.fixture
def graph(ros_domain: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    monkeypatch.setattr(FakeActivity, "failures", [])
    with spinning() as executor:
        yield executor


def test_a_recogniser_that_fails_is_reported_and_hears_the_next_answer(
    graph: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(graph, monkeypatch, failures=1)
    room.hear(0.5, 1.0)
    wait_until(lambda: room.levels == ["error", "ok"], 10, str(room.levels))
    room.hear(0.5, 1.0)
    wait_until(lambda: room.heard == ["Words 1."], 10, str(room.heard))
    assert not room.ear.broken.is_set()
    room.ear.autostop()


def test_a_recogniser_that_fails_for_good_ends_the_process(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(graph, monkeypatch, failures=99)
    for _ in range(3):
        known = room.levels.count("error")
        room.hear(0.5, 1.0)
        wait_until(lambda known=known: room.levels.count("error") > known, 10, str(room.levels))
        time.sleep(0.5)
    wait_until(room.ear.broken.is_set, 10, "nobody knows")
    assert room.levels[-1] == "error"
    room.ear.autostop()


def test_a_detector_that_fails_is_reported_and_begun_anew(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(graph, monkeypatch)
    FakeActivity.failures[:] = [MemoryError()]
    room.hear(0.1, 0.0)
    wait_until(lambda: not FakeActivity.failures, 10, "not fed")
    wait_until(lambda: room.ear._reports["microphone"][0] == "error", 10, "not reported")
    room.hear(0.5, 1.0)
    wait_until(lambda: room.heard == ["Words 1."], 10, str(room.heard))
    assert room.ear._reports["microphone"][0] == "ok"
    room.ear.autostop()


def test_what_was_said_until_the_robot_speaks_is_heard(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody goes on after an answer: that the robot does not wait for more closes the ear to nobody in mid-word."""
    room = Room(graph, monkeypatch)
    room.hear(0.5, 0.0)
    room.ear._on_listening(Bool(data=False))
    room.hear(0.5, 1.0)
    wait_until(lambda: room.heard == ["Words 1."], 10, str(room.heard))
    room.hear(0.5, 1.0)
    room.ear._on_listening(Bool(data=True))
    room.hear(0.5, 0.0)
    room.ear._on_speaking(Bool(data=True))
    room.hear(0.5, 1.0)
    wait_until(lambda: room.heard == ["Words 1.", "Words 2."], 10, str(room.heard))
    room.ear.autostop()


def test_a_recording_that_fails_is_no_trouble_with_hearing_and_over_with_the_next(
    graph: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    folder.write_text("a file is in the way")
    room = Room(graph, monkeypatch, recordings=str(folder))
    room.ear._on_recording(String(data="visit-12"))
    room.hear(0.5, 1.0)
    wait_until(lambda: room.ear._reports.get("recordings", ("",))[0] == "warning", 10, "not reported")
    folder.unlink()
    room.hear(0.5, 1.0)
    wait_until(lambda: room.ear._reports["recordings"][0] == "ok", 10, "not over")
    assert len(list(folder.glob("*.wav"))) == 1
    room.ear.autostop()
