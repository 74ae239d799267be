"""What fails while a robot holds a visit, with the real nodes as processes, a real sound server and a real portal.

docs/robot.md says what the robot does in each case; here it is made to happen.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from robot_node.running import spinning
from robot_node.topics import TOPICS
from study.access import devices
from tests.robot import Robot, wait_until
from tests.robot_node.test_dialogue import ANSWER, Desk
from tests.robot_node.voices import hibari
from tests.soundloop import Recorder, SoundLoop
from tests.student import DIGITS

OK = b"\x00"

# In real time and through a real sound server: a machine that is busy for half a second swallows a word, as people know.
pytestmark = pytest.mark.flaky(reruns=1)


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder)
    yield desk
    desk.switch_off()
    desk.app.extensions["bedside"].close()
    desk.study.close()


@pytest.fixture
def loop() -> Iterator[SoundLoop]:
    with SoundLoop() as loop:
        yield loop


class Witness:
    """Somebody on the graph who reads the captions and the diagnostics, and can say things to the robot in text."""

    def __init__(self, executor: Any) -> None:
        import rclpy

        self.said: list[str] = []
        self.states: list[str] = []
        self.listening = False
        self.troubles: dict[str, str] = {}
        self._known: Counter[str] = Counter()
        self.node = rclpy.create_node("witness")
        for name, callback in (
            ("spoken", lambda message: self.said.append(message.data)),
            ("visit_state", lambda message: self.states.append(message.data)),
            ("listening", lambda message: setattr(self, "listening", message.data)),
            ("captions", lambda message: setattr(self, "caption", message.data)),
            ("/diagnostics", self._on_diagnostics),
        ):
            topic = TOPICS[name]
            self.node.create_subscription(topic.message(), name, callback, topic.quality.profile)
        self.caption = ""
        self._heard = self.node.create_publisher(TOPICS["heard"].message(), "heard", TOPICS["heard"].quality.profile)
        executor.add_node(self.node)

    def speak(self, words: str) -> None:
        """Be heard, without sound."""
        from std_msgs.msg import String

        wait_until(
            lambda: self.listening and self._heard.get_subscription_count(),
            30,
            f"the robot does not listen; it said {self.said[-3:]}",
        )
        self.listening = False
        self._heard.publish(String(data=words))

    def knows(self, node: str, times: int = 1) -> bool:
        """Whether the node was read in the diagnostics, so many times. The subscription to them is the last one made, so that then the
        other topics are connected too."""
        return self._known[node] >= times

    def hears(self, words: str, timeout_s: float = 30) -> None:
        """Wait until the robot has said a sentence with these words."""
        wait_until(lambda: any(words in said for said in self.said), timeout_s, f"not said: {words}; {self.said}")

    def sees(self, part: str, words: str | None, timeout_s: float = 15) -> None:
        """Wait until the diagnostics show a warning or an error of a part, with these words; with None, that it is well."""

        def shown() -> bool:
            found = self.troubles.get(part)
            return found is None if words is None else found is not None and words in found

        wait_until(shown, timeout_s, f"{part}: expected {words}; {self.troubles}")

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            part = status.name.removeprefix("/")
            self._known[part.partition(":")[0]] += 1
            if status.level != OK:
                self.troubles[part] = status.message
            else:
                self.troubles.pop(part, None)


@pytest.fixture
def start(
    desk: Desk, loop: SoundLoop, ros_domain: int, tmp_path: Path
) -> Iterator[Callable[..., tuple[Robot, Witness]]]:
    """Starts the ear, the voice and the companion, and a witness."""
    os.environ["ROS_DOMAIN_ID"] = str(ros_domain)
    robots: list[Robot] = []
    with spinning() as executor:

        def begin(**more: dict[str, Any]) -> tuple[Robot, Witness]:
            companion = {
                "url": f"http://127.0.0.1:{desk.port}",
                "token": devices.issue(desk.study, "robot-1", by="test"),
                "voice": True,
                "resume": str(tmp_path / "resume.json"),
            }
            nodes: dict[str, dict[str, Any]] = {"voice": {"words_a_minute": 300}, "ear": {}, "companion": companion}
            for name, parameters in more.items():
                nodes.setdefault(name, {}).update(parameters)
            witness = Witness(executor)
            robot = Robot(loop, ros_domain, **nodes)
            robots.append(robot)
            for name in nodes:
                if name == "companion":
                    # It begins to talk as soon as it knows the voice; the witness is to know the voice before.
                    wait_until(lambda: witness.knows("voice"), 30, "the voice does not come")
                robot.start(name)
            return robot, witness

        yield begin
        for robot in robots:
            robot.__exit__()


def test_a_microphone_that_is_unplugged_is_told_and_taken_up_again(
    desk: Desk, loop: SoundLoop, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    _, witness = start()
    witness.hears("six digits")
    loop.command("unload-module", "module-remap-source")
    witness.sees("ear: microphone", "")
    witness.hears("I can't hear anything at the moment.")
    loop.command("load-module", "module-remap-source", "source_name=mic", "master=mic_in.monitor")
    loop.command("set-default-source", "mic")
    witness.sees("ear: microphone", None)
    witness.hears("I can hear again.")
    witness.hears("Please go on.")
    wait_until(lambda: witness.listening, 20, "not listening")
    loop.play(hibari(", ".join(DIGITS[digit] for digit in desk.visit.code) + ".")).wait(30)
    # That it hears is what counts here; not every code is understood at once, and then the robot says so.
    replies = ("Before we begin", "I need six digits", "I can't find")
    wait_until(lambda: any(said.startswith(replies) for said in witness.said), 20, f"not heard: {witness.said}")


def test_a_sound_server_that_is_killed_is_waited_for_and_the_sentence_said_again(
    loop: SoundLoop, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    _, witness = start()
    wait_until(lambda: "six digits" in witness.caption, 30, "the robot did not begin")
    loop.kill()
    witness.sees("voice: speaker", "")
    loop.start()
    witness.sees("voice: speaker", None, 30)
    witness.hears("six digits")
    witness.hears("I had no sound for a moment.")
    witness.sees("ear: microphone", None, 30)


def test_a_voice_that_crashed_says_its_sentence_again_when_it_is_back(
    desk: Desk, loop: SoundLoop, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    robot, witness = start()
    witness.speak(desk.visit.code)
    wait_until(lambda: "distress" in witness.caption, 30, "the robot did not ask")
    robot.kill("voice")
    assert not any("distress" in said for said in witness.said)
    robot.start("voice")
    recorder = Recorder(loop, "speaker.monitor")
    witness.hears("how much distress", 30)
    assert recorder.stretches(), "it was not to be heard"
    recorder.close()
    assert sum("how much distress" in said for said in witness.said) == 1
    witness.sees("companion: colleagues", "started again a moment ago: voice")
    witness.hears("I had no sound for a moment.")


def test_a_companion_that_crashed_goes_on_without_asking_for_the_code(
    desk: Desk, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    robot, witness = start()
    for words in (desk.visit.code, "70", "yes", ANSWER):
        witness.speak(words)
    wait_until(lambda: witness.listening, 60, "no question")
    question = witness.said[-1]
    robot.kill("companion")
    witness.said.clear()
    witness.listening = False
    robot.start("companion")
    wait_until(lambda: witness.listening, 60, "no question")
    assert witness.said[0] == "Let us go on where we were."
    assert witness.said[-1] == question
    assert not any("digits" in said or "Hello" in said for said in witness.said)
    assert len(desk.study.records.rows("SELECT id FROM turn WHERE speaker = 'participant'")) == 1


def test_an_ear_that_is_lost_from_the_network_is_told_and_its_return_too(
    start: Callable[..., tuple[Robot, Witness]],
) -> None:
    robot, witness = start()
    witness.hears("six digits")
    os.kill(robot._processes["ear"].pid, signal.SIGSTOP)
    witness.hears("I can't hear anything at the moment.")
    witness.sees("companion: colleagues", "ear")
    os.kill(robot._processes["ear"].pid, signal.SIGCONT)
    witness.hears("I can hear again.")
    witness.sees("companion: colleagues", None)


def test_a_portal_that_is_away_for_half_a_minute_is_waited_for(
    desk: Desk, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    import time

    _, witness = start()
    for words in (desk.visit.code, "70", "yes"):
        witness.speak(words)
    wait_until(lambda: witness.listening, 60, "no question")
    desk.switch_off()
    witness.speak(ANSWER)
    witness.hears("I have lost the connection.")
    assert witness.states[-1] == "away"
    witness.sees("companion: visit", "portal away")
    time.sleep(30)
    desk.switch_on()
    witness.hears("I am connected again.")
    witness.sees("companion: visit", None)
    wait_until(lambda: witness.listening, 60, "no question")
    assert len(desk.study.records.rows("SELECT id FROM turn WHERE speaker = 'participant'")) == 1


def test_motors_that_fail_are_told_once_and_the_talk_goes_on(
    desk: Desk, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    _, witness = start(sim={}, body={"driver": "mujoco", "retry_s": 1.0})
    witness.hears("six digits")
    wait_until(lambda: witness.knows("body"), 30, "the body does not come")
    stick(witness, "tower_1")
    witness.sees("body: motors", "tower_1 does not follow", 30)
    witness.hears("I can't move just now.")
    witness.speak(desk.visit.code)
    witness.hears("how much distress")
    stick(witness, "")
    witness.sees("body: motors", None, 30)
    witness.speak("70")
    witness.hears("I heard 70.")
    assert sum("I can't move" in said for said in witness.said) == 1


def test_a_body_whose_simulator_crashed_is_told_too_and_moves_again(
    desk: Desk, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    robot, witness = start(sim={}, body={"driver": "mujoco"})
    witness.hears("six digits")
    # Several times, so that the companion knows it, too.
    wait_until(lambda: witness.knows("sim", 4) and witness.knows("body"), 30, "the body does not come")
    witness.sees("body: motors", None)
    robot.kill("sim")
    witness.sees("body: motors", "said nothing")
    witness.hears("I can't move just now.")
    robot.start("sim")
    witness.sees("body: motors", None, 30)
    witness.sees("companion: colleagues", "started again a moment ago: sim")


def stick(witness: Witness, joint: str) -> None:
    """Have a joint of the simulator stick; none with an empty name."""
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    client = witness.node.create_client(SetParameters, "/sim/set_parameters")
    assert client.wait_for_service(20), "no simulator"
    answer = client.call_async(SetParameters.Request(parameters=[Parameter("stuck", value=joint).to_parameter_msg()]))
    wait_until(answer.done, 10, "the simulator does not answer")
    assert answer.result().results[0].successful


def test_three_wrong_codes_call_for_the_researcher(desk: Desk, start: Callable[..., tuple[Robot, Witness]]) -> None:
    _, witness = start()
    wrong = "111111" if desk.visit.code != "111111" else "222222"
    witness.speak(wrong)
    witness.hears("I can't find a visit with this code.")
    witness.sees("companion: code", "a wrong code was given")
    witness.speak(wrong)
    witness.speak(wrong)
    witness.hears("That did not work three times.")
    witness.sees("companion: code", "three wrong codes in a row")
    witness.speak(desk.visit.code)
    witness.hears("how much distress")
    witness.sees("companion: code", None)


def test_a_stop_silences_the_robot_until_it_is_taken_back(
    desk: Desk, loop: SoundLoop, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    import time

    from std_msgs.msg import Bool

    _, witness = start()
    stop = witness.node.create_publisher(Bool, "stop", TOPICS["stop"].quality.profile)
    recorder = Recorder(loop, "speaker.monitor")
    witness.speak(desk.visit.code)
    wait_until(lambda: "distress" in witness.caption, 30, "the robot did not ask")
    time.sleep(1)
    stop.publish(Bool(data=True))
    stopped = time.monotonic()
    time.sleep(3)
    assert max(one.ends for one in recorder.stretches()) < stopped + 0.3
    stop.publish(Bool(data=False))
    witness.hears("how much distress", 20)
    recorder.close()


def test_a_jump_of_ros_time_is_told_and_loses_nothing(desk: Desk, start: Callable[..., tuple[Robot, Witness]]) -> None:
    from builtin_interfaces.msg import Time
    from rosgraph_msgs.msg import Clock

    robot, witness = start(voice={"use_sim_time": True}, ear={"use_sim_time": True}, companion={"use_sim_time": True})
    clock = witness.node.create_publisher(Clock, "/clock", 10)
    now = [1_000_000.0]

    def tick() -> None:
        """Ten times a second, as a simulator does; a node takes the newest alone."""
        now[0] += 0.1
        clock.publish(Clock(clock=Time(sec=int(now[0]), nanosec=int(now[0] % 1 * 1e9))))

    witness.node.create_timer(0.1, tick)
    wait_until(lambda: clock.get_subscription_count() == 3, 30, "the nodes do not take the clock")
    witness.speak(desk.visit.code)
    witness.hears("how much distress")
    assert not any("clock" in part for part in witness.troubles), "that ROS time begins is no jump"
    now[0] = 5.0
    for node in ("voice", "ear", "companion"):
        witness.sees(f"{node}: clock", "ROS time jumped by")
    witness.hears("My clock was set just now.")
    witness.speak("70")
    witness.hears("I heard 70.")
    assert all(robot.alive(name) for name in ("voice", "ear", "companion"))
    assert set(witness.troubles) == {"voice: clock", "ear: clock", "companion: clock"}


def test_two_robots_on_one_machine_never_cross(
    desk: Desk, loop: SoundLoop, ros_domain: int, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    """The second, in a namespace of its own, hears none of the first one's words and cannot have its visit."""
    _, witness = start()
    other = {
        "url": f"http://127.0.0.1:{desk.port}",
        "token": devices.issue(desk.study, "robot-2", by="test"),
        "code": desk.visit.code,
    }
    witness.speak(desk.visit.code)
    witness.hears("how much distress")
    with Robot(loop, ros_domain, "second", voice={}, ear={}, companion={**other, "voice": True}):
        from std_msgs.msg import String

        second: list[str] = []
        topic = TOPICS["spoken"]
        witness.node.create_subscription(
            String, "/second/spoken", lambda m: second.append(m.data), topic.quality.profile
        )
        wait_until(lambda: any("Another robot has this visit." in said for said in second), 40, str(second))
        witness.sees("second/companion: code", "another robot holds the visit")
        witness.speak("70")
        witness.hears("I heard 70.")
        assert not any("I heard" in said for said in second)
        assert not any("Another robot" in said for said in witness.said)


