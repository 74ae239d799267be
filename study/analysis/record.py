"""The record, as the tables of an analysis: one reading, with the names under which its reader may see the arms."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from study import schedule
from study.amendment import changes_between
from study.analysis.tables import (
    ANSWERS,
    CORRECTIONS,
    EVENTS,
    HISTORY,
    PARTICIPANTS,
    PEOPLE,
    SCORES,
    SCREENING,
    TURNS,
    VISITS,
    table,
)
from study.eligibility import UNKNOWN, intervals
from study.export.instruments import Instrument, instruments
from study.export.long import observations
from study.export.reading import Reading
from study.forms import SCREENING as SCREENING_FORM
from study.protocol import DISTRESS, Protocol
from study.study import Study

__all__ = ["LEVELS", "ScaleInfo", "column_of", "factors", "scales", "tables"]

LEVELS = "SELECT t.code, t.levels FROM participant t JOIN people p ON p.code = t.code ORDER BY t.rowid"

Levels = Mapping[str, Mapping[str, str]]
"""Each participant's level of each factor."""


@dataclass(frozen=True, slots=True)
class ScaleInfo:
    """A scale of a measure, as people read it."""

    measure: str
    scale: str
    title: str
    """K10; NARS, Negative attitude toward ... where the measure has several scales; Distress."""
    low: float
    high: float


def column_of(factor: str) -> str:
    """The column in which a factor's levels stand: called like the factor, unless another column is."""
    taken = {*PARTICIPANTS, "day", "value", "baseline"}
    return f"factor_{factor}" if factor in taken else factor


