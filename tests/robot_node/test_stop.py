"""A stop that somebody said and did not stay to say again, as `ros2 topic pub --once` does."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from std_msgs.msg import Bool

from robot_node.body_node import Body
from robot_node.companion import Companion
from robot_node.node import overrides
from robot_node.running import spinning
from robot_node.topics import TOPICS
from robot_node.voice import Voice
from tests.robot import wait_until


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Any]:
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    with spinning() as executor:
        yield executor


def say_stop(on: bool, nodes: int) -> None:
    """Say it to so many nodes, and leave."""
    import rclpy

    node = rclpy.create_node("passer_by")
    sender = node.create_publisher(Bool, "stop", TOPICS["stop"].quality.profile)
    wait_until(lambda: sender.get_subscription_count() >= nodes, 20, "nobody takes it")
    sender.publish(Bool(data=on))
    time.sleep(0.3)
    node.destroy_node()


def body(executor: Any) -> Body:
    node = Body(parameter_overrides=overrides({"driver": "ros2_control"}))
    executor.add_node(node)
    node.trigger_configure()
    return node


def test_a_body_that_was_started_again_stands_still_until_the_stop_is_taken_back(graph: Any) -> None:
    companion = Companion(parameter_overrides=overrides({"url": "http://127.0.0.1:9", "token": "robot-1.x"}))
    graph.add_node(companion)
    companion.trigger_configure()
    first = body(graph)
    say_stop(True, nodes=2)
    wait_until(lambda: first._stopped and companion._halted, 20, "not stopped")
    graph.remove_node(first)
    first.destroy_node()
    again = body(graph)
    wait_until(lambda: again._stopped, 20, "the stop is forgotten")
    say_stop(False, nodes=2)
    wait_until(lambda: not again._stopped and not companion._halted, 20, "still stopped")
    last = body(graph)
    time.sleep(1.0)
    assert not last._stopped
    companion.trigger_cleanup()


def test_the_newest_word_holds_whoever_passes_it_on(graph: Any) -> None:
    """A node that missed the newest word itself may still pass on an older one."""
    import rclpy

    node = rclpy.create_node("others")
    graph.add_node(node)
    senders = [node.create_publisher(Bool, "stopped", TOPICS["stopped"].quality.profile) for _ in range(2)]
    for sender, on in zip(senders, (False, True), strict=True):
        sender.publish(Bool(data=on))
        time.sleep(0.05)
    voice = Voice()
    graph.add_node(voice)
    voice.trigger_configure()
    wait_until(voice._halted.is_set, 20, "the stop is forgotten")
    time.sleep(0.5)
    assert voice._halted.is_set()
    voice.autostop()


@pytest.mark.parametrize("on", [True, False])
def test_a_node_that_is_started_again_brings_back_no_older_word(graph: Any, on: bool) -> None:
    """Whoever said something else before may still be there, and their word reaches whoever comes late."""
    import rclpy

    companion = Companion(parameter_overrides=overrides({"url": "http://127.0.0.1:9", "token": "robot-1.x"}))
    graph.add_node(companion)
    companion.trigger_configure()
    first = body(graph)
    panel = rclpy.create_node("panel")
    sender = panel.create_publisher(Bool, "stop", TOPICS["stop"].quality.profile)
    wait_until(lambda: sender.get_subscription_count() >= 2, 20, "nobody takes it")
    sender.publish(Bool(data=not on))
    wait_until(lambda: companion._stop_at and first._stop_at, 20, "not heard")
    say_stop(on, nodes=2)
    wait_until(lambda: first._stopped == companion._halted == on, 20, "not heard")
    voice = Voice()
    graph.add_node(voice)
    voice.trigger_configure()
    wait_until(lambda: voice._stop_at, 20, "nothing is passed on")
    time.sleep(1.5)
    assert [companion._halted, first._stopped, voice._halted.is_set()] == [on] * 3
    voice.autostop()
    companion.trigger_cleanup()
    panel.destroy_node()


def test_a_stop_that_is_said_now_is_obeyed_though_a_clock_is_slow(graph: Any) -> None:
    voice = Voice()
    graph.add_node(voice)
    voice.trigger_configure()
    voice._stop_at = time.time_ns() + 10**10
    say_stop(True, nodes=1)
    wait_until(voice._halted.is_set, 20, "not stopped")
    say_stop(False, nodes=1)
    wait_until(lambda: not voice._halted.is_set(), 20, "still stopped")
    voice.autostop()
