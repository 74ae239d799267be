"""The topics of the robot: each with its type, its quality of service and what it carries.

Nodes make their publishers and subscriptions from this table, and docs/robot.md prints it, so neither can say
something else than the other. Names are relative: a namespace keeps the robots on one network apart.
"""

from dataclasses import dataclass
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

__all__ = ["LATCHED", "SENSOR", "STREAM", "TOPICS", "WORDS", "Topic"]


@dataclass(frozen=True, slots=True)
class Quality:
    """A quality of service, with the reason for it."""

    name: str
    profile: Any
    reason: str


def _quality(name: str, depth: int, reliable: bool, latched: bool, reason: str) -> Quality:
    reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    return Quality(name, QoSProfile(depth=depth, reliability=reliability, durability=durability), reason)


WORDS = _quality("words", 50, True, False, "none may be lost, and nobody who comes late should hear old ones")
LATCHED = _quality(
    "state", 10, True, True, "whoever comes late has to know the present one, and of two neither may be lost"
)
STREAM = _quality("stream", 10, True, False, "in order and whole, but an old one is worth nothing")
SENSOR = _quality("sensor", 5, False, False, "the newest counts; one that is late is better lost than waited for")


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic."""

    name: str
    type: str
    """As ROS writes it: `std_msgs/String`."""
    quality: Quality
    sender: str
    """The node that publishes it, or who else does."""
    receivers: tuple[str, ...]
    text: str
    """What it carries."""

    def message(self) -> Any:
        """The message's class."""
        import importlib

        package, name = self.type.split("/")
        return getattr(importlib.import_module(f"{package}.msg"), name)


TOPICS = {
    topic.name: topic
    for topic in (
        Topic("audio", "std_msgs/Int16MultiArray", SENSOR, "a microphone elsewhere", ("ear",),
              "sound for the ear, 16 kHz mono, 20 to 100 ms a message; read when the ear's `source` is `topic`"),
        Topic("live_speech", "std_msgs/String", STREAM, "ear", (),
              "what is being heard, as JSON with the fields of ROS4HRI's LiveSpeech: `incremental`, "
              "`final`, `confidence`, "
              "`locale`"),
        Topic("heard", "std_msgs/String", WORDS, "ear", ("companion",),
              "one utterance of the participant, when it is over"),
        Topic("speech_ended", "std_msgs/Float32", WORDS, "ear", ("companion",),
              "how many seconds ago the participant's words ended that `heard` has"),
        Topic("voice_activity", "std_msgs/Bool", LATCHED, "ear", ("body", "companion"),
              "whether the participant speaks"),
        Topic("say", "std_msgs/String", WORDS, "companion", ("voice",), "one sentence, as soon as it may be said; "
              "an empty one: those before it are not to be said any more"),
        Topic("spoken", "std_msgs/String", WORDS, "voice", ("companion",), "a sentence that was said to its end"),
        Topic("speaking", "std_msgs/Bool", LATCHED, "voice", ("ear", "body", "companion"),
              "whether the robot makes a sound"),
        Topic("word", "std_msgs/String", STREAM, "voice", ("body",),
              "the word that begins now, as JSON: `word`, `place` (characters into the sentence), "
              "`seconds` (how long)"),
        Topic("captions", "std_msgs/String", LATCHED, "voice", (), "the sentence that is being said; empty in silence"),
        Topic("hush", "std_msgs/Empty", WORDS, "ear", ("voice", "companion"),
              "the participant speaks into the robot's sentence: it stops, and what was to follow is not said"),
        Topic("listening", "std_msgs/Bool", LATCHED, "companion", ("ear", "body"),
              "whether the robot waits for an answer"),
        Topic("expecting", "std_msgs/String", LATCHED, "companion", ("ear",),
              "the kind of answer: `code`, `rating`, `yes`, `words`, `reflection` (a longer pause is "
              "left), or `nothing` "
              "(the robot may not be interrupted)"),
        Topic("recording", "std_msgs/String", LATCHED, "companion", ("ear",),
              "the name under which utterances may be recorded, such as `visit-12`; empty: nothing is recorded"),
        Topic("visit_state", "std_msgs/String", LATCHED, "companion", ("body",),
              "`code`, `before`, `exercise`, `after`, `done`, `stopped`; `away` while the portal "
              "cannot be reached, `idle` "
              "after the only visit"),
        Topic("gesture", "std_msgs/String", WORDS, "companion", ("body",),
              "a gesture to make once, or to hold: a name out of robot_node/gestures"),
        Topic("joint_trajectory", "trajectory_msgs/JointTrajectory", STREAM, "body", ("sim", "motors"),
              "where the joints go, in radians"),
        Topic("joint_states", "sensor_msgs/JointState", SENSOR, "sim, motors or the robot's own driver", ("body",),
              "where the joints are, in radians"),
        Topic("battery_state", "sensor_msgs/BatteryState", SENSOR, "the robot's own driver", ("companion",),
              "how full the battery is, where there is one; researchers see it on the page of devices"),
        Topic("stop", "std_msgs/Bool", LATCHED, "anybody", ("body", "sim", "motors", "voice", "companion"),
              "true: the robot stands still and is silent until somebody says false; it wins over everything"),
        Topic("stopped", "std_msgs/Bool", LATCHED, "body, sim, motors, voice and companion",
              ("body", "sim", "motors", "voice", "companion"),
              "the `stop` that the sender was given: who was started again after it takes it from there"),
        Topic("/diagnostics", "diagnostic_msgs/DiagnosticArray", STREAM, "all nodes", ("companion",),
              "once a second, and at once when something changes: how each part is"),
    )
}  # fmt: skip
