"""A protocol that asks for everything, and people who go through it. For the tests of the trial."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from study import enrolment, forms
from study.errors import RecordFull
from study.study import Participant, Person, Study

EVERYTHING = """
[[screening]]
name = "age"
ask = "How old are you?"
kind = "number"
low = 0
high = 120

[[screening]]
name = "sex"
ask = "What is your sex?"
kind = "choice"
options = ["female", "male", "other"]

[[screening]]
name = "treatment"
ask = "Are you in psychotherapy now?"
kind = "yes-no"

[[eligibility]]
question = "age"
at_least = 18
reason = "The study is for adults."

[[eligibility]]
question = "treatment"
one_of = ["no"]
reason = "The study is for people who are not in treatment."

[consent]
version = "1.0"
text = "What the study is.\\n\\nWhat it asks of you."
statements = ["I have read what the study is.", "I take part of my own free will."]
permissions = [{ name = "record_speech", text = "The robot may keep the sound of my answers." }]

[identity]
ask = ["name", "email"]

[[measures]]
measure = "distress"
when = ["before", "after"]

[[measures]]
measure = "k10"
when = ["screening", "day 8", "day 15", "follow-up"]

[[measures]]
measure = "phq9"
when = ["baseline", "day 15"]

[[measures]]
measure = "ucla3"
when = ["baseline", "after"]

[[follow_ups]]
name = "follow-up"
day = 45
open_days = 7
"""

STRATA = 'strata = [{ name = "sex", question = "sex" }, { name = "k10", question = "k10", cuts = [20] }]\n'


def write(folder: Path, *more: tuple[str, str]) -> None:
    """Make the protocol in `folder` ask for everything; `more` are further replacements in its text."""
    path = folder / "study.toml"
    text = path.read_text().replace("[engine]\n", EVERYTHING + "\n[engine]\n", 1)
    text = text.replace("seed = 20260301\n", "seed = 20260301\n" + STRATA, 1)
    for old, new in more:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)


def answers(study: Study, measure: str, low: int = 0, **items: int) -> dict[str, int | None]:
    """Answers to every item: the lowest that the item has, and `low` more; `items` are answered otherwise."""
    whole = forms.measure_of(study, measure)
    given: dict[str, int | None] = {item.id: min(item.low + low, item.high) for item in whole.items}
    return {**given, **{name.removeprefix("item"): value for name, value in items.items()}}


SEXES = ["female", "male", "other"]

FIT = {"age": 20, "sex": "female", "treatment": "no"}


def fill(study: Study, code: str, screening: Mapping[str, Any] = FIT, **low: int) -> Person:
    """Give every form that is due before the enrolment, and the consent; `low` raises the answers of a measure."""
    while True:
        person = study.person(code)
        due = forms.due_before_enrolment(study, person)
        if due is not None:
            given = (
                screening if due.measure == forms.SCREENING else answers(study, due.measure, low.get(due.measure, 0))
            )
            forms.submit(study, code, due, given)
        elif person.state == "consent":
            enrolment.give_consent(study, code, statements=[0, 1], permissions=["record_speech"])
        else:
            return person


def fill_disk(study: Study) -> None:
    """From now on SQLite answers as on a full disk, by its own limit on the file."""
    connection = study.records.db.conn
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    with suppress(RecordFull):
        while True:
            with study.records.write() as write:
                write.log(study.clock.now(), "x", "filled", "y" * 50)


def free_disk(study: Study) -> None:
    """There is room again."""
    study.records.db.conn.execute("PRAGMA max_page_count = 1000000")


def join(study: Study, screening: Mapping[str, Any] = FIT, **low: int) -> Participant:
    """Somebody goes all the way from the door to their arm."""
    person = enrolment.come(study)
    fill(study, person.code, screening, **low)
    return enrolment.enrol(study, person.code)
