"""A participant speaks into the robot's sentence, or waits for one: what the companion then says, and what it records."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from robot_node.companion import Companion
from robot_node.node import overrides
from robot_node.running import spinning
from robot_node.topics import TOPICS
from study.access import devices
from tests.robot import wait_until
from tests.robot_node.test_dialogue import ANSWER, Desk


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder)
    yield desk
    desk.switch_off()
    desk.app.extensions["bedside"].close()
    desk.study.close()


class Partner:
    """A voice and an ear in one: says sentences in no time, interrupts where it is told to, and answers."""

    def __init__(self, executor: Any) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

        self.said: list[str] = []
        self.interrupt_at = "nothing at all"
        self.aloud = False
        """Whether it says when it begins a sentence, and takes a moment for each."""
        self.listening = threading.Event()
        self.node = rclpy.create_node("partner")
        self._senders = {
            name: self.node.create_publisher(TOPICS[name].message(), name, TOPICS[name].quality.profile)
            for name in ("heard", "speech_ended", "speaking", "spoken", "hush", "voice_activity", "/diagnostics")
        }
        for name, callback in (("say", self._say), ("listening", self._listen)):
            self.node.create_subscription(TOPICS[name].message(), name, callback, TOPICS[name].quality.profile)
        well = [DiagnosticStatus(name=f"/{node}: all", hardware_id="/") for node in ("ear", "voice")]
        self.node.create_timer(0.3, lambda: self._senders["/diagnostics"].publish(DiagnosticArray(status=well)))
        executor.add_node(self.node)

    def speak(self, words: str, when_asked: bool = True, ended_s_ago: float | None = None) -> None:
        if when_asked:
            assert self.listening.wait(20), self.said[-3:]
            self.listening.clear()
        if ended_s_ago is not None:
            self._senders["speech_ended"].publish(TOPICS["speech_ended"].message()(data=ended_s_ago))
        self._senders["heard"].publish(TOPICS["heard"].message()(data=words))

    def _say(self, message: Any) -> None:
        self.said.append(message.data)
        if self.aloud:
            self._senders["speaking"].publish(TOPICS["speaking"].message()(data=True))
            # A sentence has a length: that it began is known well before it is over.
            threading.Timer(0.3, self._senders["spoken"].publish, [message]).start()
        elif self.interrupt_at in message.data:
            self.interrupt_at = "nothing at all"
            self._senders["hush"].publish(TOPICS["hush"].message()())
        else:
            self._senders["spoken"].publish(message)

    def breathe_in(self, on: bool) -> None:
        """Begin, or end, to make sounds that may be words."""
        self._senders["voice_activity"].publish(TOPICS["voice_activity"].message()(data=on))

    def _listen(self, message: Any) -> None:
        (self.listening.set if message.data else self.listening.clear)()


@pytest.fixture
def partner(desk: Desk, ros_domain: int) -> Iterator[Partner]:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    with spinning() as executor:
        partner = Partner(executor)
        token = devices.issue(desk.study, "robot-1", by="test")
        values = {"url": f"http://127.0.0.1:{desk.port}", "token": token, "voice": True, "autostart": True}
        companion = Companion(parameter_overrides=overrides(values))
        executor.add_node(companion)
        assert companion.autostart()
        yield partner
        companion.autostop()


def turns(desk: Desk) -> list[str]:
    rows = desk.study.records.rows("SELECT text FROM turn WHERE speaker = 'participant' ORDER BY number")
    return [row["text"] for row in rows]


def test_what_was_to_follow_is_not_said_and_what_is_said_instead_is_the_answer(desk: Desk, partner: Partner) -> None:
    for words in (desk.visit.code, "70", "yes"):
        partner.speak(words)
    partner.interrupt_at = "step by step"  # the opening's second sentence; the question would follow
    wait_until(lambda: any("step by step" in said for said in partner.said), 20, str(partner.said))
    partner.speak("I failed my exam and cried all day.", when_asked=False)
    wait_until(lambda: len(turns(desk)) == 1, 20, str(partner.said))
    assert not any("What happened" in said for said in partner.said)
    partner.speak(ANSWER)
    wait_until(lambda: len(turns(desk)) == 2, 20, str(partner.said))
    assert turns(desk)[0] == "I failed my exam and cried all day."


def test_a_cough_gets_the_sentence_again(desk: Desk, partner: Partner) -> None:
    partner.speak(desk.visit.code)
    partner.interrupt_at = "how much distress"
    wait_until(lambda: sum("how much distress" in said for said in partner.said) == 2, 30, str(partner.said))
    partner.speak("70")
    wait_until(lambda: any("I heard 70" in said for said in partner.said), 20, str(partner.said))


def test_after_a_cough_the_rest_of_the_answer_is_said_too(
    desk: Desk, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot_node.companion.REPEAT_CUT_S", 1.0)
    for words in (desk.visit.code, "70", "yes"):
        partner.speak(words)
    partner.interrupt_at = "step by step"  # the opening's second sentence; the question follows
    wait_until(lambda: any("What happened" in said for said in partner.said), 20, str(partner.said))
    assert ["step by step" in said for said in partner.said[-3:]] == [True, True, False]
    partner.speak(ANSWER)
    wait_until(lambda: turns(desk) == [ANSWER], 20, str(partner.said))
    assert sum("What happened" in said for said in partner.said) == 1


def test_nobody_is_spoken_to_while_they_speak_or_a_moment_after(
    desk: Desk, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot_node.companion.ENCOURAGE_S", 1.0)
    assert partner.listening.wait(20)
    partner.breathe_in(True)
    time.sleep(2.5)
    partner.breathe_in(False)
    ended = time.monotonic()
    assert not any("Take your time." in said for said in partner.said)
    wait_until(lambda: any("Take your time." in said for said in partner.said), 20, str(partner.said))
    assert time.monotonic() - ended > 2.5


def test_the_message_of_a_crisis_is_said_whole_all_the_same(desk: Desk, partner: Partner) -> None:
    for words in (desk.visit.code, "70", "yes"):
        partner.speak(words)
    partner.interrupt_at = "Thank you for telling me"
    partner.speak("I want to die")
    wait_until(lambda: any("116 123" in said for said in partner.said), 30, str(partner.said))
    first = next(number for number, said in enumerate(partner.said) if "Thank you for telling me" in said)

    def again() -> str:
        return " ".join(partner.said[first + 1 :])

    wait_until(lambda: "Thank you for telling me" in again() and "116 123" in again(), 20, "not said again when cut")


def test_nobody_waits_in_silence_for_a_portal_that_is_away(desk: Desk, partner: Partner) -> None:
    for words in (desk.visit.code, "70"):
        partner.speak(words)
    assert partner.listening.wait(20)
    desk.switch_off()
    partner.speak("yes")
    wait_until(lambda: any("lost the connection" in said for said in partner.said), 20, str(partner.said))
    since = next(number for number, said in enumerate(partner.said) if "Is that right" in said)
    assert partner.said[since + 1] == "One moment, please."
    desk.switch_on()
    partner.speak(ANSWER)
    wait_until(lambda: len(turns(desk)) == 1, 30, str(partner.said))
    assert "I am connected again." in partner.said


def first_sounds(desk: Desk) -> list[dict[str, float]]:
    return desk.study.records.rows("SELECT reply_to, after_ms FROM first_sound ORDER BY reply_to")


def test_the_portal_is_told_how_long_after_the_end_of_speech_each_answer_began_to_sound(
    desk: Desk, partner: Partner
) -> None:
    for words in (desk.visit.code, "70", "yes"):
        partner.speak(words)
    partner.aloud = True
    partner.speak(ANSWER, ended_s_ago=30.0)
    wait_until(lambda: len(first_sounds(desk)) == 1, 30, str(partner.said))
    partner.speak(ANSWER)  # an ear that does not hear sound, so it knows of no end
    wait_until(lambda: len(first_sounds(desk)) == 2, 30, str(partner.said))
    ended, words = first_sounds(desk)
    assert (ended["reply_to"], words["reply_to"]) == (2, 4)
    assert ended["after_ms"] >= 30_000
    assert 0 < words["after_ms"] < 30_000


def test_an_answer_that_makes_no_sound_is_not_reported(desk: Desk, partner: Partner) -> None:
    for words in (desk.visit.code, "70", "yes", ANSWER, ANSWER):
        partner.speak(words)
    wait_until(lambda: len(turns(desk)) == 2, 20, str(partner.said))
    assert first_sounds(desk) == []


def test_words_into_the_farewell_are_screened_when_they_have_come(desk: Desk, partner: Partner) -> None:
    for words in (desk.visit.code, "70", "yes"):
        partner.speak(words)
    assert partner.listening.wait(20)
    with desk.study.records.write() as write:  # the exercise came to its end elsewhere
        write.update("visit", desk.visit_id, {"state": "after"})
        write.log(desk.study.clock.now(), "test", "visit moved", f"visit {desk.visit_id}")
    partner.interrupt_at = "goodbye"
    for words in (ANSWER, "40", "yes"):
        partner.speak(words)
    wait_until(lambda: any("goodbye" in said for said in partner.said), 20, str(partner.said))
    partner.breathe_in(True)
    time.sleep(2.5)
    partner.breathe_in(False)
    time.sleep(0.5)  # the recogniser takes its time
    partner.speak("I want to die", when_asked=False)

    def events() -> list[dict[str, object]]:
        return desk.study.records.rows("SELECT category FROM safety_event")

    wait_until(lambda: bool(events()), 10, "not screened")
