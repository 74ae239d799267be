"""The API's document and its page say what the code does."""

import re
import subprocess
import threading
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from portal.api import CALLS, document
from portal.api.calling import Call
from portal.openapi import page
from study import visits
from study.access import devices
from study.access.scopes import SCOPES
from study.enrolment import take_in
from study.study import Study

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_is_the_one_that_the_code_makes() -> None:
    assert page(document(CALLS)) == PAGE, "run python -m portal.openapi docs/api.md"


def test_the_document_is_served_to_everybody_and_has_every_call(app: Flask) -> None:
    served = app.test_client().get("/api/v1/openapi.json")
    assert served.get_json() == document(CALLS)
    assert served.get_json()["openapi"].startswith("3.1")
    rules = {
        (rule.rule.removeprefix("/api/v1"), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert rules == {(call.rule, call.method) for call in CALLS} | {("/openapi.json", "GET")}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_call_is_described_in_every_respect(call: Call) -> None:
    operation = document(CALLS)["paths"][call.path][call.method.lower()]
    assert len(operation["summary"]) > 10
    assert operation["security"] == [{"device": [call.scope]}]
    assert call.scope in SCOPES
    for response in operation["responses"].values():
        assert len(response["description"]) >= 6
    assert {"401", "403", "500", "507"} <= set(operation["responses"])
    names = {one["name"] for one in operation["parameters"]}
    assert ("Idempotency-Key" in names) == (call.method == "POST")
    assert ("Last-Event-ID" in names) == (call.answer is None)
    for model in filter(None, (call.body, call.query)):
        for name, field in model.model_fields.items():
            assert field.description, name


def test_the_examples_of_the_page_work_as_they_are_typed(app: Flask, study: Study) -> None:
    """In their order, but for the code and the number of the visit, which the page says to put in."""
    while (participant := take_in(study)).arm.medium != "robot":
        pass
    visit = visits.today(study, participant)
    assert visit is not None
    assert len(EXAMPLES) == len(CALLS)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    environment = {
        "PATH": "/usr/bin:/bin",
        "PORTAL": f"http://127.0.0.1:{server.server_port}",
        "TOKEN": devices.issue(study, "robot-1", by="test"),
        "no_proxy": "127.0.0.1",
    }
    said = []
    try:
        for example in EXAMPLES:
            typed = example.replace("481516", visit.code).replace("/visits/12", f"/visits/{visit.id}")
            done = subprocess.run(
                ["bash", "-c", typed], env=environment, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, (typed, done.stderr)
            said.append(done.stdout)
    finally:
        server.shutdown()
        thread.join()
    assert "event: end" in said[[call.name for call in CALLS].index("reply")]
    [device] = devices.all(study)
    assert device.report is not None
    assert (device.report.battery, device.visit) == (0.8, visit.id)
