"""From the study's door to an arm: coming, screening, consent, identity, baseline; and leaving.

Each page is drawn from the record and says what it was drawn for. What is sent for something that is not due any more
is refused, and the page shows what is due instead.
"""

import json
import secrets
import threading
import time
from collections import OrderedDict, deque
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, current_app, g, redirect, render_template, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response

from portal import forms as pages
from portal import words
from portal.hearing import hears, in_crisis, to_the_people
from portal.looking import has_to_agree, own_visit, person_of_link, sessions
from study import enrolment, forms, identity, safety, visits
from study.errors import NotDue, RecordError, StudyError
from study.forms import Due
from study.grammar import Consent
from study.moments import day_and_year
from study.protocol import DISTRESS, check_zone
from study.study import Person
from study.texts import texts
from study.visits import Visit
from study.withdrawal import is_withdrawn, withdraw

__all__ = ["before_enrolment", "blueprint", "door", "form_page"]

door = Blueprint("door", __name__)
blueprint = Blueprint("joining", __name__)
blueprint.url_value_preprocessor(person_of_link)

Page = tuple[str, int] | str | Response

DOORS = 10_000
"""So many opened doors are remembered, so that a second click on the same page brings nobody new; and so many addresses
from which people came."""

COMING = 120
"""So many people may come from one address within `COMING_S`: a whole class at once, and not a flood."""
COMING_S = 60.0


class _Doors:
    """Which page brought whom, and how many came from where lately. For this process: a restart forgets, harmlessly."""

    def __init__(self) -> None:
        self._brought: OrderedDict[str, str] = OrderedDict()
        self._came: OrderedDict[str, deque[float]] = OrderedDict()
        self.lock = threading.Lock()

    def brought(self, page: str) -> str | None:
        return self._brought.get(page)

    def bring(self, page: str, code: str) -> None:
        self._brought[page] = code
        while len(self._brought) > DOORS:
            self._brought.popitem(last=False)

    def lets_in(self, address: str) -> bool:
        """Whether one more may come from `address` now. Who is refused is not counted, and may come a little later."""
        times = self._came.pop(address, deque())
        while times and times[0] < time.monotonic() - COMING_S:
            times.popleft()
        free = len(times) < COMING
        if free:
            times.append(time.monotonic())
        self._came[address] = times
        while len(self._came) > DOORS:
            self._came.popitem(last=False)
        return free


@door.record
def _each_portal_remembers_for_itself(state: BlueprintSetupState) -> None:
    state.app.extensions["bedside doors"] = _Doors()


# The door


@door.url_value_preprocessor
def _with_the_link(endpoint: str | None, values: dict[str, Any] | None) -> None:
    if not sessions().study.is_join((values or {}).pop("token")):
        abort(404)


@door.get("/")
def open_door() -> str:
    return render_template("join.html", page=secrets.token_hex(16), minutes=len(sessions().study.protocol.screening))


@door.post("/")
def come() -> Page:
    """Somebody new gets a code and a link of their own. The same page sent twice brings the same person."""
    study = sessions().study
    fields = words.body()
    page = words.text_of(fields, "page")
    zone = str(fields.get("timezone", ""))
    try:
        check_zone(zone)
    except ValueError:
        zone = ""  # a browser that says nothing of use: the study's own zone
    doors: _Doors = current_app.extensions["bedside doors"]
    with doors.lock:
        code = doors.brought(page)
        if code is None:
            if not doors.lets_in(request.remote_addr or ""):
                abort(429, "Too many people come from here at once; wait a minute.")
            code = enrolment.come(study, timezone=zone or None).code
            doors.bring(page, code)
    return redirect(study.participant_path(code), 303)


# Before the enrolment


def before_enrolment(person: Person) -> Page:
    """The one thing to do next for somebody who is not enrolled."""
    study = sessions().study
    if in_crisis(study, person):
        return render_template("stopped.html")
    if is_withdrawn(study, person.code) or person.state == "declined":
        return render_template("closed.html", reason="withdrawn")
    if safety.has_open_event(study, person.code):
        return render_template("stopped.html")
    if person.state == "ineligible":
        return render_template("ineligible.html", reasons=person.reasons)
    due = forms.due_before_enrolment(study, person)
    if person.state == "screening" and due is not None:
        return form_page(person, due)
    if person.state == "consent":
        return _consent_page(person, person.protocol.consent)
    if _identity_is_due(person):
        return _identity_page(person)
    if due is not None:
        return form_page(person, due)
    try:
        enrolment.enrol(study, person.code)
    except NotDue:
        raise
    except StudyError:
        # Halted, or a list used up: nothing that this person could mend.
        return render_template("closed.html", reason="halted")
    return redirect(g.home, 303)


