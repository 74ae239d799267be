"""A small whole trial for the tests of the export, made through the study's own doors; and ways to read an export."""

import csv
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from study import forms, sounding, visits
from study.enrolment import take_in
from study.errors import StudyError
from study.study import Participant, Study, create
from study.turns import TurnKeeper
from tests.conftest import HandClock
from therapist.transcript import Turn

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

HEAD = """
measures = [
    { measure = "distress", when = ["before", "after", "follow-up"] },
    { measure = "k10", when = ["baseline", "day 2"] },
    { measure = "ucla3", when = ["after"] },
]
"""

TAIL = """
[[screening]]
name = "age"
ask = "How old are you?"
kind = "number"
low = 16
high = 99

[[screening]]
name = "region"
ask = "Where do you live? | north or south"
kind = "choice"
options = ["the north, mostly", "the south"]

[[eligibility]]
question = "age"
at_least = 18
reason = "You are not 18 yet."

[[follow_ups]]
name = "follow-up"
day = 20

[blinding]
roles = ["analyst"]
"""

WORDS = 'It was “bad”,\r\nreally\n"very" bad, 🙁 = -1'


def write_protocol(folder: Path, arms: list[dict[str, str]] | None = None) -> None:
    """A protocol with screening, a stratum, measures before, during and after, and a follow-up."""
    path = create(folder)
    text = path.read_text().replace('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"')
    text = text.replace("block_sizes = [3, 6] ", "block_sizes = [3] ").replace("\n[visits]", f"{HEAD}\n[visits]", 1)
    text = text.replace(
        "\n[exercises]", '\n[[allocation.strata]]\nname = "where"\nquestion = "region"\n\n[exercises]', 1
    )
    if arms is not None:
        text = re.sub(r"\n\[\[arms\]\].*?(?=\n# An arm with|\n\[robot\])", "", text, flags=re.DOTALL)
        for arm in arms:
            quoted = {key: value if key == "engine" else f'"{value}"' for key, value in arm.items()}
            text += "\n[[arms]]\n" + "".join(f"{key} = {value}\n" for key, value in quoted.items())
    path.write_text(text + TAIL)


def make_trial(folder: Path, people: int = 6, arms: list[dict[str, str]] | None = None) -> Study:
    """A study in `folder` with `people` participants who came for two days, one too young, and one who tests."""
    write_protocol(folder, arms)
    clock = HandClock(BEGIN)
    study = Study.open(folder, clock=clock)
    joined = []
    for number in range(people):
        clock.forward(minutes=7)
        joined.append(take_in(study, answers=_answers(20 + number, number), scores={"k10": _k10(number)}))
    with suppress(StudyError):  # too young, which is recorded
        take_in(study, answers=_answers(16, 0))
    joined.append(take_in(study, kind="test", answers=_answers(40, 1), scores={"k10": _k10(0)}))
    for _ in range(2):
        for number, participant in enumerate(joined):
            clock.forward(minutes=11)
            _visit(study, participant, number)
        clock.forward(hours=23)
    study.records.db.conn.execute("PRAGMA wal_checkpoint")
    return study


def _answers(age: int, number: int) -> dict[str, Any]:
    return {"age": age, "region": "the north, mostly" if number % 2 else "the south"}


def _k10(number: int) -> dict[str, int | None]:
    """One item left out for every second one."""
    return {str(item): None if item == 4 and number % 2 else 1 + (item + number) % 3 for item in range(1, 11)}


def _visit(study: Study, participant: Participant, number: int) -> None:
    visit = visits.today(study, participant)
    assert visit is not None
    while (due := forms.due_in_visit(study, visit)) is not None:
        forms.submit(study, participant.code, due, _k10(0))
    visit = visits.rate(study, visit, "before", 60 + number)
    medium = participant.arm.medium
    keeper = TurnKeeper(study, visit)
    step = "situation"
    asked = Turn("therapist", step, "What happened?", "script", next_step=step, provenance={"medium": medium})
    opening = keeper.add(asked)
    said = keeper.add(Turn("participant", step, WORDS, "participant", token=f"t{number}"))
    times = {"queue_ms": 0.5, "first_token_ms": 80.5, "first_sentence_ms": 120.25, "last_token_ms": 300.5}
    told = {"persona": participant.arm.persona, "prompt": WORDS, **times, "ready_ms": 120.5, "total_ms": 310.5}
    keeper.add(Turn("therapist", step, "I see.", "model", reply_to=said.number, provenance=told))
    assert opening.number == 1
    if medium == "worksheet":
        visits.save_draft(study, visit, "evidence", "")
    if medium == "robot":
        visits.claim(study, visit.code, "robot-1")
        sounding.report(study, visit, said.number, 1180.5 + number, by="robot-1")
    visit = visits.finish_exercise(study, visit)
    visit = visits.rate(study, visit, "after", 30)
    while (due := forms.due_in_visit(study, visit)) is not None:
        forms.submit(study, participant.code, due, {"1": 1, "2": 2, "3": None if number % 2 else 3})


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def csv_values(path: Path) -> list[dict[str, Any]]:
    """The rows with missing values told from empty texts, as a reader that looks at quotes does."""
    with path.open(newline="", encoding="utf-8") as file:
        names = next(csv.reader(file))
    table = arrow_csv.read_csv(
        path,
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )
    return table.to_pylist()  # type: ignore[no-any-return]


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    return parquet.read_table(path).to_pylist()  # type: ignore[no-any-return]
