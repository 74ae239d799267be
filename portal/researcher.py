"""The researcher's page: who is where, how distress moves in each arm, who needs a person, and every transcript."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import mean
from typing import Any

from flask import Blueprint, current_app, g, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from portal import words
from portal.sessions import Sessions
from study import safety, visits
from study.errors import WrongToken
from study.turns import TurnKeeper
from study.visits import ratings

__all__ = ["blueprint"]

blueprint = Blueprint("researcher", __name__)


@dataclass(frozen=True, slots=True)
class _Day:
    """One square of a participant's row."""

    day: int
    mark: str
    """`done`, `begun`, `stopped`, `missed` or `ahead`."""
    visit: int | None


@dataclass(frozen=True, slots=True)
class _Point:
    """Mean distress of one arm on one day, in the plot's coordinates."""

    x: float
    before: float | None
    after: float | None
    label: str


def _sessions() -> Sessions:
    sessions: Sessions = current_app.extensions["bedside"]
    return sessions


@blueprint.url_value_preprocessor
def _who(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Raises `WrongToken` for any link but the researcher's."""
    token = (values or {}).pop("token")
    if not _sessions().study.is_researcher(token):
        raise WrongToken("This link is not complete or not right.")
    g.home = f"/researcher/{token}/"


@blueprint.get("/")
def page() -> str:
    study = _sessions().study
    people = study.participants()
    by_person: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in study.records.rows("SELECT id, participant, day, state FROM visit"):
        by_person[row["participant"]][row["day"]] = row
    rows = [
        {
            "participant": person,
            "today": study.day_of(person),
            "days": [_square(day, study.day_of(person), by_person[person.code].get(day)) for day in _days()],
            "link": study.participant_path(person.code),
        }
        for person in people
    ]
    visit_rows = [visit for visits_of in by_person.values() for visit in visits_of.values()]
    return render_template(
        "researcher.html",
        rows=rows,
        arms=study.protocol.arms,
        alarms=safety.events(study, open_only=True),
        done=sum(visit["state"] == "done" for visit in visit_rows),
        begun=sum(visit["state"] in ("before", "exercise", "after") for visit in visit_rows),
        stopped=sum(visit["state"] == "stopped" for visit in visit_rows),
        points={arm.name: _points(arm.name) for arm in study.protocol.arms},
        engines=[engine.identity for engine in _sessions().engines.values()],
        notify=bool(study.protocol.safety.notify),
    )


def _days() -> range:
    return range(1, _sessions().study.protocol.days + 1)


def _square(day: int, today: int, visit: dict[str, Any] | None) -> _Day:
    if visit is None:
        return _Day(day, "missed" if day < today else "ahead", None)
    mark = {"done": "done", "stopped": "stopped"}.get(visit["state"], "begun")
    return _Day(day, mark, visit["id"])


PLOT_WIDTH, PLOT_HEIGHT = 300, 100
"""The plot's inner size, in its own units; distress 0-100 is its height."""


def _points(arm: str) -> list[_Point]:
    study = _sessions().study
    values: dict[tuple[int, str], list[int]] = defaultdict(list)
    for row in study.records.rows(
        "SELECT visit.day, rating.occasion, rating.value FROM rating JOIN visit ON visit.id = rating.visit"
        " JOIN participant ON participant.code = visit.participant WHERE participant.arm = ?",
        arm,
    ):
        values[row["day"], row["occasion"]].append(row["value"])
    points = []
    for day in _days():
        before, after = values.get((day, "before")), values.get((day, "after"))
        if before or after:
            said = [f"{name} {mean(group):.0f} (n={len(group)})" for name, group in _named(before, after)]
            points.append(
                _Point(
                    (day - 0.5) * PLOT_WIDTH / study.protocol.days,
                    PLOT_HEIGHT - mean(before) if before else None,
                    PLOT_HEIGHT - mean(after) if after else None,
                    f"Day {day}: " + ", ".join(said),
                )
            )
    return points


def _named(before: list[int] | None, after: list[int] | None) -> list[tuple[str, list[int]]]:
    return [(name, group) for name, group in (("before", before), ("after", after)) if group]


@blueprint.get("/visits/<int:visit_id>")
def visit(visit_id: int) -> str:
    """One visit whole: ratings, and each turn with how it came about."""
    study = _sessions().study
    found = visits.find(study, visit_id)
    keeper = TurnKeeper(study, found)
    return render_template(
        "transcript.html",
        found=found,
        participant=study.participant(found.participant),
        ratings=ratings(study, found),
        turns=keeper.turns(),
        provenance=keeper.provenance(),
    )


@blueprint.post("/safety/<int:event_id>")
def acknowledge(event_id: int) -> BaseResponse:
    safety.acknowledge(_sessions().study, event_id, words.text_of(words.body(), "by"))
    return redirect(g.home, 303)
