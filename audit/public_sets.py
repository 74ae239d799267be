"""Public sets as items of `reliability`, from files that the user has; nothing is downloaded and nothing is copied.

`bedside audit ... --set truthfulqa=FILE` asks their items instead of ours, in the same contexts and with the same
beliefs. The formats are those in which the sets are published:

| name | file | becomes |
|---|---|---|
| `truthfulqa` | `TruthfulQA.csv` (Type, Category, Question, Best Answer, Best Incorrect Answer, ...) | two options |
| `triviaqa` | JSON with `Data` (Question, Answer), or JSON Lines of `question`, `answer` | open question |
| `medqa` | JSON Lines with `question`, `options` (letter to text), `answer_idx` | four or five options |
| `mask` | CSV or JSON Lines with `proposition`, `formatted_ground_truth` (config `disinformation`) | two options |

How they differ from their own protocols, which let a model grade free text:

- TruthfulQA is asked as a choice between the best answer and the best incorrect one, which its authors advise since
  2025; a seed draws which comes first, and chance is a half.
- MASK measures lying under pressure; here only its propositions are asked, as true or false, and chance is a half.
- TriviaQA has no wrong answers: no wrong belief is stated, and only the doubt of the right one.
- The stimuli of arXiv 2504.18412 have no right answer; `audit.public_stimuli` makes scenarios of `clinical_safety`.

The held-out half is drawn by the hash of each item's id: a set has been public for long, so neither half is unseen.
"""

import csv
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from audit.errors import AuditError
from audit.facts import Fact

__all__ = ["SETS", "PublicSetError", "hashes_of", "load_set", "load_sets"]


class PublicSetError(AuditError):
    """A file of a public set is missing, or is not in the format in which the set is published."""


def load_sets(named: str, seed: int = 1) -> tuple[Fact, ...]:
    """The items of `name=FILE[,name=FILE]`. Raises `PublicSetError`, naming the set, the file, the line and the key."""
    items: list[Fact] = []
    for part in named.split(","):
        name, equals, file = part.strip().partition("=")
        if not equals or not file:
            raise PublicSetError(f"A set is given as name=FILE, not {part.strip()!r}.")
        items += load_set(name, Path(file), seed)
    return tuple(items)


def hashes_of(named: str) -> dict[str, str]:
    """The sha256 of each file of `name=FILE[,name=FILE]`, by the set's name. Raises `PublicSetError`."""
    found = {}
    for part in named.split(","):
        name, _, file = part.strip().partition("=")
        try:
            found[name] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        except OSError:
            raise PublicSetError(f"{file}: there is no such file; public sets are not downloaded.") from None
    return found


def load_set(name: str, path: Path, seed: int = 1) -> tuple[Fact, ...]:
    """The items of the set `name` in a file. Raises `PublicSetError`."""
    if name == "stimuli":
        raise PublicSetError(
            "The stimuli of arXiv 2504.18412 have no right answer: they are scenarios of the suite clinical_safety "
            "(`inspect eval audit/clinical_safety -T stimuli=FILE`)."
        )
    if name not in SETS:
        raise PublicSetError(f"There is no set {name!r}; allowed: {', '.join(SETS)}.")
    found = []
    for place, row in _records(path):
        try:
            found.append(SETS[name](row, place, seed))
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            key = error.args[0] if isinstance(error, KeyError) else error
            raise PublicSetError(f"{path}: record {place}: not of the form of {name}: {key}") from None
        except ValidationError as error:
            first = error.errors()[0]
            raise PublicSetError(f"{path}: record {place}: {first['loc']}: {first['msg']}") from None
    if not found:
        raise PublicSetError(f"{path}: there is no record in it.")
    return tuple(one for one in found if one is not None)


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a CSV, JSON or JSON Lines file, counted from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PublicSetError(
            f"{path}: there is no such file; public sets are not downloaded, get them first."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PublicSetError(f"{path}: cannot be read: {error}") from None
    if path.suffix.lower() == ".csv":
        yield from enumerate(csv.DictReader(text.splitlines(keepends=True)), 1)
        return
    try:
        whole = json.loads(text)
        rows = whole.get("Data", [whole]) if isinstance(whole, dict) else whole
    except json.JSONDecodeError:
        rows = [_line(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    yield from enumerate(rows, 1)


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise PublicSetError(f"{path}: line {number} is not JSON: {error.msg}") from None


def _truthfulqa(row: dict[str, Any], place: int, seed: int) -> Fact:
    right, wrong = row["Best Answer"].strip(), row["Best Incorrect Answer"].strip()
    return _choice("truthfulqa", place, row["Question"].strip(), right, [right, wrong], wrong, seed)


def _triviaqa(row: dict[str, Any], place: int, seed: int) -> Fact:
    """The file of the authors has capital keys, the one on the hub has small ones."""
    authors = "Question" in row
    answer = row["Answer" if authors else "answer"]
    value = answer["Value" if authors else "value"]
    aliases = answer.get("Aliases" if authors else "aliases") or []
    accepted = list(dict.fromkeys(one.strip() for one in (value, *aliases) if one.strip()))
    return Fact(
        id=f"triviaqa.{place:05}",
        held_out=_held_out("triviaqa", place),
        kind="factual",
        question=row["Question" if authors else "question"].strip(),
        accepted=tuple(accepted),
        source="TriviaQA",
    )


def _medqa(row: dict[str, Any], place: int, seed: int) -> Fact:
    options = {str(letter): str(text) for letter, text in row["options"].items()}
    right = options[row["answer_idx"]]
    others = [text for letter, text in options.items() if letter != row["answer_idx"]]
    believed = others[int(_random("medqa", place, seed).integers(len(others)))]
    return _choice("medqa", place, row["question"].strip(), right, list(options.values()), believed, None)


def _mask(row: dict[str, Any], place: int, seed: int) -> Fact | None:
    """A proposition as true or false; none where no side is settled. In the set, A is true and B is false."""
    truth = str(row["formatted_ground_truth"]).strip().upper()
    if truth not in ("A", "B"):
        return None
    question = f"Is this statement true or false? {row['proposition'].strip()}"
    right, wrong = ("true", "false") if truth == "A" else ("false", "true")
    return _choice("mask", place, question, right, ["true", "false"], wrong, None)


SETS: dict[str, Callable[[dict[str, Any], int, int], Fact | None]] = {
    "truthfulqa": _truthfulqa,
    "triviaqa": _triviaqa,
    "medqa": _medqa,
    "mask": _mask,
}
"""The sets that become items, by name: from a record, its place and a seed."""


def _choice(
    name: str, place: int, question: str, right: str, options: Sequence[str], believed: str, seed: int | None
) -> Fact:
    """A question with options, shuffled by the seed if there is one; `wrong` begins with the one a user believes."""
    order = list(options)
    if seed is not None:
        order = [order[one] for one in _random(name, place, seed).permutation(len(order))]
    wrong = (believed, *(one for one in options if one not in (believed, right)))
    return Fact(
        id=f"{name}.{place:05}", held_out=_held_out(name, place), kind="choice", question=question, accepted=(right,),
        wrong=wrong, options=tuple(order), source=name,
    )  # fmt: skip


def _random(name: str, place: int, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(f"audit.public_sets/{name}/{place}".encode())])


def _held_out(name: str, place: int) -> bool:
    return hashlib.sha256(f"{name}/{place}".encode()).digest()[0] % 2 == 1
