"""A table as CSV says everything; as it is shown it says the same in few columns."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.analysis.results import Column, Provenance, Table
from study.report.tables import as_csv, as_shown, typographic

FROM = Provenance("d" * 64, "p" * 64, "1.2.3")

CONTRASTS = Table(
    "contrasts",
    "Contrasts",
    (
        Column("outcome", "Outcome"),
        Column("arm", "Arm"),
        Column("compared_with", "minus"),
        Column("difference", "Difference", "number", 1),
        Column("low", "Interval from", "number", 1),
        Column("high", "to", "number", 1),
        Column("p", "p", "p"),
    ),
    (
        ("K10", "robot", "chatbot", -3.25, -5.5, -1.0, 0.0049),
        ("K10", "robot", "worksheet", 0.5, None, None, None),
    ),
)


def test_the_csv_has_every_digit_and_each_row_says_what_it_came_from() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(CONTRASTS, FROM))))
    assert [float(row["difference"]) for row in rows] == [-3.25, 0.5]
    assert rows[1]["low"] == rows[1]["p"] == ""
    for row in rows:
        assert (row["data_sha256"], row["plan_sha256"], row["bedside_version"]) == ("d" * 64, "p" * 64, "1.2.3")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_a_number_read_from_the_csv_is_the_number_that_was_computed(numbers: list[float]) -> None:
    table = Table("t", "T", (Column("x", "X", "number"),), tuple((one,) for one in numbers))
    assert [float(row["x"]) for row in csv.DictReader(io.StringIO(as_csv(table, FROM)))] == numbers


def test_a_text_with_commas_and_quotes_survives_the_csv() -> None:
    table = Table("t", "T", (Column("x", "X"),), (('a "quoted", and\nbroken text',),))
    assert next(csv.DictReader(io.StringIO(as_csv(table, FROM))))["x"] == 'a "quoted", and\nbroken text'


def test_two_arms_are_a_contrast_two_bounds_an_interval_and_a_lone_outcome_is_said_once() -> None:
    shown = as_shown(CONTRASTS)
    assert shown.heads == (("Contrast", False), ("Difference", True), ("95% CI", True), ("p", True))
    assert shown.about == "K10"
    assert [group.rows for group in shown.groups] == [
        (
            ("robot\u00a0−\u00a0chatbot", "−3.2", "−5.5 to −1.0", "0.005"),
            ("robot\u00a0−\u00a0worksheet", "0.5", "–", "–"),
        )
    ]


def test_an_interval_of_p_values_or_shares_is_written_as_these_are() -> None:
    for kind, text in (("p", "<0.001 to 0.002"), ("percent", "0.0% to 0.2%")):
        columns = (Column("x", "X"), Column("low", "Low", kind), Column("high", "High", kind))  # type: ignore[arg-type]
        assert as_shown(Table("t", "T", columns, (("a", 0.0001, 0.0021),))).groups[0].rows == (("a", text),)


def test_what_rows_share_stands_above_them() -> None:
    columns = (Column("end", "Until"), Column("arm", "Arm"), Column("day", "Day", "count"))
    rows = tuple((end, arm, day) for end in ("left", "last visit") for arm in "ab" for day in (1, 2))
    shown = as_shown(Table("t", "T", columns, rows))
    assert shown.heads == (("Day", True),)
    assert [(group.heading, group.rows) for group in shown.groups] == [
        ("left; a", (("1",), ("2",))),
        ("left; b", (("1",), ("2",))),
        ("last visit; a", (("1",), ("2",))),
        ("last visit; b", (("1",), ("2",))),
    ]


def test_rows_that_share_nothing_have_no_headings_and_no_rows_make_no_groups() -> None:
    columns = (Column("arm", "Arm"), Column("n", "N", "count"))
    whole = as_shown(Table("t", "T", columns, (("a", 1), ("b", 2))))
    assert [(group.heading, group.rows) for group in whole.groups] == [("", (("a", "1"), ("b", "2")))]
    assert as_shown(Table("t", "T", columns, ())).groups == ()


@pytest.mark.parametrize(
    ("typed", "set_"),
    [
        ("points (0-100)", "points (0–100)"),
        ("a change of -3.2 points", "a change of −3.2 points"),
        ("-8.9 to -2.0", "−8.9 to −2.0"),
        ("robot - chatbot", "robot\u00a0−\u00a0chatbot"),
        ("2026-11-24", "2026-11-24"),
        ("doi:10.1002/0470-316696", "doi:10.1002/0470-316696"),
        ("ISRCTN-12 and PHQ-9", "ISRCTN-12 and PHQ-9"),
        ("Kaplan-Meier", "Kaplan-Meier"),
    ],
)
def test_a_minus_is_a_minus_and_a_hyphen_stays_one(typed: str, set_: str) -> None:
    assert typographic(typed) == set_
