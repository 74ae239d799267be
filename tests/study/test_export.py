"""The export: every value of the record comes back from every format, whole, counted and hashed."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study import enrolment, takeover, visits
from study.enrolment import take_in
from study.errors import StudyError
from study.export import check_manifest, dictionary, export
from study.export.dictionary import Column
from study.export.tables import CsvFile, ParquetFile, write_rows
from study.measure import load_measure
from study.records import FREE_TEXT
from study.study import Study
from study.turns import TurnKeeper
from tests.exporting import WORDS, csv_rows, csv_values, make_trial, parquet_rows
from therapist.transcript import Turn

NEVER = {("visit", "code")} | {("allocation_list", name) for name in ("stratum", "position", "sealed")}
"""What no export has: the code that opens a visit to a robot, and the allocation of those who are still to come."""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    study = make_trial(tmp_path_factory.mktemp("trial") / "study")
    yield study
    study.close()


NOW = {"rating": "rating_now", "answer": "answer_now", "turn": "turn_timed"}
"""Values are exported as they hold now, turns with their times."""


@pytest.fixture(scope="module")
def out(trial: Study) -> Path:
    folder = trial.folder.parent / "out"
    export(trial, folder)
    return folder


def test_an_export_is_its_owners_alone_unless_an_empty_folder_was_opened_for_it(study: Study, tmp_path: Path) -> None:
    export(study, tmp_path / "new", formats=["csv"])
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2750)
    export(study, shared, formats=["csv"])
    assert shared.stat().st_mode & 0o7777 == 0o2750


def test_every_column_of_the_record_is_exported_and_described_or_known_to_be_never(trial: Study) -> None:
    described = {
        (table.name, column.name) for table in dictionary() for column in table.columns if table.name != "long"
    }
    record = {
        (table, column["name"])
        for table in trial.records.db.table_names()
        for column in trial.records.rows(f"PRAGMA table_info({NOW.get(table, table)})")
    }
    assert record - described == NEVER
    assert described - record == set()
    assert all(table.about and column.description for table in dictionary() for column in table.columns)


def test_all_that_the_record_calls_free_text_is_free_text_in_the_dictionary() -> None:
    marked = {
        (table.name, column.name) for table in dictionary() for column in table.columns if column.type == "free text"
    }
    assert marked >= FREE_TEXT


def test_the_tables_are_the_record_value_by_value(trial: Study, out: Path) -> None:
    tests = "SELECT code FROM person WHERE kind = 'test'"
    left_out = {
        "person": f"code IN ({tests})",
        "participant": f"code IN ({tests})",
        "visit": f"participant IN ({tests})",
        "turn": f"visit IN (SELECT id FROM visit WHERE participant IN ({tests}))",
        "first_sound": f"visit IN (SELECT id FROM visit WHERE participant IN ({tests}))",
        "rating": f"visit IN (SELECT id FROM visit WHERE participant IN ({tests}))",
        "form": f"person IN ({tests})",
        "answer": f"form IN (SELECT id FROM form WHERE person IN ({tests}))",
        "event": f"person IN ({tests})",
    }
    for table in dictionary():
        if table.name == "long":
            continue
        names = [column.name for column in table.columns]
        where = f"WHERE ({left_out[table.name]}) IS NOT TRUE" if table.name in left_out else ""
        rows = trial.records.rows(
            f"SELECT {', '.join(names)} FROM {NOW.get(table.name, table.name)} {where} ORDER BY {'id' if table.name in NOW else 'rowid'}"
        )
        assert csv_values(out / f"{table.name}.csv") == [
            {name: None if value is None else str(value) for name, value in row.items()} for row in rows
        ]
        assert parquet_rows(out / "parquet" / f"{table.name}.parquet") == [
            {column.name: typed(column, row[column.name]) for column in table.columns} for row in rows
        ]
        if table.name in ("person", "visit", "turn", "first_sound", "answer", "event"):
            assert rows  # the trial has some, so this was no comparison of nothing


def typed(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.type == "time":
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if column.type == "date" else value


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(["", '"', "\r\n", "NA", "😀,'"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "free text": TEXT,
    "json": TEXT,
    "code": TEXT,
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "time": st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - hypothesis wants them naive
        lambda moment: moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    ),
    "date": st.dates().map(date.isoformat),
}
COLUMNS = [Column("any", kind.replace(" ", "_"), kind, "", frozenset()) for kind in VALUES]  # type: ignore[arg-type]
ROWS = st.lists(st.tuples(*(st.none() | values for values in VALUES.values())), max_size=8)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_any_values_come_back_from_csv_and_parquet(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    files = [CsvFile(tmp_path / "any.csv", COLUMNS), ParquetFile(tmp_path / "any.parquet", COLUMNS)]
    assert write_rows(rows, COLUMNS, files) == len(rows)
    names = [column.name for column in COLUMNS]
    read = [tuple(row[name] for name in names) for row in parquet_rows(tmp_path / "any.parquet")]
    assert read == [tuple(typed(c, v) for c, v in zip(COLUMNS, row, strict=True)) for row in rows]
    again = []
    for row in csv_values(tmp_path / "any.csv"):
        values = [row[name] for name in names]
        at, number = names.index("integer"), names.index("number")
        values[at] = None if values[at] is None else int(values[at])
        values[number] = None if values[number] is None else float(values[number])
        again.append(tuple(values))
    assert again == rows


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(TEXT, min_size=1, max_size=6))
def test_whatever_was_said_comes_back_from_the_transcripts(
    tmp_path_factory: pytest.TempPathFactory, said: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("said")
    study = make_trial(folder / "study", people=1)
    study.clock.forward(hours=1)  # type: ignore[attr-defined] - a HandClock
    from study import visits

    visit = visits.today(study, study.participants()[0])
    assert visit is not None
    keeper = TurnKeeper(study, visit)
    for number, text in enumerate(said):
        keeper.add(Turn("participant", "situation", text, "participant", token=str(number)))
    export(study, folder / "out", formats=["csv", "transcripts"])
    lines = (folder / "out" / "transcripts.jsonl").read_bytes().decode().splitlines()
    told = {line["visit"]: line for line in map(json.loads, lines)}
    assert [turn["text"] for turn in told[visit.id]["turns"]] == said
    kept = [row["text"] for row in csv_values(folder / "out" / "turn.csv") if row["visit"] == str(visit.id)]
    assert kept == said


def test_a_transcript_says_who_when_and_in_which_arm(trial: Study, out: Path) -> None:
    lines = [json.loads(line) for line in (out / "transcripts.jsonl").read_text().splitlines()]
    assert len(lines) == 12  # six participants, two days
    for line in lines:
        assert line["arm"] == trial.participant(line["participant"]).arm.name
        assert [turn["number"] for turn in line["turns"]] == [1, 2, 3]
        assert line["turns"][1]["text"] == WORDS
        assert line["turns"][2]["reply_to"] == 2


def test_the_long_table_has_each_rating_item_and_score_once(trial: Study, out: Path) -> None:
    rows = csv_rows(out / "long.csv")
    keys = [
        (row["participant"], row["visit"], row["occasion"], row["measure"], row["kind"], row["name"]) for row in rows
    ]
    assert len(set(keys)) == len(keys)
    kinds = {"rating": "rating", "item": "answer"}
    for kind, table in kinds.items():
        assert len([row for row in rows if row["kind"] == kind]) == len(csv_rows(out / f"{table}.csv"))
    assert {row["kind"] for row in rows} == {"rating", "item", "score"}
    assert {row["arm"] for row in rows if row["day"]} == {"robot", "chat", "worksheet"}


def test_what_a_person_wrote_is_marked_in_every_table_and_not_told_to_who_is_blinded(
    study: Study, tmp_path: Path
) -> None:
    participant = take_in(study)
    visit = visits.today(study, participant)
    assert visit is not None
    visit = visits.rate(study, visit, "before", 60)
    takeover.take(study, visit.id, by="nurse", why="the model is not well")
    keeper = TurnKeeper(study, visit)
    keeper.add(Turn("participant", "situation", "I failed.", "participant", token="t"))
    keeper.add(Turn("therapist", "situation", "I hear you.", "person", reply_to=1, provenance={"person": "nurse"}))
    export(study, tmp_path / "out")
    assert [row["origin"] for row in csv_rows(tmp_path / "out" / "turn.csv")] == ["participant", "person"]
    line = json.loads((tmp_path / "out" / "transcripts.jsonl").read_text())
    assert line["turns"][1]["origin"] == "person"
    assert [row["by_person"] for row in csv_rows(tmp_path / "out" / "long.csv")] == ["1"]
    assert [row["taken_by"] for row in csv_rows(tmp_path / "out" / "takeover.csv")] == ["nurse"]
    export(study, tmp_path / "blinded", role="analyst")
    assert "by_person" not in csv_rows(tmp_path / "blinded" / "long.csv")[0]
    assert not (tmp_path / "blinded" / "takeover.csv").exists()


def test_a_score_in_the_long_table_is_what_the_measure_says_and_empty_where_an_item_is_missing(out: Path) -> None:
    rows = [row for row in csv_rows(out / "long.csv") if row["measure"] == "k10"]
    measure = load_measure("k10")
    found = set()
    for score in (row for row in rows if row["kind"] == "score"):
        where = (score["participant"], score["occasion"])
        items = {
            row["name"]: int(row["value"]) if row["value"] else None
            for row in rows
            if row["kind"] == "item" and (row["participant"], row["occasion"]) == where
        }
        assert len(items) == 10
        expected = measure.score(items)["total"]
        assert (float(score["value"]) if score["value"] else None) == expected
        if expected is not None:
            assert expected == sum(value for value in items.values() if value)
            assert score["label"] == measure.band("total", expected)
        found.add(expected is None)
    assert found == {True, False}  # both were there


def test_the_first_rows_of_a_participant_are_the_screening_and_days_rise(out: Path) -> None:
    rows = csv_rows(out / "long.csv")
    for code in {row["participant"] for row in rows}:
        own = [row for row in rows if row["participant"] == code]
        assert own[0]["occasion"] == "screening"
        days = [int(row["day"] or 0) for row in own]
        assert days == sorted(days)


def test_test_participants_are_left_out_unless_asked_for(trial: Study, out: Path, tmp_path: Path) -> None:
    tests = [person.code for person in trial.people() if person.kind == "test"]
    assert len(tests) == 1
    everything = b"".join(path.read_bytes() for path in out.rglob("*.*") if path.suffix != ".parquet")
    assert tests[0].encode() not in everything
    parquets = str([parquet_rows(path) for path in out.rglob("*.parquet")])
    assert tests[0] not in parquets
    export(trial, tmp_path / "all", with_tests=True)
    assert tests[0] in {row["code"] for row in csv_rows(tmp_path / "all" / "participant.csv")}
    assert tests[0] in (tmp_path / "all" / "transcripts.jsonl").read_text()


def test_the_manifest_counts_and_hashes_every_file_and_finds_an_alteration(trial: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    rows = export(trial, out)
    manifest = json.loads((out / "manifest.json").read_text())
    files = {entry["path"]: entry for entry in manifest["files"]}
    assert set(files) == {
        path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file() and path.name != "manifest.json"
    }
    for table, count in rows.items():
        assert files[f"{table}.csv"]["rows"] == files[f"parquet/{table}.parquet"]["rows"] == count
        assert len(csv_rows(out / f"{table}.csv")) == len(parquet_rows(out / "parquet" / f"{table}.parquet")) == count
    for name in ("dictionary.csv", "codebook.csv", "free_text.csv", "redcap/data_dictionary.csv"):
        assert files[name]["rows"] == len(csv_rows(out / name))
    assert files["transcripts.jsonl"]["rows"] == len((out / "transcripts.jsonl").read_text().splitlines())
    assert manifest["last_event"]["hash"] == trial.records.rows("SELECT hash FROM event ORDER BY id DESC")[0]["hash"]
    assert check_manifest(out) == []
    (out / "rating.csv").write_text((out / "rating.csv").read_text().replace("60", "61", 1))
    (out / "visit.csv").unlink()
    (out / "notes.txt").write_text("mine")
    assert check_manifest(out) == ["visit.csv is missing.", "notes.txt was added.", "rating.csv was altered."]


def test_the_dictionary_in_the_folder_describes_every_column_there(out: Path) -> None:
    described = {(row["table"], row["column"]) for row in csv_rows(out / "dictionary.csv")}
    apart = {"dictionary", "codebook", "free_text", "quasi_identifiers"}
    there = {
        (path.stem, column)
        for path in out.glob("*.csv")
        if path.stem not in apart
        for column in path.read_text().partition("\n")[0].replace('"', "").split(",")
    }
    assert there == described


def test_the_codebook_has_every_item_and_score_with_its_wording(out: Path) -> None:
    rows = csv_rows(out / "codebook.csv")
    k10 = [row for row in rows if row["measure"] == "k10"]
    assert [row["name"] for row in k10] == [str(item) for item in range(1, 11)] + ["total"]
    assert k10[3]["wording"] == load_measure("k10").wording("en").question("4")
    assert k10[3]["answers"].startswith("1 = None of the time | 2 = ")
    assert (k10[10]["low"], k10[10]["high"]) == ("10.0", "50.0")
    assert {row["occasions"] for row in k10} == {"baseline; day 2"}
    used = {(row["measure"], row["name"]) for row in csv_rows(out / "long.csv")}
    assert used <= {(row["measure"], row["name"]) for row in rows}


def test_free_text_is_counted_for_review(trial: Study, out: Path) -> None:
    rows = {(row["table"], row["column"]): row for row in csv_rows(out / "free_text.csv")}
    assert set(rows) >= FREE_TEXT
    turns = trial.records.rows("SELECT text FROM turn")
    assert rows["turn", "text"]["non_empty"] == str(len(turns))
    assert rows["turn", "text"]["longest"] == str(max(len(row["text"]) for row in turns))
    assert rows["draft", "text"]["non_empty"] == "0"  # one was saved, and nothing is in it


def test_what_may_point_to_a_person_is_listed_with_how_many_share_it(out: Path) -> None:
    rows = {(row["source"], row["name"]): row for row in csv_rows(out / "quasi_identifiers.csv")}
    assert rows["screening", "age"] == {
        "source": "screening",
        "name": "age",
        "people": "7",
        "different_values": "7",
        "people_with_the_rarest": "1",
    }
    assert rows["participant.levels", "where"]["people_with_the_rarest"] == "3"


def test_everything_is_read_as_it_stood_at_one_moment(trial: Study, tmp_path: Path) -> None:
    before = trial.records.rows("SELECT count(*) AS n FROM person WHERE kind = 'participant'")[0]["n"]
    came = []

    def somebody_comes(what: str, done: int, of: int) -> None:
        if not came:
            came.append(enrolment.come(trial).code)

    rows = export(trial, tmp_path / "out", progress=somebody_comes)
    assert came
    assert rows["person"] == before
    assert came[0] not in (tmp_path / "out" / "event.csv").read_text()


def test_the_folder_appears_whole_or_not_at_all(trial: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        assert not (tmp_path / "out").exists()  # nothing to be seen while it is written
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("study.export.write_manifest", fail)
    with pytest.raises(StudyError, match="cannot be written: No space left on device"):
        export(trial, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_refused(trial: Study, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StudyError, match="holds something already"):
        export(trial, tmp_path)


def test_a_format_by_itself_is_only_that_format(trial: Study, tmp_path: Path) -> None:
    export(trial, tmp_path / "odm", formats=["odm"])
    assert (tmp_path / "odm" / "odm" / "odm.xml").exists()
    assert not list((tmp_path / "odm").rglob("*.parquet"))
    assert not (tmp_path / "odm" / "long.csv").exists()


def test_a_measure_whose_file_is_gone_keeps_its_items_and_says_why_there_are_no_scores(tmp_path: Path) -> None:
    study = make_trial(tmp_path / "study", people=1)
    for sql in ("DROP TRIGGER event_is_never_changed", "UPDATE form SET measure = 'gone' WHERE measure = 'ucla3'"):
        study.records.db.conn.execute(sql)
    export(study, tmp_path / "out")
    rows = [row for row in csv_rows(tmp_path / "out" / "long.csv") if row["measure"] == "gone"]
    assert {row["kind"] for row in rows} == {"item"}
    assert "There is no measure 'gone'" in json.loads((tmp_path / "out" / "manifest.json").read_text())["troubles"][0]


def test_an_export_of_a_study_that_nobody_came_to_is_empty_and_whole(study: Study, tmp_path: Path) -> None:
    assert set(export(study, tmp_path / "out").values()) == {0}
    assert check_manifest(tmp_path / "out") == []


def test_the_secrets_of_the_study_are_in_no_export(trial: Study, out: Path) -> None:
    key = (trial.folder / "study.key").read_text().strip()
    codes = [row["code"] for row in trial.records.rows("SELECT code FROM visit")]
    for path in out.rglob("*.csv"):
        text = path.read_text()
        assert key not in text
        assert not re.search(rf'"({"|".join(codes)})"', text), path


def test_every_turn_of_the_transcripts_has_its_times(trial: Study, out: Path) -> None:
    visits = [json.loads(line) for line in (out / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()]
    answers = [(visit["arm"], turn) for visit in visits for turn in visit["turns"] if turn["reply_to"] is not None]
    assert answers
    for arm, turn in answers:
        assert (turn["queue_ms"], turn["first_sentence_ms"], turn["held_ms"]) == (0.5, 120.25, None)
        assert (turn["first_sound_ms"] is not None) == (trial.protocol.arm(arm).medium == "robot")


def test_a_blinded_export_tells_no_time_of_an_answer(trial: Study, tmp_path: Path) -> None:
    export(trial, tmp_path / "blind", role="analyst")
    for path in (tmp_path / "blind").rglob("*"):
        assert path.name.split(".")[0] not in ("turn", "first_sound")
        if path.suffix in (".csv", ".md", ".json", ".xml"):
            assert not re.search("first_sound|first_sentence|ready_ms|1180", path.read_text(encoding="utf-8")), path
