"""Exercises: scripts in data, one file for all three media.

An exercise is a list of steps. Each says what it is for, the question as it is asked and printed, what the model is
asked to do with the answer, and when the step is done. The files are in `therapist/exercises/`, their texts in other
languages in `therapist/texts/`: an exercise has the same steps in every language.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from therapist._datafiles import names_in, read_named, validated
from therapist.errors import UnknownStep
from therapist.screen import Words, normalise

__all__ = ["Done", "Example", "Exercise", "Step", "TurnBounds", "exercise_names", "load_exercise", "parse_exercise"]

Text = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Done(_Table):
    """When an answer is enough for the step to be done."""

    min_words: int = Field(1, ge=1)
    """So many words are enough."""
    number: bool = False
    """A number is enough, however short the answer, in figures or in words."""

    def enough(self, answer: str, words: Words) -> bool:
        """Whether `answer`, in the language of `words`, is enough, by the rule of the step."""
        if self.number and words.numbers.search(normalise(answer)[0]):
            return True
        return len(_WORD.findall(answer)) >= self.min_words


_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class TurnBounds(_Table):
    """How many turns of the participant a step takes in a conversation; a worksheet's field is always one."""

    min: int = Field(1, ge=1)
    max: int = Field(2, ge=1, le=6)

    @model_validator(mode="after")
    def _ordered(self) -> "TurnBounds":
        if self.max < self.min:
            raise ValueError("max is less than min")
        return self


class Example(_Table):
    """A pair that shows the model what an answer looks like."""

    participant: Text
    therapist: Text


class Step(_Table):
    """One step of an exercise."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    goal: Text
    """What the step is for, in words for the researcher."""
    ask: Text
    """The question: as a worksheet prints it, as the chat writes it, as the robot says it."""
    instruct: Text
    """What the model is asked to do when it answers."""
    follow_up: Text
    """The step's own question when the answer was too short, in place of a model's question that was refused."""
    acknowledge: tuple[Text, ...] = Field(min_length=2)
    """The step's own answers, in place of a model's sentence that was refused. Each fits whatever was said."""
    begin: Text
    """The words the model's answer begins with."""
    example: Example
    """An answer of somebody else at this step, and what is said to it: it begins with `begin`."""
    reflect: bool = False
    """People pause here to think: a robot waits longer before it takes silence for the end."""
    done: Done = Field(default_factory=Done)
    turns: TurnBounds = Field(default_factory=TurnBounds)

    @model_validator(mode="after")
    def _example_begins(self) -> "Step":
        if not self.example.therapist.startswith(self.begin):
            raise ValueError(f"example.therapist does not begin with {self.begin!r}")
        return self

    def is_done(self, answers: Sequence[str], words: Words) -> bool:
        """Whether the step is done after these answers of the participant, in order and in the language of `words`."""
        if len(answers) >= self.turns.max:
            return True
        return len(answers) >= self.turns.min and self.done.enough(" ".join(answers), words)


class Exercise(_Table):
    """A whole exercise."""

    name: str
    version: Text
    title: Text
    source: Text
    """The literature the exercise follows."""
    overview: Text
    """What the model is told of the exercise."""
    opening: Text
    """Said or printed at the beginning."""
    closing: Text
    """Said or printed at the end."""
    probe: Text
    """The words with which a question of the model begins, where the model has to be led that closely."""
    steps: tuple[Step, ...] = Field(min_length=6, max_length=9)
    language: str
    sha256: str

    @model_validator(mode="after")
    def _steps_differ(self) -> "Exercise":
        names = [step.id for step in self.steps]
        if len(set(names)) < len(names):
            raise ValueError("two steps have the same id")
        return self

    @property
    def examples(self) -> tuple[Example, ...]:
        """What the model is shown: one example of each step, in order."""
        return tuple(step.example for step in self.steps)

    def step(self, name: str) -> Step:
        """The step called `name`. Raises `UnknownStep`."""
        for step in self.steps:
            if step.id == name:
                return step
        raise UnknownStep(f"The exercise {self.name} has no step {name!r}.")

    def after(self, name: str) -> Step | None:
        """The step that follows the one called `name`; None after the last."""
        place = self.steps.index(self.step(name)) + 1
        return self.steps[place] if place < len(self.steps) else None


def exercise_names() -> list[str]:
    """The exercises there are."""
    return names_in("exercises")


@cache
def load_exercise(name: str, language: str = "en") -> Exercise:
    """The exercise called `name`, in `language`. Raises `DataFileError` when there is none or its file is wrong."""
    return parse_exercise(name, read_named("exercises", name, "exercise"), language)


def parse_exercise(name: str, data: bytes, language: str = "en") -> Exercise:
    """The exercise in the bytes of a file. Raises `DataFileError`, naming the first key that is wrong."""
    return validated(Exercise, "exercises", name, data, language)