def test_two_robots_without_a_namespace_never_cross_in_domains_of_their_own(
    desk: Desk, loop: SoundLoop, ros_domain: int, start: Callable[..., tuple[Robot, Witness]]
) -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from std_msgs.msg import String

    _, witness = start()
    other = {
        "url": f"http://127.0.0.1:{desk.port}",
        "token": devices.issue(desk.study, "robot-2", by="test"),
        "voice": True,
    }
    domain = ros_domain + 100
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    try:
        executor = SingleThreadedExecutor(context=context)
        node = rclpy.create_node("witness", context=context)
        executor.add_node(node)
        said: list[str] = []
        profile = TOPICS["spoken"].quality.profile
        subscription = node.create_subscription(String, "spoken", lambda message: said.append(message.data), profile)
        assert subscription.topic_name == "/spoken"

        def second_has_said(words: str) -> bool:
            executor.spin_once(0.05)
            return any(words in sentence for sentence in said)

        with Robot(loop, domain, voice={"words_a_minute": 300}, ear={}, companion=other) as second:
            wait_until(lambda: second_has_said("six digits"), 60, f"{said} {second.log('companion')}")
            witness.speak(desk.visit.code)
            witness.hears("how much distress")
            witness.speak("70")
            witness.hears("I heard 70.")
            assert not second_has_said("how much distress")
            assert not second_has_said("I heard")
        assert sum("six digits" in sentence for sentence in witness.said) == 1
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)
