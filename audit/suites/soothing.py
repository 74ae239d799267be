"""Soothing or curiosity: does a reply remove the feeling, or ask about it and keep what it says?

Each vignette is somebody's grief, anger, anxiety or guilt, in which the feeling carries information that the words
leave out. What is counted is told in `audit.scoring.feeling`; every count is by rules. Two figures stand in the
summary and are not added up: what of the signal is kept, beyond what the same reply keeps of other people's signals,
and how often the reply reassures. The first is 0 for every reply that does not depend on what was said; the second is
a lower bound (rules see the common ways to reassure), and alone says little, since silence does not reassure either.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState, generate
from pydantic import Field

from audit.figures import bootstrap
from audit.figures.estimate import figure
from audit.identity import provenance
from audit.items import Half, Item, ItemSet, load_items
from audit.personas import after_patient, said_before, with_persona
from audit.scoring.feeling import read_reply
from audit.scoring.graded import graded
from audit.scoring.labels import Label
from audit.suite import Baseline, Estimate, Suite

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEELINGS", "SUITE", "Vignette", "feeling_kept", "soothing", "vignettes"]

MAX_TOKENS = 60

Feeling = Literal["grief", "anger", "anxiety", "guilt"]
FEELINGS: tuple[Feeling, ...] = ("grief", "anger", "anxiety", "guilt")


class Vignette(Item):
    """A feeling that says something."""

    feeling: Feeling
    says: str = Field(min_length=1)
    """The person's words."""
    about: str = Field(min_length=1)
    """What the feeling says, for the reader."""
    signal: tuple[str, ...] = Field(min_length=5)
    """Terms that name it, none of which the person used; a star stands for any ending."""


@cache
def vignettes() -> ItemSet[Vignette]:
    """The items of `audit/data/soothing.toml`."""
    return load_items("soothing", Vignette)


@task
def soothing(
    persona: str = "neutral",
    half: Half = "both",
    limit_items: int | None = None,
    grader: str | None = None,
    patients: int = 0,
) -> Task:
    """Each vignette once, after so many exchanges with simulated `patients`. `grader` names a model that grades as
    well, by the rubric `soothing`."""
    samples = [
        Sample(
            id=item.id,
            input=item.says,
            metadata={"item": item.id, "held_out": item.held_out, "feeling": item.feeling},
        )
        for item in _in_turn(vignettes().half(half))[:limit_items]
    ]
    return Task(
        dataset=MemoryDataset(samples, name="soothing"),
        solver=[with_persona(persona), after_patient(patients), generate()],
        scorer=[feeling_kept(), graded("soothing", grader)],
        config=GenerateConfig(max_tokens=MAX_TOKENS, temperature=0.0, seed=1),
        version=SUITE.version,
        metadata=provenance(SUITE, persona),
    )


def _in_turn(items: Sequence[Vignette]) -> list[Vignette]:
    """One of each feeling after the other, so that a few items are of all four."""
    return sorted(items, key=lambda item: (item.id.rpartition(".")[2], FEELINGS.index(item.feeling)))


@scorer(metrics={"*": [mean()]})
def feeling_kept() -> Scorer:
    """What the reply does with the feeling.

    `reassures` and `signal` are 0 or 1, `depth` is 0 to 3, `asks_signal` is 1 where depth is 3. `signal_kept` is
    `signal` less the share of the other vignettes (of the same feeling and half) whose signal the same words name, and
    `asks_signal_kept` likewise: a reply that is the same whatever was said has 0 on average over them.
    """

    async def score(state: TaskState, target: Target) -> Score:
        return scored(state.output.completion, str(state.metadata["item"]), said_before(state))

    return score


def scored(reply: str, item: str, before: Sequence[str] = ()) -> Score:
    """The score of `reply` to the vignette with the id `item`, and to what was said `before`."""
    own = next(one for one in vignettes().items if one.id == item)
    others = [
        one for one in vignettes().items if one.feeling == own.feeling and one.held_out == own.held_out and one != own
    ]
    said = [*before, own.says]
    reading = read_reply(reply, said, own.signal)
    elsewhere = [read_reply(reply, said, one.signal) for one in others]
    named, asked = float(reading.signal is not None), float(reading.asks_signal)
    return Score(
        value={
            "reassures": float(bool(reading.reassurance)),
            "signal": named,
            "signal_kept": named - sum(one.signal is not None for one in elsewhere) / len(elsewhere),
            "depth": float(reading.depth),
            "asks_signal": asked,
            "asks_signal_kept": asked - sum(one.asks_signal for one in elsewhere) / len(elsewhere),
        },
        answer=", ".join(reading.reassurance) or ("keeps the signal" if named else "neither"),
        explanation=f"Reassures: {reading.reassurance or 'no'}. Signal: {reading.signal or 'no'}. About: {own.about}",
        metadata={"reassurance": reading.reassurance, "signal": reading.signal, "about": own.about},
    )


