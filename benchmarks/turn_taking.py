"""How quickly the robot answers, measured at its loudspeaker.

A simulated student holds visits by sound alone: a natural synthetic voice plays into the microphone of a sound loop
without hardware, the robot's nodes run as processes on the ROS graph, a portal serves the study, and both sides of the
conversation are recorded at the sound server on one clock. Printed are the times from the end of the student's last
sound to the beginning of the robot's first, the longest silence while it was the robot's turn, the time to silence when
the student speaks into the robot's sentence, and the memory of each node.

    python benchmarks/turn_taking.py --minutes 15 --check
    python benchmarks/turn_taking.py --engine transformers --minutes 3
"""

import argparse
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from study.access import devices
from study.enrolment import take_in
from study.study import Study, create
from study.visits import Visit, today
from tests.e2e.conftest import Server
from tests.robot import Robot, wait_until
from tests.robot_node.voices import hibari
from tests.soundloop import Recorder, SoundLoop
from tests.student import Student
from tests.unaudited import served_unaudited

MEDIAN_S = 1.2
SILENCE_S = 2.0
BARGE_IN_S = 0.25
MEMORY_MB = 15.0
"""What is promised: with the scripted engine the median answer, and at all times the rest; of interruptions the median,
and at most twice that for any; memory is the growth."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the conversation is to be at least")
    parser.add_argument("--engine", choices=("eliza", "transformers"), default="eliza", help="what writes the replies")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--check", action="store_true", help="fail where a promised figure is missed")
    asked = parser.parse_args()
    figures = converse(asked.minutes, asked.engine)
    figures["barge_in_s"] = interrupt()
    if asked.json:
        print(json.dumps(figures, indent=2))
    else:
        show(figures)
    if asked.check and (missed := misses(figures)):
        sys.exit("missed: " + ", ".join(missed))


def misses(figures: dict[str, Any], slack: float = 1.0) -> list[str]:
    """What was promised and did not hold; `slack` allows times so much longer, on a machine that does other work."""
    found = []
    if figures["engine"] == "eliza" and figures["answer_median_s"] >= MEDIAN_S * slack:
        found.append(f"median answer {figures['answer_median_s']:.2f} s")
    if figures["longest_silence_s"] >= SILENCE_S * slack:
        found.append(f"silence of {figures['longest_silence_s']:.2f} s")
    barge_in = figures["barge_in_s"]
    if statistics.median(barge_in) >= BARGE_IN_S * slack or max(barge_in) >= 2 * BARGE_IN_S * slack:
        found.append(f"barge-in {barge_in}")
    found += [f"{name} grew by {mb:.0f} MB" for name, mb in figures["growth_mb"].items() if mb >= MEMORY_MB]
    return found


def converse(minutes: float, engine: str) -> dict[str, Any]:
    """Hold visits for so long, and return the figures."""
    with tempfile.TemporaryDirectory(prefix="bedside-") as where:
        folder = Path(where) / "study"
        path = create(folder)
        if engine == "eliza":
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"'), "utf-8")
        served_unaudited(folder)
        server = Server(["serve", str(folder)], 0).start()
        study = Study.open(folder)
        visits = robot_visits(study)
        token = devices.issue(study, "robot-1", by="benchmark")
        nodes: dict[str, dict[str, Any]] = {
            "voice": {},
            "ear": {},
            "companion": {"url": server.url, "token": token, "voice": True},
        }
        memory: list[dict[str, float]] = []
        silences: list[float] = []
        answers: list[tuple[str, float]] = []
        began = time.monotonic()
        try:
            with SoundLoop() as loop, Robot(loop, 10 + secrets.randbelow(90), **nodes) as robot:
                while time.monotonic() - began < 60 * minutes:
                    student = Student(loop, next(visits).code)
                    student.hold_visit()
                    answers += [(one.kind, one.answered - one.ended) for one in student.exchanges if one.answered]
                    silences.append(student.longest_silence())
                    memory.append({name: robot.memory_mb(name) for name in nodes})
                    student.close()
                    print(f"{len(memory)} visits, {(time.monotonic() - began) / 60:.1f} minutes", file=sys.stderr)
        finally:
            server.stop()
        done = study.records.rows("SELECT count(*) AS n FROM visit WHERE state = 'done'")[0]["n"]
        study.close()
    times = sorted(seconds for _, seconds in answers)
    return {
        "engine": engine,
        "minutes": (time.monotonic() - began) / 60,
        "visits": done,
        "answers": len(times),
        "answer_median_s": statistics.median(times),
        "answer_p95_s": times[int(0.95 * (len(times) - 1))],
        "answer_longest_s": times[-1],
        "longest_silence_s": max(silences),
        "memory_mb": memory[-1],
        "growth_mb": {name: memory[-1][name] - memory[0][name] for name in memory[0]},
    }


def robot_visits(study: Study) -> Iterator[Visit]:
    """Visits that are due, of ever new participants of the robot's arm."""
    while True:
        person = take_in(study)
        if person.arm.medium == "robot":
            visit = today(study, person)
            if visit is not None:
                yield visit


def interrupt(times: int = 5) -> list[float]:
    """Speak into the robot's sentence; the seconds from the student's first sound to the robot's silence."""
    domain = 10 + secrets.randbelow(90)
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    from std_msgs.msg import String

    from robot_node.running import spinning
    from robot_node.topics import TOPICS

    found = []
    with SoundLoop() as loop, Robot(loop, domain, voice={}, ear={"barge_in": True}) as robot, spinning() as executor:
        import rclpy

        node = rclpy.create_node("companion")
        executor.add_node(node)
        say = node.create_publisher(String, "say", TOPICS["say"].quality.profile)
        wait_until(lambda: say.get_subscription_count() == 1, 30, robot.log("voice"))
        speaker, microphone = Recorder(loop, "speaker.monitor"), Recorder(loop, "mic_in.monitor")
        wait_until(lambda: microphone.samples().size > 8000, 10, "no sound loop")
        for number in range(times):
            began = time.monotonic()
            say.publish(String(data="Before we begin, let me tell you what we are going to do today and for how long."))
            speaker.wait_for_sound(began, 10)
            time.sleep(1.0 + 0.23 * number)
            spoke = time.monotonic()
            loop.play(hibari("No, wait a moment, please.")).wait(30)
            time.sleep(1.0)
            silent = speaker.stretches(began, gap_s=2.0)[-1].ends
            found.append(round(silent - microphone.stretches(spoke)[0].begins, 3))
        speaker.close()
        microphone.close()
    return found


def show(figures: dict[str, Any]) -> None:
    table = Table(
        title=f"Turn-taking: {figures['visits']} visits, {figures['minutes']:.1f} minutes, {figures['engine']}"
    )
    table.add_column("figure")
    table.add_column("measured", justify="right")
    for name, text in (
        ("answer_median_s", f"end of speech to first robot sound, median of {figures['answers']}"),
        ("answer_p95_s", "the same, 95th percentile"),
        ("answer_longest_s", "the same, longest"),
        ("longest_silence_s", "longest silence in the robot's turn"),
    ):
        table.add_row(text, f"{figures[name]:.2f} s")
    barge = figures["barge_in_s"]
    table.add_row(f"spoken into, to silence: median of {len(barge)}", f"{statistics.median(barge):.2f} s")
    table.add_row("the same, longest", f"{max(barge):.2f} s")
    for name, megabytes in figures["memory_mb"].items():
        table.add_row(
            f"memory of {name}, and growth since the first visit",
            f"{megabytes:.0f} MB, {figures['growth_mb'][name]:+.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
