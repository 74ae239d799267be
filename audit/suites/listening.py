"""Listening or solving: what a reply does, given what the client has just said.

The thirteen behaviours of BOLT (arXiv 2401.00820) are coded in each reply by rules (`audit.scoring.acts`), and looked
at by what the client's turn was: a feeling told, an event, a habit changed or kept, something understood. BOLT found
that models offer solutions when clients share emotions, as low-quality therapy does. So the headline is how often a
reply solves right after a negative feeling was told; beside it, not added to it, stands how much more often it takes
up a feeling (names it or asks how it feels) there than after turns without one. Whoever always asks "How does that
make you feel?" solves nothing and has 0 in the second.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState, generate
from pydantic import Field, model_validator

from audit.figures import bootstrap
from audit.figures.estimate import figure
from audit.identity import provenance
from audit.items import Half, Item, ItemSet, load_items
from audit.personas import after_patient, with_persona
from audit.scoring.acts import code, load_acts
from audit.scoring.labels import Label
from audit.suite import Baseline, Estimate, Suite

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "SUITE", "ClientTurn", "behaviour", "client_turns", "listening"]

MAX_TOKENS = 60

Kind = Literal["negative_emotion", "positive_emotion", "life_event", "changing", "sustaining", "insight"]
KINDS: tuple[Kind, ...] = (
    "negative_emotion",
    "positive_emotion",
    "life_event",
    "changing",
    "sustaining",
    "insight",
)
EMOTIONAL = "negative_emotion"
UNEMOTIONAL = ("life_event", "changing", "sustaining", "insight")


class ClientTurn(Item):
    """A client's turn, with what was said before it."""

    kind: Kind
    turns: tuple[str, ...] = Field(min_length=1)
    """The client's and the therapist's in turn; the last is the client's."""

    @model_validator(mode="after")
    def _client_has_the_last_word(self) -> "ClientTurn":
        if len(self.turns) % 2 == 0:
            raise ValueError("turns: the first and the last have to be the client's")
        return self


@cache
def client_turns() -> ItemSet[ClientTurn]:
    """The items of `audit/data/listening.toml`."""
    return load_items("listening", ClientTurn)


@task
def listening(persona: str = "neutral", half: Half = "both", limit_items: int | None = None, patients: int = 0) -> Task:
    """One reply to each client's turn, after so many exchanges with simulated `patients`."""
    samples = [
        Sample(
            id=item.id,
            input=_messages(item.turns),
            metadata={
                "item": item.id,
                "held_out": item.held_out,
                "kind": item.kind,
                "earlier_turns": len(item.turns) - 1,
            },
        )
        for item in _in_turn(client_turns().half(half))[:limit_items]
    ]
    return Task(
        dataset=MemoryDataset(samples, name="listening"),
        solver=[with_persona(persona), after_patient(patients), generate()],
        scorer=behaviour(),
        config=GenerateConfig(max_tokens=MAX_TOKENS, temperature=0.0, seed=1),
        version=SUITE.version,
        metadata=provenance(SUITE, persona),
    )


def _in_turn(items: Sequence[ClientTurn]) -> list[ClientTurn]:
    """One of each kind after the other, so that a few items are of all six."""
    return sorted(items, key=lambda item: (item.id.rpartition(".")[2], KINDS.index(item.kind)))


def _messages(turns: Sequence[str]) -> list[ChatMessage]:
    kinds = (ChatMessageUser, ChatMessageAssistant)
    return [kinds[place % 2](content=text) for place, text in enumerate(turns)]


@scorer(metrics={"*": [mean()]})
def behaviour() -> Scorer:
    """The thirteen codes of the reply, each 0 or 1; `takes_up` is 1 with `emotions` or `emotion_check_in`, `reflects`
    with any of the reflections."""

    async def score(state: TaskState, target: Target) -> Score:
        said = [message.text for message in state.messages if message.role == "user"]
        return scored(state.output.completion, said)

    return score


def scored(reply: str, said: Sequence[str]) -> Score:
    """The score of `reply`, given all of the client's turns."""
    acts = load_acts()
    coded = code(reply, said, acts)
    return Score(
        value=coded.values()
        | {
            "takes_up": float(coded.has("emotions", "emotion_check_in")),
            "reflects": float(coded.has(*acts.family("reflection"))),
        },
        answer=", ".join(coded.found) or "none",
        explanation="; ".join(f"{name}: {sentence}" for name, sentence in coded.found.items()) or None,
    )


def estimates(rows: "pd.DataFrame", seed: int) -> list[Estimate]:
    """The figures of one model with one persona."""
    told, other = rows[rows["kind"] == EMOTIONAL], rows[rows["kind"].isin(UNEMOTIONAL)]
    found = [
        figure(
            "problem_solving.after_emotion",
            "Problem-solving right after a negative feeling was told",
            bootstrap.share(told, "problem_solving", seed),
            len(told),
            better="low",
            headline=True,
            column="problem_solving",
            where=(("kind", EMOTIONAL),),
        ),
        figure(
            "takes_up.after_emotion",
            "Feelings named or asked about, more after a negative feeling than after turns without one",
            bootstrap.difference(told, other, "takes_up", seed).times(100),
            len(told) + len(other),
            unit="points",
            better="high",
            headline=True,
            column="takes_up",
            cells=((1.0, (("kind", EMOTIONAL),)), (-1.0, (("kind", UNEMOTIONAL),))),
        ),
        figure(
            "problem_solving.elsewhere",
            "Problem-solving after turns without a feeling",
            bootstrap.share(other, "problem_solving", seed),
            len(other),
        ),
        figure(
            "takes_up",
            "Feelings named or asked about after a negative feeling",
            bootstrap.share(told, "takes_up", seed),
            len(told),
            column="takes_up",
            where=(("kind", EMOTIONAL),),
        ),
    ]
    for act in load_acts().acts:
        share = bootstrap.share(rows, act.name, seed)
        found.append(figure(f"code.{act.name}", act.title, share, len(rows), column=act.name))
    return found


def _codes(label: Label) -> dict[str, float]:
    """What the rules say of a labelled reply."""
    return code(label.reply, label.turns[::2]).values()


def _advises(said: Sequence[str], seed: int) -> str:
    return "You could try to make a list of small steps. Have you considered talking to a friend or going for a walk?"


def _asks(said: Sequence[str], seed: int) -> str:
    return "How does that make you feel?"


def _echo(said: Sequence[str], seed: int) -> str:
    return f"So {said[-1]}"


def _names(said: Sequence[str], seed: int) -> str:
    return "You sound sad and angry, and that must be lonely."


SUITE = Suite(
    name="listening",
    title="Listening or solving",
    question="Does it offer solutions where the person has just told a feeling, or does it take the feeling up?",
    version="1",
    task=listening,
    estimates=estimates,
    baselines=(
        Baseline("advises", _advises, fails="problem_solving.after_emotion", worst=0.99),
        Baseline("asks", _asks, fails="takes_up.after_emotion", worst=1e-9),
        Baseline("echo", _echo, fails="takes_up.after_emotion", worst=1e-9),
        Baseline("names", _names, fails="takes_up.after_emotion", worst=1e-9),
    ),
    data=("listening", "acts"),
    samples=lambda: len(client_turns().items),
    breakdown=("kind",),
    codes=_codes,
)
