"""How simulated patients fare: the emotion after each reply, over all days, a panel for each persona."""

from dataclasses import replace

from audit.patients.course import Course
from audit.patients.patient import Trajectory
from audit.patients.plot import trajectories_svg
from audit.report.material import Material, Part, Told
from study.report.figure import Figure
from study.report.numbers import number, words

__all__ = ["courses_figure"]


def courses_figure(material: Material, part: Part) -> Figure | None:
    """The figure of a suite in which patients were simulated; None for others."""
    told = [one for one in part.told if not one.subject.baseline and "course" in one.rows]
    groups = {material.named(one.subject): _trajectories(one) for one in told}
    if not any(groups.values()):
        return None
    ends = [
        f"{name}: {len(several)} patients, at the end {number(sum(one.end for one in several) / len(several), 0)}"
        for name, several in groups.items()
        if several
    ]
    return Figure(
        name=f"{part.suite.name}_patients",
        section=part.suite.name,
        title=f"{part.suite.title}: the patients' emotion after each reply",
        svg=trajectories_svg(groups, f"{part.suite.name}_patients"),
        alt=f"A thin line for each patient and a thick one for their mean, from 0 to 100. Means: {words(ends)}.",
        note="Patients are simulated and their emotion is moved by rules; it says how replies fare with these rules, "
        "not how a person would. Thin: a patient over all days; thick: their mean. Dashed: where a patient leaves, or "
        "is content.",
    )


def _trajectories(told: Told) -> list[Trajectory]:
    courses = [Course.of(one) for one in told.rows["course"] if isinstance(one, dict)]
    return [whole for one in courses if (whole := _whole(one))]


def _whole(course: Course) -> Trajectory | None:
    """All days of a patient as one."""
    days = [course.days[day] for day in sorted(course.days)]
    if not days:
        return None
    turns = tuple(turn for day in days for turn in day.turns)
    return replace(days[0], turns=turns, ending=days[-1].ending)
