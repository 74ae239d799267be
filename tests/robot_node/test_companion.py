"""The node on the ROS graph: its lifecycle, its topics, and its diagnostics."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rclpy.node import Node
from std_msgs.msg import Bool, Float32, String

from robot_node.client import Listener
from robot_node.companion import Companion
from robot_node.running import spinning
from robot_node.topics import LATCHED, TOPICS
from study.access import devices
from tests.queueing import QueueingEngine
from tests.robot import wait_until
from tests.robot_node.test_dialogue import ANSWER, Desk


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder)
    yield desk
    desk.switch_off()
    desk.app.extensions["bedside"].close()
    desk.study.close()


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Any]:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    with spinning() as executor:
        yield executor


def companion(executor: Any, desk: Desk, namespace: str = "", **parameters: Any) -> Companion:
    from rclpy.parameter import Parameter

    values = {
        "url": f"http://127.0.0.1:{desk.port}",
        "token": devices.issue(desk.study, "robot-1", by="test"),
        **parameters,
    }
    node = Companion(
        namespace=namespace, parameter_overrides=[Parameter(name, value=value) for name, value in values.items()]
    )
    executor.add_node(node)
    return node


def test_a_visit_over_topics(graph: Any, desk: Desk) -> None:
    node = companion(graph, desk, once=True)
    listener = Listener()
    graph.add_node(listener)
    node.trigger_configure()
    listener.wait_for_robot()
    node.trigger_activate()
    answers = iter([desk.visit.code, "70", "yes", *[ANSWER] * 8, "40", "yes"])
    heard: list[str] = []
    states: list[str] = []
    while "idle" not in states:
        said, new = listener.until_listening()
        heard += said
        states += new
        if "idle" not in states:
            listener.speak(next(answers))
    assert states == ["code", "before", "exercise", "after", "done", "idle"]
    assert "goodbye" in heard[-1]
    assert node.finished.wait(5)
    assert desk.visit.state == "done"
    node.trigger_deactivate()
    node.trigger_cleanup()


def test_the_robot_thinks_while_its_answer_waits_until_the_first_word(graph: Any, desk: Desk) -> None:
    """The gesture is renewed: a sound that the robot makes meanwhile, or a body that was started anew, ends it."""
    engine = QueueingEngine(place=2)
    desk.app.extensions["bedside"].engines = {desk.study.protocol.engine: engine}
    node = companion(graph, desk, once=True)
    listener = Listener()
    graph.add_node(listener)
    gestures: list[str] = []
    topic = TOPICS["gesture"]
    listener.create_subscription(
        topic.message(), topic.name, lambda message: gestures.append(message.data), topic.quality.profile
    )
    node.trigger_configure()
    listener.wait_for_robot()
    node.trigger_activate()
    for words in (desk.visit.code, "70", "yes"):
        listener.until_listening()
        listener.speak(words)
    listener.until_listening()
    assert "think" not in gestures
    listener.speak(ANSWER)
    wait_until(lambda: gestures.count("think") > 2, 30, "the robot does not think")
    engine.let()
    said, _ = listener.until_listening()
    assert said[0] == engine.text
    node.trigger_deactivate()
    node.trigger_cleanup()


def test_what_a_robot_without_a_voice_says_first_waits_for_somebody_who_reads_it(graph: Any, desk: Desk) -> None:
    node = companion(graph, desk)
    node.trigger_configure()
    node.trigger_activate()
    assert not node.finished.wait(1.0)
    listener = Listener()
    graph.add_node(listener)
    said, states = listener.until_listening()
    assert said == ["Hello.", "Please tell me the six digits on your page."]
    assert states == ["code"]
    node.trigger_deactivate()
    node.trigger_cleanup()


def test_a_state_that_a_listener_is_told_after_that_the_robot_listens_still_counts(graph: Any) -> None:
    """Nodes find each other topic by topic: which of two latched topics is there first is chance."""
    listener, robot = Listener(), Node("robot")
    graph.add_node(listener)
    graph.add_node(robot)
    robot.create_publisher(Bool, "listening", LATCHED.profile).publish(Bool(data=True))
    with ThreadPoolExecutor() as pool:
        heard = pool.submit(listener.until_listening)
        time.sleep(1.0)
        robot.create_publisher(String, "visit_state", LATCHED.profile).publish(String(data="code"))
        assert heard.result() == ([], ["code"])


def test_a_node_that_is_deactivated_in_the_middle_goes_on_when_it_is_activated(graph: Any, desk: Desk) -> None:
    node = companion(graph, desk)
    listener = Listener()
    graph.add_node(listener)
    node.trigger_configure()
    listener.wait_for_robot()
    node.trigger_activate()
    for words in (desk.visit.code, "70", "yes", ANSWER):
        listener.until_listening()
        listener.speak(words)
    listener.until_listening()
    node.trigger_deactivate()
    node.trigger_activate()
    listener.until_listening()
    listener.speak(desk.visit.code)
    said, states = listener.until_listening()
    assert "Let us go on where we were." in said
    assert "exercise" in states
    node.trigger_deactivate()
    node.trigger_cleanup()


def test_without_address_or_token_it_does_not_configure(graph: Any, desk: Desk) -> None:
    from rclpy.lifecycle import TransitionCallbackReturn

    assert companion(graph, desk, token="").trigger_configure() == TransitionCallbackReturn.FAILURE


def test_two_robots_in_their_namespaces_do_not_hear_each_other(graph: Any, desk: Desk) -> None:
    one, two = companion(graph, desk, "one"), companion(graph, desk, "two")
    left, right = Listener(namespace="one"), Listener(namespace="two")
    for node in (left, right):
        graph.add_node(node)
    for node in (one, two):
        node.trigger_configure()
    left.wait_for_robot()
    right.wait_for_robot()
    one.trigger_activate()
    left.until_listening()
    left.speak("nonsense")
    left.until_listening()
    assert right.next_event(0.3) is None
    one.trigger_deactivate()
    for node in (one, two):
        node.trigger_cleanup()


def test_the_portal_is_told_how_the_robot_is(graph: Any, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its battery, where a driver publishes one, how long a call takes, and what it does, also between visits."""
    from sensor_msgs.msg import BatteryState

    monkeypatch.setattr("robot_node.companion.REPORT_EVERY_S", 0.05)
    node = companion(graph, desk)
    driver = Listener()
    graph.add_node(driver)
    battery = driver.create_publisher(BatteryState, "battery_state", TOPICS["battery_state"].quality.profile)
    node.trigger_configure()
    assert devices.online(desk.study) == frozenset()
    node.trigger_activate()

    def told() -> devices.Report | None:
        return devices.all(desk.study)[0].report

    def full(percentage: float) -> None:
        battery.publish(BatteryState(percentage=percentage))

    wait_until(lambda: (said := told()) and said.state == "code" and said.latency_ms, 30, "nothing is reported")
    said = told()
    assert said is not None
    assert said.battery is None
    assert said.version == version("bedside")
    assert devices.online(desk.study) == {"robot-1"}
    wait_until(lambda: full(0.424) or ((said := told()) and said.battery == 0.42), 30, "no battery")
    wait_until(lambda: full(float("nan")) or ((said := told()) and said.battery is None), 30, "still a battery")
    node.trigger_deactivate()
    node.trigger_cleanup()


