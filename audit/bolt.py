"""BOLT's annotated utterances, where the user has them: other people's labels to hold the coder against.

BOLT (arXiv 2401.00820, https://github.com/behavioral-data/BOLT, BSD-3-Clause) comes with utterances of therapists and
clients and the behaviours in them. Two forms are read:

- `dataset_finetune/finetune_therapist_combined_train.csv` and `..._valid.csv` (`prompt`, `completion`): a row for
  each utterance and behaviour, so that an utterance with two has two rows. `valid` becomes the held-out half;
- a JSON Lines file that BOLT's own inference wrote (`utterance`, `therapist_behavior`).

Nothing of BOLT is shipped. An utterance has no context there, so the client's turn is empty.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from audit.errors import ItemFileError
from audit.scoring.acts import Acts, load_acts
from audit.scoring.labels import Label

__all__ = ["load_bolt"]

_FILES = (("finetune_therapist_combined_train.csv", False), ("finetune_therapist_combined_valid.csv", True))


def load_bolt(path: Path) -> list[Label]:
    """The utterances under `path`: a checkout of BOLT, its `dataset_finetune`, or one `.jsonl` file of its inference.

    Each has 0 or 1 for the thirteen codes. Raises `ItemFileError` when nothing is there, or a behaviour is not BOLT's.
    """
    acts = load_acts()
    if path.suffix == ".jsonl":
        return _labels(_inferred(path), acts, held_out=False)
    folder = path / "dataset_finetune" if (path / "dataset_finetune").is_dir() else path
    there = [(folder / name, held_out) for name, held_out in _FILES if (folder / name).is_file()]
    if not there:
        raise ItemFileError(f"{path}: there is no {_FILES[0][0]} and no {_FILES[1][0]}; is it a checkout of BOLT?")
    return [label for file, held_out in there for label in _labels(_annotated(file), acts, held_out)]


def _annotated(file: Path) -> Iterator[tuple[str, list[str]]]:
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if "prompt" not in row or "completion" not in row:
                raise ItemFileError(f"{file}: the columns prompt and completion are missing")
            yield row["prompt"].strip(), [row["completion"].strip()]


def _inferred(file: Path) -> Iterator[tuple[str, list[str]]]:
    for place, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            said, behaviour = str(row["utterance"]).strip(), row["therapist_behavior"]
        except (ValueError, KeyError, TypeError):
            raise ItemFileError(f"{file}: line {place}: no JSON with utterance and therapist_behavior") from None
        named = behaviour if isinstance(behaviour, list) else re.split(r"[,;\n]", str(behaviour).strip("[] \n"))
        yield said, [one.strip(" \"'[].") for one in named if one.strip(" \"'[].")]


def _labels(rows: Iterator[tuple[str, list[str]]], acts: Acts, held_out: bool) -> list[Label]:
    names = {_plain(bolt): act.name for act in acts.acts for bolt in act.bolt}
    found: dict[str, set[str]] = {}
    for said, behaviours in rows:
        codes = found.setdefault(said, set())
        for behaviour in behaviours:
            if _plain(behaviour) == "unknown":
                continue
            if _plain(behaviour) not in names:
                raise ItemFileError(f"BOLT has no therapist behaviour {behaviour!r}")
            codes.add(names[_plain(behaviour)])
    half = "valid" if held_out else "train"
    return [
        Label(
            id=f"bolt.{half}.{place}",
            context="",
            reply=said,
            codes={name: float(name in codes) for name in acts.names},
            rater="bolt",
            held_out=held_out,
        )
        for place, (said, codes) in enumerate(found.items(), 1)
        if said
    ]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())
