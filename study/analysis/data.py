"""The data of an analysis: the record as tables of values, read at one moment, with masked arms for a blinded role."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from study.grammar import Analysis
from study.protocol import Protocol

__all__ = ["AnalysisData"]


@dataclass(frozen=True)
class AnalysisData:
    """Everything that the sections of the analysis are computed from. The tables are never changed.

    Times are UTC (`datetime64[ms, UTC]`). `day` is the study day, from 1; NaN before the enrolment. Participants are in
    the order of their enrolment. Test participants are not in it.
    """

    protocol: Protocol
    """The newest version."""
    plan: Analysis
    """The newest version's plan, its arms named as below."""
    arms: tuple[str, ...]
    """The arms, as this reader may call them: in the order of the protocol, or of the masked labels."""
    blinded: bool
    """Whether the arms are masked. What would tell an arm (turns, media) is then not in the tables."""
    rehearsal: bool
    media: Mapping[str, str]
    """Arm to medium; empty when blinded."""
    factors: Mapping[str, tuple[str, ...]]
    """Factor of the strata to its levels, in their order."""
    people: pd.DataFrame
    """Everybody who opened the door: person, came_at, state (screening, consent, baseline, enrolled, ineligible,
    declined), reasons (tuple of str)."""
    participants: pd.DataFrame
    """participant, arm, enrolled_at, starts_on (date), status (active, held, withdrawn), withdrawn_at (NaT),
    withdrawn_day (NaN), withdrawal_reason_given (bool), erased (bool), stratum, scheme, position, block, version,
    timezone, and one column for each factor, named by the factor, with its level."""
    visits: pd.DataFrame
    """One row for each participant and study day or follow-up that is over or under way: participant, arm, day,
    follow_up (None or its name), state (done, stopped, missed, unfinished, or under way: before, exercise, after),
    exercise, opens_at, closes_at, opened_at, ended_at, hour (local hour of the rating before, 0-24, NaN)."""
    scores: pd.DataFrame
    """One row for each rating and each score of a form: participant, arm, day, occasion, measure, scale, score (NaN
    where too many items are missing), given_at. The first scale of a measure is the one meant by its name alone."""
    turns: pd.DataFrame
    """One row for each visit with an exercise that had a turn: participant, arm, day, exercise,
    participant_turns, participant_words, therapist_turns, model_turns, fallback_turns, first_sentence_s (median over
    the therapist's turns of the time to the first sentence; NaN where none was measured), minutes (from the first turn
    to the last). Empty when blinded."""
    events: pd.DataFrame
    """Safety events: participant (None before enrolment), arm, day, source, category, severity, serious, relatedness,
    expectedness, raised_at, acknowledged_at."""
    sha256: str
    """Of all the tables above: the same data have the same hash."""