def test_a_wrong_token_ends_the_session_and_shows_in_the_diagnostics(graph: Any, desk: Desk) -> None:
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

    node = companion(graph, desk, token="robot-1.wrong", code=desk.visit.code)
    listener = Listener()
    graph.add_node(listener)
    seen: list[Any] = []
    listener.create_subscription(DiagnosticArray, "/diagnostics", lambda message: seen.extend(message.status), 10)
    node.trigger_configure()
    node.trigger_activate()
    assert node.finished.wait(10)
    assert "device token" in str(node.failure)
    limit = time.monotonic() + 10
    while not any(status.level == DiagnosticStatus.ERROR for status in seen):
        assert time.monotonic() < limit
        time.sleep(0.05)
    node.trigger_deactivate()
    node.trigger_cleanup()


@pytest.mark.parametrize("pieces", [["I failed the exam.", "I want to kill myself."], ["70", "I want to die"]])
def test_what_is_heard_after_an_answer_and_before_the_next_question_is_screened(
    graph: Any, desk: Desk, pieces: list[str]
) -> None:
    node = companion(graph, desk, once=True)
    listener = Listener()
    graph.add_node(listener)
    node.trigger_configure()
    listener.wait_for_robot()
    node.trigger_activate()
    for words in (desk.visit.code, *([] if pieces[0] == "70" else ["70", "yes"])):
        listener.until_listening()
        listener.speak(words)
    listener.until_listening()
    for words in pieces:
        listener.speak(words)
    said, states = listener.until_listening()
    if "stopped" not in states:
        said, states = listener.until_listening()
    assert "stopped" in states
    assert any("a person should hear it" in sentence for sentence in said)
    node.trigger_deactivate()
    node.trigger_cleanup()


def test_words_are_an_answer_while_it_listens_and_overheard_otherwise(graph: Any, desk: Desk) -> None:
    node = companion(graph, desk)
    node.trigger_configure()
    for words in ("One.", " "):
        node._on_heard(String(data=words))
    assert node._take_overheard() == ["One."]
    node._on_hush(None)
    node._on_heard(String(data="Two."))
    assert node._take_overheard() == [], "it is the answer of somebody who spoke into a sentence"
    assert node._words.get_nowait() == "Two."
    node.trigger_cleanup()


@pytest.mark.parametrize("words_first", [True, False])
@pytest.mark.parametrize("overheard", [True, False])
def test_the_first_sound_counts_from_the_end_of_the_answer_whatever_was_overheard(
    graph: Any, desk: Desk, monkeypatch: pytest.MonkeyPatch, words_first: bool, overheard: bool
) -> None:
    now = [1000.0]
    monkeypatch.setattr("robot_node.companion.time", SimpleNamespace(monotonic=lambda: now[0]))
    node = companion(graph, desk)
    node.trigger_configure()

    def hear(words: str, ended_s_ago: float) -> None:
        calls = [(node._on_heard, String(data=words)), (node._on_speech_ended, Float32(data=ended_s_ago))]
        for call, message in calls if words_first else reversed(calls):
            call(message)
            now[0] += 0.1

    node._listening = True
    hear("An answer.", 1.5)
    node._listening = False
    now[0] += 1.3
    if overheard:
        hear("hm", 0.5)
    node._spoken = node._outstanding = "It weighs on you."
    node._on_speaking(Bool(data=True))
    assert node._sounded() == pytest.approx(2900 + 200 * overheard + 100 * (not words_first), abs=1)
    node.trigger_cleanup()
