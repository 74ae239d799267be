"""The flow of participants after CONSORT 2025: from everybody who opened the door to those who are analysed.

Everything is counted from the record: the states of persons, the enrolments, the visits and the withdrawals. A person
is counted once in each place; reasons of exclusion are counted each, since a person may have several. What a visit
came to is called as in the section on adherence: one that the study itself stopped for safety was made.

Source: Hopewell et al. 2025, CONSORT 2025 statement, item 22a and the flow diagram (PLOS Med 22:e1004587).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from study.analysis.attendance import MADE
from study.analysis.data import AnalysisData
from study.analysis.outcomes import values
from study.analysis.results import Column, Section, Table
from study.errors import CannotEstimate

__all__ = ["Flow", "count", "section"]

_BEGUN = ("done", "stopped", "unfinished", "exercise", "after")
"""States of a visit whose exercise or rating was begun."""

_OVER = ("done", "stopped", "missed", "unfinished")

ENROLMENT = (
    ("came", "Opened the door of the study"),
    ("assessed", "Assessed for eligibility"),
    ("not_assessed", "Not assessed: screening not completed"),
    ("excluded", "Excluded"),
    ("ineligible", "Did not meet the criteria"),
    ("declined", "Declined to participate"),
    ("pending", "Not allocated yet: consent or baseline not completed"),
    ("allocated", "Allocated at random"),
)
"""What is counted before the allocation, in its order."""

ARM = (
    ("allocated", "Allocated"),
    ("began", "Made or began at least one visit"),
    ("not_began_withdrew", "Began no visit: left the study before"),
    ("not_began_other", "Began no visit: no visit made yet"),
    ("not_began_missed", "Began no visit: every visit missed"),
    ("completed", "Made the visit of the last study day"),
    ("stopped", "Made the visit of the last study day, which was stopped for safety"),
    ("unfinished", "Began the visit of the last study day and did not finish it"),
    ("withdrew", "Left the study"),
    ("withdrew_reason", "Left the study and gave a reason"),
    ("erased", "Left the study and had their data erased"),
    ("held", "Halted for safety"),
    ("lost", "Missed the last study day without having left"),
    ("under_way", "Last study day not over yet"),
    ("analysed", "Analysed for the primary outcome"),
    ("not_analysed", "Not analysed: no value of the primary outcome"),
    ("not_analysed_erased", "Not analysed: data erased at the participant's wish"),
)
"""What is counted in each arm, in its order."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How many there are at each step."""

    before: dict[str, int]
    """By the names of `ENROLMENT`."""
    reasons: dict[str, int]
    """Reasons of exclusion, as they were told, the most frequent first."""
    arms: dict[str, dict[str, int]]
    """Of each arm, by the names of `ARM`."""
    warnings: tuple[str, ...]
    """What could not be counted."""

    def total(self, name: str) -> int:
        """Over all arms."""
        return sum(arm[name] for arm in self.arms.values())


def count(data: AnalysisData) -> Flow:
    """The numbers of the flow diagram."""
    told: Counter[str] = Counter(reason for reasons in data.people["reasons"] for reason in (reasons or ()))
    reasons = dict(sorted(told.items(), key=lambda one: (-one[1], one[0])))
    arms, warnings = _by_arm(data)
    return Flow(_before_allocation(data), reasons, arms, tuple(warnings))


def section(data: AnalysisData) -> Section:
    """The numbers of the flow diagram, as tables `flow_enrolment`, `flow_reasons` and `flow_arms`."""
    flow = count(data)
    tables = [
        Table(
            "flow_enrolment",
            "Enrolment",
            (Column("step", "Step"), Column("count", "Persons", "count")),
            tuple((title, flow.before[name]) for name, title in ENROLMENT),
        ),
        Table(
            "flow_reasons",
            "Criteria that were not met",
            (Column("reason", "Reason, as it was told to the person"), Column("count", "Persons", "count")),
            tuple(flow.reasons.items()),
            note="Somebody who did not meet several criteria is counted for each.",
        ),
        Table(
            "flow_arms",
            "From allocation to analysis, by arm",
            (Column("step", "Step"), *(Column(arm, arm, "count") for arm in data.arms), Column("all", "All", "count")),
            tuple((title, *(arm[name] for arm in flow.arms.values()), flow.total(name)) for name, title in ARM),
            note="Lines below “Left the study” are about some of the same participants.",
        ),
    ]
    shown = tuple(table for table in tables if table.rows)
    return Section("flow", "Flow of participants", tuple(_sentences(flow)), shown, flow.warnings)