def factors(
    protocols: Sequence[Protocol], levels: Iterable[Mapping[str, str]], names: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Each factor's levels: as the versions have them, the newest first; then others that somebody has."""
    found: dict[str, dict[str, None]] = {}
    for protocol in reversed(protocols):
        for factor in protocol.allocation.strata:
            question = protocol.question(factor.question)
            known = question.answers if question and question.kind != "number" else intervals(factor.cuts)
            found.setdefault(factor.name, {}).update(dict.fromkeys(known))
    unknown = set()
    for each in levels:
        for name in found:
            level = each.get(name, UNKNOWN)
            if level == UNKNOWN:
                unknown.add(name)
            else:
                found[name][level] = None
    return {names[name]: (*known, *([UNKNOWN] if name in unknown else [])) for name, known in found.items()}


def scales(study: Study, source: Reading) -> dict[str, ScaleInfo]:
    """What the names of outcomes mean."""
    found: dict[str, ScaleInfo] = {}
    for one in instruments(study, source):
        if one.measure is None:
            continue
        for scale in one.measure.scales:
            title = _short(one.name, one.title)
            if len(one.measure.scales) > 1:
                title += f", {scale.title[0].lower()}{scale.title[1:]}"
            info = ScaleInfo(one.name, scale.name, title, *one.measure.bounds(scale.name))
            found.setdefault(one.name, info)
            found[f"{one.name}.{scale.name}"] = info
    return found


def _short(name: str, title: str) -> str:
    """What a measure is called in a sentence: by its abbreviation, if it has one."""
    if name == DISTRESS:
        return "Distress"
    abbreviation = re.search(r"\(([A-Z][A-Za-z]*-?[A-Za-z0-9]*)\)$", title)
    return abbreviation[1] if abbreviation else title


def tables(study: Study, source: Reading, levels: Levels, names: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """The tables that `AnalysisData` has."""
    days = {version: protocol.days for version, protocol in enumerate(source.protocols, 1)}
    boundaries = {version: protocol.boundary for version, protocol in enumerate(source.protocols, 1)}
    participants = []
    for code, arm, version, zone, *row in source.connection.execute(_PARTICIPANTS):
        enrolled, starts, status, withdrawn, has_reason, erased, stratum, scheme, position, block = row
        on = datetime.fromisoformat(starts).date()
        day = None
        if withdrawn is not None:
            left = datetime.fromisoformat(withdrawn)
            day = schedule.study_day(on, left, ZoneInfo(zone), boundaries[version])
        place = (None, None, None) if source.variant.blinded else (scheme, position, block)
        own = [levels[code].get(name, UNKNOWN) for name in names]
        told = (code, arm, enrolled, on, status, withdrawn, day, has_reason, erased, stratum)
        participants.append((*told, *place, version, days[version], zone, *own))
    order = {row[0]: (place, row[1]) for place, row in enumerate(participants)}
    zones = {row[0]: row[15] for row in participants}
    return {
        "people": table(PEOPLE, ((*row, tuple(json.loads(reasons or "[]"))) for *row, reasons in _people(source))),
        "participants": table([*PARTICIPANTS, *names.values()], participants),
        "visits": table(VISITS, _visits(source, order, zones)),
        "scores": table(SCORES, _scores(source, instruments(study, source), order)),
        "screening": table(SCREENING, _screening(source, order)),
        "turns": table(TURNS, () if source.variant.blinded else _turns(source, order)),
        "answers": table(ANSWERS, () if source.variant.blinded else _answers(source, order)),
        "events": table(EVENTS, _events(source)),
        "corrections": table(CORRECTIONS, _corrections(source)),
        "history": table(HISTORY, _history(source)),
    }


_PARTICIPANTS = (
    "SELECT p.new, p.arm, person.protocol, person.timezone, t.enrolled_at, t.starts_on, t.status, w.withdrawn_at,"
    " w.reason IS NOT NULL AND w.reason != '', w.erased_at IS NOT NULL, t.stratum, t.scheme, t.position, t.block"
    " FROM participant t JOIN people p ON p.code = t.code JOIN person ON person.code = t.code"
    " LEFT JOIN withdrawal w ON w.participant = t.code ORDER BY t.rowid"
)

Order = Mapping[str, tuple[int, str]]
"""Each participant's place in the order of enrolment, and arm."""


def _people(source: Reading) -> Iterable[tuple[Any, ...]]:
    return source.connection.execute(
        "SELECT p.new, t.came_at, t.state, t.reasons FROM person t JOIN people p ON p.code = t.code ORDER BY p.place"
    )


def _visits(source: Reading, order: Order, zones: Mapping[str, str]) -> list[tuple[Any, ...]]:
    rows = []
    for code, *row, before in source.connection.execute(
        "SELECT t.participant, t.day, t.follow_up, t.state, t.exercise, t.opens_at, t.closes_at, t.opened_at,"
        " t.ended_at, r.given_at FROM visit t JOIN people p ON p.code = t.participant"
        " LEFT JOIN rating r ON r.visit = t.id AND r.occasion = 'before'"
    ):
        hour = None
        if before is not None:
            local = datetime.fromisoformat(before).astimezone(ZoneInfo(zones[code]))
            hour = local.hour + local.minute / 60 + local.second / 3600
        rows.append((code, order[code][1], *row, hour))
    return sorted(rows, key=lambda row: (order[row[0]][0], row[2]))


def _scores(source: Reading, asked: list[Instrument], order: Order) -> list[tuple[Any, ...]]:
    rows = []
    for subject, observed in observations(source, asked):
        if subject.own not in order:
            continue
        arm = order[subject.own][1]
        for one in observed:
            found = one.scores
            if one.measure == DISTRESS:  # a rating is its own score, in a visit and on a form
                found = {DISTRESS: next((value for item, value, _ in one.answers if item == DISTRESS), None)}
            for scale, score in found.items():
                rows.append((subject.code, arm, one.day, one.occasion, one.measure, scale, score, one.given_at))
    return sorted(rows, key=lambda row: order[row[0]][0])


def _screening(source: Reading, order: Order) -> list[tuple[Any, ...]]:
    rows = []
    for code, question, value, choice in source.connection.execute(
        "SELECT t.person, a.item, a.value, a.choice FROM form t JOIN people p ON p.code = t.person"
        " JOIN answer_now a ON a.form = t.id WHERE t.measure = ? ORDER BY t.id, a.id",
        [SCREENING_FORM],
    ):
        if code in order:
            rows.append((code, order[code][1], question, value if choice is None else None, choice))
    return sorted(rows, key=lambda row: order[row[0]][0])


def _turns(source: Reading, order: Order) -> list[tuple[Any, ...]]:
    found: dict[tuple[str, int], tuple[str, list[tuple[str, str, int, float | None, str]]]] = {}
    for code, day, exercise, *turn in source.connection.execute(
        "SELECT v.participant, v.day, v.exercise, t.speaker, t.origin,"
        " CASE WHEN t.speaker = 'participant' THEN t.text ELSE '' END,"
        " json_extract(t.provenance, '$.first_sentence_ms'), t.recorded_at"
        " FROM turn t JOIN visit v ON v.id = t.visit JOIN people p ON p.code = v.participant ORDER BY t.visit, t.number"
    ):
        speaker, origin, text, latency, at = turn
        found.setdefault((code, day), (exercise, []))[1].append((speaker, origin, len(text.split()), latency, at))
    rows = []
    for (code, day), (exercise, said) in found.items():
        speakers = [one[0] for one in said]
        origins = [one[1] for one in said]
        latencies = [one[3] / 1000 for one in said if one[3] is not None]
        first, last = (datetime.fromisoformat(said[end][4]) for end in (0, -1))
        counts = (
            speakers.count("participant"),
            sum(one[2] for one in said),
            speakers.count("therapist"),
            origins.count("model"),
            origins.count("fallback"),
            origins.count("person"),
        )
        took = (median(latencies) if latencies else None, (last - first) / timedelta(minutes=1))
        rows.append((code, order[code][1], day, exercise, *counts, *took))
    return sorted(rows, key=lambda row: (order[row[0]][0], row[2]))


def _answers(source: Reading, order: Order) -> list[tuple[Any, ...]]:
    """Of the model and of the script in its place; `late` when the model took too long, or was too busy to begin."""
    rows = []
    for code, *row in source.connection.execute(
        "SELECT v.participant, v.day, t.origin, EXISTS (SELECT 1 FROM json_each(t.provenance, '$.failures')"
        " WHERE value IN ('Late', 'Busy')) AND t.origin = 'fallback',"
        " t.queue_ms, t.first_token_ms, t.first_sentence_ms, t.last_token_ms, t.ready_ms, t.held_ms, t.first_sound_ms"
        " FROM turn_timed t JOIN visit v ON v.id = t.visit JOIN people p ON p.code = v.participant"
        " WHERE t.origin IN ('model', 'fallback') ORDER BY t.visit, t.number"
    ):
        rows.append((code, order[code][1], *row))
    return sorted(rows, key=lambda row: order[row[0]][0])


def _events(source: Reading) -> Iterable[tuple[Any, ...]]:
    """What was raised before the enrolment, by an answer of the screening or the baseline, is of no participant."""
    words, kind = "t.source", "t.category"
    # At the moment of the enrolment itself it is of the form that completed it: nobody has begun a visit yet.
    after = "CASE WHEN t.raised_at > e.enrolled_at"
    if source.variant.blinded:  # as in a blinded export: not every arm has a therapist who speaks
        words = f"CASE WHEN {words} IN ('participant', 'therapist', 'draft') THEN 'screen' ELSE {words} END"
        kind = f"CASE WHEN t.source = 'therapist' THEN 'screen' ELSE {kind} END"
    return source.connection.execute(
        f"SELECT {after} THEN p.new END, {after} THEN p.arm END, v.day, {words}, {kind}, t.severity,"  # noqa: S608
        " t.serious, t.relatedness, t.expectedness, t.raised_at, t.acknowledged_at FROM safety_event t"
        " JOIN people p ON p.code = t.participant LEFT JOIN participant e ON e.code = t.participant"
        " LEFT JOIN visit v ON v.id = t.visit WHERE t.source != 'asked' ORDER BY t.id"
    )


def _corrections(source: Reading) -> Iterable[tuple[Any, ...]]:
    """Of participants; the values of those who were never enrolled are in no analysis."""
    return source.connection.execute(
        "SELECT p.new, p.arm, t.measure, t.item, t.occasion, t.corrected_at FROM correction t"
        " JOIN people p ON p.code = t.person JOIN participant e ON e.code = t.person"
        " WHERE t.id = (SELECT max(id) FROM correction WHERE rating IS t.rating AND answer IS t.answer) ORDER BY t.id"
    )


def _history(source: Reading) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    locked = source.connection.execute("SELECT version, locked_at FROM protocol ORDER BY version").fetchall()
    for version, at in locked:
        if version == 1:
            rows.append((at, "locked", "1", ""))
            continue
        changes = changes_between(*source.protocols[version - 2 : version])
        rows.append((at, "amended", str(version), ", ".join(change.key for change in changes)))
    for scope, target, halted, lifted in source.connection.execute(
        "SELECT t.scope, t.target, t.halted_at, t.lifted_at FROM halt t LEFT JOIN people p ON p.code = t.target"
        " WHERE t.scope != 'participant' OR p.code IS NOT NULL ORDER BY t.id"
    ):
        subject = {"study": "study", "arm": source.arms.get(target, target)}.get(scope, target)
        rows.append((halted, "halted", subject, ""))
        if lifted is not None:
            rows.append((lifted, "lifted", subject, ""))
    for role, participant, at in source.connection.execute(
        "SELECT t.role, t.participant, t.unblinded_at FROM unblinding t ORDER BY t.id"
    ):
        rows.append((at, "unblinded", role, participant or ""))
    return sorted(rows, key=lambda row: datetime.fromisoformat(row[0]))
