"""The dashboard: how the study stands; and the pulse, by which every page of the console learns that something changed.

A page asks every few seconds, and the answer is one small query, or 304. An open stream of server-sent events would hold
one of the portal's threads for as long as a tab is open (`portal.server.THREADS`), which participants need.
"""

import hashlib

from flask import Response, g, jsonify, render_template, request

from portal.console.guard import needs, part
from portal.looking import sessions

__all__ = ["blueprint", "mark", "newest_event", "open_events"]

blueprint = part("home", "")


@blueprint.get("/")
@needs("follow")
def page() -> str:
    return render_template("console/home.html")


@blueprint.get("/pulse")
@needs("protocol")  # which everybody has who may come in at all
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
