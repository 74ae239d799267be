"""A de-identified export: new codes, no dates, no staff, no free text; and the data are the same."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from study import safety
from study.export import export
from study.study import Study
from tests.exporting import WORDS, csv_rows, make_trial, parquet_rows


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = make_trial(tmp_path_factory.mktemp("deidentified") / "study")
    safety.report(study, study.participants()[0].code, by="Dr Imani Okafor", description="Fell at home in Leeds")
    return study


@pytest.fixture(scope="module")
def out(trial: Study) -> Path:
    folder = trial.folder.parent / "out"
    export(trial, folder, deidentified=True)
    return folder


def everything(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): str(parquet_rows(path)) if path.suffix == ".parquet" else path.read_text()
        for path in out.rglob("*")
        if path.is_file()
    }


def test_no_code_name_word_zone_or_date_of_the_record_is_in_it(trial: Study, out: Path) -> None:
    codes = [person.code for person in trial.people()]
    words = [*codes, "Okafor", "Leeds", WORDS.splitlines()[-1], "Europe/London"]
    dates = re.compile(r"2026-\d\d-\d\d")
    for name, text in everything(out).items():
        assert [word for word in words if word in text] == [], name
        moments = dates.findall(text)
        if name == "manifest.json":
            assert len(moments) == 1  # when it was exported
        elif name == "odm/odm.xml":
            assert len(moments) == 2  # the same, which ODM wants
        else:
            assert moments == [], name
    for name in ("transcripts.jsonl", "study.toml", "event.csv"):
        assert not (out / name).exists()


def test_new_codes_are_other_ones_each_time_and_fit_together(trial: Study, out: Path, tmp_path: Path) -> None:
    export(trial, tmp_path / "again", deidentified=True, formats=["csv"])
    codes = {row["code"] for row in csv_rows(out / "person.csv")}
    assert not codes & {row["code"] for row in csv_rows(tmp_path / "again" / "person.csv")}
    assert len(codes) == 7
    for table, column in (
        ("visit", "participant"),
        ("form", "person"),
        ("long", "participant"),
        ("participant", "code"),
    ):
        assert {row[column] for row in csv_rows(out / f"{table}.csv")} <= codes
    visits = {row["id"] for row in csv_rows(out / "visit.csv")}
    assert {row["visit"] for row in csv_rows(out / "rating.csv")} == visits
    forms = {row["id"] for row in csv_rows(out / "form.csv")}
    assert {row["form"] for row in csv_rows(out / "answer.csv")} == forms


def test_the_order_of_the_rows_is_not_that_in_which_people_came(out: Path) -> None:
    for table, column in (("person", "code"), ("participant", "code"), ("visit", "participant"), ("form", "person")):
        codes = [row[column] for row in csv_rows(out / f"{table}.csv")]
        assert codes == sorted(codes), table
    assert [row["id"] for row in csv_rows(out / "visit.csv")] == [str(number) for number in range(1, 13)]


def test_the_values_are_those_of_the_record(trial: Study, out: Path, tmp_path: Path) -> None:
    export(trial, tmp_path / "whole", formats=["csv"])

    def values(folder: Path) -> Counter[tuple[str, ...]]:
        names = ("arm", "day", "occasion", "measure", "kind", "name", "value", "label", "language")
        return Counter(tuple(row[name] for name in names) for row in csv_rows(folder / "long.csv"))

    assert values(out) == values(tmp_path / "whole")


def test_times_are_minutes_since_the_person_came(trial: Study, out: Path) -> None:
    rows = trial.records.rows(
        "SELECT person.came_at, visit.opened_at FROM visit JOIN person ON person.code = visit.participant"
        " WHERE person.kind = 'participant'"
    )
    from datetime import datetime

    minutes = [
        (datetime.fromisoformat(row["opened_at"]) - datetime.fromisoformat(row["came_at"])).total_seconds() // 60
        for row in rows
    ]
    assert sorted(float(row["opened_at"]) for row in csv_rows(out / "visit.csv")) == sorted(minutes)
    assert {row["came_at"] for row in csv_rows(out / "person.csv")} == {"0"}
    kinds = {(row["table"], row["column"]): row["type"] for row in csv_rows(out / "dictionary.csv")}
    assert kinds["visit", "opened_at"] == "minute"
    assert "time" not in kinds.values()
    assert "date" not in kinds.values()


def test_what_may_still_point_to_somebody_is_marked_for_review(out: Path) -> None:
    marked = {(row["table"], row["column"]) for row in csv_rows(out / "dictionary.csv") if row["review"] == "quasi"}
    assert {("answer", "value"), ("answer", "choice"), ("participant", "levels"), ("long", "value")} <= marked
    assert {row["name"] for row in csv_rows(out / "quasi_identifiers.csv")} == {"age", "region", "where", "stratum"}
    left_out = {row["exported"] for row in csv_rows(out / "free_text.csv")}
    assert left_out == {"left out"}


def test_the_manifest_says_what_it_is(out: Path) -> None:
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["deidentified"] is True
    assert "last_event" not in manifest
