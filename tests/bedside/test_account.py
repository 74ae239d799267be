"""`bedside account`, and what `bedside serve` asks for before it opens the console."""

import re
from pathlib import Path

import pytest

from bedside.serving import _greet
from study.access import accounts
from study.study import Study
from tests.bedside.test_cli import refused, run

NAME = "Dr Imani Okafor"


def test_accounts_are_made_listed_changed_reset_and_disabled(folder: Path) -> None:
    study = str(folder)
    assert "Nobody has an account" in run("account", "list", study).output
    made = run("account", "add", study, NAME, "--role", "administrator", "--url", "https://study.example.org/").output
    first = re.fullmatch(r"Good once and for a day: https://study\.example\.org/console/welcome/(\S+)\n", made)
    assert first
    assert run("account", "list", study).output == f"{NAME}  administrator  invited\n"
    again = run("account", "reset", study, "dr imani okafor").output
    opened = Study.open(folder)
    accounts.accept(opened, again.split("/")[-1].strip(), "four quiet lamps beside a harbour", None)
    assert run("account", "list", study).output == f"{NAME}  administrator  active, no second factor\n"
    roles = ("--role", "administrator", "--role", "researcher")
    assert run("account", "roles", study, NAME, *roles).output == f"{NAME} is administrator, researcher now.\n"
    run("account", "add", study, "Nurse Joy", "--role", "administrator", "--by", "Dr Okafor")
    assert "no more" in run("account", "disable", study, NAME).output
    assert f"{NAME}  administrator, researcher  disabled" in run("account", "list", study).output
    assert "again" in run("account", "enable", study, NAME).output
    events = opened.records.rows("SELECT actor, what, subject FROM event")
    assert ("Dr Okafor", "account made", "Nurse Joy") in {tuple(event.values()) for event in events}
    opened.close()


def test_mistakes_get_one_line_each(folder: Path) -> None:
    study = str(folder)
    run("account", "add", study, NAME, "--role", "administrator")
    assert "already" in refused("account", "add", study, NAME, "--role", "researcher")
    assert "blinded" in refused("account", "add", study, "x", "--role", "analyst", "--role", "researcher")
    assert "Missing option '--role'" in refused("account", "add", study, "x")
    assert "'boss'" in refused("account", "add", study, "x", "--role", "boss")
    for command in ("reset", "disable", "enable"):
        assert "no account Nobody" in refused("account", command, study, "Nobody")
    assert "administrator" in refused("account", "disable", study, NAME)


@pytest.mark.parametrize("command", ["add", "list", "reset", "roles", "disable", "enable"])
def test_each_command_teaches_itself(command: str) -> None:
    assert "Example: bedside account" in run("account", command, "--help").output


@pytest.mark.parametrize("more", [("--host", "::"), ("--host", "192.0.2.7"), ("--behind-proxy",)])
def test_a_password_alone_is_enough_on_this_machine_only(folder: Path, more: tuple[str, ...]) -> None:
    assert "for this machine alone" in refused("serve", str(folder), "--no-second-factor", *more)


def test_the_first_link_is_printed_until_there_is_an_administrator(
    study: Study, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    def greeting(second_factor: bool = True) -> str:
        _greet(Console(width=300, highlight=False), study, folder, "http://127.0.0.1:8000", second_factor)
        return capsys.readouterr().out

    accounts.add(study, "Nurse Joy", {"coordinator"}, by="Dr Okafor")
    said = greeting()
    assert "Researchers sign in at: http://127.0.0.1:8000/console/\n" in said
    [token] = re.findall(r"/console/welcome/(\S+)", said)
    [second] = re.findall(r"/console/welcome/(\S+)", greeting())
    assert second != token
    accounts.accept(study, second, "four quiet lamps beside a harbour", None, name=NAME)
    said = greeting()
    assert "welcome" not in said
    assert f'bedside account reset {folder} "{NAME}"' in said
    assert "reset" not in greeting(second_factor=False)
