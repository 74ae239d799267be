"""Everybody who came: a list to search, and of each person one page with all that was done."""

import json
from dataclasses import dataclass
from typing import Literal

from flask import g, redirect, render_template, request
from werkzeug.wrappers import Response

from portal import words
from portal.console.guard import needs, part
from portal.console.masking import arm_names, sees_arms, who_is_where
from portal.looking import sessions
from study import correcting, forms, moving, safety, standing
from study.errors import StudyError, UnknownCode
from study.halting import is_halted
from study.protocol import zones
from study.study import Participant, Person, Study
from study.withdrawal import withdraw as leave

__all__ = ["blueprint", "known"]

blueprint = part("people", "/people")

Page = str | tuple[str, int] | Response

Standing = Literal["on the way", "taking part", "waits", "days over", "left", "cannot take part", "declined"]

STANDINGS: tuple[Standing, ...] = (
    "on the way",
    "taking part",
    "waits",
    "days over",
    "left",
    "cannot take part",
    "declined",
)

NEEDS = {"due": "due now", "late": "late", "visiting": "in a visit", "missed": "missed lately"}
"""The lists of `standing.Today`, by which people can be looked for."""


@dataclass(frozen=True, slots=True)
class Row:
    """Somebody in the list."""

    person: Person
    participant: Participant | None
    standing: Standing
    arm: str
    """What whoever asks may call it; empty before the enrolment."""
    day: int | None
    """The study day; None before the enrolment and after the last day."""
    need: str
    """A key of `NEEDS`, or nothing."""


def known(code: str) -> Person:
    """Whoever has this code. Raises `UnknownCode`; test participants are not there for who may not see arms."""
    person = sessions().study.person(code)
    if person.kind == "test" and not g.account.may("see arms"):
        raise UnknownCode("There is no participant with this code.")
    return person


@blueprint.get("/")
@needs("follow")
def page() -> str:
    rows = _rows()
    chosen = {name: request.args.get(name, "").strip() for name in ("q", "state", "arm", "need")}
    found = [
        row
        for row in rows
        if chosen["q"].upper() in row.person.code
        and chosen["state"] in ("", row.standing)
        and chosen["arm"] in ("", row.arm)
        and chosen["need"] in ("", row.need)
    ]
    return render_template(
        "console/people.html",
        rows=found,
        all=len(rows),
        chosen=chosen,
        standings=STANDINGS,
        arms=[*arm_names().values()],
        needs=NEEDS,
    )


def _rows() -> list[Row]:
    study = sessions().study
    arms = arm_names()
    enrolled = {one.code: one for one in study.participants()}
    today = who_is_where(list(enrolled.values()))
    wanted = {
        one.participant.code: name for name in ("missed", "due", "late", "visiting") for one in getattr(today, name)
    }
    waits = {one.code for one in today.held}
    gone = {row["participant"] for row in study.records.rows("SELECT participant FROM withdrawal")}
    rows = []
    for person in study.people():
        if person.kind == "test" and not g.account.may("see arms"):
            continue
        participant = enrolled.get(person.code)
        day = study.day_of(participant) if participant else None
        over = participant is not None and day is not None and day > participant.protocol.days
        rows.append(
            Row(
                person,
                participant,
                _standing(person, person.code in gone, person.code in waits, over),
                arms[participant.arm.name] if participant else "",
                None if over else day,
                wanted.get(person.code, ""),
            )
        )
    return rows


def _standing(person: Person, left: bool, waits: bool, over: bool) -> Standing:
    if left:
        return "left"
    if person.state == "enrolled":
        return "waits" if waits else "days over" if over else "taking part"
    if person.state == "ineligible":
        return "cannot take part"
    return "declined" if person.state == "declined" else "on the way"


