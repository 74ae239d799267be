"""The ear on the ROS graph, hearing a natural voice on the topic `audio` as from a microphone elsewhere."""

import csv
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from robot_node.ear import Ear
from robot_node.node import overrides
from robot_node.running import spinning
from robot_node.topics import TOPICS
from tests.robot import wait_until
from tests.robot_node.test_recognition import korean, korean_model, needs_espeak
from tests.robot_node.voices import RATE, hibari, joe, silence

# In real time and through a real sound server: a machine that is busy for half a second swallows a word, as people know.
pytestmark = pytest.mark.flaky(reruns=1)


class Room:
    """An ear, and whoever speaks near it."""

    def __init__(self, executor: Any, **parameters: Any) -> None:
        import rclpy

        self.ear = Ear(parameter_overrides=overrides({"source": "topic", "autostart": True, **parameters}))
        self.node = rclpy.create_node("room")
        self.got: list[tuple[str, Any]] = []
        for name in ("heard", "speech_ended", "live_speech", "voice_activity", "hush"):
            topic = TOPICS[name]
            self.node.create_subscription(
                topic.message(), name, lambda message, name=name: self._put(name, message), topic.quality.profile
            )
        self._senders = {
            name: self.node.create_publisher(TOPICS[name].message(), name, TOPICS[name].quality.profile)
            for name in ("audio", "listening", "speaking", "expecting", "recording")
        }
        executor.add_node(self.ear)
        executor.add_node(self.node)
        assert self.ear.autostart()
        for name, sender in self._senders.items():
            wait_until(lambda sender=sender: sender.get_subscription_count() == 1, 30, f"the ear does not take {name}")
        self._taken = 0
        take = self.ear._takers["audio"]

        def counted(message: Any) -> None:
            take(message)
            self._taken += 1

        self.ear.takes("audio", counted)

    def tell(self, topic: str, value: Any) -> None:
        """Publish what the companion or the voice would, and wait until the ear knows it."""
        self._senders[topic].publish(TOPICS[topic].message()(data=value))
        wait_until(lambda: getattr(self.ear, f"_{topic}") == value, 10, f"the ear does not take {topic}")

    def play(self, *sounds: Any) -> None:
        """Send sound at twice the pace of a microphone; on a busy machine no faster than the ear takes it."""
        sound = (np.concatenate(sounds) * 32767).astype(np.int16)
        for start in range(0, len(sound), RATE // 20):
            known = self._taken
            self._senders["audio"].publish(TOPICS["audio"].message()(data=sound[start : start + RATE // 20].tolist()))
            wait_until(lambda known=known: self._taken > known, 10, "the ear takes no sound", every_s=0.005)
            time.sleep(0.02)

    def received(self, name: str) -> list[Any]:
        return [value for topic, value in self.got if topic == name]

    def _put(self, name: str, message: Any) -> None:
        self.got.append((name, getattr(message, "data", None)))


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Any]:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    with spinning() as executor:
        yield executor


def test_an_answer_is_given_when_it_is_over_with_what_was_heard_on_the_way(graph: Any) -> None:
    room = Room(graph)
    room.tell("listening", True)
    room.play(hibari("I failed my chemistry exam last week and I felt terrible."), silence(1.2))
    wait_until(lambda: room.received("heard"), 10, str(room.got))
    assert room.received("heard") == ["I failed my chemistry exam last week, and I felt terrible."]
    speech = [json.loads(text) for text in room.received("live_speech")]
    assert [one["final"] for one in speech if one["final"]] == room.received("heard")
    assert any(one["incremental"] for one in speech)
    assert all(set(one) == {"incremental", "final", "confidence", "locale"} for one in speech)
    assert room.received("voice_activity") == [False, True, False]  # at its start nobody speaks
    wait_until(lambda: room.received("speech_ended"), 10, str(room.got))
    # 0.7 s of silence end an utterance; they are heard here at no more than twice the pace of a microphone.
    assert 0.3 < room.received("speech_ended")[0] < 30
    room.ear.autostop()


def test_what_is_said_while_the_robot_does_not_listen_is_no_answer(graph: Any) -> None:
    room = Room(graph)
    room.play(joe("This is not for the robot."), silence(1.0))
    room.tell("listening", True)
    room.tell("speaking", True)
    room.play(joe("And this is the robot itself."), silence(1.0))
    room.tell("speaking", False)
    room.play(silence(0.5), joe("This is my answer."), silence(1.2))
    wait_until(lambda: room.received("heard"), 10, str(room.got))
    assert room.received("heard") == ["This is my answer."]
    assert room.received("hush") == []
    room.ear.autostop()


def test_a_longer_pause_is_left_where_the_step_asks_to_think(graph: Any) -> None:
    room = Room(graph, pause_s=0.5, reflect_pause_s=1.5)
    said = (joe("I would tell her"), silence(0.9), joe("that she is not alone."), silence(2.0))
    room.tell("listening", True)
    room.tell("expecting", "words")
    room.play(*said)
    wait_until(lambda: len(room.received("heard")) == 2, 10, str(room.got))
    room.tell("expecting", "reflection")
    room.play(*said)
    wait_until(lambda: len(room.received("heard")) == 3, 10, str(room.got))
    assert "alone" in room.received("heard")[2]
    assert "tell her" in room.received("heard")[2]
    room.ear.autostop()


def test_only_what_may_be_recorded_is_and_each_file_has_its_hash(graph: Any, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    room = Room(graph, recordings=str(folder))
    room.tell("listening", True)
    for name in ("", "visit-12", ""):
        room.tell("recording", name)
        known = len(room.received("heard"))
        room.play(joe("This is my answer."), silence(1.2))
        wait_until(lambda known=known: len(room.received("heard")) > known, 10, str(room.got))
        if not known:
            assert not folder.exists()
    room.ear.autostop()  # waits for what is being written
    with (folder / "index.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert [path.name for path in folder.glob("*.wav")] == [row["file"]] == ["visit-12-001.wav"]
    assert hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    assert hashlib.sha256(b"This is my answer.").hexdigest() == row["words_sha256"]
    sound, rate = soundfile.read(folder / row["file"])
    assert rate == RATE
    assert len(sound) / rate == pytest.approx(float(row["seconds"]), abs=0.001)
    assert np.abs(sound).max() > 0.05


@needs_espeak
def test_it_hears_with_vosk_in_another_language_with_confidences(graph: Any) -> None:
    room = Room(graph, engine="vosk", model=korean_model(), language="ko")
    room.tell("listening", True)
    room.play(korean("오늘은 날씨가 좋습니다"), silence(1.2))
    wait_until(lambda: room.received("heard"), 10, str(room.got))
    speech = [json.loads(text) for text in room.received("live_speech")]
    assert {one["locale"] for one in speech} == {"ko"}
    assert any(one["incremental"] for one in speech)
    final = speech[-1]
    assert final["final"] == room.received("heard")[0]
    assert len(final["final"].split()) >= 3
    assert 0 < final["confidence"] <= 1
    room.ear.autostop()


def test_a_robot_is_interrupted_unless_it_says_what_must_be_heard(graph: Any) -> None:
    room = Room(graph, barge_in=True)
    room.tell("speaking", True)
    room.tell("expecting", "nothing")
    room.play(joe("Wait a moment, please."), silence(1.2))
    assert room.received("hush") == []
    room.tell("expecting", "words")
    room.play(joe("Wait a moment, please."), silence(1.2))
    wait_until(lambda: room.received("heard"), 10, str(room.got))
    assert len(room.received("hush")) == 1
    assert room.received("heard") == ["Wait a moment, please."]
    room.ear.autostop()
