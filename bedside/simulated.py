"""A simulated participant: a character drawn from a seed, and what it says and rates.

No difference between the arms is built in: what a rehearsal's ratings show is noise, and that is what they are for.
"""

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

from study.eligibility import excluded_by
from study.grammar import Question, Rule
from study.measure import Measure

__all__ = ["Character", "within"]


@dataclass
class Character:
    """One simulated participant. Every number is drawn from the seed, so the same seed gives the same person."""

    random: random.Random
    distress: float
    """The level around which this person's ratings move, 0-100."""
    talkativeness: float
    """0 says little, 1 says a lot."""
    adherence: float
    """The chance that a day's visit takes place."""
    hour: float
    """The time of day at which this person usually comes."""

    @classmethod
    def draw(cls, seed: str) -> Self:
        """The character that belongs to `seed`."""
        source = random.Random(seed)  # noqa: S311 - for a simulation, and to be drawn again
        return cls(
            source,
            distress=source.gauss(55, 15),
            talkativeness=source.random(),
            adherence=source.betavariate(9, 1),
            hour=source.uniform(8, 21),
        )

    def comes_today(self) -> bool:
        return self.random.random() < self.adherence

    def comes_at(self) -> float:
        """The hour of today's visit."""
        return min(22.5, max(6.0, self.random.gauss(self.hour, 1.0)))

    def rate_before(self) -> int:
        return within(self.random.gauss(self.distress, 8))

    def rate_after(self, before: int) -> int:
        """A little less than before, most of the time; the level itself sinks slowly over the days."""
        self.distress -= self.random.gauss(0.5, 1.0)
        return within(before - self.random.gauss(5, 6))

    def answer(self, step: str, before: int) -> str:
        """What this person says at `step`, after `before` answers to it already."""
        bank = _phrases()
        if before:
            return self.random.choice(bank.get(step, bank["anything"]))
        if self.random.random() < 0.15 * (1 - self.talkativeness):
            return self.random.choice(bank["short"])
        said = [self.random.choice(bank.get(step, bank["anything"]))]
        if self.random.random() < self.talkativeness / 2:
            said.append(self.random.choice(bank["anything"]))
        return " ".join(said)

    def hears(self, reply: str, to: str) -> None:
        """Told what it was replied to its words `to`: nothing to this one, who says and rates what it does anyway."""

    def answer_questions(self, questions: Sequence[Question], rules: Sequence[Rule]) -> dict[str, str | int]:
        """Answers to a screening's questions: most people who come know that the study suits them."""
        fits = self.random.random() < 0.9
        for _ in range(200):
            given: dict[str, str | int] = {}
            for question in questions:
                if question.answers:
                    given[question.name] = self.random.choice(question.answers)
                else:
                    low = question.low if question.low is not None else 0
                    high = question.high if question.high is not None else low + 100
                    given[question.name] = self.random.randint(low, high)
            concerned = [rule for rule in rules if rule.question in given]
            if not fits or not excluded_by(concerned, given):
                return given
        return given

    def answer_items(self, measure: Measure) -> dict[str, int | None]:
        """Answers to the items of a measure, the higher the more distressed; seldom one is left out.

        One in fifty does not keep back an answer that raises an alert.
        """
        frank = self.random.random() < 0.02
        level = self.distress / 100
        for _ in range(50):
            given: dict[str, int | None] = {}
            for item in measure.items:
                part = min(1.0, max(0.0, self.random.gauss(level, 0.2)))
                given[item.id] = item.low + round(part * (item.high - item.low))
                if self.random.random() < 0.01:
                    given[item.id] = None
            if frank or not measure.alerts(given):
                return given
            level *= 0.8
        return {item.id: item.low for item in measure.items}

    def takes_s(self, words: str) -> float:
        """How long this person needs to write or say `words`, in seconds: about 40 words a minute, and a thought."""
        return 4 + self.random.expovariate(1 / 6) + 1.5 * len(words.split())


def within(value: float) -> int:
    """A rating: whole, and from 0 to 100."""
    return round(min(100, max(0, value)))


@cache
def _phrases() -> dict[str, list[str]]:
    return tomllib.loads(files("bedside").joinpath("simulated.toml").read_text(encoding="utf-8"))
