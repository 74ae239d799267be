"""The device API: what a robot may do, and what it may not."""

import json
import re
from collections.abc import Callable
from typing import Literal

import pytest
from flask import Flask

from study import halting, safety
from study.access import devices
from study.access.scopes import GRACE
from study.study import Study
from study.visits import find
from tests.conftest import HandClock
from tests.portal.conftest import Browser, Robot
from therapist.exercise import load_exercise

Open = Callable[[str], Browser]


def code_of(study: Study, browser: Browser) -> str:
    browser.page()
    return find(study, browser.state()["visit"]).code


def test_a_robot_holds_a_whole_visit(browser_in: Open, study: Study, robot: Robot) -> None:
    code = code_of(study, browser_in("robot"))
    visit = robot.call("POST", "/claims", {"code": code}).get_json()
    assert visit["state"] == "before"
    path = f"/visits/{visit['visit']}"
    visit = robot.call("POST", path + "/ratings", {"occasion": "before", "value": 70}).get_json()
    assert visit["state"] == "exercise"
    assert visit["turns"][0]["speaker"] == "therapist"
    assert visit["code"] == code
    number = 0
    reflects = []
    while visit["state"] == "exercise":
        reflects.append(visit["reflect"])
        body = {"words": "I failed the exam and was sad, 80", "token": f"t{number}"}
        answer = robot.call("POST", path + "/turns", body)
        assert answer.status_code == 201
        assert robot.call("POST", path + "/turns", body).get_json() == answer.get_json()
        events = robot.call("GET", f"{path}/reply?after={answer.get_json()['number']}").text
        visit = json.loads(re.findall(r"event: end\ndata: (.*)", events)[0])
        number += 1
    assert visit["state"] == "after"
    # The questions that ask to think are those of the exercise's file.
    exercise = load_exercise(find(study, visit["visit"]).exercise)
    assert reflects == [step.reflect for step in exercise.steps]
    assert robot.call("POST", path + "/ratings", {"occasion": "after", "value": 50}).get_json()["state"] == "done"


def test_a_robot_hears_at_once_that_its_words_stopped_the_visit(browser_in: Open, study: Study, robot: Robot) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()
    assert visit["record"] is False
    path = f"/visits/{visit['visit']}"
    robot.call("POST", path + "/ratings", {"occasion": "before", "value": 70})
    answer = robot.call("POST", path + "/turns", {"words": "I want to die", "token": "t"}).get_json()
    assert answer == {"number": 2, "stopped": True}
    assert robot.call("GET", path).get_json()["state"] == "stopped"


def test_a_robot_without_a_right_token_gets_nothing(app: Flask, study: Study) -> None:
    for token in (
        "",
        "wrong",
        devices.issue(study, "robot-1", by="test")[:-1],
        "robot-2." + devices.issue(study, "robot-1", by="test")[8:],
    ):
        answer = Robot(app.test_client(), token).call("POST", "/claims", {"code": "123456"})
        assert answer.status_code == 401
        assert "device token" in answer.get_json()["error"]
    assert app.test_client().post("/api/v1/claims", json={"code": "123456"}).status_code == 401


def test_what_a_token_is_not_for_is_refused(browser_in: Open, study: Study, app: Flask, robot: Robot) -> None:
    """A screen beside the robot reads the robot's visit and no other; a dock reports and does nothing else."""
    code = code_of(study, browser_in("robot"))
    visit = robot.call("POST", "/claims", {"code": code}).get_json()["visit"]
    screen = Robot(app.test_client(), devices.issue(study, "robot-1", by="test", scopes=("read",)))
    dock = Robot(app.test_client(), devices.issue(study, "robot-1", by="test", scopes=("telemetry",)))
    elsewhere = Robot(app.test_client(), devices.issue(study, "robot-2", by="test", scopes=("read",)))
    calls = [
        ("GET", f"/visits/{visit}", None, "read"),
        ("GET", f"/visits/{visit}/reply", None, "read"),
        ("POST", "/telemetry", {}, "telemetry"),
        ("POST", "/claims", {"code": code}, "visits"),
        ("POST", f"/visits/{visit}/ratings", {"occasion": "before", "value": 70}, "visits"),
        ("POST", f"/visits/{visit}/turns", {"words": "hello", "token": "t"}, "visits"),
        ("POST", f"/visits/{visit}/screen", {"words": "hello"}, "visits"),
    ]
    for method, path, body, scope in calls:
        for device, scopes in ((screen, "read"), (dock, "telemetry")):
            answer = device.call(method, path, body)
            assert (answer.status_code == 403) == (scope != scopes), (path, scopes)
            if answer.status_code == 403:
                assert f"the scope {scope}" in answer.get_json()["error"]
    assert elsewhere.call("GET", f"/visits/{visit}").status_code == 404
    assert study.records.rows("SELECT * FROM rating") == []


