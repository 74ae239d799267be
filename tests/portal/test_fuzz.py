"""The API against its own document: schemathesis makes up requests, right ones and wrong ones, from a fixed seed.

What must hold for all of them: no failure of the server, no status and no answer that the document does not have, nothing
without a right token, right requests taken and wrong ones refused.
"""

import secrets

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.case import Case

from portal.api import views
from portal.api.calling import CALLS
from portal.api.document import document
from portal.limiting import Limits
from study import visits
from study.access import devices
from study.enrolment import take_in
from study.study import Study
from study.visits import Visit

EXAMPLES = 60

CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 6,
        "generation": {"deterministic": True, "database": "none", "with-security-parameters": False},
    }
)

schema = schemathesis.openapi.from_dict(document(CALLS), config=CONFIG)


@pytest.fixture
def held(app: Flask, study: Study) -> Visit:
    """A visit that robot-1 holds, at its exercise."""
    while (participant := take_in(study)).arm.medium != "robot":
        pass
    visit = visits.today(study, participant)
    assert visit is not None
    visits.claim(study, visit.code, "robot-1")
    entered: Visit = app.extensions["bedside"].enter(visits.rate(study, visit, "before", 70))[0]
    return entered


@pytest.fixture(scope="module")
def answered() -> set[tuple[str, int]]:
    """Calls and the statuses that they were answered with."""
    return set()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_api_does_what_its_document_says(
    case: Case,
    app: Flask,
    study: Study,
    held: Visit,
    answered: set[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(views, "WRONG_CODES", 10**9)
    limits: Limits = app.extensions["bedside limits"]
    for bucket in (limits.wrong, limits.device):
        monkeypatch.setattr(bucket, "at_once", 10**9)  # many more requests than a device makes
    token = devices.issue(study, "robot-1", by="test")
    case.operation.schema.app = app
    right = case.meta is None or not case.meta.generation.mode.is_negative
    if right and "visit_id" in case.path_parameters:
        case.path_parameters["visit_id"] = held.id
    if right and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = secrets.token_hex(16)  # one for each call, as the document asks
    response = case.call_and_validate(app=app, headers={"Authorization": f"Bearer {token}"})
    answered.add((case.operation.label, response.status_code))


def test_right_and_wrong_requests_reached_every_call(answered: set[tuple[str, int]]) -> None:
    """Fuzz that is turned away at the door would prove nothing."""
    for call in CALLS:
        label = f"{call.method} {call.path}"
        wanted = {call.status} | ({400, 415, 422} if call.body else {422} if call.query else {404})
        reached = {status for name, status in answered if name == label}
        assert wanted <= reached, label
