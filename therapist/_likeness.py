"""How much of one text is in another, counted in words. Pure, crude, and the same every time.

The rails use it to tell whether a sentence takes up what was said, parrots it, or turns it into its opposite.
"""

import re
from dataclasses import dataclass, field

from therapist.screen import Words, normalise

__all__ = ["circles", "content", "copies", "key", "senses", "words_of"]

_RUN = 5
"""So many of the participant's words in a row, with an "I" or "my" among them, are a copy and no answer."""

_TOKEN = re.compile(r"[^\W_]+(?:['-][^\W_]+)*|[,.;:!?]")


def words_of(text: str) -> list[str]:
    """The words of `text`, in plain form."""
    return [token for token in _TOKEN.findall(normalise(text)[0]) if token[0].isalnum()]


def key(text: str) -> str:
    """`text` as it is compared with others: its words alone."""
    return " ".join(words_of(text))


def circles(text: str) -> bool:
    """Whether four words in a row come back within `text`."""
    runs = _runs(words_of(text), 4)
    return len(set(runs)) < len(runs)


def copies(text: str, heard: str, lists: Words) -> bool:
    """Whether `text` says over what was `heard` instead of answering it: all of it, or a run of it in the first person.

    Between quotation marks a copy is a quotation, and that is fair.
    """
    if key(text) in {key(sentence) for sentence in re.split(r"[.!?\n]+", heard)} | {key(heard)}:
        return True
    outside = re.sub(r"[\"“][^\"”]*[\"”]", " ", text)
    own = {run for run in _runs(words_of(heard), _RUN) if not lists.first_person.isdisjoint(run)}
    return not own.isdisjoint(_runs(words_of(outside), _RUN))


def content(text: str, lists: Words) -> set[str]:
    """The stems of the words in `text` that say what it is about."""
    return {_stem(word, lists.suffixes) for word in words_of(text) if word not in lists.function}


@dataclass(slots=True)
class Sense:
    """How a word stands in a text."""

    denied: list[set[bool]] = field(default_factory=list)
    """For each time it comes: denied (True), affirmed (False), or perhaps either."""
    subjects: set[str] = field(default_factory=set)
    """The pronouns that come before it as the nearest subject, `you` standing for the participant."""

    def agrees(self, meant: "Sense") -> bool:
        """Whether nothing here speaks against how the word was meant."""
        if self.subjects and meant.subjects and self.subjects.isdisjoint(meant.subjects):
            return False
        return all(here & set().union(*meant.denied) for here in self.denied)


def senses(text: str, lists: Words) -> dict[str, Sense]:
    """For each content stem of `text`, how it stands there.

    A denial reaches to the end of its clause. Whether it reaches past an "and" only the speaker knows: there it is
    both denied and affirmed.
    """
    found: dict[str, Sense] = {}
    denied, subject, before = {False}, None, "."
    for token in _TOKEN.findall(normalise(text)[0]):
        pronoun = token.split("'")[0]
        leads = not before[0].isalnum() or before in lists.leading
        if pronoun in lists.others:
            subject = pronoun
        elif pronoun in lists.subjects and (leads or pronoun in lists.first_person):
            subject = "you"  # "you" may also be an object, as in "she asked you"; "I" never is
        before = token
        if token in lists.negating or token.endswith("n't"):
            denied = {True}
        elif not token[0].isalnum() or token in lists.turning:
            denied = {False}
        elif token == lists.joining:
            denied = denied | {False}
        elif token not in lists.function:
            sense = found.setdefault(_stem(token, lists.suffixes), Sense())
            sense.denied.append(denied)
            sense.subjects |= {subject} if subject else set()
    return found


def _runs(words: list[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + length]) for place in range(len(words) - length + 1)]


def _stem(word: str, suffixes: tuple[str, ...]) -> str:
    """The word without its ending: shouted, shouting and shouts are one. Wrong for many words, alike for both texts."""
    word = word.split("'")[0]
    for suffix in suffixes:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return (word.rstrip("eiy") if len(word) > 3 else word)[:7]
