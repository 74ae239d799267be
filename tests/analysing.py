"""Invented data of a whole study, in a moment: kian2024's protocol, seeded, with what a test wants to see in it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import numpy as np

from study.allocation import sequence
from study.analysis.data import AnalysisData, sha256_of
from study.analysis.masking import masked
from study.analysis.record import ScaleInfo
from study.analysis.tables import (
    ANSWERS,
    EVENTS,
    HISTORY,
    PARTICIPANTS,
    PEOPLE,
    SCORES,
    SCREENING,
    TURNS,
    VISITS,
    digest,
    table,
)
from study.measure import load_measure
from study.protocol import Protocol, parse

ARMS = ("robot", "chatbot", "worksheet")
BEGIN = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
LEVELS = ("below 22", "22 or more")


def kian2024(days: int = 15, plan: Mapping[str, Any] | None = None, **changes: Any) -> Protocol:
    """The shipped protocol, of another length if wanted, with `plan` in place of keys of [analysis]."""
    text = files("study").joinpath("templates", "kian2024.toml").read_text(encoding="utf-8")
    if days != 15:
        text = text.replace("days = 15 ", f"days = {days} ").replace('"day 8"', f'"day {max(1, days // 2)}"')
        text = text.replace('"day 15"', f'"day {days}"')
    protocol = parse(text)
    whole = protocol.model_dump()
    whole["analysis"] |= plan or {}
    return Protocol.model_validate(whole | changes)


def synthetic(
    n: int = 38,
    *,
    days: int = 15,
    seed: int = 1,
    effects: Mapping[str, float] | None = None,
    trends: Mapping[str, float] | None = None,
    later: Mapping[str, float] | None = None,
    dropout: float = 0.1,
    missing: float = 0.05,
    ineligible: int = 5,
    declined: int = 2,
    events: int = 3,
    stopped: int = 1,
    turns: bool = True,
    plan: Mapping[str, Any] | None = None,
    arms: Sequence[str] | None = None,
    blinded: bool = False,
) -> AnalysisData:
    """The data of `n` participants.

    - `effects`: by arm, the mean change of distress from before to after a visit (without it, -8 in the robot and the
      worksheet arm and -2 in the chatbot arm); `trends`: what is added to it each day; `later`: by arm, the mean change
      of K10, GAD-7 and PHQ-9 on the last day, in standard deviations of 5 points.
    - `dropout`: the share that withdraws, after a day drawn evenly; `missing`: the share of other visits that is missed.
    - `ineligible`, `declined`: people who came and were not enrolled; `events`: safety events; `stopped`: visits that
      were stopped, and then have no rating after.
    - `arms`: the arms into which anybody is allocated (to leave one empty); `plan`: keys of [analysis].
    - `blinded`: labels in place of arms, as `load` gives them to a role: Arm A is worksheet, B robot, C chatbot.
    """
    rng = np.random.default_rng(seed)
    effects = effects or {"robot": -8.0, "worksheet": -8.0, "chatbot": -2.0}
    protocol = kian2024(days, plan)
    codes = [f"P{number:04d}" for number in range(1, n + 1)]
    k10 = np.clip(np.round(rng.normal(21, 5, n)), 10, 29)
    level = [LEVELS[int(score >= 22)] for score in k10]
    strata = [f"severity: {one}" for one in level]
    slots = {stratum: sequence(f"seed {seed}", stratum, ARMS, (1, 1, 1), (3, 6)) for stratum in sorted(set(strata))}
    given = [next(slots[stratum]) for stratum in strata]
    allocated = [slot.arm if arms is None or slot.arm in arms else arms[slot.position % len(arms)] for slot in given]
    last = np.where(rng.random(n) < dropout, rng.integers(1, days, n, endpoint=True), days + 1)
    shown = dict(zip(("worksheet", "robot", "chatbot"), ("Arm A", "Arm B", "Arm C"), strict=True)) if blinded else {}
    arm = [shown.get(one, one) for one in allocated]

    ages = np.clip(np.round(rng.normal(22, 3, n)), 18, 40)
    genders = rng.choice(["woman", "man", "another"], n, p=[0.6, 0.35, 0.05])

    participants, visits, scores, said = [], [], [], []
    level_of_distress = rng.normal(45, 12, n)
    gain = rng.normal(0, 4, n)
    slope = rng.normal(0, 0.2, n)
    for i, code in enumerate(codes):
        enrolled = BEGIN + timedelta(hours=7 * i)
        on = enrolled.date() + timedelta(days=1)
        left = int(last[i]) if last[i] <= days else None
        at = enrolled + timedelta(days=left, hours=6) if left else None
        place = (None, None, None) if blinded else (0, given[i].position, given[i].block)
        status = "withdrawn" if left else "active"
        told = (code, arm[i], enrolled, on, status, at, left, bool(left and left % 2), False, strata[i])
        participants.append((*told, *place, 1, days, "America/Los_Angeles", level[i]))

        def score(
            day: int | None, occasion: str, measure: str, value: float, i: int = i, enrolled: datetime = enrolled
        ) -> None:
            scale = measure if measure == "distress" else "total"
            moment = enrolled + timedelta(days=day or 0, minutes=5)
            scores.append((codes[i], arm[i], day, occasion, measure, scale, float(value), moment))

        score(None, "screening", "k10", k10[i])
        score(None, "baseline", "distress", np.clip(round(level_of_distress[i] + rng.normal(0, 10)), 0, 100))
        first = {"gad7": rng.normal(9, 4), "phq9": rng.normal(9, 4), "ucla3": rng.normal(5, 1.5)}
        for name, (low, high) in {"gad7": (0, 21), "phq9": (0, 27), "ucla3": (3, 9)}.items():
            first[name] = float(np.clip(round(first[name]), low, high))
            score(None, "baseline", name, first[name])
        for day in range(1, days + 1):
            if left and day > left:
                break
            moment = enrolled + timedelta(days=day, minutes=int(rng.integers(0, 300)))
            window = (moment.replace(hour=14, minute=0), moment.replace(hour=23, minute=59))
            exercise = ("cognitive_restructuring", "coping_strategies")[(day - 1) % 2]
            if rng.random() < missing:
                visits.append((code, arm[i], day, None, "missed", exercise, *window, window[1], window[1], None))
                continue
            hour = 8 + rng.random() * 12
            ended = moment + timedelta(minutes=14)
            visits.append((code, arm[i], day, None, "done", exercise, *window, moment, ended, hour))
            before = level_of_distress[i] - 0.3 * day + rng.normal(0, 9)
            own = gain[i] + slope[i] * (day - (1 + days) / 2) + (trends or {}).get(allocated[i], 0.0) * day
            after = before + effects[allocated[i]] + own + rng.normal(0, 8)
            if day in (max(1, days // 2) if days != 15 else 8, days):
                change = 5 * (later or {}).get(allocated[i], 0.0)
                score(day, f"day {day}", "k10", np.clip(round(k10[i] - 1 + change + rng.normal(0, 4)), 10, 50))
                score(day, f"day {day}", "gad7", np.clip(round(first["gad7"] - 1 + change + rng.normal(0, 3)), 0, 21))
                if day == days:
                    phq9 = np.clip(round(first["phq9"] - 1 + change + rng.normal(0, 3)), 0, 27)
                    score(day, f"day {day}", "phq9", phq9)
            score(day, "before", "distress", np.clip(round(before), 0, 100))
            score(day, "after", "distress", np.clip(round(after), 0, 100))
            counts = (8, int(rng.poisson(90 + 3 * day)), 8, 6, int(rng.binomial(3, 0.2)), 0)
            latency = None if allocated[i] == "worksheet" else float(rng.gamma(4, 0.3))
            said.append((code, arm[i], day, exercise, *counts, latency, float(8 + rng.gamma(4, 1.0))))
    for number in rng.permutation([place for place, row in enumerate(visits) if row[4] == "done"])[:stopped]:
        row = visits[number]
        visits[number] = (*row[:4], "stopped", *row[5:])
        scores = [one for one in scores if (one[0], one[2], one[3]) != (row[0], row[2], "after")]
    people = [(f"X{k:03d}", BEGIN + timedelta(hours=k), "ineligible", ("Too distressed.",)) for k in range(ineligible)]
    people += [(f"D{k:03d}", BEGIN + timedelta(hours=k), "declined", ()) for k in range(declined)]
    people += [(row[0], row[2] - timedelta(minutes=30), "enrolled", ()) for row in participants]
    happened = []
    for k, place in enumerate(rng.integers(0, max(n, 1), events if n else 0)):
        raised = participants[place][2] + timedelta(days=2)
        grave = ("mild", "moderate")[k % 2]
        kind = (("item", "report")[k % 2], "severe_distress", grave, "no", ("not", "possible")[k % 2], "expected")
        happened.append((codes[place], arm[place], 2, *kind, raised, raised + timedelta(minutes=10)))
    tables = {
        "people": table(PEOPLE, sorted(people, key=lambda row: row[1])),
        "participants": table([*PARTICIPANTS, "severity"], participants),
        "visits": table(VISITS, visits),
        "scores": table(SCORES, scores),
        "screening": table(
            SCREENING,
            [
                (codes[i], arm[i], question, *answer)
                for i in range(n)
                for question, answer in {
                    "age": (float(ages[i]), None),
                    "student": (None, "yes"),
                    "gender": (None, str(genders[i])),
                    "therapy": (None, "no"),
                }.items()
            ],
        ),
        "turns": table(TURNS, [] if blinded or not turns else said),
        "answers": table(ANSWERS, [] if blinded or not turns else _answers(said, seed)),
        "events": table(EVENTS, happened),
        "history": table(HISTORY, [(BEGIN, "locked", "1", "")]),
    }
    used = tuple(shown[one] for one in ("worksheet", "robot", "chatbot")) if blinded else ARMS
    assert protocol.analysis is not None
    plan_sha256 = sha256_of(protocol.analysis)
    media = {one.name: one.medium for one in protocol.arms}
    protocol = masked(protocol, shown) if blinded else protocol
    assert protocol.analysis is not None
    factors = {"severity": LEVELS}
    return AnalysisData(
        protocol=protocol,
        plan=protocol.analysis,
        arms=used,
        blinded=blinded,
        rehearsal=False,
        media={} if blinded else media,
        factors=factors,
        sha256=digest((used, blinded, False, factors), tables),
        plan_sha256=plan_sha256,
        scales=_scales(),
        versions=(protocol,),
        **tables,
    )


def _answers(said: Sequence[tuple[Any, ...]], seed: int) -> list[tuple[Any, ...]]:
    """Four answers of each visit that has turns, with the times of each; a robot takes 0.8 s more to its first sound."""
    rng = np.random.default_rng([seed, 1])
    rows = []
    for code, arm, day, *_ in said:
        for _ in range(0 if arm == "worksheet" else 4):
            queue = float(rng.exponential(5))
            sentence = queue + 300 * float(rng.lognormal(0, 0.3))
            ready = sentence + 0.5
            late = bool(rng.random() < 0.02)
            sound = ready + 800 if arm == "robot" and rng.random() < 0.9 else None
            engine = (queue, sentence * 0.6, None if late else sentence, sentence * 1.5)
            rows.append((code, arm, day, "fallback" if late else "model", late, *engine, ready, None, sound))
    return rows


def _scales() -> dict[str, ScaleInfo]:
    found = {}
    for name, title in {
        "distress": "Distress",
        "k10": "K10",
        "phq9": "PHQ-9",
        "gad7": "GAD-7",
        "ucla3": "UCLA-3",
        "sus": "SUS",
    }.items():
        measure = load_measure(name)
        for scale in measure.scales:
            info = ScaleInfo(name, scale.name, title, *measure.bounds(scale.name))
            found.setdefault(name, info)
            found[f"{name}.{scale.name}"] = info
    return found
