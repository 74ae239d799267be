"""The node `companion`: holds visits. It hears and speaks through topics; the visit is in the portal's record."""

import queue
import threading
from typing import Any

import structlog
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, String

from robot_node.api import DeviceAPI
from robot_node.dialogue import Dialogue
from robot_node.errors import RobotError, Stopped

__all__ = ["LATCHED", "WORDS", "Companion"]

log = structlog.get_logger()

WORDS = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE)
"""For words: none may be lost, and nobody who comes late should hear old ones."""

LATCHED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""For states: whoever comes late has to know the present one, and of two in quick succession neither may be lost."""

PARAMETERS = {
    "url": ("", "where the portal is, for example http://192.0.2.7:8000"),
    "token": ("", "this robot's device token; `bedside device` prints it"),
    "code": ("", "the six digits of the first visit; empty: the robot asks for them"),
    "once": (False, "leave the active state after one visit"),
}


class Companion(LifecycleNode):
    """Configure connects it, activate begins a visit, deactivate breaks off (the visit can be claimed again)."""

    def __init__(self, **options: Any) -> None:
        super().__init__("companion", **options)
        for name, (value, description) in PARAMETERS.items():
            self.declare_parameter(name, value, ParameterDescriptor(description=description))
        self.finished = threading.Event()
        """Set when, with `once`, the visit is over, or when the robot cannot go on."""
        self.failure: RobotError | None = None
        self._api: DeviceAPI | None = None
        self._words: queue.Queue[str] = queue.Queue()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._listening = False
        self._state = "idle"

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        url, token = self._value("url"), self._value("token")
        if not url or not token:
            self.get_logger().error("the parameters url and token must be set")
            return TransitionCallbackReturn.FAILURE
        self._api = DeviceAPI(url, token)
        self._say = self.create_publisher(String, "say", WORDS)
        self._listening_topic = self.create_publisher(Bool, "listening", LATCHED)
        self._state_topic = self.create_publisher(String, "visit_state", LATCHED)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._heard = self.create_subscription(String, "heard", self._on_heard, WORDS)
        self._timer = self.create_timer(1.0, self._diagnose)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop.clear()
        self._words = queue.Queue()
        self._thread = threading.Thread(target=self._hold_visits, name="visit", daemon=True)
        self._thread.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_thread()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_thread()
        if self._api is not None:
            self._api.close()
        for publisher in (self._say, self._listening_topic, self._state_topic, self._diagnostics):
            self.destroy_publisher(publisher)
        self.destroy_subscription(self._heard)
        self.destroy_timer(self._timer)
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_thread()
        return TransitionCallbackReturn.SUCCESS

    # The visit, in a thread of its own: HTTP must never hold up the executor

    def _hold_visits(self) -> None:
        assert self._api is not None  # noqa: S101 - activate comes after configure
        dialogue = Dialogue(self._api, self._speak, self._hear, self._pause, self._show)
        code = self._value("code") or None
        try:
            while True:
                dialogue.hold_visit(code)
                code = None
                if self._value("once"):
                    self._show("idle")
                    break
        except Stopped:
            pass
        except RobotError as error:
            self.failure = error
            self.get_logger().error(str(error))
        except Exception as error:
            # The traceback is kept, without the message: it might quote.
            self.failure = RobotError(f"The robot's session failed: {type(error).__name__}.")
            log.exception("session failed")
        self._listen(False)
        self.finished.set()

    def _speak(self, sentence: str) -> None:
        if self._stop.is_set():
            raise Stopped
        self._say.publish(String(data=sentence))

    def _hear(self) -> str:
        while not self._words.empty():
            self._words.get_nowait()  # what was said while the robot spoke was not an answer
        self._listen(True)
        try:
            while not self._stop.is_set():
                try:
                    return self._words.get(timeout=0.5)
                except queue.Empty:
                    continue
        finally:
            self._listen(False)
        raise Stopped

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _listen(self, on: bool) -> None:
        self._listening = on
        self._listening_topic.publish(Bool(data=on))

    def _show(self, state: str) -> None:
        self._state = state
        self._state_topic.publish(String(data=state))

    # Callbacks of the executor

    def _on_heard(self, message: String) -> None:
        if self._listening and message.data.strip():
            self._words.put(message.data)

    def _diagnose(self) -> None:
        away = self._state == "away"
        status = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if self.failure else DiagnosticStatus.WARN if away else DiagnosticStatus.OK,
            name=f"{self.get_fully_qualified_name()}: visit",
            message=str(self.failure or ("portal away" if away else self._state)),
            hardware_id="",
            values=[
                KeyValue(key="state", value=self._state),
                KeyValue(key="listening", value=str(self._listening)),
                KeyValue(key="portal", value=self._value("url")),
            ],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _end_thread(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value
