"""The protocol as it is read by a person: everything in it, in words, and nothing that somebody may not know."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from portal.app import create_app
from study.access.roles import ROLES
from study.amendment import amend
from study.readable import parts
from study.study import Study, create, template_names
from tests import trial
from tests.conftest import HandClock

SignIn = Callable[..., FlaskClient]


@pytest.fixture
def study(whole: Study) -> Study:
    return whole


def read(client: FlaskClient) -> str:
    """The page as text, its markup gone."""
    answer = client.get("/console/protocol/")
    assert answer.status_code == 200
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def test_everything_that_somebody_decides_by_is_in_it_in_words(study: Study, console_as: SignIn) -> None:
    page = read(console_as("coordinator"))
    for said in (
        "3 arms and 15 study days, with one visit a day",
        "How old are you? – at least 18. Otherwise: The study is for adults.",
        "Are you in psychotherapy now? – answered with no.",
        "a number from 0 up to 120",
        "The follow-up “follow-up” opens on day 45 and stays open for 7 days.",
        "k10: below 20; 20 or more",
        "Cognitive restructuring 1, 3, 5, 7, 9, 11, 13, 15",
        "Version 1.0 of the consent",
        "I take part of my own free will.",
        "The robot may keep the sound of my answers.",
        "116 123, free, at any hour",
        "The protocol has no plan of the analysis.",
        "the name and the e-mail address are asked",
        "so it can still be edited",
    ):
        assert said in page, said
    assert "[[" not in page
    assert "block_sizes" not in page


def test_the_schedule_says_what_is_asked_on_which_occasion(study: Study) -> None:
    grid = next(part.grids[0] for part in parts(study) if part.heading == "What is asked when")
    assert grid.head == (
        "What",
        "Screening",
        "Baseline",
        "Before each exercise",
        "After each exercise",
        "Day 8",
        "Day 15",
        "Follow-up",
    )
    rows = {
        row[0]: [name for name, cell in zip(grid.head[1:], row[1:], strict=True) if cell == "yes"] for row in grid.rows
    }
    k10 = next(name for name in rows if "K10" in name)
    assert rows[k10] == ["Screening", "Day 8", "Day 15", "Follow-up"]


SECRETS = {
    "seed = 20260301": "seed = 987654321",
    "block_sizes = [3] ": "block_sizes = [44]\n#",
    'ratio = 1\n\n[[arms]]\nname = "chat"': 'ratio = 2\n\n[[arms]]\nname = "chat"',
    "[safety]\n": '[safety]\nnotify = ["mailto://user:hunter2@example.org"]\nescalate = ["mailto://boss:hunter2@x.org"]\n',
}


def test_seeds_sizes_of_blocks_shares_and_addresses_with_passwords_are_left_out_for_all(
    folder: Path, clock: HandClock
) -> None:
    trial.write(folder, *SECRETS.items())
    study = Study.open(folder, clock=clock)
    trial.join(study)
    path = folder / "study.toml"
    path.write_text(
        path.read_text().replace("987654321", "987654322").replace("[44]", "[48]").replace("hunter2", "hunter3")
    )
    amend(folder, by="Dr Okafor", why="a new list", clock=clock)
    study.close()
    study = Study.open(folder, clock=clock)
    from study.access import accounts
    from study.access.signing import begin

    app = create_app(study, {study.protocol.engine: object()})  # type: ignore[dict-item]
    for role in ROLES:
        accounts.add(study, role.replace(" ", "-"), {role}, by="test")
        client = app.test_client()
        client.set_cookie("bedside", begin(study, role.replace(" ", "-")))
        page = client.get("/console/protocol/").text
        for secret in ("98765432", "44", "48", "hunter", "mailto", "2:1"):
            assert secret not in re.sub(r"<(time|a|script|link|input|body)[^>]*>", "", page), (role, secret)
        assert "not shown here" in page
    app.extensions["bedside"].close()
    study.close()


def test_versions_say_what_changed_who_amended_and_why(folder: Path, study: Study, clock: HandClock) -> None:
    trial.join(study)
    study.close()
    path = folder / "study.toml"
    text = path.read_text().replace("at_least = 18", "at_least = 21").replace('version = "1.0"', 'version = "1.1"')
    path.write_text(text.replace("What it asks of you.", "What it asks of you, in full."))
    amend(folder, by="Dr Imani Okafor", why="the ethics committee asked for it", clock=clock)
    again = Study.open(folder, clock=clock)
    app = create_app(again, {})
    with app.test_request_context():
        from study.readable import consents, told_versions

        newest, first = told_versions(again)
        assert (newest.by, newest.why) == ("Dr Imani Okafor", "the ethics committee asked for it")
        changed = {change.key: (change.old, change.new) for change in newest.changes}
        assert changed["eligibility 1, at least"] == ("18.0", "21.0")
        assert changed["consent, version"] == ("1.0", "1.1")
        assert all(change.about for change in newest.changes)
        assert first.changes == ()
        assert [(consent.version, numbers) for consent, numbers in consents(again)] == [("1.1", [2]), ("1.0", [1])]
    app.extensions["bedside"].close()
    again.close()


@pytest.mark.parametrize("template", template_names())
def test_every_template_can_be_read(tmp_path: Path, template: str) -> None:
    create(tmp_path / "mystudy", template)
    study = Study.open(tmp_path / "mystudy")
    found = parts(study)
    said = " ".join(sentence for part in found for sentence in part.sentences)
    if study.protocol.analysis:
        assert "The primary outcome is" in said
        assert "intention to treat" in said
    assert all(part.sentences or part.grids for part in found)
    study.close()


def test_it_is_for_everybody_who_may_come_in(study: Study, console_as: SignIn) -> None:
    assert {console_as(role).get("/console/protocol/").status_code for role in ROLES} == {200}
