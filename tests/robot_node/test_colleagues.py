"""What the companion makes of the diagnostics of its robot's other nodes."""

from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from robot_node import colleagues
from robot_node.colleagues import Colleagues


def status(node: str, part: str, well: bool = True, run: str = "1", namespace: str = "/") -> Any:
    level = DiagnosticStatus.OK if well else DiagnosticStatus.ERROR
    values = [KeyValue(key="run", value=run)]
    return DiagnosticArray(
        status=[DiagnosticStatus(level=level, name=f"/{node}: {part}", hardware_id=namespace, values=values)]
    )


@pytest.fixture
def known() -> Colleagues:
    known = Colleagues("/", ("ear", "voice"))
    for node, part in (("ear", "microphone"), ("voice", "speaker")):
        known.take(status(node, part))
    return known


def test_a_trouble_and_its_end_are_told_once_each(known: Colleagues) -> None:
    assert known.news() == []
    for _ in range(3):
        known.take(status("ear", "microphone", well=False))
    known.take(status("ear", "recogniser"))
    assert known.news() == ["cannot_hear"]
    assert known.news() == []
    known.take(status("ear", "microphone"))
    assert known.news() == ["can_hear"]
    assert known.news() == []


def test_a_voice_that_failed_is_told_of_when_it_is_back(known: Colleagues) -> None:
    known.take(status("voice", "speaker", well=False))
    assert known.news() == []
    known.take(status("voice", "speaker"))
    assert known.news() == ["no_sound"]
    known.take(status("voice", "speaker", run="2"))
    assert known.news() == ["no_sound"]
    assert known.news() == []


def test_who_was_started_again_is_named_for_a_minute(known: Colleagues, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known.restarted() == []
    known.take(status("voice", "speaker", run="2"))
    known.take(status("ear", "microphone", namespace="/left", run="2"))
    assert known.restarted() == ["voice"]
    now = colleagues.time.monotonic()
    monkeypatch.setattr(colleagues.time, "monotonic", lambda: now + colleagues.RESTARTED_S + 1)
    assert known.restarted() == []


def test_a_robot_hears_nothing_of_another_ones_troubles(known: Colleagues) -> None:
    known.take(status("ear", "microphone", well=False, namespace="/left"))
    assert known.news() == []
    assert known.missing() == []


def test_who_is_silent_for_long_is_missing(known: Colleagues, monkeypatch: pytest.MonkeyPatch) -> None:
    now = colleagues.time.monotonic()
    monkeypatch.setattr(colleagues.time, "monotonic", lambda: now + colleagues.SILENT_S + 1)
    known.take(status("voice", "speaker"))
    assert known.missing() == ["ear"]
    assert known.news() == ["cannot_hear"]
    known.take(status("ear", "microphone"))
    assert known.missing() == []
    assert known.news() == ["can_hear"]
