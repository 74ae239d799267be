"""No participant meets a study that has placeholders for contacts, or whose alarms reach nobody."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bedside import serving
from bedside.cli import main
from bedside.readiness import NotReady, unfilled
from study.protocol import load
from study.study import create


@pytest.fixture(autouse=True)
def nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that is not refused would be served until somebody stops it."""
    monkeypatch.setattr(serving, "run_server", lambda listener, make_app: listener.close())


@pytest.fixture
def alarming(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with addresses that name variables, none of which is set."""
    for name in ("MAIL_PASSWORD", "SMS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    path = folder / "study.toml"
    addresses = (
        '\nnotify = ["mailto://user:${MAIL_PASSWORD}@example.org"]\nescalate = ["json://${SMS_TOKEN}@example.org"]\n'
    )
    path.write_text(path.read_text() + addresses)
    return folder


def serve(folder: Path, rehearsal: Path | None = None, *, participants: bool = True) -> None:
    serving.serve(folder, "127.0.0.1", 0, rehearsal=rehearsal, participants=participants)


def test_a_study_whose_alarms_would_reach_nobody_is_not_served(alarming: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotReady) as refused:
        serve(alarming)
    said = str(refused.value)
    assert "safety.notify[1] names the environment variable MAIL_PASSWORD, which is not set" in said
    assert "safety.escalate[1] names the environment variable SMS_TOKEN, which is not set" in said
    assert "example.org" not in said
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    monkeypatch.setenv("SMS_TOKEN", "secret")
    serve(alarming)


def test_check_notes_the_variables_that_are_not_set(alarming: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = CliRunner().invoke(main, ["check", str(alarming)]).output
    assert "is right" in said
    assert "Note: safety.notify[1] names the environment variable MAIL_PASSWORD, which is not set here" in said
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    assert "MAIL_PASSWORD" not in CliRunner().invoke(main, ["check", str(alarming)]).output


def test_a_study_with_placeholders_is_not_served_and_they_are_named(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace('name = "Samaritans"', 'name = "<Counselling service>"'))
    with pytest.raises(NotReady, match=r"<angle brackets>.*: safety\.contacts\[2\]\.name\."):
        serve(folder)
    path.write_text(path.read_text().replace('"<Counselling service>"', '"Counselling <help@example.org>"'))
    serve(folder)


def test_a_rehearsal_and_the_demo_are_served_all_the_same(alarming: Path, tmp_path: Path) -> None:
    path = alarming / "study.toml"
    path.write_text(path.read_text().replace('name = "Samaritans"', 'name = "<Counselling service>"'))
    serve(alarming, tmp_path / "rehearsal.sqlite")
    serve(alarming, participants=False)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("<telephone, hours>", True),
        ("Paid with <how much> a visit.", True),
        ("<Über wen man sich beschwert>", True),
        ("Mail <ada@example.org>", False),
        ("See <https://example.org/study>", False),
        ("Scores < 22 and > 30", False),
        ("Scores <22 and >30", False),
    ],
)
def test_a_placeholder_is_no_address_and_no_comparison(tmp_path: Path, text: str, is_one: bool) -> None:
    path = create(tmp_path, "start")
    title = 'title = "Three ways to do one exercise"'
    path.write_text(path.read_text().replace(title, f'title = "{text}"'))
    assert unfilled(load(path)[0]) == (["title"] if is_one else [])
