"""`bedside allocation` and `bedside enrol`, as one types them."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bedside.cli import main
from study.study import Study


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def refused(*arguments: object) -> str:
    """The one line with which a command refuses."""
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    lines = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, done.output
    return lines[0]


def simulate(folder: Path, *options: object) -> list[list[str]]:
    done = run("allocation", "simulate", folder, *options)
    assert done.exit_code == 0, done.output
    return list(csv.reader(io.StringIO(done.stdout)))


@pytest.fixture
def listed(folder: Path) -> Path:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("block_sizes = [3] ", 'method = "list" '))
    return folder


def test_simulate_prints_a_table_with_a_line_for_each_participant(folder: Path) -> None:
    header, *rows = simulate(folder, "--participants", 38, "--seed", 1)
    assert header == ["participant", "stratum", "block", "arm"]
    assert [row[0] for row in rows] == [str(number) for number in range(1, 39)]
    assert {row[1] for row in rows} == {"all"}
    for block in range(12):
        assert sorted(row[3] for row in rows if row[2] == str(block)) == ["chat", "robot", "worksheet"]


def test_simulate_makes_no_key_and_no_record(folder: Path) -> None:
    simulate(folder, "--participants", 5, "--seed", 1)
    assert [path.name for path in folder.iterdir()] == ["study.toml"]


def test_simulate_does_not_depend_on_the_key(folder: Path) -> None:
    before = simulate(folder, "--participants", 60, "--seed", 1)
    Study.open(folder).close()
    assert simulate(folder, "--participants", 60, "--seed", 1) == before
    (folder / "study.key").write_text("0" * 64 + "\n")
    assert simulate(folder, "--participants", 60, "--seed", 1) == before


def test_simulate_stops_quietly_when_nobody_reads_on(folder: Path) -> None:
    """As in `bedside allocation simulate ... | head -1`."""
    command = [sys.executable, "-m", "bedside", "allocation", "simulate", folder, "--participants", "20000"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*map(str, command), "--seed", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_list_is_uploaded_and_followed(listed: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("arm\nworksheet\nrobot\n")
    assert run("allocation", "upload", listed, path, "--by", "Trial unit").output.split() == ["2", "all"]
    arms = [run("enrol", listed).output.split("in the arm ")[1].split(".")[0] for _ in range(2)]
    assert arms == ["worksheet", "robot"]
    assert "no place 3 in the stratum 'all'" in refused("enrol", listed)
    assert "uploaded before" in refused("allocation", "upload", listed, path, "--by", "Trial unit")


def test_a_bad_list_gets_one_line(listed: Path, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("arm\nrobot\nvideo\n")
    assert f"{path}, line 3: 'video' is no arm" in refused("allocation", "upload", listed, path, "--by", "x")
    assert "cannot be read: Is a directory" in refused("allocation", "upload", listed, tmp_path, "--by", "x")
    assert "cannot be read: No such file" in refused("allocation", "upload", listed, tmp_path / "n", "--by", "x")
    assert run("allocation", "upload", listed, path).exit_code == 2  # who brings it must be said


def test_where_a_consent_is_all_that_is_asked_who_vouches_for_it_enrols(folder: Path) -> None:
    path = folder / "study.toml"
    consent = '[consent]\nversion = "1"\ntext = "What it is."\nstatements = ["I take part."]\n\n[engine]\n'
    path.write_text(path.read_text().replace("[engine]\n", consent, 1))
    assert "they come by" in refused("enrol", folder)
    assert "Enrolled" in run("enrol", folder, "--by", "Dr Okafor").output
    study = Study.open(folder)
    assert study.records.row("SELECT witness FROM consent") == {"witness": "Dr Okafor"}


def test_the_protocols_own_address_is_that_of_the_links(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text('url = "https://trial.example.org/b"\n' + path.read_text())
    assert "https://trial.example.org/b/p/" in run("enrol", folder).output
    assert "https://trial.example.org/b/p/" in run("invite", folder).output
    assert "https://trial.example.org/b/join/" in run("links", folder).output
    assert "https://other.example.org/join/" in run("links", folder, "--url", "https://other.example.org/").output
