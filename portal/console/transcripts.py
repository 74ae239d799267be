"""Transcripts: which there are, one visit whole with its replay, and what was said anywhere."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import abort, current_app, g, render_template, request
from flask.sansio.blueprints import BlueprintSetupState

from portal import words
from portal.console import replaying, searching
from portal.console.guard import needs, part
from portal.looking import sessions
from study import takeover, transcripts, visits
from study.transcripts import Asked
from study.visits import Visit

__all__ = ["blueprint", "turns_of"]

blueprint = part("transcripts", "/transcripts")

LONGEST_QUERY = 200


@blueprint.record
def _each_portal_has_an_index(state: BlueprintSetupState) -> None:
    study = state.app.extensions["bedside"].study
    state.app.extensions["bedside search"] = searching.Index(study.records)


@blueprint.get("/")
@needs("read")
def page() -> str:
    study = sessions().study
    asked = _asked(request.args)
    number = _page(request.args.get("page", ""))
    rows, total = transcripts.listing(study, asked, number)
    filters = {name: "yes" if value is True else value for name, value in asdict(asked).items() if value}
    return render_template(
        "console/transcripts.html",
        rows=rows,
        total=total,
        number=number,
        pages=max(1, -(-total // transcripts.PER_PAGE)),
        asked=asked,
        states=transcripts.STATES,
        arms=list(dict.fromkeys(arm.name for one in study.protocols() for arm in one.arms)),
        address=lambda number: "?" + urlencode({**filters, "page": number}),
    )


def _asked(args: Mapping[str, str]) -> Asked:
    """What the address asks for; what makes no sense is not asked for."""
    day = args.get("day", "")
    return Asked(
        participant=args.get("participant", "").strip().upper(),
        day=int(day) if day.isascii() and day.isdigit() and len(day) < 6 else None,
        arm=args.get("arm", ""),
        state=args.get("state", ""),
        found=args.get("found") == "yes",
        fallback=args.get("fallback") == "yes",
        person=args.get("person") == "yes",
    )


def _page(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1


@blueprint.get("/search")
@needs("read")
def search_form() -> str:
    return render_template("console/search.html", query="", speaker="", found=None)


@blueprint.post("/search")
@needs("read")
def search() -> str:
    """By POST, so that the words stand in no address, which browsers and proxies keep. The log has that, not what."""
    study = sessions().study
    fields = words.body()
    query = str(fields.get("query", ""))[:LONGEST_QUERY].strip()
    speaker: Any = fields.get("speaker") if fields.get("speaker") in ("participant", "therapist") else None
    number = _page(str(fields.get("page", "")))
    found = None
    if query:
        index: searching.Index = current_app.extensions["bedside search"]
        found = index.search(query, speaker, number)
        with study.records.write() as write:
            write.log(study.clock.now(), g.account.name, "transcripts searched", "transcripts")
    return render_template(
        "console/search.html",
        query=query,
        speaker=speaker or "",
        found=found,
        number=number,
        pages=max(1, -(-found.total // searching.PER_PAGE)) if found else 1,
    )


@blueprint.get("/visits/<int:visit_id>")
@needs("read")
def visit(visit_id: int) -> str:
    """One visit whole: ratings, each turn with how it came about, and the same as a replay."""
    study = sessions().study
    found = visits.find(study, visit_id)
    if not found.exercise:
        abort(404)
    participant = study.participant(found.participant)
    given = study.records.rows("SELECT occasion, value, given_at FROM rating_now WHERE visit = ? ORDER BY id", visit_id)
    rated = [(row["occasion"], row["value"], datetime.fromisoformat(row["given_at"])) for row in given]
    return render_template(
        "console/transcript.html",
        found=found,
        participant=participant,
        state=transcripts.STATES.get(found.state, found.state),
        ratings={occasion: value for occasion, value, _ in rated},
        replay=replaying.replay(turns_of(found), rated),
        clock=replaying.clock,
        zone=participant.zone,
        takeovers=takeover.of_visit(study, visit_id),
        events=study.records.rows(
            "SELECT id, turn, source, category, rule, raised_at FROM safety_event WHERE visit = ? ORDER BY id", visit_id
        ),
    )


def turns_of(found: Visit, after: int = 0) -> list[dict[str, Any]]:
    """The turns of a visit from number `after` on, with what was found in them and how they came about."""
    rows = sessions().study.records.rows(
        "SELECT number, speaker, step, text, origin, recorded_at, reply_to, screen, provenance FROM turn"
        " WHERE visit = ? AND number > ? ORDER BY number",
        found.id,
        after,
    )
    for row in rows:
        row["recorded_at"] = datetime.fromisoformat(row["recorded_at"])
        row["hit"] = json.loads(row.pop("screen") or "null")
        row["told"] = json.loads(row.pop("provenance") or "null")
    return rows