@blueprint.get("/<code>/")
@needs("follow")
def one(code: str) -> str:
    study = sessions().study
    person = known(code)
    participant = study.participant(code) if person.state == "enrolled" else None
    exact = sees_arms()
    left = study.records.row("SELECT * FROM withdrawal WHERE participant = ?", code)
    consent = study.records.row("SELECT * FROM consent WHERE person = ? ORDER BY id DESC", code)
    return render_template(
        "console/person.html",
        person=person,
        participant=participant,
        standing=_standing(person, left is not None, participant is not None and _waits(study, participant), False),
        arm=arm_names()[participant.arm.name] if participant else "",
        squares=standing.diary(study, [participant])[0].squares if participant else [],
        today=study.day_of(participant) if participant else None,
        left=left,
        consent=consent,
        permissions=json.loads(consent["permissions"]) if consent else {},
        forms=forms.given(study, code),
        corrected=len(correcting.corrections(study, code)),
        messages=study.records.rows(
            "SELECT kind, state, claimed_at, ended_at, attempts FROM message WHERE participant = ? ORDER BY id", code
        ),
        events=[row for row in safety.events(study) if row["participant"] == code],
        exact=exact,
    )


def _waits(study: Study, participant: Participant) -> bool:
    return participant.status == "held" or is_halted(study, participant)


@blueprint.get("/<code>/log")
@needs("see arms")  # who did what, and when, tells a robot from a worksheet
def history(code: str) -> str:
    """What the record's log has about somebody, the newest first."""
    known(code)
    events = []
    for row in sessions().study.records.rows("SELECT * FROM event WHERE person = ? ORDER BY id DESC", code):
        detail = json.loads(row["detail"] or "{}")
        told = {name: detail[name] for name in detail if name not in ("salt", "rows", "changes", "why")}
        changes = {
            f"{changed.partition('/')[0]} {name}": pair
            for changed, columns in detail.get("changes", {}).items()
            for name, pair in columns.items()
            if pair[0] != pair[1]
        }
        events.append(
            row | {"why": detail.get("why", ""), "told": told, "changes": changes, "erased": row["detail"] is None}
        )
    return render_template("console/person_log.html", code=code, events=events)


# Leaving


@blueprint.get("/<code>/withdraw")
@needs("enrol")
def leaving(code: str, mistake: str = "") -> str:
    study = sessions().study
    person = known(code)
    left = study.records.row("SELECT * FROM withdrawal WHERE participant = ?", code)
    return render_template("console/withdraw.html", person=person, left=left, mistake=mistake, sent=request.form)


@blueprint.post("/<code>/withdraw")
@needs("enrol")
def withdraw(code: str) -> Page:
    """Asked twice: first what is wanted, then, with all that it brings about before their eyes, whether it is so."""
    person = known(code)
    how = request.form.get("how", "")
    if how not in ("keep", "erase"):
        return leaving(code, "Choose what happens to what they gave."), 422
    reason = request.form.get("reason", "").strip()[: words.LIMIT]
    mistake = ""
    if request.form.get("sure") == "yes":
        if how == "keep" or request.form.get("code", "").strip().upper() == code:
            leave(sessions().study, code, by=g.account.name, reason=reason or None, erase=how == "erase")
            return redirect(f"/console/people/{code}/", 303)
        mistake = f"To erase, type the code {code}."
    shown = render_template("console/withdraw_sure.html", person=person, how=how, reason=reason, mistake=mistake)
    return (shown, 422) if mistake else shown


# Moving


@blueprint.get("/<code>/move")
@needs("enrol")
def zone(code: str, mistake: str = "") -> str:
    person = known(code)
    return render_template("console/move.html", person=person, zones=zones(), mistake=mistake, sent=request.form)


@blueprint.post("/<code>/move")
@needs("enrol")
def move(code: str) -> Page:
    known(code)
    sent = request.form
    try:
        moving.move(
            sessions().study, code, sent.get("timezone", "").strip(), by=g.account.name, why=sent.get("why", "")[:500]
        )
    except UnknownCode:
        raise
    except StudyError as error:
        return zone(code, str(error).replace(": --why REASON", "")), 422
    return redirect(f"/console/people/{code}/", 303)
