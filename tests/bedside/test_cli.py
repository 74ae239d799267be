"""The command line: every command teaches itself, and every mistake gets one line that says what to do."""

import csv
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bedside.cli import main
from study.enrolment import take_in
from study.study import Study
from tests.unaudited import served_unaudited


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def refused(*arguments: str) -> str:
    """The one line with which a command refuses."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    [line] = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    return line


def test_the_help_lists_every_command_and_each_has_an_example() -> None:
    listed = run("--help").output
    for name in ("init", "check", "serve", "enrol", "robot", "simulate", "export", "unblind", "demo"):
        assert f"\n  {name} " in listed
    for name in main.commands:
        assert "Example" in run(name, "--help").output, name


def test_a_first_study(tmp_path: Path) -> None:
    folder = str(tmp_path / "mystudy")
    assert "Edit it" in run("init", folder).output
    assert "is right: 15 days" in run("check", folder).output
    enrolled = run("enrol", folder, "--url", "https://study.example.org/").output
    assert "https://study.example.org/p/" in enrolled
    link = enrolled.split()[-1]
    assert link in run("links", folder, "--url", "https://study.example.org").output
    assert "BEDSIDE_DEVICE_TOKEN=robot-7." in run("device", folder, "robot-7").output
    assert "No safety event" in run("safety", folder).output
    out = tmp_path / "out"
    assert "1 participant" in run("export", folder, str(out)).output
    assert (out / "participant.csv").exists()
    assert (out / "manifest.json").exists()


def test_an_export_can_be_blinded_deidentified_and_of_one_format(folder: Path, study: Study, tmp_path: Path) -> None:
    participant = take_in(study)
    tested = take_in(study, kind="test")
    options = ("--as", "analyst", "--deidentified", "--format", "csv", "--format", "odm")
    assert "1 participant" in run("export", str(folder), str(tmp_path / "out"), *options).output
    rows = list(csv.DictReader((tmp_path / "out" / "participant.csv").open(newline="")))
    assert [row["arm"].startswith("Arm ") for row in rows] == [True]
    assert rows[0]["code"] != participant.code
    assert (tmp_path / "out" / "odm" / "odm.xml").exists()
    assert not (tmp_path / "out" / "parquet").exists()
    assert "2 participant" in run("export", str(folder), str(tmp_path / "all"), "--with-tests").output
    assert tested.code in (tmp_path / "all" / "participant.csv").read_text()


def test_an_export_that_shows_the_arms_reminds_of_who_is_blinded(folder: Path, tmp_path: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text() + '\n[blinding]\nroles = ["analyst"]\n')
    assert "made with --as analyst" in run("export", str(folder), str(tmp_path / "one")).output
    assert "--as" not in run("export", str(folder), str(tmp_path / "two"), "--as", "analyst").output
    run("unblind", str(folder), "analyst", "--by", "me", "--why", "frozen")
    assert "--as" not in run("export", str(folder), str(tmp_path / "three")).output


def test_a_rehearsal_is_exported_and_replayed_after_study_toml_was_edited(folder: Path, tmp_path: Path) -> None:
    record = folder / "rehearsal.sqlite"
    rehearsed = Study.open(folder, rehearsal=record)
    take_in(rehearsed)
    rehearsed.close()
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("days = 15 ", "days = 14 "))
    done = run("export", str(folder), str(tmp_path / "out"), "--rehearsal", str(record), "--format", "csv")
    assert "1 participant" in done.output
    assert run("replay", str(folder), "--rehearsal", str(record)).exit_code == 0
    for command in ("analyze", "report"):
        line = refused(command, str(folder), "--rehearsal", str(record))
        assert "made by a protocol without [analysis]" in line
        assert "rehearse anew: bedside simulate" in line


def test_unblinding_prints_what_was_masked_and_records_it(folder: Path, study: Study, tmp_path: Path) -> None:
    participant = take_in(study)
    by = ("--by", "Dr Imani Okafor")
    one = run("unblind", str(folder), "assessor", *by, "--why", "emergency", "--participant", participant.code).output
    assert one == f"{participant.code} is in the arm {participant.arm.name}.\n"
    told = run("unblind", str(folder), "analyst", *by, "--why", "the analysis is frozen").output.splitlines()
    assert [line[:6] for line in told] == ["Arm A ", "Arm B ", "Arm C "]
    assert {line.split(" is ")[1] for line in told} == {"robot.", "chat.", "worksheet."}
    assert len(study.records.rows("SELECT * FROM unblinding")) == 2
    run("export", str(folder), str(tmp_path / "out"), "--as", "analyst")
    assert participant.arm.name in (tmp_path / "out" / "participant.csv").read_text()


def test_mistakes_get_one_line_each(tmp_path: Path, folder: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert "`bedside init" in refused("check", nowhere)
    assert "`bedside init" in refused("serve", nowhere)
    assert "is there already" in refused("init", str(folder))
    assert "holds something already" in refused("export", str(folder), str(folder))
    assert "--why REASON" in refused("unblind", str(folder), "analyst", "--by", "me")
    assert "--by NAME" in refused("unblind", str(folder), "analyst", "--why", "because")
    assert "no participant" in refused(
        "unblind", str(folder), "analyst", "--by", "me", "--why", "because", "--participant", "X"
    )
    assert "needs --token" in refused("robot", "http://127.0.0.1:1")
    assert "bedside safety" in refused("safety", str(folder), "--acknowledge", "5", "--by", "me")
    assert "--by NAME" in refused("safety", str(folder), "--acknowledge", "5")
    assert "no number as large" in refused("safety", str(folder), "--acknowledge", "9" * 20, "--by", "me")
    assert "no text in UTF-8" in refused("safety", str(folder), "--acknowledge", "5", "--by", "caf\udce9")
    assert "name=..., email=... or phone=..." in refused("identity", str(folder), "X", "--by", "me", "--set", "by=you")
    assert "nobody came" in refused("check", str(folder), "--locked")
    assert "letters, digits" in refused("device", str(folder), "robot 1")


def test_a_broken_protocol_is_refused_by_every_command(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace('persona = "neutral"', 'persona = "stern"', 1))
    for command in ("check", "enrol", "links", "serve"):
        assert "arms[1].persona is 'stern'; allowed: neutral, secure_attachment, warm_behaviour, warm_trait" in refused(
            command, str(folder)
        )
    path.write_text(path.read_text().replace('"stern"', '"neutral"').replace('"coping_strategies"]', '"yoga"]'))
    assert "exercises.rota[2] is 'yoga'; allowed: cognitive_restructuring" in refused("check", str(folder))
    path.write_text(path.read_text().replace('"yoga"]', '"coping_strategies"]') + '\nnotify = ["carrier pigeon"]\n')
    line = refused("check", str(folder))
    assert "safety.notify[1]" in line
    assert "pigeon" not in line


def test_an_unknown_command_or_option_is_refused_without_traceback(folder: Path) -> None:
    for arguments in (("dance",), ("simulate", str(folder)), ("serve", str(folder), "--port", "99999")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def test_a_rehearsal_has_as_many_participants_as_study_toml_plans(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    monkeypatch.setattr("bedside.simulation.simulate", lambda folder, count, *more, **options: counts.append(count))
    monkeypatch.setattr("os.nice", lambda by: 0)
    assert "give --participants, or write it there" in refused("simulate", str(folder))
    path = folder / "study.toml"
    text = path.read_text()
    path.write_text("participants = 21\n" + text)
    assert run("simulate", str(folder)).exit_code == 0
    assert run("simulate", str(folder), "--participants", "3").exit_code == 0
    path.write_text("participants = 2000\n" + text)
    assert "plans 2,000 participants: give --participants, from 1 to 1,000." in refused("simulate", str(folder))
    assert counts == [21, 3]


def test_a_busy_port_is_named_with_what_to_do(folder: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        line = refused("serve", str(folder), "--port", str(port))
    assert f"Port {port} on 127.0.0.1 cannot be used" in line
    assert "--port" in line


def test_an_engine_that_cannot_be_opened_ends_the_server_with_a_line(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace('kind = "eliza"', 'kind = "transformers"\nmodel = "./no-such-model"', 1))
    command = [sys.executable, "-m", "bedside", "serve", str(folder), "--port", "0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 2
    assert "no-such-model" in result.stderr
    assert "Serving" not in result.stdout
    assert "Traceback" not in result.stderr


def test_an_engine_that_turns_out_to_be_broken_while_it_loads_ends_the_server_with_a_line(
    folder: Path, tmp_path: Path
) -> None:
    """Pages are served by then: what can be seen without loading anything is as it should be."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"no weights")
    path = folder / "study.toml"
    path.write_text(path.read_text().replace('kind = "eliza"', f'kind = "transformers"\nmodel = "{model}"', 1))
    served_unaudited(folder)
    command = [sys.executable, "-m", "bedside", "serve", str(folder), "--port", "0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 2
    assert "Serving" in result.stdout
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error:")]
    assert len(errors) == 1
    assert f"The model in {model} cannot be loaded" in errors[0]
    assert "Traceback" not in result.stderr


def test_an_altered_record_is_found_by_verify(folder: Path, study: Study) -> None:
    take_in(study)
    head = run("verify", str(folder)).output.split()[-1]
    assert run("verify", str(folder), "--expect", head).exit_code == 0
    study.records.db.conn.execute("UPDATE participant SET arm = 'x'")
    result = run("verify", str(folder))
    assert result.exit_code == 1
    assert "was altered." in result.output
    result = run("verify", str(folder), "--expect", "0" * 64)
    assert "not in the log: it was cut short or written anew" in result.output


def test_verify_says_what_a_changed_log_of_a_killed_process_hides(folder: Path, study: Study, tmp_path: Path) -> None:
    for _ in range(2):
        take_in(study)
    left = tmp_path / "left"
    shutil.copytree(folder, left)  # with SQLite's write-ahead log, as `kill -9` leaves it
    assert "are as they were written" in run("verify", str(left)).output
    shutil.rmtree(left)
    shutil.copytree(folder, left)
    log = left / "study.sqlite-wal"
    content = bytearray(log.read_bytes())
    content[5000] ^= 1
    log.write_bytes(bytes(content))
    for _ in range(2):  # looking at it does not do away with the evidence
        result = run("verify", str(left))
        assert result.exit_code == 1
        assert (
            "study.sqlite-wal is damaged in frame 2, so what was confirmed after that cannot be read" in result.output
        )
    assert log.read_bytes() == bytes(content)


def test_an_emptied_record_is_not_called_whole(folder: Path, study: Study) -> None:
    take_in(study)
    study.close()
    (folder / "study.sqlite").write_bytes(b"")
    assert "holds no event: nobody came yet, or it was emptied" in run("verify", str(folder)).output


def test_the_locked_protocol_can_be_printed(folder: Path, study: Study) -> None:
    take_in(study)
    path = folder / "study.toml"
    text = path.read_text()
    path.write_text(text.replace("days = 15 ", "days = 14 "))
    assert "changed after it was locked" in refused("enrol", str(folder))
    assert run("check", str(folder), "--locked").output == text


@pytest.mark.parametrize(
    "module",
    ["torch", "transformers", "rclpy", "openai", "pandas", "scipy", "statsmodels", "matplotlib", "weasyprint", "ray"],
)
def test_heavy_libraries_are_not_loaded_to_print_help(module: str) -> None:
    code = f"import sys, bedside.cli; sys.exit('{module}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_check_notes_that_there_is_no_consent_and_no_plan_of_the_analysis(tmp_path: Path) -> None:
    folder = tmp_path / "mystudy"
    run("init", str(folder))
    said = run("check", str(folder)).output
    assert "is right" in said
    assert "Note: there is no [consent]" in said
    assert "Note: there is no [analysis]. `bedside power`, `analyze` and `report` need one" in said
    run("init", str(tmp_path / "whole"), "--template", "kian2024")
    assert "there is no" not in run("check", str(tmp_path / "whole")).output


def test_check_says_that_equalise_lacks_answers(tmp_path: Path) -> None:
    folder = tmp_path / "mystudy"
    run("init", str(folder))
    assert "Note: equalise" not in run("check", str(folder)).output
    path = folder / "study.toml"
    text = path.read_text()
    path.write_text(text.replace('model = "smollm2"', 'model = "smollm2"\nequalise = true', 1))
    said = run("check", str(folder)).output
    assert "before there are 20 answers of each arm whose wait is known; there are 0 of robot, 0 of chat" in said
    engine = 'engine = { kind = "eliza", equalise = true }'
    path.write_text(re.sub(r'(medium = "chat")', rf"\1\n{engine}", text, count=1))  # the study's own is off
    assert "Note: equalise is on for chat alone" in run("check", str(folder)).output
