"""The dashboard: how the study stands; and the pulse, by which every page of the console learns that something changed.

A page asks every few seconds, and the answer is one small query, or 304. An open stream of server-sent events would
hold one of the portal's threads for as long as a tab is open (`portal.server.THREADS`), which participants need.
"""

import hashlib

from flask import g, jsonify, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from portal.console import devices, engines, plots
from portal.console.guard import for_everybody, needs, part
from portal.console.masking import arm_names, sees_arms, who_is_where
from portal.looking import sessions
from study import halting, safety, standing
from study.access.devices import online
from study.schedule import local_day
from study.standing import Diary, Square

__all__ = ["blueprint", "mark", "newest_event", "open_events"]

blueprint = part("home", "")

MARKS = {
    "done": "done",
    "begun": "begun",
    "open": "open, not begun",
    "unfinished": "not finished",
    "missed": "missed",
    "stopped": "stopped for safety",
    "ahead": "still to come",
    "left": "left the study",
}
"""What each square of the days says."""


@blueprint.get("/")
@needs("follow")
def page() -> str:
    study = sessions().study
    arms = arm_names()
    participants = study.participants()
    if not g.account.may("see arms"):
        participants = [one for one in participants if one.kind == "participant"]
    people = standing.diary(study, participants)
    steps = standing.enrolment(study)
    here = local_day(study.clock.now(), study.protocol.zone, study.protocol.boundary)
    columns = sorted({square.day for one in people for square in one.squares})
    return render_template(
        "console/home.html",
        alarms=safety.events(study, open_only=True) if g.account.may("report harm") else [],
        notify=bool(study.protocol.safety.notify),
        halts=[halt for halt in halting.halts(study) if halt["scope"] == "study" or sees_arms()],
        today=who_is_where(participants),
        exact=sees_arms(),
        enrolled=steps[-1][1] if steps else 0,
        target=study.protocol.participants,
        steps=steps,
        curve=plots.curve(steps, study.protocol.participants, here),
        flow=standing.flow(study, people),
        arms=arms,
        rows=_rows(people, arms, columns),
        columns=columns,
        marks=MARKS,
        courses=plots.course(standing.distress(study), arms, study.protocol.days),
        days=study.protocol.days,
        **(engines.shown() | devices.shown() if g.account.may("engine") else {}),
    )


def _rows(people: list[Diary], arms: dict[str, str], columns: list[int]) -> Markup:
    """The rows of the table of days. Made here and not in the template: there are thousands of squares."""
    reads = g.account.may("read")
    rows = []
    for one in people:
        person = one.participant
        aside = {"held": " (waits)", "withdrawn": " (left)"}.get(person.status, "")
        test = " (test)" if person.kind == "test" else ""
        by_day = {square.day: square for square in one.squares}
        over = one.today > person.protocol.days
        cells = "".join(_cell(by_day.get(day), reads) for day in columns)
        rows.append(
            f'<tr><th scope="row"><a href="/console/people/{person.code}/">{person.code}</a>{aside}{test}</th>'
            f"<td>{arms[person.arm.name]}</td><td>{'over' if over else f'day {one.today}'}</td>{cells}</tr>"
        )
    # Codes and names of arms are letters, digits, - and _: `Study.new_code` and the protocol's grammar see to it.
    return Markup("\n".join(rows))  # noqa: S704


def _cell(square: Square | None, reads: bool) -> str:
    if square is None:
        return "<td></td>"
    says = MARKS[square.mark]
    if square.visit is not None and reads:
        link = f'<a href="/console/transcripts/visits/{square.visit}" tabindex="-1">{says}</a>'
        return f'<td class="{square.mark}">{link}</td>'
    return f'<td class="{square.mark}" tabindex="-1">{says}</td>'


@blueprint.get("/pulse")
@for_everybody
def pulse() -> Response:
    """Whether anything has changed, and for those who hear of safety events how many are open."""
    said: dict[str, object] = {"mark": mark()}
    if g.account.may("report harm"):
        said |= {"open": open_events(), "newest": newest_event()}
    response = jsonify(said)
    response.add_etag()
    return response.make_conditional(request)


def mark() -> str:
    """Stands for what a page is drawn from: another one, and there may be something new to draw.

    Times on a page are told in minutes. Who may not see arms learns of a change by the minute only: how often the
    record is written tells a talk from a worksheet.
    """
    study = sessions().study
    seen: list[object] = [study.clock.now().replace(second=0, microsecond=0)]
    if g.account.may("see arms"):
        row = study.records.row("SELECT max(id) AS last FROM event")
        seen.append(row and row["last"])
    if g.account.may("engine"):
        seen.append(sorted(online(study)))
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def open_events() -> int:
    """How many safety events nobody has acknowledged; 0 for those who are not to hear of them."""
    if not g.account.may("report harm"):
        return 0
    row = sessions().study.records.row("SELECT count(*) AS n FROM safety_event WHERE acknowledged_at IS NULL")
    return int(row["n"]) if row else 0


def newest_event() -> int:
    """The number of the last safety event; 0 when there is none, and for those who are not to hear of them."""
    if not g.account.may("report harm"):
        return 0
    row = sessions().study.records.row("SELECT max(id) AS n FROM safety_event")
    return int(row["n"] or 0) if row else 0
