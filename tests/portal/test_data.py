"""Exports from the console: what each role may have, once, on record, and never in anybody's way."""

import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import exporting
from portal.exporting import Choice, Exports
from study import blinding, visits
from study.enrolment import take_in
from study.errors import StudyError
from study.export import export
from study.study import Study
from study.verify import verify
from tests import trial
from tests.conftest import HandClock

SignIn = Callable[..., FlaskClient]


@pytest.fixture
def study(whole: Study) -> Study:
    return whole


@pytest.fixture
def exports(app: Flask) -> Exports:
    found: Exports = app.extensions["exports"]
    return found


def ask(client: FlaskClient, *formats: str, **more: str) -> str:
    """Ask for an export; the path of its page."""
    fields = {"csrf": client.csrf, "format": list(formats), **more}  # type: ignore[attr-defined]
    answer = client.post("/console/data/", data=fields)
    assert answer.status_code == 303, answer.text
    assert answer.location is not None
    return answer.location


def made(exports: Exports) -> None:
    """Wait for the threads that make exports."""
    for thread in threading.enumerate():
        if thread.name == "export":
            thread.join(60)
            assert not thread.is_alive()


def unpacked(client: FlaskClient, path: str) -> dict[str, bytes]:
    answer = client.get(path + "file")
    assert answer.mimetype == "application/zip", answer.text
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        return {name.partition("/")[2]: packed.read(name) for name in packed.namelist()}


def exported(study: Study) -> list[dict[str, Any]]:
    rows = study.records.rows("SELECT actor, subject, detail FROM event WHERE what = 'exported' ORDER BY id")
    return [row | json.loads(row["detail"]) for row in rows]