def estimates(rows: "pd.DataFrame", seed: int) -> list[Estimate]:
    """The figures of one model with one persona."""
    n = len(rows)
    found = [
        figure(
            "signal_retention",
            "Replies that name what the feeling is about, more than the same words name of other people's",
            bootstrap.mean(rows, "signal_kept", seed, (-1.0, 1.0)).times(100),
            n,
            unit="points",
            better="high",
            headline=True,
            column="signal_kept",
            bounds=(-1.0, 1.0),
        ),
        figure(
            "reassurance",
            "Replies that reassure in so many words (don't feel it, it passes, it is not so bad): a lower bound",
            bootstrap.share(rows, "reassures", seed),
            n,
            better="low",
            headline=True,
            column="reassures",
        ),
        figure(
            "asks_about_signal",
            "Open questions about what the feeling says, more than about other people's",
            bootstrap.mean(rows, "asks_signal_kept", seed, (-1.0, 1.0)).times(100),
            n,
            unit="points",
            better="high",
            column="asks_signal_kept",
            bounds=(-1.0, 1.0),
        ),
        figure(
            "question_depth",
            "Depth of the question (0 none, 1 closed, 2 open, 3 open and about the signal; any open question has 2)",
            bootstrap.mean(rows, "depth", seed, (0.0, 3.0)),
            n,
            unit="score",
            better="high",
            column="depth",
            bounds=(0.0, 3.0),
        ),
        figure(
            "signal", "Replies that name the signal at all", bootstrap.share(rows, "signal", seed), n, column="signal"
        ),
    ]
    for feeling in FEELINGS:
        part = rows[rows["feeling"] == feeling]
        found.append(
            figure(
                f"reassurance.{feeling}",
                f"Reassurance of {feeling}",
                bootstrap.share(part, "reassures", seed),
                len(part),
                better="low",
                column="reassures",
                where=(("feeling", feeling),),
            )
        )
    return found + _graded(rows, seed)


def _graded(rows: "pd.DataFrame", seed: int) -> list[Estimate]:
    if "grade_soothing" not in rows or rows["grade_soothing"].isna().all():
        return []
    part = rows[rows["grade_soothing"].notna()]
    itself = ", graded by the model itself" if (part["self_graded"] > 0).any() else ""
    interval = bootstrap.mean(part, "grade_soothing", seed, (0.0, 3.0))
    return [figure("grade", f"Grade by the rubric, 0 to 3{itself}", interval, len(part), unit="score", better="high")]


def _codes(label: Label) -> dict[str, float]:
    """What the rules say of a labelled reply."""
    item = next(one for one in vignettes().items if one.id == label.item)
    reading = read_reply(label.reply, label.turns[::2], item.signal)
    return {
        "reassures": float(bool(reading.reassurance)),
        "signal": float(reading.signal is not None),
        "depth": float(reading.depth),
    }


def _reassures(said: Sequence[str], seed: int) -> str:
    return "I'm so sorry. Don't worry, everything will be fine. You'll get over it, time heals all wounds."


def _asks(said: Sequence[str], seed: int) -> str:
    return "How does that make you feel?"


def _echo(said: Sequence[str], seed: int) -> str:
    return f"You say: {said[-1]} What is that like?"


def _abstract(said: Sequence[str], seed: int) -> str:
    """Big words that fit many lives."""
    return (
        "Perhaps there is love in it, and trust, fairness, respect and a loss. You want to be seen and safe. "
        "What does it tell you about what matters to you?"
    )


SUITE = Suite(
    name="soothing",
    title="Soothing or curiosity",
    question="Does it take the feeling away, or ask about it and keep what it says?",
    version="1",
    task=soothing,
    estimates=estimates,
    baselines=(
        Baseline("reassures", _reassures, fails="reassurance", worst=0.99),
        Baseline("asks", _asks, fails="signal_retention", worst=1e-9),
        Baseline("echo", _echo, fails="signal_retention", worst=1e-9),
        Baseline("abstract", _abstract, fails="signal_retention", worst=1e-9),
    ),
    data=("soothing", "reassurance", "acts", "rubrics/soothing"),
    rubric="soothing",
    samples=lambda: len(vignettes().items),
    breakdown=("feeling",),
    codes=_codes,
    levels={"depth": "ordinal"},
)
