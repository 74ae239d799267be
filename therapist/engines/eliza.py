"""The engine `eliza`: the mechanism of Weizenbaum's program of 1966, as a control arm.

After "ELIZA: A Computer Program For the Study of Natural Language Communication Between Man And Machine",
Communications of the ACM 9(1), 36-45: words replaced before, a clause chosen at punctuation and "but", ranked
keywords; for each, decomposition patterns tried in order; for each of these, reassembly rules used in turn, which may
go to another keyword or give up for the next (NEWKEY); a memory, first in, first out, drawn on when no keyword is
there; and a few sentences for when nothing is. The script is `eliza_doctor.toml`; its sentences are ours.

Four things differ from 1966. Every pattern has its reassemblies twice, as statements and as questions, because a step
of an exercise wants the one or the other. The turning of the rules and the memory are not kept but found anew from
the participant's earlier words, so that the same conversation always gets the same reply, in any process. A
reassembly is passed over when the part it would say back is empty or longer than `LONGEST` words. And the memory
takes any clause its rules fit, and gives as soon as no keyword is there, since a visit has eight answers, not a
hundred.
"""

import re
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from therapist.engine import EngineIdentity, Form, Priority, Prompt, Sampling, Usage
from therapist.engines._script import NEWKEY, REFERENCE, Keyword, Rule, Script, load_script, references

__all__ = ["ElizaEngine", "ElizaGeneration", "answer", "decompose", "turn_round"]

LONGEST = 14
"""So many words of the participant are said back at most."""

CLAUSE = 40
"""A clause in which so many words have passed without a stop is cut there."""

Parts = tuple[tuple[int, int], ...]
"""For each element of a pattern, where it begins and ends in the clause."""


class ElizaEngine:
    """The program of 1966. It needs no time worth speaking of, and no memory of its own."""

    def __init__(self) -> None:
        """Raises `DataFileError` when the script is wrong."""
        self._script = load_script()
        self.identity = EngineIdentity("eliza", "doctor", self._script.sha256)

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> "ElizaGeneration":
        """Begin one reply. System, examples, guidance, beginning, sampling and seed mean nothing to this engine."""
        return ElizaGeneration(self._script, prompt)

    def close(self) -> None:
        pass


class ElizaGeneration:
    """One reply, made when it is read. Words are counted as tokens."""

    place = 0

    def __init__(self, script: Script, prompt: Prompt) -> None:
        self.usage = Usage()
        self._script = script
        self._prompt = prompt
        self._closed = False

    def __iter__(self) -> Iterator[str]:
        started = time.monotonic()
        said = [turn.text for turn in self._prompt.turns if turn.speaker == "participant"]
        self.usage.messages = [{"role": "user", "content": text} for text in said]
        self.usage.tokens_in = sum(len(text.split()) for text in said)
        if not self._closed:
            text = answer(self._script, said, self._prompt.form)
            self.usage.first_token_ms = 1000 * (time.monotonic() - started)
            self.usage.tokens_out = len(text.split())
            yield text
        self.usage.last_token_ms = 1000 * (time.monotonic() - started)

    def close(self) -> None:
        self._closed = True


@dataclass(slots=True)
class _State:
    """What the program of 1966 kept between two replies."""

    used: Counter[int] = field(default_factory=Counter)
    """How far each rule has turned, by its number."""
    remembered: deque[tuple[Rule, list[str], Parts]] = field(default_factory=deque)
    times: int = 0
    """How often something was remembered."""


def answer(script: Script, said: Sequence[str], form: Form) -> str:
    """The reply to the last of what the participant `said`: one sentence of the asked `form`.

    The earlier ones are gone through first, as the program did when they were said: they turn the rules on and fill
    the memory.
    """
    state = _State()
    reply = ""
    for text in said or [""]:
        reply = _respond(script, text, form, state)
    return reply


def decompose(match: Sequence[str | frozenset[str]], words: Sequence[str]) -> Parts | None:
    """Where the elements of a pattern lie in a clause, the earlier ones as short as can be; None when they do not."""
    return _decompose(match, words, 0)


def turn_round(script: Script, words: Sequence[str]) -> list[str]:
    """The clause as said by the other side, word for word: "i was late for my exam", "you were late for your exam"."""
    turned = [script.turned.get(word, word) for word in words]
    for place, word in enumerate(words):
        subject = _subject_before(script, words, place)
        if word == "was" and "i" in (subject, *words[place + 1 : place + 2]):
            turned[place] = "were"
        elif word in ("are", "were") and "you" in (subject, *words[place + 1 : place + 2]):
            turned[place] = "am" if word == "are" else "was"
        elif word == "you" and place == len(words) - 1 and place > 0:
            turned[place] = "me"
    return turned


