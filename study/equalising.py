"""Holding back answers so that every arm is waited for alike: `[engine] equalise = true`.

How late an answer comes is a difference between arms that is not the medium. It cannot be made shorter for the slow,
only longer for the fast. So each answer that stands at quantile q among those of its own arm is held until the latest
that any other arm has at q. The waits of all arms then follow one distribution, with its spread: not one constant,
which would be the longest wait of all. Where one arm is later than the others at every quantile, it is that arm's own.

What an arm's waits are is taken from the study's own record: the last answers, as they would have been had nothing been
held. Until every arm has `ENOUGH` of them nothing is held, which is what pilot visits by test participants are for.

The place of a new answer is drawn evenly between its neighbours' (the distributional transform: Rueschendorf, Journal
of Statistical Planning and Inference 139, 2009, 3921-3927). With it, an answer that comes from the same distribution as
its sample has a q that is exactly uniform, also among equal times, and what is drawn for q has exactly the distribution
aimed at.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.protocol import Protocol
from study.study import Study

__all__ = ["ENOUGH", "LATEST_MS", "SAMPLE", "Waits", "drawn", "equalised", "hold_ms", "lacking", "waits_of"]

ENOUGH = 20
"""So many answers of each arm, and nothing is held before."""

SAMPLE = 500
"""So many of the last answers of an arm say how late it answers: an engine may become faster during a study."""

LATEST_MS = 10_000.0
"""No answer is held for longer than this."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How late an arm answers by itself, in milliseconds; both sorted, and as many of the one as of the other."""

    ready: Sequence[float]
    """From the participant's words until the answer's first sentence could be said."""
    noticed: Sequence[float]
    """From the participant's words until they saw or heard it: for a robot its first sound, which comes later; in the
    other media the same as `ready`."""

    @classmethod
    def of(cls, answers: Sequence[tuple[float, float]]) -> "Waits":
        """Of pairs, `ready` and `noticed` of each answer."""
        return cls(sorted(one for one, _ in answers), sorted(other for _, other in answers))


def hold_ms(own: str, ready_ms: float, arms: Mapping[str, Waits], *, chance: float) -> float:
    """For how many milliseconds the arm `own` has to hold an answer that is ready after `ready_ms`; 0 to `LATEST_MS`.

    `chance`, from 0 to below 1, is the answer's own: it says where among its neighbours the answer stands. 0 when an
    arm has too few answers to say how late it is, or `own` is not among the arms.
    """
    if own not in arms or any(len(one.ready) < ENOUGH for one in arms.values()):
        return 0.0
    waits = arms[own]
    q = _place(waits.ready, ready_ms, chance)
    natural = ready_ms + _quantile(waits.noticed, q) - _quantile(waits.ready, q)
    latest = max((_quantile(one.noticed, q) for name, one in arms.items() if name != own), default=0.0)
    return min(max(latest - natural, 0.0), LATEST_MS)


def lacking(arms: Mapping[str, Waits]) -> dict[str, int]:
    """How many answers each arm has yet, of those that have too few."""
    return {arm: len(waits.ready) for arm, waits in arms.items() if len(waits.ready) < ENOUGH}


def _place(sample: Sequence[float], value: float, chance: float) -> float:
    """The quantile, above 0 and below 1, at which `value` stands in a sorted sample and itself."""
    below, upto = bisect_left(sample, value), bisect_right(sample, value)
    return (below + chance * (upto - below + 1)) / (len(sample) + 1)


def _quantile(sample: Sequence[float], q: float) -> float:
    """The value at quantile q of a sorted sample: on straight lines between its values, which stand at 1/(n + 1) to
    n/(n + 1); beyond them the first and the last."""
    at = q * (len(sample) + 1) - 1
    if at <= 0:
        return sample[0]
    if at >= len(sample) - 1:
        return sample[-1]
    low = int(at)
    return sample[low] + (at - low) * (sample[low + 1] - sample[low])


def drawn(seed: int, visit: int, reply_to: int) -> float:
    """The chance of one answer, from 0 to below 1: the same whenever that answer is written again."""
    digest = hashlib.sha256(f"{seed}/wait/{visit}/{reply_to}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


# From the record


def equalised(protocol: Protocol) -> list[str]:
    """The arms that are to be waited for alike, by name: those that an engine with `equalise` answers."""
    choices = {arm.name: protocol.engine_of(arm) for arm in protocol.arms}
    return [name for name, choice in choices.items() if choice is not None and choice.equalise]


def waits_of(study: Study, protocol: Protocol) -> dict[str, Waits]:
    """How late each of the `equalised` arms answers by itself, from its last `SAMPLE` answers."""
    return {arm: Waits.of(_last_answers(study, arm)) for arm in equalised(protocol)}


def _last_answers(study: Study, arm: str) -> list[tuple[float, float]]:
    """Of the model or the script in its place. A robot's count that it spoke aloud and measured; the first sound has
    what was held in it, which is taken away again."""
    rows = study.records.rows(
        "SELECT t.ready_ms AS ready, coalesce(t.first_sound_ms - coalesce(t.held_ms, 0), t.ready_ms) AS noticed"
        " FROM turn_timed t JOIN visit ON visit.id = t.visit JOIN participant ON participant.code = visit.participant"
        " WHERE participant.arm = ?1 AND t.origin IN ('model', 'fallback') AND t.ready_ms IS NOT NULL"
        " AND (t.first_sound_ms IS NOT NULL OR visit.device IS NULL)"
        " ORDER BY t.id DESC LIMIT ?2",
        arm,
        SAMPLE,
    )
    return [(row["ready"], row["noticed"]) for row in rows]
