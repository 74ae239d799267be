"""The data of an analysis: the record as tables of values, read at one moment, with masked arms for a blinded role.

Who is blinded gets labels for the arms, and nothing by which a label could be matched with an arm of `study.toml`: the
contrasts are all pairs in the order of the labels, there is no reference arm, and turns, media, places in the
allocation and free text are not there.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from study import auditing, blinding
from study.analysis import record
from study.analysis.costs import Cost, costs
from study.analysis.masking import label_order, masked
from study.analysis.record import ScaleInfo
from study.analysis.tables import ANSWERS, CORRECTIONS, HISTORY, SCREENING, digest, table
from study.blinding import Role
from study.errors import StudyError
from study.export.reading import reading
from study.export.variants import Variant
from study.grammar import Analysis
from study.protocol import Protocol
from study.study import Study

__all__ = ["AnalysisData", "ScaleInfo", "load", "sha256_of"]


@dataclass(frozen=True)
class AnalysisData:
    """Everything that the sections of the analysis are computed from. The tables are never changed.

    Times are UTC (`datetime64[ms, UTC]`). `day` is the study day, from 1; NaN before the enrolment. Participants are in
    the order of their enrolment. Test participants are not in it.
    """

    protocol: Protocol
    """The newest version. When blinded, its arms are the labels, and texts that may name arms are withheld."""
    plan: Analysis
    """The newest version's plan, its arms named as below; when blinded, with all pairs of labels, no reference, and
    missing values at random, since any of these would tell which label is which arm."""
    arms: tuple[str, ...]
    """The arms, as this reader may call them: in the order of the protocol (those amended away after them), or of the
    masked labels."""
    blinded: bool
    """Whether the arms are masked. What would tell an arm (turns, media) is then not in the tables."""
    rehearsal: bool
    media: Mapping[str, str]
    """Arm to medium; empty when blinded."""
    factors: Mapping[str, tuple[str, ...]]
    """Factor of the strata to its levels, in their order; the level `unknown` is the last, where somebody has it."""
    people: pd.DataFrame
    """Everybody who opened the door: person, came_at, state (screening, consent, baseline, enrolled, ineligible,
    declined), reasons (tuple of str)."""
    participants: pd.DataFrame
    """participant, arm, enrolled_at, starts_on (date), status (active, held, withdrawn), withdrawn_at (NaT),
    withdrawn_day (NaN), withdrawal_reason_given (bool), erased (bool), stratum, scheme, position, block (NaN when
    blinded), version, days (study days of their version), timezone, and one column for each factor, named by the
    factor, with its level."""
    visits: pd.DataFrame
    """One row for each participant and study day or follow-up that is over or under way: participant, arm, day,
    follow_up (None or its name), state (done, stopped, missed, unfinished, or under way: before, exercise, after),
    exercise, opens_at, closes_at, opened_at, ended_at, hour (local hour of the rating before, 0-24, NaN)."""
    scores: pd.DataFrame
    """One row for each rating and each score of a form: participant, arm, day, occasion, measure, scale, score (NaN
    where too many items are missing), given_at. The first scale of a measure is the one meant by its name alone."""
    turns: pd.DataFrame
    """One row for each visit with an exercise that had a turn: participant, arm, day, exercise,
    participant_turns, participant_words, therapist_turns, model_turns, fallback_turns, person_turns (of a person in the
    model's place), first_sentence_s (median over the therapist's turns of the time to the first sentence; NaN where
    none was measured), minutes (from the first turn to the last). Empty when blinded."""
    events: pd.DataFrame
    """Safety events: participant and arm (both None for what was raised before the enrolment), day, source, category,
    severity, serious, relatedness, expectedness, raised_at, acknowledged_at."""
    sha256: str
    """Of all the tables above: the same data have the same hash."""
    plan_sha256: str = ""
    """Of the plan as `study.toml` has it, never of a masked one."""
    scales: Mapping[str, ScaleInfo] = field(default_factory=dict)
    """What the names of outcomes mean: `k10` (its first scale), `k10.total`, `nars.s1`."""
    history: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=HISTORY))
    """What was done to the study: at, what (locked, amended, halted, lifted, unblinded), subject (the version; study,
    an arm or a participant; the role), detail (the keys amended, separated by commas; whose arm; otherwise empty)."""

    screening: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SCREENING))
    """Participants' answers to the screening's questions: participant, arm, question, number (NaN for a question with
    words to choose from), choice (None for a number)."""
    corrections: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CORRECTIONS))
    """One row for each value of a participant that was corrected: participant, arm, measure, item, occasion,
    corrected_at (the last time). `scores` and `screening` have the values as they hold now."""
    answers: pd.DataFrame = field(default_factory=lambda: table(ANSWERS, ()))
    """One row for each answer of the model, or of the script in its place: participant, arm, day, origin (model,
    fallback), late (bool: the script's words because the model was late or busy), and as the export's table `turn` has
    them queue_ms, first_token_ms, first_sentence_ms, last_token_ms, ready_ms, held_ms, first_sound_ms (NaN where there
    is none). Empty when blinded."""
    versions: tuple[Protocol, ...] = ()
    """Every version of the protocol, the newest last: that of a participant is `versions[version - 1]`. Masked like
    `protocol`."""
    costs: Mapping[str, Cost] = field(default_factory=dict)
    """The epistemic cost of the arms that have one in the audit of the study. Empty when blinded: a persona or an
    engine would tell an arm."""

    def of(self, participants: Iterable[str]) -> "AnalysisData":
        """The same data of some participants only, for the analysis of a part of them. The hash stays that of all."""
        chosen = set(participants)
        tables = {
            name: (whole := getattr(self, name))[whole["participant"].isin(chosen)].reset_index(drop=True)
            for name in ("participants", "visits", "scores", "turns", "answers", "events", "screening", "corrections")
        }
        return replace(self, **tables)


def load(study: Study, role: Role | None = None) -> AnalysisData:
    """The record of `study` as it is now, for everybody, or for a `role`, whose arms are masked until it is unblinded.

    All is read in one transaction. Raises `StudyError` when `study.toml` has no plan.
    """
    blinded = role is not None and blinding.is_blinded(study, role)
    with reading(study, Variant(role=role, blinded=blinded)) as source:
        protocol = source.protocols[-1]
        if protocol.analysis is None:
            raise StudyError(
                f"{study.folder / 'study.toml'} has no plan of an analysis: add [analysis] (docs/protocol.md); once "
                "somebody came, by `bedside amend`."
            )
        names = {
            factor.name: record.column_of(factor.name) for one in source.protocols for factor in one.allocation.strata
        }
        levels = {code: json.loads(text) for code, text in source.connection.execute(record.LEVELS)}
        factors = record.factors(source.protocols, levels.values(), names)
        arms = tuple(sorted(source.arms.values(), key=label_order) if blinded else _arms(source.arms, protocol))
        tables = record.tables(study, source, levels, names)
        scales = record.scales(study, source)
    versions = tuple(masked(one, source.arms) if blinded else one for one in source.protocols)
    shown = versions[-1].analysis or protocol.analysis
    measured = {} if blinded else costs(protocol, auditing.read(study.folder))
    about = (arms, blinded, study.rehearsal, factors, *([tuple(measured.items())] if measured else []))
    media = {} if blinded else {arm.name: arm.medium for one in source.protocols for arm in one.arms}
    return AnalysisData(
        protocol=versions[-1],
        plan=shown.model_copy(update={"covariates": [names[one] for one in shown.covariates]}),
        arms=arms,
        blinded=blinded,
        rehearsal=study.rehearsal,
        media=media,
        factors=factors,
        sha256=digest(about, tables),
        plan_sha256=sha256_of(protocol.analysis),
        scales=scales,
        versions=versions,
        costs=measured,
        **tables,
    )


def _arms(known: Mapping[str, str], protocol: Protocol) -> list[str]:
    """The arms of the newest version, then those that were amended away."""
    now = [arm.name for arm in protocol.arms]
    return [*now, *(name for name in known if name not in now)]


def sha256_of(plan: Analysis) -> str:
    """As `Protocol.sha256`: of what it says, without what is left out."""
    canonical = json.dumps(plan.model_dump(exclude_defaults=True), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