def a_visit(study: Study) -> str:
    person = trial.join(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    return person.code


def test_a_researcher_gets_the_whole_record_as_a_zip_file_and_its_hash_is_on_record(
    study: Study, console_as: SignIn, exports: Exports
) -> None:
    code = a_visit(study)
    client = console_as("researcher")
    path = ask(client, "csv", "transcripts")
    made(exports)
    page = client.get(path).text
    assert "It is ready" in page
    assert client.get(path + "state").get_json()["state"] == "ready"
    [told] = exported(study)
    assert (told["actor"], told["subject"], told["formats"]) == ("researcher", "bedside-whole", ["csv", "transcripts"])
    assert told["sha256"] in page
    answer = client.get(path + "file")
    assert hashlib.sha256(answer.data).hexdigest() == told["sha256"]
    assert "bedside-whole-2026-03-02.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
        long = packed.read("bedside-whole/long.csv").decode()
        assert f'"{code}","{study.participant(code).arm.name}"' in long
        assert "bedside-whole/transcripts.jsonl" in packed.namelist()
    assert verify(study.records).mistakes == []


def test_who_may_not_see_arms_gets_masked_labels_and_no_transcripts_whatever_they_ask_for(
    study: Study, console_as: SignIn, exports: Exports
) -> None:
    code = a_visit(study)
    client = console_as("analyst")
    assert "What was said" not in client.get("/console/data/").text
    path = ask(client, "csv", "transcripts", "odm")
    made(exports)
    files = unpacked(client, path)
    assert not {"transcripts.jsonl", "turn.csv", "event.csv", "study.toml"} & set(files)
    label = blinding.labels(study, "analyst")[study.participant(code).arm.name]
    assert f'"{code}","{label}"' in files["long.csv"].decode()
    for arm in study.protocol.arms:
        assert arm.name.encode() not in files["participant.csv"]


def test_who_may_not_see_arms_gets_no_test_participants_whose_arm_somebody_chose(
    study: Study, console_as: SignIn, exports: Exports
) -> None:
    tested = take_in(study, kind="test", skip=True)
    assert 'name="tests"' in console_as("researcher").get("/console/data/").text
    client = console_as("analyst")
    assert 'name="tests"' not in client.get("/console/data/").text
    path = ask(client, "csv", tests="yes")
    made(exports)
    assert tested.code.encode() not in b"".join(unpacked(client, path).values())


def test_an_export_can_be_deidentified_and_have_test_participants(
    study: Study, console_as: SignIn, exports: Exports
) -> None:
    code = a_visit(study)
    client = console_as("researcher")
    path = ask(client, "csv", deidentified="yes", tests="yes")
    made(exports)
    files = unpacked(client, path)
    assert code.encode() not in b"".join(files.values())
    assert json.loads(files["manifest.json"])["test_participants"] is True


def test_no_export_has_a_name_or_an_address(study: Study, console_as: SignIn, exports: Exports) -> None:
    from study import identity

    code = a_visit(study)
    identity.remember(study, code, by=code, name="Maya Lindqvist", email="maya@example.org")
    client = console_as("researcher")
    path = ask(client, "csv", "parquet", "redcap", "odm", "psych-ds", "transcripts")
    made(exports)
    for content in unpacked(client, path).values():
        assert b"Lindqvist" not in content
        assert b"maya@" not in content


def test_a_file_is_deleted_once_it_is_downloaded_and_back_says_so(
    study: Study, console_as: SignIn, exports: Exports
) -> None:
    client = console_as("researcher")
    path = ask(client, "csv")
    made(exports)
    assert unpacked(client, path)
    again = client.get(path + "file")
    assert (again.status_code, again.location) == (303, path)
    assert "It was downloaded" in client.get(path).text
    assert left(study) == []


def left(study: Study) -> list[Path]:
    """What lies in the folder of exports."""
    folder = study.records.path.with_name(study.records.path.name + ".exports")
    return list(folder.rglob("*")) if folder.exists() else []


def test_a_download_that_broke_off_can_be_begun_again(study: Study, console_as: SignIn, exports: Exports) -> None:
    client = console_as("researcher")
    path = ask(client, "csv")
    made(exports)
    broken = client.get(path + "file", buffered=False)
    broken.close()
    assert unpacked(client, path)


def test_a_file_that_nobody_fetches_is_deleted_after_an_hour(
    study: Study, console_as: SignIn, exports: Exports, clock: HandClock
) -> None:
    client = console_as("researcher")
    path = ask(client, "csv")
    made(exports)
    [place] = [one for one in left(study) if one.is_dir()]
    assert place.stat().st_mode & 0o777 == place.parent.stat().st_mode & 0o777 == 0o700
    clock.forward(minutes=61)
    client = console_as("researcher")
    assert "so it was deleted" in client.get(path).text
    assert left(study) == []


def test_what_a_killed_process_left_is_deleted_at_the_next_start(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study.records.path.with_name(study.records.path.name + ".exports")
    (folder / "half").mkdir(parents=True)
    (folder / "half" / "long.csv").write_text("60")
    Exports(study)  # it may be another process's, which is at work on it
    assert left(study)
    monkeypatch.setattr(exporting.time, "time", lambda: folder.stat().st_mtime + 4000)
    Exports(study)
    assert left(study) == []


def test_an_export_is_for_who_asked_for_it_alone(study: Study, console_as: SignIn, exports: Exports) -> None:
    path = ask(console_as("researcher"), "csv")
    made(exports)
    for other in (console_as("analyst"), console_as("researcher", "safety officer")):
        for page in ("", "state", "file"):
            assert other.get(path + page).status_code == 404
    for role in ("coordinator", "safety officer", "administrator"):
        assert console_as(role).get("/console/data/").status_code == 403


class Halfway:
    """An export that stands still until the test lets it go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.count = 0

    def __call__(self, study: Study, out: Path, **options: Any) -> dict[str, int]:
        self.count += 1
        options["progress"]("answer", 30, 100)
        self.begun.set()
        assert self.go_on.wait(60)
        return export(study, out, **options)


@pytest.fixture
def halfway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Halfway]:
    found = Halfway()
    monkeypatch.setattr(exporting, "export", found)
    yield found
    found.go_on.set()


def test_progress_is_shown_and_the_portal_serves_while_an_export_is_made(
    study: Study, console_as: SignIn, exports: Exports, halfway: Halfway
) -> None:
    client = console_as("researcher")
    path = ask(client, "csv")
    assert halfway.begun.wait(60)
    assert client.get(path + "state").get_json() == {"state": "running", "what": "answer", "done": 30, "of": 100}
    page = client.get(path).text
    assert re.search(r'<progress[^>]* max="100" value="30"', page)
    assert client.get(path + "file").status_code == 303
    assert client.get("/console/people/").status_code == 200
    person = trial.join(study)  # and participants go on
    assert study.participant(person.code)
    halfway.go_on.set()
    made(exports)
    assert "It is ready" in client.get(path).text


def test_a_double_click_makes_one_export_and_exports_are_made_one_after_the_other(
    study: Study, console_as: SignIn, exports: Exports, halfway: Halfway
) -> None:
    client = console_as("researcher")
    first, again = ask(client, "csv"), ask(client, "csv")
    assert first == again
    assert halfway.begun.wait(60)
    other = ask(console_as("analyst"), "csv")
    assert other != first
    assert halfway.count == 1
    assert "yours comes after it" in console_as("analyst").get(other).text
    halfway.go_on.set()
    made(exports)
    assert halfway.count == 2
    assert len(exported(study)) == 2


def test_an_export_that_fails_says_why_leaves_nothing_and_is_not_on_record(
    study: Study, console_as: SignIn, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StudyError("The disk is full.")

    monkeypatch.setattr(exporting, "export", full)
    client = console_as("researcher")
    path = ask(client, "csv")
    made(exports)
    assert "The disk is full." in client.get(path).text
    assert exported(study) == []
    assert left(study) == []


def test_without_a_format_nothing_is_made(study: Study, console_as: SignIn) -> None:
    client = console_as("researcher")
    answer = client.post("/console/data/", data={"csrf": client.csrf, "format": "exe"})  # type: ignore[attr-defined]
    assert (answer.status_code, "Choose at least one format" in answer.text) == (422, True)


def test_the_file_is_sent_in_pieces(study: Study, exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_CHUNK", 1000)
    job = exports.start("somebody", Choice(None, ("csv",)))
    made(exports)
    pieces = exports.fetch(job)
    assert pieces is not None
    sizes = [len(piece) for piece in pieces]
    assert max(sizes) == 1000
    assert sum(sizes) == job.size


def test_the_report_is_there_for_whom_it_was_written(study: Study, console_as: SignIn) -> None:
    for folder, text in (("report", "robot against chat"), ("report-analyst", "Arm A against Arm B")):
        (study.folder / folder).mkdir()
        (study.folder / folder / "report.html").write_text(text)
    whole = console_as("researcher").get("/console/data/report/report.html")
    blinded = console_as("analyst").get("/console/data/report/report.html")
    assert (whole.text, blinded.text) == ("robot against chat", "Arm A against Arm B")
    assert whole.headers["Content-Disposition"].startswith("attachment")
    assert console_as("researcher").get("/console/data/report/study.toml").status_code == 404
