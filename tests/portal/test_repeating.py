"""Idempotency keys: a call that is made again gets its answer again, and nothing is done twice."""

import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.api import repeating
from portal.app import create_app
from study import halting, visits
from study.access import devices, repeats
from study.access.store import path_of
from study.enrolment import take_in
from study.study import Study
from study.visits import find
from tests.conftest import HandClock
from tests.portal.conftest import Browser, Robot
from tests.robot import wait_until
from therapist.engines import open_engine

Open = Callable[[str], Browser]


def code_of(study: Study, browser: Browser) -> str:
    browser.page()
    return find(study, browser.state()["visit"]).code


def keyed(robot: Robot, key: str, path: str, body: object) -> TestResponse:
    headers = {"Authorization": f"Bearer {robot.token}", "Idempotency-Key": key}
    return robot.client.post("/api/v1" + path, json=body, headers=headers)


def test_the_same_key_and_body_get_the_same_answer_again(browser_in: Open, study: Study, robot: Robot) -> None:
    """Also when the visit has gone on since."""
    code = code_of(study, browser_in("robot"))
    first = keyed(robot, "k1", "/claims", {"code": code})
    path = f"/visits/{first.get_json()['visit']}"
    rated = keyed(robot, "k2", path + "/ratings", {"occasion": "before", "value": 70})
    assert rated.get_json()["state"] == "exercise"
    said = keyed(robot, "k3", path + "/turns", {"words": "I failed the exam.", "token": "t"})
    assert said.status_code == 201
    assert robot.call("GET", f"{path}/reply?after=2").text
    assert keyed(robot, "k1", "/claims", {"code": code}).get_json() == first.get_json()
    again = keyed(robot, "k2", path + "/ratings", {"value": 70, "occasion": "before"})
    assert (again.status_code, again.get_json()) == (200, rated.get_json())
    assert keyed(robot, "k3", path + "/turns", {"words": "I failed the exam.", "token": "t"}).status_code == 201


def test_a_key_is_good_for_one_call(browser_in: Open, study: Study, robot: Robot, app: Flask) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()["visit"]
    assert keyed(robot, "k", f"/visits/{visit}/ratings", {"occasion": "before", "value": 70}).status_code == 200
    for path, body in (
        (f"/visits/{visit}/ratings", {"occasion": "before", "value": 71}),
        (f"/visits/{visit}/screen", {"words": "hm"}),
        ("/telemetry", {}),
    ):
        answer = keyed(robot, "k", path, body)
        assert answer.status_code == 422
        assert "was used for another call" in answer.get_json()["error"]
    assert visits.ratings(study, find(study, visit)) == {"before": 70}
    other = Robot(app.test_client(), devices.issue(study, "robot-2", by="test"))
    assert keyed(other, "k", "/telemetry", {}).status_code == 200


def test_a_key_that_is_none_is_refused(robot: Robot) -> None:
    for key in ("", "with space", "x" * 256, "ü"):
        answer = keyed(robot, key, "/telemetry", {})
        assert (answer.status_code, "Idempotency-Key is" in answer.get_json()["error"]) == (422, True), key
    assert keyed(robot, "x" * 255, "/telemetry", {}).status_code == 200


def test_a_refused_call_is_looked_at_anew(browser_in: Open, study: Study, robot: Robot) -> None:
    code = code_of(study, browser_in("robot"))
    visit = robot.call("POST", "/claims", {"code": code}).get_json()["visit"]
    number = halting.halt(study, "study", "", by="Dr Okafor", why="to look")
    rating = {"occasion": "before", "value": 70}
    assert keyed(robot, "k", f"/visits/{visit}/ratings", rating).status_code == 409
    halting.lift(study, number, by="Dr Okafor", why="looked")
    assert keyed(robot, "k", f"/visits/{visit}/ratings", rating).get_json()["state"] == "exercise"


def test_keys_are_kept_for_a_day(study: Study, robot: Robot, clock: HandClock) -> None:
    assert keyed(robot, "k", "/telemetry", {"state": "idle"}).status_code == 200
    clock.forward(hours=24)
    assert keyed(robot, "k", "/telemetry", {"state": "code"}).status_code == 422
    clock.forward(seconds=1)
    assert keyed(robot, "k", "/telemetry", {"state": "code"}).status_code == 200
    assert timedelta(hours=24) == repeats.KEPT


