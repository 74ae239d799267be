"""Where the data, or the study, departed from the plan: what a reader has to know before believing the numbers.

Each is a fact of the record, in a sentence; that there was none is said as well.
"""

from collections.abc import Iterator

import pandas as pd

from study.analysis.compare import compare
from study.analysis.data import AnalysisData
from study.analysis.outcomes import outcomes
from study.analysis.populations import written_by_a_person
from study.analysis.results import Column, Section, Table
from study.errors import CannotEstimate
from study.report.numbers import percent, words

__all__ = ["section"]

TITLE = "Departures from the plan"


def section(data: AnalysisData) -> Section:
    """The departures, in the order in which they would matter."""
    found = [
        *_changes(data),
        *_halts(data),
        *_unblindings(data),
        *_arms(data),
        *_versions(data),
        *_missing(data),
        *_corrected(data),
        *_windows(data),
        *_persons(data),
        *_unfinished(data),
        *_models(data),
    ]
    if data.rehearsal:
        found.insert(0, "These are the data of a rehearsal, with simulated participants: they say nothing of people.")
    if data.blinded:
        found.append(
            "The arms are masked. All pairs of labels are compared, without a reference arm and with values missing at "
            "random, since the plan's own contrasts would tell which label is which arm. Visits in which a person "
            "wrote in the model's place are not told apart."
        )
    text = tuple(found) or ("None is known: the record has nothing that departs from the plan.",)
    return Section("departures", TITLE, text, tuple(_table(data)))


def _first_enrolment(data: AnalysisData) -> pd.Timestamp | None:
    return None if data.participants.empty else data.participants["enrolled_at"].min()


def _changes(data: AnalysisData) -> Iterator[str]:
    """Amendments, and whether one changed the plan once somebody was in the study."""
    first = _first_enrolment(data)
    for row in data.history[data.history["what"] == "amended"].itertuples():
        keys = row.detail.split(", ")
        plan = [key for key in keys if key.startswith("analysis.")]
        after = first is not None and row.at > first
        enrolled = int((data.participants["enrolled_at"] < row.at).sum())
        when = f"{_date(row.at)}, " + (
            f"after {_people(enrolled)} had been enrolled" if after else "before the first enrolment"
        )
        if plan:
            yield (
                f"The plan of the analysis was changed on {when} (version {row.subject}): {words(plan)}. The analysis "
                "is by the plan as it is now."
            )
        rest = len(keys) - len(plan)
        if rest and after:
            also = "also " if plan else ""
            yield f"The protocol was {also}amended on {when} (version {row.subject}): {_some(keys, plan)}."


def _some(keys: list[str], plan: list[str]) -> str:
    rest = [key for key in keys if key not in plan]
    return words(rest) if len(rest) <= 8 else f"{words(rest[:7])}, and {len(rest) - 7} more keys"


def _halts(data: AnalysisData) -> Iterator[str]:
    """Halts of the study or of an arm; those of single participants are only counted."""
    halted = data.history[data.history["what"] == "halted"]
    alone = halted["subject"].isin(data.participants["participant"])
    for row in halted[~alone].itertuples():
        lifted = data.history[
            (data.history["what"] == "lifted")
            & (data.history["subject"] == row.subject)
            & (data.history["at"] >= row.at)
        ]
        until = f"until {_date(lifted['at'].iloc[0])}" if len(lifted) else "and is halted still"
        what = "The study" if row.subject == "study" else f"The arm {row.subject}"
        yield f"{what} was halted on {_date(row.at)} {until}."
    if alone.any():
        yield f"{_people(int(halted.loc[alone, 'subject'].nunique()))} had visits halted by a researcher."


def _unblindings(data: AnalysisData) -> Iterator[str]:
    told = data.history[data.history["what"] == "unblinded"]
    for row in told[told["detail"] == ""].itertuples():
        yield f"The {row.subject} was told which arm is which on {_date(row.at)}; what was done since is not blinded."
    single = told[told["detail"] != ""]
    for role, rows in single.groupby("subject", sort=True):
        yield f"The {role} was told the arm of {_people(len(rows))}."


def _arms(data: AnalysisData) -> Iterator[str]:
    counts = data.participants["arm"].value_counts()
    if data.participants.empty:
        yield "Nobody was allocated yet."
        return
    for arm in data.arms:
        if not counts.get(arm, 0):
            yield f"Nobody was allocated to {arm}."
    planned = [arm.name for arm in data.protocol.arms]
    for arm in data.arms:
        if arm not in planned and counts.get(arm, 0):
            yield f"The arm {arm} was amended away after {_people(int(counts[arm]))} had been allocated to it."


def _versions(data: AnalysisData) -> Iterator[str]:
    counts = data.participants["version"].value_counts().sort_index()
    if len(counts) > 1:
        each = words([f"{count} on version {version}" for version, count in counts.items()])
        yield f"Participants followed different versions of the protocol: {each}. All are analysed by the newest plan."
    days = data.participants["days"].value_counts().sort_index()
    if len(days) > 1:
        yield f"The number of study days differs: {words([f'{days[day]} had {day}' for day in days.index])}."


