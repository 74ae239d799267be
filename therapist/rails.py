"""The rails: what a model may say at a step, judged sentence by sentence. Pure.

A small model is fluent and often off the point, and a large one is so now and then. So nothing a model writes is
said before it is a whole sentence and has passed `judge`; what fails is replaced by the step's own wording, and the
reason goes into the record.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from therapist.engine import Form
from therapist.screen import Screen, normalise

__all__ = ["LONGEST", "Rails", "Reason", "Sentences", "circles", "judge", "split"]

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
"""Why a sentence was refused: nothing was written; it found no end; it was said before or circles in itself; it is in
another language; it puts the participant down; it forgets its role; it asks where it should answer or the reverse; it
does not take up what the participant said."""

LONGEST = 300
"""A sentence of more characters than this is taken for one that finds no end. Spoken, it lasts some twenty seconds."""

_ABBREVIATIONS = ("mr", "mrs", "ms", "dr", "prof", "st", "e.g", "i.e", "etc", "vs", "approx", "a.m", "p.m")
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n+")


@dataclass(frozen=True, slots=True)
class Rails:
    """How tightly a model is held."""

    sentences: int = 2
    """At most so many sentences of the model in one answer."""
    grounded: bool = False
    """Whether a sentence must be made, for the most part, of the participant's own words. Right for a model too small
    to be believed; a larger one puts things in words of its own, and may."""


class Sentences:
    """Cuts a stream of text into sentences, each as soon as it is known to be whole."""

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
) -> Reason | None:
    """Why `sentence` must not be said, or None when it may.

    `said` holds what the therapist said before in this visit, sentence by sentence; `heard` is what the participant
    said at this step; `around` is what else may be spoken of: the rest of the visit and the step's own words.
    """
    words = _words(sentence)
    if not words:
        return "empty"
    if len(sentence) > LONGEST:
        return "runaway"
    if _key(sentence) in {_key(earlier) for earlier in said} or circles(sentence):
        return "repeated"
    if _is_foreign(sentence, words, screen):
        return "off_language"
    if _puts_down(sentence, words, screen, heard):
        return "unkind"
    if screen.is_out_of_role(sentence):
        return "out_of_role"
    asks = sentence.rstrip("\"'”’)").endswith("?")
    if asks != (form == "question") or ("?" in sentence and not asks):
        return "wrong_form"
    if rails.grounded and form == "statement" and not _is_grounded(words, screen, heard, around):
        return "ungrounded"
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", normalise(text)[0])


def _key(sentence: str) -> str:
    return " ".join(_words(sentence))


def circles(text: str) -> bool:
    """Whether four words in a row come back within `text`."""
    words = _words(text)
    runs = [tuple(words[place : place + 4]) for place in range(len(words) - 3)]
    return len(set(runs)) < len(runs)


def _is_foreign(sentence: str, words: list[str], screen: Screen) -> bool:
    letters = [character for character in sentence if character.isalpha()]
    if not letters:
        return not any(character.isdigit() for character in sentence)
    beyond = sum(character > "ɏ" for character in letters)  # beyond the Latin letters of European languages
    if beyond > 0.2 * len(letters):
        return True
    return len(words) >= 6 and not any(word in screen.function_words for word in words)


def _puts_down(sentence: str, words: list[str], screen: Screen, heard: str) -> bool:
    """Whether the sentence puts the participant down of its own accord.

    A hard word that the participant used may be said back as theirs: "the thought was that you are stupid".
    """
    put_down = screen.put_down(sentence)
    if put_down is None:
        return False
    hard_word = _words(put_down)[-1]
    said_back = hard_word in _words(heard) and any(word in screen.attributing for word in words)
    return not said_back


_FIRST_PERSON = frozenset(["i", "me", "my", "mine", "myself", "i'm", "i've", "i'd", "i'll", "we", "our", "us"])


def _is_grounded(words: list[str], screen: Screen, heard: str, around: str) -> bool:
    """Whether the sentence takes up something of `heard`, and at least half of it comes from what was spoken of.

    Words count by their first five letters without a plural's s, which is crude and enough: shouted, shouting. A
    sentence that says "I" or "my" has copied the participant without turning the words round.
    """
    if any(word in _FIRST_PERSON for word in words):
        return False
    stems = {_stem(word) for word in words if word not in screen.function_words}
    at_this_step = {_stem(word) for word in _words(heard) if word not in screen.function_words}
    known = at_this_step | {_stem(word) for word in _words(around)}
    return bool(stems & at_this_step) and 2 * len(stems & known) >= len(stems)


def _stem(word: str) -> str:
    word = word.split("'")[0]
    return (word[:-1] if len(word) > 3 and word.endswith("s") else word)[:5]