def test_a_late_repetition_of_a_report_does_not_undo_a_newer_one(study: Study, robot: Robot) -> None:
    keyed(robot, "k1", "/telemetry", {"battery": 0.9})
    keyed(robot, "k2", "/telemetry", {"battery": 0.8})
    keyed(robot, "k1", "/telemetry", {"battery": 0.9})
    report = devices.all(study)[0].report
    assert report is not None
    assert report.battery == 0.8


def test_two_at_once_wait_for_each_other(
    browser_in: Open, study: Study, robot: Robot, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()["visit"]
    go = threading.Event()
    made: list[int] = []
    rate = visits.rate

    def slowly(*arguments: Any) -> Any:
        made.append(1)
        assert go.wait(30)
        return rate(*arguments)

    monkeypatch.setattr(visits, "rate", slowly)
    answers: list[TestResponse] = []

    def call() -> None:
        one = Robot(app.test_client(), robot.token)
        answers.append(keyed(one, "k", f"/visits/{visit}/ratings", {"occasion": "before", "value": 70}))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: [waiting for _, waiting in repeating._under_way.values()] == [2], 30, "they do not meet")
    go.set()
    for thread in threads:
        thread.join(30)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].get_json() == answers[1].get_json()
    assert made == [1]
    assert repeating._under_way == {}


def test_no_words_and_no_key_stand_beside_the_record(browser_in: Open, study: Study, robot: Robot) -> None:
    """What is erased from the record stands in no second file, and neither is what would open anything."""
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()
    path = f"/visits/{visit['visit']}"
    keyed(robot, "key-1", path + "/ratings", {"occasion": "before", "value": 70})
    keyed(robot, "key-2", path + "/turns", {"words": "My zebra ran away.", "token": "t"})
    assert robot.call("GET", f"{path}/reply?after=2").text
    answer = keyed(robot, "key-3", "/claims", {"code": visit["code"]}).get_json()
    assert "My zebra ran away." in [turn["text"] for turn in answer["turns"]]
    beside = path_of(study)
    kept = b"".join(file.read_bytes() for file in beside.parent.glob(beside.name + "*"))
    assert b"device_call" in kept
    for secret in (b"zebra", b"key-1", b"key-2", robot.token.partition(".")[2].encode(), b"What happened"):
        assert secret not in kept


KILLED = """
import os, signal, sys
from pathlib import Path
from portal.app import create_app
from study.access import devices, repeats
from study.study import Study
from therapist.engines import open_engine

study = Study.open(Path(sys.argv[1]))
app = create_app(study, {study.protocol.engine: open_engine("eliza")})
repeats.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
headers = {"Authorization": "Bearer " + sys.argv[2], "Idempotency-Key": "k"}
app.test_client().post("/api/v1" + sys.argv[3], data=sys.argv[4], content_type="application/json", headers=headers)
"""


@pytest.mark.parametrize(
    ("call", "body", "other", "count"),
    [
        ("ratings", '{"occasion": "before", "value": 70}', {"occasion": "before", "value": 30}, "rating"),
        ("screen", '{"words": "I want to die"}', {"words": "hm"}, "safety_event"),
    ],
)
def test_a_portal_that_is_killed_between_doing_and_answering_does_it_once(
    folder: Path, call: str, body: str, other: dict[str, Any], count: str
) -> None:
    study = Study.open(folder)
    while (participant := take_in(study)).arm.medium != "robot":
        pass
    visit = visits.today(study, participant)
    assert visit is not None
    visits.claim(study, visit.code, "robot-1")
    token = devices.issue(study, "robot-1", by="test")
    path = f"/visits/{visit.id}/{call}"
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(folder), token, path, body])
    assert killed.returncode == -signal.SIGKILL
    assert len(study.records.rows(f"SELECT * FROM {count}")) == 1
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    robot = Robot(app.test_client(), token)
    assert keyed(robot, "k", path, other).status_code == 422
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
    answers = [
        app.test_client().post("/api/v1" + path, data=body, content_type="application/json", headers=headers)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].get_json() == answers[1].get_json()
    assert answers[0].get_json()["state"] == find(study, visit.id).state
    assert len(study.records.rows(f"SELECT * FROM {count}")) == 1
    app.extensions["bedside"].close()
    study.close()