def test_a_revoked_device_is_out_at_once_and_a_rotated_one_after_its_grace(
    study: Study, app: Flask, robot: Robot, clock: HandClock
) -> None:
    new = Robot(app.test_client(), devices.rotate(study, "robot-1", by="test"))
    ends = robot.call("POST", "/telemetry", {}).get_json()["expires_at"]
    assert ends == (clock.now() + GRACE).isoformat(timespec="seconds")
    clock.forward(minutes=10)
    assert robot.call("POST", "/telemetry", {}).status_code == 401
    assert new.call("POST", "/telemetry", {}).get_json() == {"device": "robot-1", "expires_at": None}
    devices.revoke(study, "robot-1", by="test")
    refused = new.call("POST", "/telemetry", {})
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_device_says_how_it_is_and_counts_as_connected(study: Study, robot: Robot, clock: HandClock) -> None:
    assert devices.online(study) == frozenset()
    said = {"battery": 0.5, "latency_ms": 20, "state": "code", "version": "0.1.0"}
    assert robot.call("POST", "/telemetry", said).status_code == 200
    [device] = devices.all(study)
    assert device.report == devices.Report(clock.now(), 0.5, 20, "code", "0.1.0")
    assert devices.online(study) == {"robot-1"}
    for wrong in ({"battery": 1.1}, {"battery": "full"}, {"state": "sad"}, {"latency_ms": -1}, {"words": "hello"}):
        assert robot.call("POST", "/telemetry", wrong).status_code == 422


def test_no_address_of_a_device_is_kept(study: Study, robot: Robot) -> None:
    headers = {"Authorization": f"Bearer {robot.token}"}
    robot.client.post("/api/v1/telemetry", json={}, headers=headers, environ_base={"REMOTE_ADDR": "198.51.100.77"})
    kept = b"".join(file.read_bytes() for file in study.folder.iterdir() if file.is_file())
    assert b"robot-1" in kept
    assert b"198.51.100.77" not in kept


def test_what_is_no_call_gets_a_sentence(robot: Robot, app: Flask) -> None:
    client = app.test_client()
    for path, said in (
        ("/api/v2/claims", "version 1"),
        ("/api/", "version 1"),
        ("/api/v1/nothing", "openapi.json lists them"),
        ("/api/v1/visits/0x10", "openapi.json lists them"),
        ("/api/v1/visits/99999999999999999999", "openapi.json lists them"),
    ):
        answer = client.get(path)
        assert (answer.status_code, said in answer.get_json()["error"]) == (404, True), path
    wrong = client.get("/api/v1/claims")
    assert (wrong.status_code, set(wrong.headers["Allow"].split(", "))) == (405, {"POST", "OPTIONS"})
    assert set(wrong.get_json()) == {"error"}


def test_only_json_objects_are_taken(robot: Robot) -> None:
    headers = {"Authorization": f"Bearer {robot.token}"}
    for data, kind, status in (
        (b'{"code": "123456"}', "text/plain", 415),
        (b"code=123456", "application/x-www-form-urlencoded", 415),
        (b'{"code": "123456"}', "", 415),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'"code"', "application/json", 400),
        (b"", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'{"code": "\\ud800"}', "application/json", 400),
        (b'{"code": 123456}', "application/json", 422),
    ):
        answer = robot.client.post("/api/v1/claims", data=data, content_type=kind, headers=headers)
        assert (answer.status_code, set(answer.get_json())) == (status, {"error"}), (data[:20], kind)


def test_what_was_sent_wrong_is_named_and_never_quoted(browser_in: Open, study: Study, robot: Robot) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()["visit"]
    path = f"/visits/{visit}/turns"
    for body, said in (
        ({"words": "My zebra ran away."}, "token is missing: 1 to 100 visible"),
        ({"words": "My zebra ran away.", "token": "my zebra"}, "token is not right: 1 to 100 visible"),
        ({"words": "My zebra ran away.", "token": "t", "zebra": 1}, "The fields are words, token, and no other."),
    ):
        error = robot.call("POST", path, body).get_json()["error"]
        assert said in error
        assert "zebra" not in error


def test_a_visit_belongs_to_the_robot_that_claimed_it(browser_in: Open, study: Study, app: Flask, robot: Robot) -> None:
    code = code_of(study, browser_in("robot"))
    visit = robot.call("POST", "/claims", {"code": code}).get_json()["visit"]
    assert robot.call("POST", "/claims", {"code": code}).status_code == 200
    other = Robot(app.test_client(), devices.issue(study, "robot-2", by="test"))
    assert other.call("POST", "/claims", {"code": code}).status_code == 409
    assert other.call("GET", f"/visits/{visit}").status_code == 404
    assert other.call("POST", f"/visits/{visit}/ratings", {"occasion": "before", "value": 1}).status_code == 404


def test_a_chat_visit_cannot_be_claimed(browser_in: Open, study: Study, robot: Robot) -> None:
    code = code_of(study, browser_in("chat"))
    assert robot.call("POST", "/claims", {"code": code}).status_code == 404


