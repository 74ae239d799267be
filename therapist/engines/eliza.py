"""The engine `eliza`: the mechanism of Weizenbaum's program of 1966, as a control arm.

After "ELIZA: A Computer Program For the Study of Natural Language Communication Between Man And Machine",
Communications of the ACM 9(1), 36-45: ranked keywords; for each, decomposition patterns tried in order; for each of
these, reassembly rules used in turn; links from one keyword to another; a memory that is drawn on when nothing fits.
The script is `eliza_doctor.toml`; its sentences are ours.

Two things differ from 1966. Every pattern has its reassemblies twice, as statements and as questions, because a step
of an exercise wants the one or the other; and the state of the turning rules is not kept but found anew from the
participant's earlier words, so that the same conversation always gives the same reply.
"""

import hashlib
import re
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from therapist.engine import EngineIdentity, Form, Prompt, Sampling, Usage
from therapist.errors import DataFileError

__all__ = ["ElizaEngine", "Script", "answer", "load_script"]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One decomposition with its reassemblies. `(n)` in a reassembly is the n-th part of the decomposition."""

    number: int
    parts: re.Pattern[str]
    reassemblies: dict[Form, tuple[str, ...]]
    link: str | None
    """Another keyword whose patterns are tried instead."""


@dataclass(frozen=True, slots=True)
class _Keyword:
    word: str
    rank: int
    patterns: tuple[_Pattern, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script."""

    keywords: dict[str, _Keyword]
    before: dict[str, str]
    """Words replaced in what the participant says: dont, mom."""
    reflections: dict[str, str]
    """Words turned round in what is said back: my, your."""
    nothing: _Pattern
    """When no keyword is there and nothing is remembered."""
    memory_word: str
    memory: _Pattern
    sha256: str


class ElizaEngine:
    """The program of 1966. It needs no time worth speaking of, and no memory of its own."""

    def __init__(self) -> None:
        self._script = load_script()
        self.identity = EngineIdentity("eliza", "doctor", self._script.sha256)

    def generate(self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str) -> "_Reply":
        return _Reply(self._script, prompt)

    def close(self) -> None:
        pass


class _Reply:
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
        text = answer(self._script, said, self._prompt.form)
        self.usage.first_token_ms = 1000 * (time.monotonic() - started)
        if not self._closed:
            self.usage.tokens_out = len(text.split())
            yield text
        self.usage.total_ms = 1000 * (time.monotonic() - started)

    def close(self) -> None:
        self._closed = True


def answer(script: Script, said: list[str], form: Form) -> str:
    """The reply to the last of what the participant `said`, as a sentence of the asked `form`.

    The earlier ones are gone through first, as the program did when they were said: they turn the rules on and fill
    the memory.
    """
    turned: dict[tuple[int, Form], int] = {}
    remembered: list[str] = []
    reply = ""
    for text in said:
        reply = _respond(script, text, form, turned, remembered)
    return reply


def _respond(script: Script, text: str, form: Form, turned: dict[tuple[int, Form], int], remembered: list[str]) -> str:
    clause, keywords = _scan(script, text)
    if script.memory_word in clause and (match := script.memory.parts.fullmatch(" ".join(clause))):
        remembered.append(_reassemble(script, script.memory, match, form, turned))
    tried: set[str] = set()
    while keywords:
        keyword = keywords.pop(0)
        if keyword.word in tried:
            continue
        tried.add(keyword.word)
        for pattern in keyword.patterns:
            match = pattern.parts.fullmatch(" ".join(clause))
            if match is None:
                continue
            if pattern.link is not None:
                keywords.insert(0, script.keywords[pattern.link])
                break
            return _reassemble(script, pattern, match, form, turned)
    if remembered:
        fitting = [one for one in remembered if one.endswith("?") == (form == "question")]
        if fitting:
            remembered.remove(fitting[0])
            return fitting[0]
    return _reassemble(script, script.nothing, None, form, turned)


