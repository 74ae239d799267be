"""The rails: what a model may say at a step, judged sentence by sentence. Pure.

A small model is fluent and often off the point, and a large one is so now and then. So nothing a model writes is
said before it is a whole sentence and has passed `judge`; what fails is replaced by the step's own wording, and the
reason goes into the record.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from therapist._likeness import circles, content, copies, key, senses, words_of
from therapist.engine import Form
from therapist.screen import Screen

__all__ = ["LONGEST", "Rails", "Reason", "Sentences", "circles", "content", "copies", "judge", "key", "split"]

Reason = Literal[
    "empty",
    "runaway",
    "repeated",
    "off_language",
    "unkind",
    "out_of_role",
    "wrong_form",
    "ungrounded",
]
"""Why a sentence was refused: nothing was written; it found no end; it was said before, circles in itself or parrots
the participant; it is in another language; it puts the participant down; it forgets its role; it asks where it should
answer or the reverse; it does not take up what the participant said, or says the opposite."""

LONGEST = 300
"""A sentence of more characters than this is taken for one that finds no end. Spoken, it lasts some twenty seconds."""

_ABBREVIATIONS = ("mr", "mrs", "ms", "dr", "prof", "st", "e.g", "i.e", "etc", "vs", "approx", "a.m", "p.m")
_END = re.compile(
    r"(?:(?:\.\.+|…)[\"'”’)\]]*|[.!?]+[\"'”’)\]]+)(?=\s+(?P<next>\S))"  # a small letter may carry these on
    r"|(?<![.…])(?:[!?]+|\.)(?=\s)"
    r"|\n\s*(?=(?P<line>\S))"  # and a line break anywhere
)


@dataclass(frozen=True, slots=True)
class Rails:
    """How tightly a model is held."""

    sentences: int = 2
    """At most so many sentences of the model in one answer."""
    grounded: bool = False
    """For a model too small to be believed: a sentence must be made, for the most part, of the participant's own words,
    and the model is shown only what it needs for that (see `therapist.prompting`). A larger model puts things in words
    of its own, and may."""


class Sentences:
    """Cuts a stream of text into sentences, each as soon as it is known to be whole.

    A line break alone ends none that a small letter carries on: half a sentence is not what it says.
    """

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> list[str]:
        """Add text; return the sentences that are whole now."""
        self._rest += text
        whole: list[str] = []
        start = 0
        for match in _END.finditer(self._rest):
            candidate = self._rest[start : match.end()]
            last = candidate.rstrip(".!?…\"'”’)] \n").rsplit(None, 1)
            if candidate.rstrip().endswith(".") and last and last[-1].lower().lstrip("(\"'") in _ABBREVIATIONS:
                continue
            following = match["next"] or match["line"]
            if following and following.islower():
                continue
            if candidate.strip():
                whole.append(candidate.strip())
            start = match.end()
        self._rest = self._rest[start:]
        return whole

    @property
    def rest(self) -> str:
        """What is not a whole sentence yet."""
        return self._rest.strip()


def split(text: str) -> list[str]:
    """The sentences of a whole text. Joined by spaces they are the text again, white space apart."""
    sentences = Sentences()
    whole = sentences.feed(text)
    return [*whole, sentences.rest] if sentences.rest else whole


def judge(
    sentence: str,
    *,
    form: Form,
    rails: Rails,
    screen: Screen,
    said: Collection[str],
    heard: str,
    around: str,
    begin: str = "",
) -> Reason | None:
    """Why `sentence` must not be said, or None when it may.

    `said` holds what the therapist said before in this visit, sentence by sentence; `heard` is what the participant
    said at this step; `around` is what else may be spoken of: the step's own words. `begin` are words the sentence was
    made to begin with: they are the script's, and only what follows is judged for what it takes up.
    """
    words = words_of(sentence)
    if not words:
        return "empty"
    if len(sentence) > LONGEST:
        return "runaway"
    if _is_foreign(sentence, words, screen):
        return "off_language"
    if (
        key(sentence) in {key(earlier) for earlier in said}
        or circles(sentence)
        or copies(sentence, heard, screen.words)
    ):
        return "repeated"
    if _puts_down(sentence, words, screen, heard):
        return "unkind"
    if screen.is_out_of_role(sentence):
        return "out_of_role"
    asks = sentence.rstrip("\"'”’)").endswith("?")
    if asks != (form == "question") or ("?" in sentence and not asks):
        return "wrong_form"
    if rails.grounded and not _is_grounded(sentence.removeprefix(begin), form, screen, heard, around):
        return "ungrounded"
    return None


def _is_foreign(sentence: str, words: list[str], screen: Screen) -> bool:
    """Whether a letter is of another script, or too few of the words are small words of the screen's language."""
    if any(letter.isalpha() and not unicodedata.name(letter, "").startswith("LATIN") for letter in sentence):
        return True
    if len(words) < 3:
        return False
    small = sum(word in screen.words.function for word in words)
    return small < max(1, 0.25 * len(words))


def _puts_down(sentence: str, words: list[str], screen: Screen, heard: str) -> bool:
    """Whether the sentence puts the participant down of its own accord.

    A hard word that the participant used may be said back as theirs: "the thought was that you are stupid".
    """
    put_down = screen.put_down(sentence)
    if put_down is None:
        return False
    said_back = words_of(put_down)[-1] in words_of(heard)
    attributed = not screen.words.attributing.isdisjoint(words) and screen.words.first_person.isdisjoint(words)
    return not (said_back and attributed)


_CAPITAL = re.compile(r"(?<=[\w,]) [A-Z]\w*")
"""A word with a capital inside a sentence: a name, a day, a month."""


def _is_grounded(sentence: str, form: Form, screen: Screen, heard: str, around: str) -> bool:
    """Whether the sentence is made of what was said: something of it, nothing against it, and little besides.

    One word in four may come from elsewhere. A number or a name may not, nor may "I" or "my": these are the
    participant's own words, not turned round. What the participant denied must stay denied, and who did it must have
    done it. A question may instead take up the question it repeats.
    """
    if not screen.words.first_person.isdisjoint(words_of(sentence)):
        return False
    stems = content(sentence, screen.words)
    at_this_step = content(heard, screen.words)
    given = content(around, screen.words)
    unknown = stems - at_this_step - given
    if 4 * len(unknown) > len(stems) or any(any(map(str.isdigit, stem)) for stem in unknown):
        return False
    if unknown & content(" ".join(_CAPITAL.findall(sentence)), screen.words):
        return False
    if not stems & (at_this_step if form == "statement" else at_this_step | given):
        return False
    meant = senses(heard, screen.words)
    return all(sense.agrees(meant[stem]) for stem, sense in senses(sentence, screen.words).items() if stem in meant)
