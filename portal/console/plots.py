"""Plots of the dashboard: where things are drawn. The templates make SVG of it, with classes and no style in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

__all__ = ["Course", "Curve", "Point", "Tick", "course", "curve", "ticks"]

WIDTH, HEIGHT = 600.0, 200.0
"""The inner size of the plot of the enrolment, in its own units."""

COURSE_WIDTH, COURSE_HEIGHT = 300.0, 100.0
"""The same of an arm's course of distress, whose height is its scale."""

SERIES = 6
"""So many arms have a colour and a shape of their own; then they begin again."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The enrolment, added up over the dates."""

    path: str
    """The points of a polyline that goes up in steps."""
    target: float | None
    """The height of the line of what is planned."""
    across: list[Tick]
    up: list[Tick]


@dataclass(frozen=True, slots=True)
class Point:
    """Mean distress of one arm on one day."""

    day: int
    x: float
    before: float | None
    """Its height in the plot; as a mean, `COURSE_HEIGHT` less this."""
    after: float | None
    n_before: int
    n_after: int


@dataclass(frozen=True, slots=True)
class Course:
    """One arm's distress over the days."""

    arm: str
    """What who looks at it may call the arm."""
    series: int
    """Which colour and shape, from 1."""
    points: list[Point]


def ticks(most: int) -> list[int]:
    """About five round numbers from 0 to at least `most`."""
    step = next(size * 10**power for power in range(9) for size in (1, 2, 5) if size * 10**power * 5 >= most)
    return list(range(0, most + step, step))


def curve(steps: Sequence[tuple[date, int]], target: int | None, today: date) -> Curve:
    """The enrolment from its first date to `today`, or to its last date if that is later."""
    last = max(today, steps[-1][0]) if steps else today
    first = steps[0][0] if steps else last
    days = max((last - first).days, 1)
    marks = ticks(max([target or 1, *(total for _, total in steps)]))
    highest = marks[-1]

    def x(on: date) -> float:
        return round((on - first).days / days * WIDTH, 1)

    def y(total: int) -> float:
        return round(HEIGHT - total / highest * HEIGHT, 1)

    corners = [(0.0, HEIGHT)]
    for on, total in steps:
        corners += [(x(on), corners[-1][1]), (x(on), y(total))]
    corners.append((x(last), corners[-1][1]))
    return Curve(
        " ".join(f"{one:g},{other:g}" for one, other in corners),
        y(target) if target else None,
        [Tick(x(on), f"{on.day} {on:%b}") for on in _dates(first, last)],
        [Tick(y(one), str(one)) for one in marks],
    )


def _dates(first: date, last: date) -> list[date]:
    """At most five dates to name, the first and the last among them."""
    days = (last - first).days
    parts = min(4, days)
    spread = [first + (last - first) * part // parts for part in range(parts + 1)] if parts else [first]
    return [one for one, other in pairwise([*spread, None]) if one != other and one is not None]


def course(
    means: Mapping[tuple[str, int, str], tuple[float, int]], names: Mapping[str, str], days: int
) -> list[Course]:
    """Distress by arm. `means` has mean and number by arm, day and occasion; `names` what each arm is called."""
    courses = []
    for number, (arm, name) in enumerate(names.items()):
        points = []
        for day in range(1, days + 1):
            before, after = means.get((arm, day, "before")), means.get((arm, day, "after"))
            if before or after:
                points.append(
                    Point(
                        day,
                        round((day - 0.5) * COURSE_WIDTH / days, 1),
                        round(COURSE_HEIGHT - before[0], 1) if before else None,
                        round(COURSE_HEIGHT - after[0], 1) if after else None,
                        before[1] if before else 0,
                        after[1] if after else 0,
                    )
                )
        courses.append(Course(name, number % SERIES + 1, points))
    return courses
