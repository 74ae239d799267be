"""The flow of participants after CONSORT 2025: from everybody who opened the door to those who are analysed.

Everything is counted from the record: the states of persons, the enrolments, the visits and the withdrawals. A person
is counted once in each place; reasons of exclusion are counted each, since a person may have several.

Source: Hopewell et al. 2025, CONSORT 2025 statement, item 22a and the flow diagram (PLOS Med 22:e1004587).
"""

from collections import Counter
from collections.abc import Iterator

import pandas as pd

from study.analysis.data import AnalysisData
from study.analysis.outcomes import values
from study.analysis.results import Column, Section, Table
from study.errors import CannotEstimate

__all__ = ["section"]

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
    ("completed", "Seen on the last study day"),
    ("withdrew", "Left the study"),
    ("withdrew_reason", "Left the study and gave a reason"),
    ("erased", "Left the study and had their data erased"),
    ("held", "Halted for safety"),
    ("lost", "Not seen on the last study day, without having left"),
    ("under_way", "Last study day not over yet"),
    ("analysed", "Analysed for the primary outcome"),
    ("not_analysed", "Not analysed: no value of the primary outcome"),
    ("not_analysed_erased", "Not analysed: data erased at the participant's wish"),
)
"""What is counted in each arm, in its order."""


def section(data: AnalysisData) -> Section:
    """The numbers of the flow diagram, as tables `flow_enrolment`, `flow_reasons` and `flow_arms`."""
    before = _before_allocation(data)
    reasons = Counter(reason for told in data.people["reasons"] for reason in (told or ()))
    counted, warnings = _by_arm(data)
    tables = (
        Table(
            "flow_enrolment",
            "Enrolment",
            (Column("step", "Step"), Column("count", "Persons", "count")),
            tuple((title, before[name]) for name, title in ENROLMENT),
        ),
        Table(
            "flow_reasons",
            "Criteria that were not met",
            (Column("reason", "Reason, as it was told to the person"), Column("count", "Persons", "count")),
            tuple(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
            note="Somebody who did not meet several criteria is counted for each.",
        ),
        Table(
            "flow_arms",
            "From allocation to analysis, by arm",
            (
                Column("step", "Step"),
                *(Column(arm, arm, "count") for arm in data.arms),
                Column("all", "All", "count"),
            ),
            tuple(
                (title, *(counted[arm][name] for arm in data.arms), sum(counted[arm][name] for arm in data.arms))
                for name, title in ARM
            ),
            note="Lines below “Left the study” are about some of the same participants.",
        ),
    )
    return Section("flow", "Flow of participants", tuple(_sentences(before, counted)), tables, tuple(warnings))


def _before_allocation(data: AnalysisData) -> dict[str, int]:
    states = Counter(data.people["state"])
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
    last_day = people["days"] if "days" in people else pd.Series(data.protocol.days, index=people.index)
    last = dict(zip(people["participant"], last_day, strict=True))
    at_the_end = daily[daily["day"] == daily["participant"].map(last)]
    seen = set(at_the_end.loc[at_the_end["state"] == "done", "participant"])
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
            "withdrew": len(left),
            "withdrew_reason": int(own["withdrawal_reason_given"].sum()),
            "erased": len(erased),
            "held": len(held - seen),
            "lost": len(((codes & over) - seen) - left - held),
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


def _sentences(before: dict[str, int], counted: dict[str, dict[str, int]]) -> Iterator[str]:
    if not before["came"]:
        yield "Nobody has opened the door of the study yet."
        return
    total = {name: sum(arm[name] for arm in counted.values()) for name, _ in ARM}
    yield (
        f"{before['came']} {_people(before['came'])} opened the door of the study, {before['excluded']} were excluded "
        f"or declined, and {before['allocated']} were allocated at random."
    )
    if not before["allocated"]:
        return
    yield (
        f"{total['began']} made or began at least one visit, {total['withdrew']} left the study, {total['lost']} were "
        f"not seen on the last study day without having left, and {total['analysed']} have at least one value of the "
        "primary outcome."
    )


def _people(count: int) -> str:
    return "person" if count == 1 else "people"