def _scan(script: Script, text: str) -> tuple[list[str], list[_Keyword]]:
    """The first clause that has a keyword, and its keywords by rank, as words of equal rank stand in it.

    In 1966 the text was cut at commas, full stops and "but", and what came after a clause with keywords was left out.
    """
    plain = text.lower().replace("’", "'")
    clause: list[str] = []
    for part in re.split(r"[.,;:!?()\n\"]+|\bbut\b", plain):
        words = [script.before.get(word, word) for word in re.findall(r"[\w']+", part)]
        found = [script.keywords[word] for word in words if word in script.keywords]
        if found:
            return words, sorted(found, key=lambda keyword: -keyword.rank)
        clause = clause or words
    return clause, []


def _reassemble(
    script: Script,
    pattern: _Pattern,
    match: re.Match[str] | None,
    form: Form,
    turned: dict[tuple[int, Form], int],
) -> str:
    rules = pattern.reassemblies[form]
    turn = turned.get((pattern.number, form), 0)
    turned[pattern.number, form] = turn + 1
    rule = rules[turn % len(rules)]
    if match is None:
        return rule

    def part(number: re.Match[str]) -> str:
        words = (match.group(int(number[1])) or "").split()
        turned_round = " ".join(script.reflections.get(word, word) for word in words[:LONGEST])
        return re.sub(r"\bi\b", "I", turned_round)

    said = re.sub(r"\s+([.?!,])", r"\1", re.sub(r"\((\d)\)", part, rule))
    said = re.sub(r"\s+", " ", said).strip()
    return said[0].upper() + said[1:]


LONGEST = 14
"""So many words of the participant are said back at most."""


@cache
def load_script() -> Script:
    """The script of the package. Raises `DataFileError` when its file is wrong."""
    data = files("therapist").joinpath("engines", "eliza_doctor.toml").read_bytes()
    try:
        table = tomllib.loads(data.decode("utf-8"))
        groups: dict[str, list[str]] = table["groups"]
        counter = iter(range(10_000))

        def pattern(row: dict[str, str | list[str]]) -> _Pattern:
            return _Pattern(
                next(counter),
                _decomposition(str(row.get("match", "0")), groups),
                {"statement": tuple(row.get("say", ())), "question": tuple(row.get("ask", ()))},
                str(row["link"]) if "link" in row else None,
            )

        keywords = {
            word: _Keyword(word, row["rank"], tuple(pattern(one) for one in row["patterns"]))
            for word, row in table["keywords"].items()
        }
        script = Script(
            keywords,
            table["before"],
            table["reflections"],
            pattern(table["nothing"]),
            table["memory"]["word"],
            pattern(table["memory"]),
            hashlib.sha256(data).hexdigest(),
        )
        _check(script)
    except (tomllib.TOMLDecodeError, KeyError, re.error) as error:
        raise DataFileError(f"engines/eliza_doctor.toml: {error}") from None
    return script


def _decomposition(match: str, groups: dict[str, list[str]]) -> re.Pattern[str]:
    """A pattern of the script as a regular expression: `0` is any words, `@name` one of a group, others themselves.

    Every element is a part, numbered from 1 in order.
    """
    parts = []
    for element in match.split():
        if element == "0":
            parts.append(r"(.*?)")
        elif element.startswith("@"):
            parts.append(rf"\b({'|'.join(map(re.escape, groups[element[1:]]))})\b")
        else:
            parts.append(rf"\b({re.escape(element)})\b")
    return re.compile(r"\s*".join(parts))


def _check(script: Script) -> None:
    """Raises `KeyError` for a link to no keyword, or a pattern without words for either form."""
    patterns = [one for keyword in script.keywords.values() for one in keyword.patterns]
    for one in [*patterns, script.nothing, script.memory]:
        if one.link is not None:
            script.keywords[one.link]
        elif not one.reassemblies["statement"] or not one.reassemblies["question"]:
            raise KeyError(f"a pattern {one.parts.pattern!r} needs `say` and `ask`")
