"""The other side of the robot's topics: whoever speaks to it. Used by the terminal, the simulation and the tests."""

import queue
import time
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Bool, String

from robot_node.errors import RobotError
from robot_node.topics import LATCHED, WORDS

__all__ = ["Listener"]


class Listener(Node):
    """Hears what the robot says, and speaks to it when it listens."""

    def __init__(self, **options: Any) -> None:
        super().__init__("participant", **options)
        self._events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._heard = self.create_publisher(String, "heard", WORDS.profile)
        # Topics keep no order among themselves, so what ends an exchange takes in first what came before it.
        self._say = self.create_subscription(String, "say", self._put("say"), WORDS.profile)
        self.create_subscription(Bool, "listening", self._on_listening, LATCHED.profile)
        self._state = self.create_subscription(String, "visit_state", self._put("state"), LATCHED.profile)
        self._knows_state = False

    def next_event(self, timeout_s: float | None = None) -> tuple[str, Any] | None:
        """What happened next: `say` and a sentence, `listening` and True or False, `state` and its name; None if
        nothing did within `timeout_s` seconds."""
        try:
            event = self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._knows_state |= event[0] == "state"
        return event

    def speak(self, words: str) -> None:
        """Say `words` to the robot."""
        self._heard.publish(String(data=words))

    def wait_for_robot(self, timeout_s: float = 10.0) -> None:
        """Wait until a robot is there to hear. Raises `RobotError` when none comes."""
        limit = time.monotonic() + timeout_s
        while not self._heard.get_subscription_count() or not self.count_publishers("say"):
            if time.monotonic() > limit:
                raise RobotError("No robot is on these topics; start one with `bedside robot`, same ROS_DOMAIN_ID.")
            time.sleep(0.02)

    def until_listening(self, timeout_s: float = 30.0) -> tuple[list[str], list[str]]:
        """What the robot says until it listens, and the states of the visit it showed on the way.

        Also ends when the robot is `idle`, after its only visit. Raises `RobotError` when neither happens in time.
        """
        said: list[str] = []
        states: list[str] = []
        ended = False
        limit = time.monotonic() + timeout_s
        while (event := self.next_event(max(0.0, limit - time.monotonic()))) is not None:
            match event:
                case ("say", sentence):
                    said.append(sentence)
                case ("state", name):
                    states.append(name)
                    if name == "idle":
                        said += self._late_sentences()
                        ended = True
                case ("listening", on):
                    ended = on
            # A robot shows a state before it listens, but nodes find each other topic by topic: it may come later.
            if ended and self._knows_state:
                return said, states
        raise RobotError("The robot has been silent for too long.")

    def _late_sentences(self) -> list[str]:
        """Sentences said before the end that arrive after it: nothing follows them that would wait for them."""
        late: list[str] = []
        while (event := self.next_event(0.2)) is not None:
            if event[0] == "say":
                late.append(event[1])
        return late

    def _on_listening(self, message: Any) -> None:
        self._take("state", self._state)
        self._take("say", self._say)
        self._events.put(("listening", message.data))

    def _take(self, name: str, subscription: Any) -> None:
        """Take what has arrived on a topic and is not handled yet."""
        while (taken := subscription.handle.take_message(String, False)) is not None:
            self._events.put((name, taken[0].data))

    def _put(self, name: str) -> Any:
        def callback(message: Any) -> None:
            self._events.put((name, message.data))

        return callback