def _before_allocation(data: AnalysisData) -> dict[str, int]:
    states: Counter[str] = Counter(data.people["state"])
    pending = states["consent"] + states["baseline"]
    # Who was told to be ineligible was assessed; who declined may have done so at any step before the allocation.
    counts = {
        "came": len(data.people),
        "not_assessed": states["screening"],
        "ineligible": states["ineligible"],
        "declined": states["declined"],
        "pending": pending,
        "allocated": len(data.participants),
    }
    counts["assessed"] = counts["came"] - counts["not_assessed"]
    counts["excluded"] = counts["ineligible"] + counts["declined"]
    return counts


def _by_arm(data: AnalysisData) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Of each arm what `ARM` names, and what could not be counted."""
    people = data.participants
    daily = data.visits[data.visits["follow_up"].isna()]
    began = set(daily.loc[daily["state"].isin(_BEGUN), "participant"])
    visited = set(daily.loc[daily["state"].isin(_OVER), "participant"])
    last = dict(zip(people["participant"], people["days"], strict=True))
    at_the_end = daily[daily["day"] == daily["participant"].map(last)]
    came_to = {state: set(own["participant"]) for state, own in at_the_end.groupby("state")}
    stopped, unfinished, missed = (came_to.get(state, set()) for state in ("stopped", "unfinished", "missed"))
    seen = set(at_the_end.loc[at_the_end["state"].isin(MADE), "participant"])
    over = set(at_the_end.loc[at_the_end["state"].isin(_OVER), "participant"])
    valued, warnings = _with_primary(data)
    counted: dict[str, dict[str, int]] = {}
    for arm in data.arms:
        own = people[people["arm"] == arm]
        codes = set(own["participant"])
        left = set(own.loc[own["status"] == "withdrawn", "participant"])
        held = set(own.loc[own["status"] == "held", "participant"])
        erased = set(own.loc[own["erased"], "participant"])
        counted[arm] = {
            "allocated": len(codes),
            "began": len(codes & began),
            "not_began_withdrew": len((codes - began) & left),
            "not_began_missed": len((codes - began - left) & visited),
            "not_began_other": len(codes - began - left - visited),
            "completed": len(codes & seen),
            "stopped": len(codes & stopped),
            "unfinished": len((codes & unfinished) - left - held),
            "withdrew": len(left),
            "withdrew_reason": int(own["withdrawal_reason_given"].sum()),
            "erased": len(erased),
            "held": len(held - seen),
            "lost": len((codes & missed) - left - held),
            "under_way": len(codes - over - seen - left - held),
            "analysed": len(codes & valued),
            "not_analysed": len(codes - valued - erased),
            "not_analysed_erased": len((codes - valued) & erased),
        }
    return counted, warnings


def _with_primary(data: AnalysisData) -> tuple[set[str], list[str]]:
    """Who has at least one value of the primary outcome."""
    try:
        frame = values(data, data.plan.primary).frame
    except CannotEstimate as error:
        return set(), [str(error)]
    return set(frame.loc[frame["value"].notna(), "participant"]), []


def _sentences(flow: Flow) -> Iterator[str]:
    before = flow.before
    if not before["came"]:
        yield "Nobody has opened the door of the study yet."
        return
    parts = [
        f"{before[name]} {words}"
        for name, words in (
            ("not_assessed", "did not complete the screening"),
            ("ineligible", "did not meet the criteria"),
            ("declined", "declined"),
            ("pending", "had not completed consent or baseline"),
            ("allocated", "were allocated at random" if before["allocated"] != 1 else "was allocated at random"),
        )
        if before[name] or name == "allocated"
    ]
    came = f"{before['came']} {'person' if before['came'] == 1 else 'people'} opened the door of the study"
    yield f"{came}: {', '.join(parts[:-1])}{' and ' if len(parts) > 1 else ''}{parts[-1]}."
    if before["allocated"]:
        unfinished = flow.total("unfinished")
        began_it = f"{unfinished} began its visit and did not finish it, " if unfinished else ""
        yield (
            f"Of these, {flow.total('began')} made or began a visit, {flow.total('withdrew')} left the study, "
            f"{flow.total('lost')} missed the last study day without having left, {began_it}and "
            f"{flow.total('analysed')} have at least one value of the primary outcome."
        )