def test_codes_cannot_be_tried_for_long(robot: Robot) -> None:
    answers = [robot.call("POST", "/claims", {"code": f"{number:06}"}).status_code for number in range(12)]
    assert answers[0] == 404
    assert answers[-1] == 429


def test_what_is_not_right_gets_a_sentence(browser_in: Open, study: Study, robot: Robot) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()["visit"]
    path = f"/visits/{visit}"
    wrong = [
        ("/ratings", {"occasion": "before", "value": 101}, 422),
        ("/ratings", {"occasion": "before", "value": "fifty"}, 422),
        ("/ratings", {"occasion": "before", "value": True}, 422),
        ("/ratings", {"occasion": "now", "value": 50}, 422),
        ("/ratings", {"occasion": "after", "value": 50}, 409),
        ("/turns", {"words": "too early", "token": "t"}, 409),
        ("/turns", {"words": "", "token": "t"}, 422),
        ("/turns", {"words": "x" * 4001, "token": "t"}, 422),
        ("/turns", {"words": "x" * 1_000_000, "token": "t"}, 413),
        ("/turns", ["a", "list"], 400),
    ]
    for where, body, status in wrong:
        answer = robot.call("POST", path + where, body)
        assert answer.status_code == status, (where, status, answer.text)
        assert set(answer.get_json()) == {"error"}


def test_words_at_the_rating_that_need_a_person_stop_the_visit(browser_in: Open, study: Study, robot: Robot) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()["visit"]
    fine = robot.call("POST", f"/visits/{visit}/screen", {"words": "what do you mean"}).get_json()
    assert fine["state"] == "before"
    stopped = robot.call("POST", f"/visits/{visit}/screen", {"words": "I want to die"}).get_json()
    assert stopped["state"] == "stopped"
    assert "116 123" in stopped["message"]
    assert len(study.records.rows("SELECT * FROM safety_event")) == 1


def test_a_robot_cannot_go_on_while_the_study_is_halted(browser_in: Open, study: Study, robot: Robot) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()
    path = f"/visits/{visit['visit']}"
    number = halting.halt(study, "study", "", by="Dr Okafor", why="to look")
    refused = robot.call("POST", path + "/ratings", {"occasion": "before", "value": 70})
    assert (refused.status_code, "paused" in refused.get_json()["error"]) == (409, True)
    halting.lift(study, number, by="Dr Okafor", why="looked")
    assert robot.call("POST", path + "/ratings", {"occasion": "before", "value": 70}).status_code == 200


def test_a_robot_cannot_begin_or_go_on_while_the_participant_is_held(
    browser_in: Open, study: Study, robot: Robot
) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()
    path = f"/visits/{visit['visit']}"
    event = safety.report(study, find(study, visit["visit"]).participant, by="nurse", description="a fall")
    for method, call, body in (
        ("POST", "/ratings", {"occasion": "before", "value": 70}),
        ("POST", "/turns", {"words": "hello", "token": "t"}),
        ("POST", "/sounds", {"reply_to": 1, "after_ms": 1.0}),
        ("GET", "", None),
        ("GET", "/reply", None),
    ):
        refused = robot.call(method, path + call, body)
        assert (refused.status_code, "paused" in refused.get_json()["error"]) == (409, True), call
    assert find(study, visit["visit"]).state == "before"
    safety.acknowledge(study, event, "Dr Okafor")
    assert robot.call("POST", path + "/ratings", {"occasion": "before", "value": 70}).status_code == 200


@pytest.mark.parametrize("scope", ["participant", "arm", "study"])
def test_a_robot_says_the_fixed_message_although_its_words_halted_the_arm(
    browser_in: Open, study: Study, robot: Robot, scope: Literal["participant", "arm", "study"]
) -> None:
    visit = robot.call("POST", "/claims", {"code": code_of(study, browser_in("robot"))}).get_json()
    path = f"/visits/{visit['visit']}"
    robot.call("POST", path + "/ratings", {"occasion": "before", "value": 70})
    said = {"words": "I want to die", "token": "t"}
    assert robot.call("POST", path + "/turns", said).get_json() == {"number": 2, "stopped": True}
    target = {"participant": find(study, visit["visit"]).participant, "arm": "robot", "study": ""}[scope]
    halting.halt(study, scope, target, by="bedside", why="stopping rule")
    assert "116 123" in robot.call("GET", f"{path}/reply?after=2").text
    assert "116 123" in robot.call("GET", path).get_json()["message"]
    # A call that is made again, because its answer was lost, gets the answer that it had.
    assert robot.call("POST", path + "/turns", said).get_json() == {"number": 2, "stopped": True}
    assert robot.call("POST", path + "/turns", {"words": "more", "token": "u"}).status_code == 409
    assert robot.call("POST", path + "/ratings", {"occasion": "after", "value": 70}).status_code == 409
