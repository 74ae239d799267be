"""The researcher's page: who is where, how distress moves in each arm, who needs a person, and every transcript."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean
from typing import Any

from flask import Blueprint, abort, g, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from portal import words
from portal.looking import sessions
from study import blinding, halting, safety, visits
from study.errors import StudyError, UnknownCode, WrongToken
from study.study import Participant
from study.turns import TurnKeeper
from study.visits import ratings

__all__ = ["blinded", "blueprint"]

blueprint = Blueprint("researcher", __name__)
blinded = Blueprint("blinded", __name__)

Page = tuple[str, int] | str | BaseResponse


@dataclass(frozen=True, slots=True)
class _Day:
    """One square of a participant's row."""

    day: int
    mark: str
    """`done`, `begun`, `stopped`, `missed`, `unfinished` or `ahead`."""
    visit: int | None


@dataclass(frozen=True, slots=True)
class _Point:
    """Mean distress of one arm on one day, in the plot's coordinates."""

    x: float
    before: float | None
    after: float | None
    label: str


def _token(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Raises `WrongToken` for any link but the researcher's."""
    token = (values or {}).pop("token")
    if not sessions().study.is_researcher(token):
        raise WrongToken("This link is not complete or not right.")
    g.home = f"/researcher/{token}/"


blueprint.url_value_preprocessor(_token)


@blueprint.get("/")
def page() -> str:
    study = sessions().study
    people = study.participants()
    real = {person.code for person in people if person.kind == "participant"}
    by_person = _visits()
    rows = [
        {
            "participant": person,
            "today": study.day_of(person),
            "days": [_square(day, study.day_of(person), by_person[person.code].get(day)) for day in _days(person)],
            "link": study.participant_path(person.code),
        }
        for person in people
    ]
    visit_rows = [visit for code in real for visit in by_person[code].values()]
    arms = list({arm.name: arm for protocol in reversed(study.protocols()) for arm in protocol.arms}.values())
    return render_template(
        "researcher.html",
        rows=rows,
        arms=arms,
        flow=_flow(),
        enrolled=len(real),
        by_arm={arm.name: sum(p.arm.name == arm.name for p in people if p.code in real) for arm in arms},
        alarms=safety.events(study, open_only=True),
        unfinished=[row for row in safety.events(study) if row["acknowledged_at"] and not row["closed_at"]],
        assessment=safety.ASSESSMENT,
        halts=halting.halts(study),
        people=[person.code for person in people],
        done=sum(visit["state"] == "done" for visit in visit_rows),
        begun=sum(visit["state"] in ("before", "exercise", "after") for visit in visit_rows),
        stopped=sum(visit["state"] == "stopped" for visit in visit_rows),
        missed=sum(visit["state"] in ("missed", "unfinished") for visit in visit_rows),
        points={arm.name: _points(arm.name) for arm in arms},
        last_day=study.protocol.days,
        join=study.join_path(),
        engines=[engine.identity for engine in sessions().engines.values()],
        notify=bool(study.protocol.safety.notify),
    )


def _visits() -> dict[str, dict[int, dict[str, Any]]]:
    """The visits of everybody, by code and day."""
    by_person: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in sessions().study.records.rows("SELECT id, participant, day, state FROM visit"):
        by_person[row["participant"]][row["day"]] = row
    return by_person


def _flow() -> list[tuple[str, int, list[tuple[str, int]]]]:
    """How many came how far, in the order of the way; those who could not take part with the reasons."""
    study = sessions().study
    people = [person for person in study.people() if person.kind == "participant"]
    reasons = Counter(reason for person in people for reason in person.reasons)
    withdrawn = study.records.rows("SELECT participant FROM withdrawal")
    states = Counter(person.state for person in people)
    return [
        ("came", len(people), []),
        ("could not take part", states["ineligible"], reasons.most_common()),
        ("declined", states["declined"], []),
        ("on the way", states["screening"] + states["consent"] + states["baseline"], []),
        ("enrolled", states["enrolled"], []),
        ("left after that", sum(study.person(row["participant"]).state == "enrolled" for row in withdrawn), []),
    ]


def _days(participant: Participant) -> list[int]:
    """The days of a participant's visits and follow-ups."""
    protocol = participant.protocol
    return [*range(1, protocol.days + 1), *(follow_up.day for follow_up in protocol.follow_ups)]


def _square(day: int, today: int, visit: dict[str, Any] | None) -> _Day:
    if visit is None:
        return _Day(day, "missed" if day < today else "ahead", None)
    mark = visit["state"] if visit["state"] in ("done", "stopped", "missed", "unfinished") else "begun"
    return _Day(day, mark, visit["id"])


PLOT_WIDTH, PLOT_HEIGHT = 300, 100
"""The plot's inner size, in its own units; distress 0-100 is its height."""


def _points(arm: str) -> list[_Point]:
    study = sessions().study
    values: dict[tuple[int, str], list[int]] = defaultdict(list)
    for row in study.records.rows(
        "SELECT visit.day, rating.occasion, rating.value FROM rating_now rating JOIN visit ON visit.id = rating.visit"
        " JOIN participant ON participant.code = visit.participant"
        " WHERE participant.arm = ? AND participant.kind = 'participant'",
        arm,
    ):
        values[row["day"], row["occasion"]].append(row["value"])
    points = []
    for day in range(1, study.protocol.days + 1):
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
    study = sessions().study
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


# The queue of safety events, and halts


@blueprint.post("/safety/<int:event_id>")
def acknowledge(event_id: int) -> BaseResponse:
    safety.acknowledge(sessions().study, event_id, words.text_of(words.body(), "by"))
    return redirect(g.home, 303)


@blueprint.post("/safety/<int:event_id>/assessment")
def assess(event_id: int) -> Page:
    fields = words.body()
    judged = {name: str(fields[name]) for name in safety.ASSESSMENT if fields.get(name)}
    why = str(fields.get("why", ""))[:500]
    close = fields.get("close") == "yes"
    return _done_or_said(
        lambda: safety.assess(
            sessions().study, event_id, by=words.text_of(fields, "by"), why=why, close=close, **judged
        )
    )


@blueprint.post("/events")
def report() -> Page:
    """An adverse event that somebody noticed."""
    fields = words.body()
    code, by = words.text_of(fields, "participant"), words.text_of(fields, "by")
    return _done_or_said(
        lambda: safety.report(sessions().study, code, by=by, description=words.words(fields, "description"))
    )


@blueprint.post("/halts")
def halt() -> Page:
    fields = words.body()
    scope, _, target = words.text_of(fields, "what").partition(" ")
    if scope not in ("participant", "arm", "study"):
        abort(422)
    by, why = words.text_of(fields, "by"), words.text_of(fields, "why", 500)
    return _done_or_said(lambda: halting.halt(sessions().study, scope, target, by=by, why=why))  # type: ignore[arg-type]


@blueprint.post("/halts/<int:number>/lift")
def lift(number: int) -> Page:
    fields = words.body()
    by, why = words.text_of(fields, "by"), words.text_of(fields, "why", 500)
    return _done_or_said(lambda: halting.lift(sessions().study, number, by=by, why=why))


def _done_or_said(act: Callable[[], object]) -> Page:
    """The page again; or what was wrong with what was asked, in the study's own words."""
    try:
        act()
    except (WrongToken, UnknownCode):
        raise
    except StudyError as error:
        return render_template("error.html", sentence=str(error), back=g.home), 422
    return redirect(g.home, 303)


# For those who are not to know which arm is which


@blinded.url_value_preprocessor
def _blinded_token(endpoint: str | None, values: dict[str, Any] | None) -> None:
    values = values or {}
    if not sessions().study.is_blinded_role(values["role"], values.pop("token")):
        raise WrongToken("This link is not complete or not right.")


@blinded.get("/")
def blinded_page(role: Any) -> str:
    """Who is where, with masked arms; no transcript, no exercise, nothing else from which an arm follows."""
    study = sessions().study
    by_person = _visits()
    # One arm shown beside its label would unblind all who have it: an unblinding of one person shows nothing here.
    blind = blinding.is_blinded(study, role)
    masked = blinding.labels(study, role)
    rows = [
        {
            "participant": person,
            "arm": masked[person.arm.name] if blind else person.arm.name,
            "today": study.day_of(person),
            "days": [_square(day, study.day_of(person), by_person[person.code].get(day)) for day in _days(person)],
        }
        for person in study.participants()
        if person.kind == "participant"
    ]
    return render_template("blinded.html", role=role, rows=rows, blind=blind)
