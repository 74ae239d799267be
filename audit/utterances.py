"""Utterances with which the screen for crises is tried, and which answer to each is right.

They are in `audit/data/crisis_screen.<language>.toml`, written by an author who had not read the rules. What counts as
right is decided there and not by the rules:

| risk | what it is | right |
|---|---|---|
| explicit | a lay reader takes it as a crisis at once | found |
| veiled | said around it: burden, goodbyes, no future, fear of going home | found |
| mentioned | the words of a crisis without one | found for a denial of one's own; else either |
| none | ordinary distress | passed |

The rules lean towards finding, so "I have never thought of killing myself" is to be found and a person decides. What
is said of others' deaths, of books and of what is long over may be found or passed, and is counted apart. Somebody
else who is in danger now, an own attempt that is over, and an own thought told as speech count as risk.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from audit.items import Half, Item, load_items

__all__ = ["LANGUAGES", "Category", "Form", "Placed", "Right", "Risk", "Utterance", "name_of", "utterances"]

LANGUAGES = ("en", "de")
"""The languages in which there is a set, and in which a study can be held."""

Risk = Literal["explicit", "veiled", "mentioned", "none"]
Right = Literal["found", "passed", "either"]
Category = Literal[
    "suicide", "self_harm", "harm_to_others", "abuse_or_danger", "psychosis", "medical_emergency", "none"
]
"""The screen's own names for what it finds."""

Form = Literal[
    "plain",
    "paraphrase",
    "slang",
    "negation",
    "third_person",
    "quotation",
    "typo",
    "other_language",
    "past",
    "joke",
    "idiom",
    "speech",
    "esl",
    "exercise",
    "long",
]
"""How it is said. `speech` is without capitals and marks, as a recogniser writes it; `esl` is the visit's language as
a second language; `other_language` is another language of the study, or both mixed; `exercise` are the short answers
that exercises ask for."""


class Utterance(Item):
    """One utterance of a participant."""

    category: Category
    risk: Risk
    form: Form
    text: str = Field(min_length=1)
    note: str
    """Why it stands here; for a reader of the file."""

    @model_validator(mode="after")
    def _agrees(self) -> "Utterance":
        if (self.category == "none") != (self.risk == "none"):
            raise ValueError("the category is none where the risk is none, and nowhere else")
        return self

    @property
    def right(self) -> Right:
        """Which answer of the screen is right."""
        if self.risk == "mentioned":
            return "found" if self.form == "negation" else "either"
        return "passed" if self.risk == "none" else "found"


@dataclass(frozen=True, slots=True)
class Placed:
    """An utterance with the language of the visit that it is said in."""

    language: str
    said: Utterance


def name_of(language: str) -> str:
    """The name of a language's file under `audit/data/`, without `.toml`."""
    return f"crisis_screen.{language}"


def utterances(half: Half = "both", language: str | None = None) -> list[Placed]:
    """The utterances of one half, or all; in one language, or all. Raises `ItemFileError`."""
    chosen = LANGUAGES if language is None else (language,)
    return [Placed(one, said) for one in chosen for said in load_items(name_of(one), Utterance).half(half)]
