"""The commands of the trial, as one types them."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bedside.cli import main
from study import identity, visits
from study.enrolment import take_in
from study.study import Study
from study.verify import verify
from tests import trial


def run(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], input=answer)


def ok(*arguments: object, answer: str | None = None) -> str:
    done = run(*arguments, answer=answer)
    assert done.exit_code == 0, done.output
    return done.output


def refused(*arguments: object) -> str:
    """The one line with which a command refuses."""
    done = run(*arguments)
    assert done.exit_code == 2
    lines = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, done.output
    return lines[0]


def items(study: Study, *measures: str) -> list[str]:
    return [
        part
        for measure in measures
        for item, value in trial.answers(study, measure).items()
        for part in ("--item", f"{measure}.{item}={value}")
    ]


def test_somebody_on_paper_is_enrolled_with_their_answers(folder: Path, whole: Study) -> None:
    assert "they come by http://127.0.0.1:8000/join/" in refused("enrol", folder)
    answers = ["--answer", "age=20", "--answer", "sex=female", "--answer", "treatment=no"]
    given = [*answers, *items(whole, "k10", "phq9", "ucla3"), "--permission", "record_speech"]
    said = ok("enrol", folder, "--by", "Dr Okafor", "--timezone", "America/Lima", *given)
    code = re.findall(r"Enrolled (\w+) in the arm", said)[0]
    assert str(whole.participant(code).zone) == "America/Lima"
    told = f"  bedside identity {folder} {code} --by 'Dr Okafor' --set name=... --set email=..."
    assert said.splitlines()[-2:] == [
        "Not known yet: name, email. Nobody will ask them; keep what they tell you:",
        told,
    ]
    typed = shlex.split(told.replace("name=...", "name=Maya").replace("email=...", "email=m@example.org"))
    assert "Kept for" in ok(*typed[1:])
    assert identity.contact(whole, code) == {"name": "Maya", "email": "m@example.org"}
    assert whole.records.row("SELECT witness FROM consent") == {"witness": "Dr Okafor"}
    assert "The study is for adults." in refused("enrol", folder, "--by", "x", "--answer", "age=9", *given[2:])
    assert "write it as QUESTION=ANSWER" in refused("enrol", folder, "--by", "x", "--answer", "age")
    assert "write it as MEASURE.ITEM=NUMBER" in refused("enrol", folder, "--by", "x", "--item", "k10=1")
    for wrong in ("k10.1=--5", "k10.1=5.0", "k10.1=x", "k10.1=٣", "k10.1=" + "9" * 5000, "k10=1"):
        assert "write it as MEASURE.ITEM=NUMBER" in refused("enrol", folder, "--by", "x", "--item", wrong)
    for wrong in ("--5", "20.5", "x", "", "9" * 5000):
        assert "age is answered with a whole number" in refused(
            "enrol", folder, "--by", "x", "--answer", f"age={wrong}"
        )
    assert "one of: female, male, other" in refused(
        "enrol", folder, "--by", "x", "--answer", "age=20", "--answer", "sex=x"
    )
    assert "--by NAME" in refused("enrol", folder, *given)
    assert [person.state for person in whole.people()] == ["enrolled", "ineligible"]


def test_an_answer_or_item_that_is_given_twice_is_refused(folder: Path, whole: Study) -> None:
    """The last of two would decide who can take part and whether there is an alarm."""
    answers = ["--by", "x", "--answer", "age=16", "--answer", "sex=female", "--answer", "treatment=no"]
    given = [*answers, *items(whole, "k10", "phq9", "ucla3")]
    assert "--answer age is given twice" in refused("enrol", folder, *given, "--answer", "age=20")
    assert "--item phq9.9 is given twice" in refused("enrol", folder, *given, "--item", "phq9.9=")
    assert whole.people() == []


def test_test_participants_invitations_and_links(folder: Path, whole: Study) -> None:
    tested = ok("enrol", folder, "--test", "--arm", "robot")
    assert "TEST-" in tested
    assert "Not known yet" not in tested
    assert "no arm 'video'" in refused("enrol", folder, "--test", "--arm", "video")
    assert len(ok("invite", folder, "--count", "3", "--url", "https://study.example.org/").splitlines()) == 3
    links = ok("links", folder, "--url", "https://study.example.org")
    assert "door        https://study.example.org/join/" in links
    assert links.count("/p/") == 4  # a wrong arm left nobody on the way
    assert "screening" in links


def test_the_queue_from_report_to_closing(folder: Path, study: Study) -> None:
    code = take_in(study).code
    said = ok("adverse", folder, code, "--by", "nurse", "--description", "a fall", "--severity", "mild")
    assert "event 1" in said
    assert "OPEN" in ok("safety", folder)
    ok("safety", folder, "--acknowledge", "1", "--by", "Dr Okafor")
    assert "to be assessed: serious, relatedness, expectedness, outcome" in ok("safety", folder)
    assert "can be closed when" in refused("assess", folder, "1", "--by", "Dr Okafor", "--close")
    ok("assess", folder, "1", "--by", "Dr Okafor", "--outcome", "recovered", "--close")
    assert "closed" in ok("safety", folder)
    assert run("assess", folder, "1", "--by", "x", "--severity", "bad").exit_code == 2
    assert "no safety event 7" in refused("assess", folder, "7", "--by", "x", "--severity", "mild")


def test_halting_and_going_on(folder: Path, study: Study) -> None:
    take_in(study)
    assert "Nothing was halted." in ok("halt", folder)
    assert "--by NAME" in refused("halt", folder, "study", "--why", "x")
    assert "Say which arm" in refused("halt", folder, "arm", "--by", "x", "--why", "y")
    ok("halt", folder, "arm", "chat", "--by", "Dr Okafor", "--why", "two events")
    assert "IN FORCE" in ok("halt", folder)
    assert "HALTED  arm chat" in ok("safety", folder)
    assert "is halted, so nobody can be enrolled" in refused("enrol", folder)
    ok("lift", folder, "1", "--by", "Board", "--why", "mended")
    assert "lifted" in ok("halt", folder)
    assert "no halt 1 in force" in refused("lift", folder, "1", "--by", "Board", "--why", "mended")


def test_a_tick_says_what_it_did_and_is_silent_when_there_was_nothing(folder: Path) -> None:
    take_in(Study.open(folder))
    assert ok("tick", folder) == "1 opened\n"
    assert ok("tick", folder) == ""


def test_moving(folder: Path, study: Study) -> None:
    code = take_in(study).code
    ok("move", folder, code, "America/Lima", "--by", "Dr Okafor", "--why", "holidays")
    assert str(study.participant(code).zone) == "America/Lima"
    assert "no IANA time zone" in refused("move", folder, code, "Lima", "--by", "x", "--why", "y")


def test_amending_shows_what_changes_and_asks(folder: Path, study: Study) -> None:
    take_in(study)
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("days = 15 ", "days = 14 "))
    said = run("amend", folder, "--by", "Dr Okafor", "--why", "shorter", answer="n\n")
    assert said.exit_code == 1
    assert "days: 15 -> 14" in said.output
    assert "version 2" in ok("amend", folder, "--by", "Dr Okafor", "--why", "shorter", answer="y\n")
    assert "Dr Okafor: shorter" in ok("versions", folder)
    assert "nothing to amend" in refused("amend", folder, "--by", "x", "--why", "y", "--yes")


def test_backup_restore_withdraw_and_retention(folder: Path, study: Study, tmp_path: Path) -> None:
    person = take_in(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 5)
    ok("backup", folder, tmp_path / "b.backup")
    ok("restore", tmp_path / "b.backup", tmp_path / "again")
    assert "never overwritten" in refused("backup", folder, tmp_path / "b.backup")
    assert "no backup of a study" in refused("restore", folder / "study.toml", tmp_path / "third")
    said = run("withdraw", folder, person.code, "--by", "me", "--erase", answer="n\n")
    assert said.exit_code == 1
    assert study.records.rows("SELECT * FROM rating")
    ok("withdraw", folder, person.code, "--by", "me", "--erase", "--yes")
    assert study.records.rows("SELECT * FROM rating") == []
    assert verify(study.records).mistakes == []
    assert "No identity is to be deleted." in ok("retention", folder)
    assert "no participant with this code" in refused("withdraw", folder, "NOBODY", "--by", "me")


def test_identities_are_shown_to_who_says_why(folder: Path, study: Study) -> None:
    code = take_in(study).code
    ok("identity", folder, code, "--by", "nurse", "--set", "name=Maya Lindqvist", "--set", "email=m@example.org")
    assert identity.contact(study, code)["name"] == "Maya Lindqvist"
    assert "--why REASON" in refused("identity", folder, code, "--by", "nurse")
    assert "--by NAME" in refused("identity", folder)
    assert f"{code}  Maya Lindqvist  m@example.org" in ok("identity", folder, "--by", "nurse", "--why", "a letter")
    assert ok("identity", folder, "--where").strip() == str(identity.key_path(study))


@pytest.mark.parametrize(
    "command", ["verify", "backup", "tick", "safety", "halt", "links", "export", "retention", "versions"]
)
def test_a_folder_that_is_no_study_gets_one_line(tmp_path: Path, command: str) -> None:
    more = [tmp_path / "out"] if command in ("backup", "export") else []
    if command == "verify":
        assert "has no record yet" in ok(command, tmp_path / "nothing")
    else:
        assert "does not exist" in refused(command, tmp_path / "nothing", *more)