def form_page(
    person: Person,
    due: Due,
    visit: Visit | None = None,
    sent: dict[str, Any] | None = None,
    wrong: frozenset[str] = frozenset(),
) -> str:
    form = pages.shown(sessions().study, person, due)
    days = person.protocol.days
    return render_template("form.html", form=form, due=due, visit=visit, days=days, sent=sent or {}, wrong=wrong)


@blueprint.post("/form")
def give_form() -> Page:
    """Take one form, of the way to the enrolment or of a visit."""
    person: Person = g.person
    fields = words.body()
    due = _due(person)
    asked = (fields.get("measure"), fields.get("occasion"), fields.get("visit", ""))
    try:
        return _take_form(person, due, asked, fields)
    except StudyError:
        if _alarms(person, fields):
            return to_the_people()
        raise


def _take_form(person: Person, due: Due | None, asked: tuple[Any, ...], fields: dict[str, Any]) -> Page:
    study = sessions().study
    if due is None or asked != (due.measure, due.occasion, str(due.visit or "")):
        if any(
            asked == (one["measure"], one["occasion"], str(one["visit"] or ""))
            for one in forms.given(study, person.code)
        ):
            return redirect(g.home + "now", 303)  # sent twice: the first one counts
        raise NotDue("This form is not due now.")
    if due.visit and has_to_agree(person, visits.find(study, due.visit)):
        return to_the_people() if _alarms(person, fields) else redirect(g.home + "consent", 303)
    given, wrong = pages.answers(pages.shown(study, person, due), fields)
    if wrong:
        if _alarms(person, fields):
            return to_the_people()
        visit = visits.find(study, due.visit) if due.visit else None
        return form_page(person, due, visit, fields, frozenset(wrong)), 422
    forms.submit(study, person.code, due, given)
    return redirect(g.home + "now", 303)


def _alarms(person: Person, fields: dict[str, Any]) -> bool:
    """Hear of the answers of a form that is not taken; whether one of them alarms."""
    study = sessions().study
    measure, occasion, number = (str(fields.get(name, "")) for name in ("measure", "occasion", "visit"))
    due = next((one for one in person.protocol.due(occasion) if one.measure == measure), None)
    visit = own_visit(number) if number else None
    if due is None or due.measure == DISTRESS or (number and visit is None):
        return False
    form = Due(due.measure, occasion, due.language or person.protocol.language, visit.id if visit else None)
    given, _ = pages.answers(pages.shown(study, person, form), fields)
    try:
        return forms.hear_refused(study, person.code, form, given)
    except RecordError:
        return True  # it is remembered, and told


def _due(person: Person) -> Due | None:
    study = sessions().study
    if g.participant is None:
        if is_withdrawn(study, person.code) or safety.has_open_event(study, person.code) or _identity_is_due(person):
            return None
        return forms.due_before_enrolment(study, person)
    visit = visits.today(study, g.participant)
    return forms.due_in_visit(study, visit) if visit else None


def _consent_page(
    person: Person, consent: Consent | None, mistake: str | None = None, ticked: frozenset[str] = frozenset()
) -> str:
    return render_template(
        "consent.html",
        consent=consent,
        paragraphs=_paragraphs(consent),
        people=person.protocol.contacts,
        sha256=enrolment.consent_sha256(consent) if consent else "",
        again=person.state == "enrolled",
        mistake=mistake,
        ticked=ticked,
    )


def _paragraphs(consent: Consent | None) -> list[str]:
    text = consent.text if consent else ""
    return [" ".join(part.split()) for part in text.strip().split("\n\n") if part.strip()]


@blueprint.get("/consent")
def consent_page() -> str:
    """A new version of the consent while it waits for an answer; otherwise what was agreed to."""
    person: Person = g.person
    due = enrolment.consent_due(sessions().study, person)
    return _consent_page(person, due) if due is not None and not _has_left() else consent_copy()


@blueprint.get("/consent/copy")
def consent_copy() -> str:
    """What was agreed to: the copy to keep."""
    return render_template("consent_copy.html", copies=_copies(), people=g.person.protocol.contacts)


