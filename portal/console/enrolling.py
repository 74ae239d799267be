"""New people: invited by a link, or entered from paper; and the links of those who are there already.

A form to enter somebody carries the code that they will have. So a second click, a page sent again after "back", or one
sent anew after the server was killed is the same person, whom the record's own key keeps from being there twice.
"""

from typing import Any

import segno
from flask import abort, g, redirect, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response

from portal import forms as pages
from portal.console.guard import needs, part
from portal.console.masking import sees_arms
from portal.console.people import known
from portal.looking import sessions
from study import enrolment
from study.errors import Excluded, StudyError
from study.forms import SCREENING, Due
from study.protocol import zones
from study.study import Kind, Person, Study
from study.withdrawal import is_withdrawn

__all__ = ["blueprint"]

blueprint = part("enrolling", "/people")

Page = str | tuple[str, int] | Response


def _ticket(study: Study, kind: Kind) -> str:
    """The code that somebody new will have, so that only this server can have given it out."""
    code = study.free_code(kind)
    return f"{code}.{study.key.token('new person', code)}"


def _code_of(study: Study, ticket: str) -> str | None:
    """The code of a ticket; None for one that was not given out here."""
    code, _, token = ticket.partition(".")
    return code if study.key.fits(token, "new person", code) else None


def _redeemed(study: Study) -> str:
    """The code of the form that was sent. Ends the request with 422 when there is none."""
    return _code_of(study, request.form.get("ticket", "")) or abort(422)


@blueprint.get("/new")
@needs("enrol")
def new() -> str:
    study = sessions().study
    return render_template(
        "console/new.html",
        join=_base(study) + study.join_path(),
        asks=study.protocol.asks_before_enrolment,
        invitation=_ticket(study, "participant"),
        arms=[arm.name for arm in study.protocol.arms] if sees_arms() else [],
        trial=_ticket(study, "test"),
    )


@blueprint.post("/new/invite")
@needs("enrol")
def invite() -> Response:
    """Somebody gets a link of their own, and answers everything themselves."""
    study = sessions().study
    code = _redeemed(study)
    enrolment.come(study, kind="test" if _is_test(code) else "participant", by=g.account.name, code=code)
    return redirect(f"/console/people/{code}/link", 303)


@blueprint.post("/new/test")
@needs("enrol")
def test() -> Response:
    """A test participant, who passes by all questions, in an arm that can be chosen."""
    study = sessions().study
    code = _redeemed(study)
    if not _is_test(code):
        abort(422)
    arm = request.form.get("arm") or None
    enrolment.take_in(study, g.account.name, kind="test", arm=arm if sees_arms() else None, skip=True, code=code)
    return redirect(f"/console/people/{code}/link", 303)


def _is_test(code: str) -> bool:
    return code.startswith("TEST-")


@blueprint.get("/new/paper")
@needs("enrol")
def paper() -> Page:
    """The form, whose address has the code: "back" leads to the same person, and to their page once they are there."""
    study = sessions().study
    ticket = request.args.get("ticket", "")
    code = _code_of(study, ticket)
    if code is None:
        return redirect(f"/console/people/new/paper?ticket={_ticket(study, 'participant')}", 303)
    if study.records.row("SELECT 1 FROM person WHERE code = ?", code):
        return redirect(f"/console/people/{code}/", 303)
    return _paper(ticket)


@blueprint.post("/new/paper")
@needs("enrol")
def enter() -> Page:
    """Somebody who was screened and consented on paper. Nothing is kept unless all of it can be."""
    study = sessions().study
    code = _redeemed(study)
    sent = request.form
    wrong: set[str] = set()
    given: dict[str, dict[str, Any]] = {}
    for measure, form in _forms(study).items():
        answers = {f"item-{field.name}": sent.get(f"{measure}.{field.name}", "") for field in form.fields}
        given[measure], mistaken = pages.answers(form, answers)
        wrong |= {f"{measure}.{name}" for name in mistaken}
    consent = study.protocol.consent
    witness = sent.get("witness", "").strip()[:100]
    permissions = sent.getlist("permission")
    if consent is not None:
        if sent.get("sha256") != enrolment.consent_sha256(consent):
            return _paper(sent["ticket"], "The consent was amended meanwhile. Check that the paper has this text."), 409
        if len(sent.getlist("statement")) != len(consent.statements):
            wrong.add("statements")
        if not witness:
            wrong.add("witness")
    if wrong:
        return _paper(sent["ticket"], "Some answers are missing or cannot be right; each is marked.", wrong), 422
    try:
        enrolment.take_in(
            study,
            g.account.name,
            timezone=sent.get("timezone", "").strip() or None,
            answers=given.pop(SCREENING, {}),
            scores=given,
            permissions=permissions,
            witness=witness or None,
            code=code,
        )
    except Excluded:
        pass  # they are recorded, and their page says why
    except StudyError as error:
        return _paper(sent["ticket"], str(error)), 422
    return redirect(f"/console/people/{code}/", 303)


def _forms(study: Study) -> dict[str, pages.Form]:
    """What is asked before the enrolment, by the measure's name."""
    protocol = study.protocol
    somebody = Person("", study.clock.now(), "participant", "screening", 0, protocol, protocol.zone)
    due = [
        Due(one.measure, SCREENING, one.language or protocol.language) for one in protocol.due(SCREENING, "baseline")
    ]
    if protocol.screening:
        due.insert(0, Due(SCREENING, SCREENING, protocol.language))
    return {one.measure: pages.shown(study, somebody, one) for one in due}


def _paper(ticket: str, mistake: str = "", wrong: set[str] | None = None) -> str:
    study = sessions().study
    consent = study.protocol.consent
    return render_template(
        "console/paper.html",
        ticket=ticket,
        forms=_forms(study),
        consent=consent,
        sha256=enrolment.consent_sha256(consent) if consent else "",
        zones=zones(),
        zone=study.protocol.timezone,
        sent=request.form,
        wrong=wrong or set(),
        mistake=mistake,
    )


# Links


def _base(study: Study) -> str:
    """Where participants reach the portal: as the protocol says, or as whoever asks reached it."""
    return (study.protocol.url or request.host_url).rstrip("/")


def _link(code: str) -> dict[str, Any]:
    """Somebody's link, in letters and as a QR code; that it was shown is recorded first."""
    study = sessions().study
    person = known(code)
    if is_withdrawn(study, code):
        abort(404)
    with study.records.write() as write:
        write.log(study.clock.now(), g.account.name, "link shown", code, person=code)
    address = _base(study) + study.participant_path(code)
    drawn = segno.make_qr(address, error="m").svg_inline(scale=6, border=4, dark="#000", light="#fff", svgclass=None)
    return {"person": person, "address": address, "qr": Markup(drawn)}  # noqa: S704 - segno's own drawing


@blueprint.get("/<code>/link")
@needs("enrol")
def link(code: str) -> str:
    return render_template("console/link.html", **_link(code))


@blueprint.get("/<code>/hand-out")
@needs("enrol")
def hand_out(code: str) -> str:
    """The link on a page to be printed and given to the person, in their own language."""
    return render_template("console/hand_out.html", days=sessions().study.protocol.days, **_link(code))