def _missing(data: AnalysisData) -> Iterator[str]:
    people = data.participants
    erased = int(people["erased"].sum())
    if erased:
        yield (
            f"{_people(erased)} withdrew and had their values erased; they are counted as allocated, and nothing else "
            "is known of them."
        )
    try:
        primary, secondary = outcomes(data)
    except CannotEstimate as error:
        yield str(error)
        return
    for one in (primary, *secondary):
        lacking = one.frame["value"].isna()
        if len(lacking) and lacking.all():
            yield f"{one.title}: nobody has a value."
    lacking = primary.frame["value"].isna()
    if len(lacking) and lacking.any() and not lacking.all():
        without = int(primary.frame.groupby("participant")["value"].count().eq(0).sum())
        none = f", and {_people(without)} of {len(people)} have none at all" if without else ""
        yield (
            f"{primary.title}: {int(lacking.sum())} of {len(lacking)} values ({percent(float(lacking.mean()))}) are "
            f"missing{none}."
        )


def _corrected(data: AnalysisData) -> Iterator[str]:
    """Values that are not the ones that were given."""
    count = len(data.corrections)
    if not count:
        return
    people = _people(int(data.corrections["participant"].nunique()))
    if count == 1:
        yield "1 value was given wrongly and corrected, with a reason on record. The analysis uses the corrected value."
    else:
        by = data.corrections["measure"].value_counts().sort_index()
        each = words([f"{times} of {measure}" for measure, times in by.items()])
        yield (
            f"{count} values of {people} were given wrongly and corrected, each with a reason on record: {each}. The "
            "analysis uses the corrected values."
        )


def _windows(data: AnalysisData) -> Iterator[str]:
    """Visits that were not made, stopped, or left before their end."""
    visits = data.visits[data.visits["follow_up"].isna()]
    if visits.empty:
        return
    counts = visits["state"].value_counts()
    words_of = {"missed": "not made", "unfinished": "begun and not finished", "stopped": "stopped"}
    parts = [f"{counts[state]} {said}" for state, said in words_of.items() if counts.get(state, 0)]
    if parts:
        yield f"Of {len(visits)} visits on record: {words(parts)}."


def _persons(data: AnalysisData) -> Iterator[str]:
    """Visits in which a person wrote in the model's place."""
    if data.blinded:
        return
    taken = written_by_a_person(data)
    if not taken.empty:
        visits = "1 visit" if len(taken) == 1 else f"{len(taken)} visits"
        have = "has" if len(taken) == 1 else "have"
        yield (
            f"{visits} of {_people(int(taken['participant'].nunique()))} {have} turns that a person wrote in the "
            f"model's place ({int(taken['person_turns'].sum())} turns in all). They are in every analysis of everybody "
            "allocated, and do not count as visits made per protocol."
        )


def _unfinished(data: AnalysisData) -> Iterator[str]:
    """Whether it is too early: somebody still has study days before them."""
    people = data.participants[data.participants["status"] != "withdrawn"]
    last = data.visits[data.visits["follow_up"].isna()].groupby("participant")["day"].max()
    reached = people["participant"].map(last).fillna(0)
    going = int((reached < people["days"]).sum())
    if going:
        yield (
            f"{_people(going)} of {len(people)} who did not withdraw {'has' if going == 1 else 'have'} no visit of the "
            "last study day yet: if the study is under way, this is an analysis before its end, which the plan "
            "does not have."
        )


def _models(data: AnalysisData) -> Iterator[str]:
    """Models that could not be fitted as planned."""
    plan = data.plan
    try:
        primary, secondary = outcomes(data)
    except CannotEstimate:
        return
    for one in (primary, *secondary):
        try:
            found = compare(one, plan)
        except CannotEstimate as error:
            reason = str(error)
            yield reason if reason.startswith(one.title) else f"{one.title} could not be compared: {reason}"
            continue
        if found.fell_back:
            why = " ".join(note for note in found.notes if "could not be fitted" in note or "only" in note)
            yield f"{one.title} is compared by another model than planned, {found.how}. {why}"


def _table(data: AnalysisData) -> Iterator[Table]:
    """The history of the study, as it stands in the record."""
    if data.history.empty:
        return
    columns = (
        Column("date", "Date"),
        Column("what", "What"),
        Column("subject", "Of"),
        Column("detail", "Detail"),
    )
    rows = tuple((_date(row.at), row.what, row.subject, row.detail) for row in data.history.itertuples())
    yield Table("history", "What was done to the study", columns, rows, "Dates are in UTC.")


def _date(moment: pd.Timestamp) -> str:
    return str(moment.strftime("%Y-%m-%d"))


def _people(count: int) -> str:
    return "1 participant" if count == 1 else f"{count} participants"