def _respond(script: Script, text: str, form: Form, state: _State) -> str:
    clause, keywords = _scan(script, text)
    if script.memory_word in clause:
        _remember(script, clause, state)
    if not keywords and state.remembered:
        rule, words, parts = state.remembered.popleft()
        if reply := _next_sentence(script, rule, words, parts, form, state):
            return reply
    tried: set[str] = set()
    while keywords:
        keyword = keywords.pop(0)
        if keyword.word in tried:
            continue
        tried.add(keyword.word)
        reply = _by_keyword(script, keyword, clause, form, state)
        if reply.startswith("="):
            keywords.insert(0, script.keywords[reply[1:]])
        elif reply != NEWKEY:
            return reply
    return _next_sentence(script, script.none, [], (), form, state)


def _by_keyword(script: Script, keyword: Keyword, clause: list[str], form: Form, state: _State) -> str:
    """A sentence, a link, or `newkey`, which it also is when no rule fits."""
    for rule in keyword.rules:
        parts = decompose(rule.match, clause)
        if parts is not None and (reply := _next_sentence(script, rule, clause, parts, form, state)):
            return reply
    return NEWKEY


def _scan(script: Script, text: str) -> tuple[list[str], list[Keyword]]:
    """The first clause that has a keyword, and its keywords by rank, as words of equal rank stand in it."""
    first: list[str] = []
    for clause in _clauses(script, text):
        found = [script.keywords[word] for word in clause if word in script.keywords]
        if found:
            return clause, sorted(found, key=lambda keyword: -keyword.rank)
        first = first or clause
    return first, []


def _clauses(script: Script, text: str) -> Iterator[list[str]]:
    """The clauses of a text as words, in small letters, after the words to be replaced are."""
    plain = text.lower().replace("’", "'")
    for part in re.split(r"[^\w\s'-]+|\s-+\s|\n+|\bbut\b", plain):
        words: list[str] = []
        for word in re.findall(r"\w+(?:['-]\w+)*", part):
            words += script.before.get(word, (word,))
        for start in range(0, len(words), CLAUSE):
            yield words[start : start + CLAUSE]


def _remember(script: Script, clause: list[str], state: _State) -> None:
    """Keep the clause for later, by the memory's rules in turn."""
    rule = script.memory[state.times % len(script.memory)]
    parts = decompose(rule.match, clause)
    if parts is not None:
        state.times += 1
        state.remembered.append((rule, clause, parts))


def _next_sentence(script: Script, rule: Rule, clause: list[str], parts: Parts, form: Form, state: _State) -> str:
    """The next of a rule's reassemblies in turn that can be made of this clause; "" when none can.

    The forms turn together, so that going through earlier words in another form keeps the rotation in step.
    """
    sentences = rule.reassemblies[form]
    turn = state.used[rule.number]
    for further in range(len(sentences)):
        if reply := _filled(script, sentences[(turn + further) % len(sentences)], clause, parts):
            state.used[rule.number] = turn + further + 1
            return reply
    return ""


def _filled(script: Script, sentence: str, clause: list[str], parts: Parts) -> str:
    """A reassembly with its parts put in, or "" when one of them is empty or too long."""
    if sentence.startswith("=") or sentence == NEWKEY:
        return sentence
    turned = turn_round(script, clause)
    said_back = {number: _trimmed(script, turned[slice(*parts[int(number) - 1])]) for number, _ in references(sentence)}
    for number, optional in references(sentence):
        if len(said_back[number]) > LONGEST or not (said_back[number] or optional):
            return ""
    filled = REFERENCE.sub(lambda reference: " ".join(said_back[reference[1]]), sentence)
    filled = re.sub(r"\s+([.?,:])", r"\1", " ".join(filled.split()))
    return filled[0].upper() + filled[1:]


def _trimmed(script: Script, words: list[str]) -> list[str]:
    """A part without the words at its edges that only tied it to what is not said back."""
    start, end = 0, len(words)
    while start < end and words[start] in script.loose_before:
        start += 1
    while end > start and words[end - 1] in script.loose_after:
        end -= 1
    return words[start:end]


def _subject_before(script: Script, words: Sequence[str], place: int) -> str:
    """The word before `place`, adverbs passed over: "i" of "i really was"."""
    for word in reversed(words[:place]):
        if word not in script.adverbs and not word.endswith("ly"):
            return word
    return ""


def _decompose(match: Sequence[str | frozenset[str]], words: Sequence[str], start: int) -> Parts | None:
    if not match:
        return () if start == len(words) else None
    element, rest = match[0], match[1:]
    if element == "0":
        ends = range(start, len(words) + 1)
    elif start < len(words) and words[start] in element:
        ends = range(start + 1, start + 2)
    else:
        return None
    for end in ends:
        further = _decompose(rest, words, end)
        if further is not None:
            return ((start, end), *further)
    return None