@blueprint.get("/consent/copy.txt")
def consent_file() -> Response:
    """The same as a file, for whoever has no printer at hand."""
    text = render_template("consent_copy.txt", copies=_copies(), people=g.person.protocol.contacts)
    return Response(
        text,
        mimetype="text/plain",
        headers={"Content-Disposition": f'attachment; filename="consent-{g.person.code}.txt"'},
    )


def _copies() -> list[dict[str, Any]]:
    """Every consent that the person gave, the newest first. Ends the request with 404 when there is none."""
    person: Person = g.person
    copies = [
        {
            "consent": consent,
            "paragraphs": _paragraphs(consent),
            "when": day_and_year(datetime.fromisoformat(row["given_at"]).astimezone(person.zone), _language()),
            "permissions": [
                (one.text, json.loads(row["permissions"]).get(one.name, False)) for one in consent.permissions
            ],
        }
        for row, consent in enrolment.consents(sessions().study, person)
    ]
    return copies or abort(404)


def _language() -> str:
    language: str = g.person.protocol.language
    return language


def _has_left() -> bool:
    return is_withdrawn(sessions().study, g.person.code)


@blueprint.post("/consent")
def agree() -> Page:
    study = sessions().study
    person: Person = g.person
    fields = words.body()
    if fields.get("decision") == "decline":
        if person.state == "enrolled":
            return redirect(g.home + "leave", 303)
        enrolment.decline(study, person.code)
        return redirect(g.home, 303)
    consent = enrolment.consent_due(study, person)
    if consent is None or _has_left():
        if enrolment.consents(study, person):
            return redirect(g.home, 303)  # sent twice: the first one counts
        raise NotDue("No consent is due now.")
    ticked = frozenset(name for name in fields if name.startswith(("statement-", "permission-")))
    statements = {number for number in range(len(consent.statements)) if f"statement-{number}" in ticked}
    if len(statements) < len(consent.statements):
        said = texts(_language(), "screens")["consent"]
        return _consent_page(person, consent, said["missing"], ticked), 422
    permissions = [one.name for one in consent.permissions if f"permission-{one.name}" in ticked]
    enrolment.give_consent(
        study, person.code, statements=statements, permissions=permissions, sha256=words.text_of(fields, "sha256")
    )
    return redirect(g.home, 303)


def _identity_is_due(person: Person) -> bool:
    study = sessions().study
    wanted = person.protocol.identity.ask
    return (
        bool(wanted) and person.state == "baseline" and not study.rehearsal and not identity.contact(study, person.code)
    )


def _identity_page(person: Person, sent: dict[str, Any] | None = None, wrong: frozenset[str] = frozenset()) -> str:
    return render_template("identity.html", ask=person.protocol.identity.ask, sent=sent or {}, wrong=wrong)


@blueprint.post("/identity")
def tell_identity() -> Page:
    person: Person = g.person
    fields = words.body()
    if not _identity_is_due(person):
        if person.state in ("baseline", "enrolled"):
            return redirect(g.home, 303)  # sent twice: the first one counts
        raise NotDue("This is not asked for now.")
    ask = person.protocol.identity.ask
    given = {name: str(fields.get(name, "")).strip()[:200] for name in ask}
    wrong = {name for name, value in given.items() if not value or not value.isprintable()}
    if "email" in given and ("@" not in given["email"].strip("@") or " " in given["email"]):
        wrong.add("email")
    if wrong:
        return _identity_page(person, fields, frozenset(wrong)), 422
    identity.remember(sessions().study, person.code, by=person.code, **given)
    return redirect(g.home, 303)


# Leaving


@blueprint.get("/leave")
def leave_page() -> str:
    return render_template("leave.html", mistake=None)


@blueprint.post("/leave")
@hears
def leave() -> Page:
    """Leave the study. What was given is kept or erased, as the person says."""
    person: Person = g.person
    fields = words.body()
    said = texts(person.protocol.language, "screens")["leave"]
    reason = str(fields.get("reason", "")).replace("\0", "").strip()
    alarmed = sessions().alarmed_outside(person, reason)
    if fields.get("data") not in ("keep", "erase"):
        return redirect(g.home, 303) if alarmed else (render_template("leave.html", mistake=said["missing"]), 422)
    reason = reason[: words.LIMIT]
    withdraw(sessions().study, person.code, by=person.code, reason=reason or None, erase=fields["data"] == "erase")
    return redirect(g.home, 303)
