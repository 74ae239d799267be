"""A visit as it was seen: when each turn appeared, and where it stands on the time line and in the plot of latencies.

A participant's words appear when they were recorded. Of an answer the record has when it was begun, when its first
sentence was whole and when the last was: these are the moments at which a chat showed it. A robot spoke more slowly
than it was written, which no record of ours tells. Pure: it reads turns and gives places.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from portal.console.plots import Tick
from therapist.rails import split

__all__ = ["HEIGHT", "WIDTH", "Latency", "Moment", "Rated", "Replay", "clock", "replay"]

WIDTH, HEIGHT = 1000.0, 120.0
"""The inner size of the plot of latencies, in its own units; the time line is as wide."""

FASTEST_S, SLOWEST_S = 0.01, 100.0
"""The plot's range. It is logarithmic: a model answers in tenths of a second, a person in a minute."""


_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rated:
    """A rating, at its place among the turns."""

    occasion: str
    value: int
    given_at: datetime
    at_ms: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A turn, and when it was seen. Times are milliseconds from the first thing that happened in the visit."""

    number: int
    speaker: str
    step: str
    origin: str
    text: str
    first: str
    """What could be seen from `at_ms` on: all, or an answer's first sentence."""
    rest: str
    """What could be seen from `whole_ms` on."""
    recorded_at: datetime
    at_ms: int
    whole_ms: int
    x: float
    """Its place on the time line."""
    hit: dict[str, Any] | None
    """What the screen found in it."""
    told: dict[str, Any]
    """How it came about, as `therapist.provenance` lists it; empty for a participant's turn."""


@dataclass(frozen=True, slots=True)
class Latency:
    """An answer in the plot of latencies: how high each moment stands, None where it was not measured."""

    number: int
    origin: str
    x: float
    first: float | None
    total: float | None
    said: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class Replay:
    seen: list[Moment | Rated]
    """Turns and ratings in the order in which they came."""
    length_ms: int
    latencies: list[Latency]
    seconds: list[Tick]
    """The plot's lines across."""
    minutes: list[Tick]
    """The marks under the time line."""

    @property
    def moments(self) -> list[Moment]:
        return [one for one in self.seen if isinstance(one, Moment)]


def replay(turns: Sequence[Mapping[str, Any]], ratings: Sequence[tuple[str, int, datetime]]) -> Replay:
    """`turns` are rows of the record with `hit` and `told` as dictionaries and `recorded_at` as a moment."""
    times: list[tuple[datetime, datetime]] = []
    for turn in turns:
        first, whole = _seen(turn)
        # The clock that measured how long an answer took is not the one that says when it was recorded.
        last = times[-1][1] if times else first
        times.append((max(first, last), max(whole, last)))
    beginnings = [first for first, _ in times] + [at for _, _, at in ratings]
    start = min(beginnings, default=_NEVER)
    end = max([whole for _, whole in times] + [at for _, _, at in ratings], default=start)
    length = max(_ms(end - start), 1)
    moments = []
    for turn, (first, whole) in zip(turns, times, strict=True):
        sentences = split(turn["text"]) if first < whole else []
        shown = sentences[0] if len(sentences) > 1 and turn["text"].startswith(sentences[0]) else turn["text"]
        moments.append(
            Moment(
                number=turn["number"],
                speaker=turn["speaker"],
                step=turn["step"],
                origin=turn["origin"],
                text=turn["text"],
                first=shown,
                rest=turn["text"][len(shown) :],
                recorded_at=turn["recorded_at"],
                at_ms=_ms(first - start),
                whole_ms=_ms(whole - start),
                x=_part(_ms(first - start), length),
                hit=turn["hit"],
                told=turn["told"] or {},
            )
        )
    rated = [Rated(occasion, value, at, _ms(at - start)) for occasion, value, at in ratings]
    # Sorted by time alone, so that what came at the same moment stays in the order of the record, the rating first.
    before = [one for one in rated if one.occasion == "before"]
    after = [one for one in rated if one.occasion != "before"]
    seen: list[Moment | Rated] = sorted([*before, *moments, *after], key=lambda one: one.at_ms)
    return Replay(seen, length, _latencies(moments), _seconds(), _minutes(length))


def _seen(turn: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """When the first of a turn was to be seen, and when all of it was."""
    whole: datetime = turn["recorded_at"]
    told = turn["told"] or {}
    total, first = told.get("total_ms"), told.get("first_sentence_ms")
    if turn["origin"] != "model" or total is None or first is None or first > total:
        return whole, whole
    shown = first + (told.get("held_ms") or 0.0)
    return whole - timedelta(milliseconds=total - shown), whole


def _latencies(moments: Sequence[Moment]) -> list[Latency]:
    answers = [one for one in moments if one.speaker == "therapist" and one.told.get("total_ms") is not None]
    found = []
    for place, one in enumerate(answers):
        first, total = one.told.get("first_sentence_ms"), one.told.get("total_ms")
        parts = [
            f"{name} {ms / 1000:.2f} s" for name, ms in (("first sentence", first), ("whole", total)) if ms is not None
        ]
        found.append(
            Latency(
                number=one.number,
                origin=one.origin,
                x=round((place + 0.5) * WIDTH / len(answers), 1),
                first=_height(first),
                total=_height(total),
                said=f"Turn {one.number} ({one.origin}): {', '.join(parts)}",
            )
        )
    return found


def _seconds() -> list[Tick]:
    return [Tick(_height(1000 * seconds) or 0.0, f"{seconds:g} s") for seconds in (0.01, 0.1, 1, 10, 100)]


def _minutes(length: int) -> list[Tick]:
    """At most seven marks, at whole minutes, or at whole seconds in a short visit."""
    steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
    step = next((one for one in steps if length / 1000 / one <= 6), length // 6000 + 1)
    return [Tick(_part(1000 * at, length), clock(1000 * at)) for at in range(0, length // 1000 + 1, step)]


def clock(ms: int) -> str:
    """A length of time as a player shows it: 4:07, or 1:02:09."""
    hours, rest = divmod(ms // 1000, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _height(ms: float | None) -> float | None:
    if ms is None:
        return None
    seconds = min(max(ms / 1000, FASTEST_S), SLOWEST_S)
    return round(HEIGHT * (1 - math.log10(seconds / FASTEST_S) / math.log10(SLOWEST_S / FASTEST_S)), 1)


def _part(ms: int, length: int) -> float:
    return round(min(ms / length, 1.0) * WIDTH, 1)


def _ms(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))
