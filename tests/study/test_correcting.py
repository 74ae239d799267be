"""A value that was given wrongly is put right: with a reason, in every reader, and what was given stays."""

import csv
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from bedside.cli import main
from study import forms, safety, visits
from study.analysis.data import load
from study.analysis.sections.departures import section
from study.correcting import Given, as_given, correct, corrections, excluded_now, values
from study.errors import NotDue, OutOfRange, StudyError, UnknownCode
from study.export import export
from study.study import Participant, Study
from study.verify import verify
from study.withdrawal import withdraw
from tests.conftest import HandClock
from tests.trial import join

WHY = "the paper form says 53"


def rated(study: Study, value: int = 35) -> Participant:
    person = join(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", value)
    return person


def named(study: Study, code: str, measure: str, item: str) -> Given:
    return next(one for one in values(study, code) if (one.measure, one.item) == (measure, item))


def test_what_was_given_stays_and_the_new_value_is_the_one_that_is_read(whole: Study, clock: HandClock) -> None:
    person = rated(whole)
    given = named(whole, person.code, "distress", "distress")
    clock.forward(hours=2)
    now = correct(whole, person.code, given.name, "53", was="35", by="Dr Okafor", why=WHY)
    assert (now.value, now.corrected, now.given_at) == (53, 1, given.given_at)
    assert whole.records.row("SELECT value FROM rating") == {"value": 35}
    assert as_given(whole, now) == "35"
    [told] = corrections(whole, person.code)
    assert (told["value_before"], told["value"], told["corrected_by"], told["why"]) == (35, 53, "Dr Okafor", WHY)
    visit = visits.today(whole, person)
    assert visit is not None
    assert visits.ratings(whole, visit) == {"before": 53}
    [event] = whole.records.rows("SELECT actor, subject, person FROM event WHERE what = 'corrected'")
    assert event == {"actor": "Dr Okafor", "subject": given.name, "person": person.code}
    assert verify(whole.records).mistakes == []


def test_a_value_is_corrected_again_and_the_last_correction_holds(whole: Study) -> None:
    person = rated(whole)
    name = named(whole, person.code, "distress", "distress").name
    correct(whole, person.code, name, "53", was="35", by="Dr Okafor", why=WHY)
    again = correct(whole, person.code, name, "54", was="53", by="Dr Imani", why="misread once more")
    assert (again.value, again.corrected, as_given(whole, again)) == (54, 2, "35")


def test_a_value_that_is_another_one_by_now_is_not_corrected(whole: Study) -> None:
    person = rated(whole)
    name = named(whole, person.code, "distress", "distress").name
    correct(whole, person.code, name, "53", was="35", by="Dr Okafor", why=WHY)
    with pytest.raises(NotDue, match="changed since you looked"):
        correct(whole, person.code, name, "80", was="35", by="Dr Imani", why="I saw the old page")
    assert len(corrections(whole, person.code)) == 1


def test_the_same_correction_sent_twice_or_by_many_at_once_is_made_once(whole: Study) -> None:
    person = rated(whole)
    name = named(whole, person.code, "distress", "distress").name

    def send(_: int) -> int | None:
        return correct(whole, person.code, name, "53", was="35", by="Dr Okafor", why=WHY).value

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(send, range(12))) == {53}
    assert len(corrections(whole, person.code)) == 1


def test_of_two_people_who_correct_the_same_value_at_once_one_is_told_to_look_again(whole: Study) -> None:
    person = rated(whole)
    name = named(whole, person.code, "distress", "distress").name

    def send(new: str) -> str:
        try:
            correct(whole, person.code, name, new, was="35", by="Dr Okafor", why=WHY)
        except NotDue:
            return "told"
        return new

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(send, ["53", "54"]))
    assert said.count("told") == 1
    assert [str(one["value"]) for one in corrections(whole, person.code)] == [one for one in said if one != "told"]


@pytest.mark.parametrize(
    ("measure", "item", "new"),
    [
        ("distress", "distress", "101"),
        ("distress", "distress", ""),
        ("distress", "distress", "five"),
        ("distress", "distress", "٣"),
        ("k10", "1", "9"),
        ("k10", "1", "often"),
        ("screening", "age", "-3"),
        ("screening", "age", ""),
        ("screening", "sex", "woman"),
        ("screening", "sex", ""),
    ],
)
def test_what_could_not_have_been_given_is_no_correction(whole: Study, measure: str, item: str, new: str) -> None:
    person = rated(whole)
    given = named(whole, person.code, measure, item)
    with pytest.raises(OutOfRange):
        correct(whole, person.code, given.name, new, was=given.shown, by="Dr Okafor", why=WHY)
    assert corrections(whole, person.code) == []


def test_a_reason_a_difference_and_a_value_of_this_person_are_needed(whole: Study) -> None:
    person, other = rated(whole), rated(whole)
    name = named(whole, person.code, "distress", "distress").name
    with pytest.raises(StudyError, match="Say why"):
        correct(whole, person.code, name, "53", was="35", by="Dr Okafor", why=" ")
    with pytest.raises(StudyError, match="nothing is to be corrected"):
        correct(whole, person.code, name, "35", was="35", by="Dr Okafor", why=WHY)
    with pytest.raises(UnknownCode):
        correct(whole, other.code, name, "53", was="35", by="Dr Okafor", why=WHY)
    with pytest.raises(UnknownCode):
        correct(whole, person.code, "turn/1", "53", was="35", by="Dr Okafor", why=WHY)


def test_scores_follow_the_corrected_answer_and_an_item_can_be_put_at_left_out(whole: Study) -> None:
    person = rated(whole)
    before = forms.known(whole, person.code)["k10"]
    one = named(whole, person.code, "k10", "1")
    correct(whole, person.code, one.name, "4", was="1", by="Dr Okafor", why=WHY)
    assert before == 10
    assert forms.known(whole, person.code)["k10"] == 13
    assert correct(whole, person.code, one.name, "", was="4", by="Dr Okafor", why="left blank").value is None


def test_what_was_decided_stays_decided_and_whoever_corrects_is_told_what_the_rules_say_now(whole: Study) -> None:
    person = rated(whole)
    age, sex = named(whole, person.code, "screening", "age"), named(whole, person.code, "screening", "sex")
    levels = whole.records.row("SELECT stratum, levels, arm FROM participant")
    correct(whole, person.code, sex.name, "male", was="female", by="Dr Okafor", why=WHY)
    assert named(whole, person.code, "screening", "sex").choice == "male"
    assert excluded_now(whole, person.code) == []
    correct(whole, person.code, age.name, "17", was="20", by="Dr Okafor", why=WHY)
    assert excluded_now(whole, person.code) == ["The study is for adults."]
    assert whole.records.row("SELECT stratum, levels, arm FROM participant") == levels
    assert whole.person(person.code).state == "enrolled"


def test_an_answer_that_should_have_raised_an_alarm_raises_it_once_it_is_corrected(whole: Study) -> None:
    person = rated(whole)
    item = named(whole, person.code, "phq9", "9")
    assert safety.events(whole, open_only=True) == []
    correct(whole, person.code, item.name, "2", was="0", by="Dr Okafor", why=WHY)
    [event] = safety.events(whole, open_only=True)
    assert (event["participant"], event["source"]) == (person.code, "item")
    assert whole.participant(person.code).status == "held"
    correct(whole, person.code, item.name, "3", was="2", by="Dr Okafor", why=WHY)  # it is raised already
    assert len(safety.events(whole, open_only=True)) == 1


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("role", [None, "analyst"])
def test_an_export_has_the_value_as_it_holds_now_marked_and_the_table_of_corrections(
    whole: Study, tmp_path: Path, role: str | None
) -> None:
    person, other = rated(whole), rated(whole, 35)
    name = named(whole, person.code, "distress", "distress").name
    correct(whole, person.code, name, "53", was="35", by="Dr Okafor", why=WHY)
    item = named(whole, person.code, "k10", "1")
    correct(whole, person.code, item.name, "4", was="1", by="Dr Okafor", why=WHY)
    out = tmp_path / "out"
    export(whole, out, role=role)  # type: ignore[arg-type]
    long = {(row["participant"], row["measure"], row["name"]): row for row in rows_of(out / "long.csv")}
    assert [long[code, "distress", "distress"]["value"] for code in (person.code, other.code)] == ["53", "35"]
    assert [long[code, "distress", "distress"]["corrected"] for code in (person.code, other.code)] == ["1", "0"]
    assert (long[person.code, "k10", "total"]["value"], long[person.code, "k10", "total"]["corrected"]) == ("13", "1")
    assert [row["value"] for row in rows_of(out / "rating.csv")] == ["53", "35"]
    assert {row["value"] for row in rows_of(out / "answer.csv") if row["corrected"] == "1"} == {"4"}
    [first, second] = rows_of(out / "correction.csv")
    assert (first["person"], first["value_before"], first["value"]) == (person.code, "35", "53")
    assert (second["measure"], second["item"], second["value_before"]) == ("k10", "1", "1")
    assert ("why" in first) == (role is None)
    odm = (out / "odm" / "odm.xml").read_text()
    assert odm.count("<Comment>Corrected") == 2
    assert 'Value="53"><Annotation' in odm


def test_a_deidentified_export_tells_neither_who_corrected_nor_why(whole: Study, tmp_path: Path) -> None:
    person = rated(whole)
    name = named(whole, person.code, "distress", "distress").name
    correct(whole, person.code, name, "53", was="35", by="Dr Okafor", why=WHY)
    export(whole, tmp_path / "out", deidentified=True)
    [row] = rows_of(tmp_path / "out" / "correction.csv")
    assert (row["value_before"], row["value"], row["visit"]) == ("35", "53", "1")
    assert not {"why", "corrected_by", "rating", "id"} & set(row)
    assert row["person"] != person.code


PLAN = """[analysis]
primary = { measure = "distress", when = "before" }
estimand = { population = "all", treatment = "as allocated", variable = "distress", intercurrent_events = "none", summary = "difference of means" }

"""


def test_the_analysis_takes_the_corrected_value_and_says_how_many_there_are(
    folder: Path, whole: Study, clock: HandClock
) -> None:
    whole.close()
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("[engine]\n", PLAN + "[engine]\n", 1))
    study = Study.open(folder, clock=clock)
    person = rated(study)
    rated(study)
    before = load(study)
    assert not any("corrected" in line for line in section(before).text)
    name = named(study, person.code, "distress", "distress").name
    correct(study, person.code, name, "52", was="35", by="Dr Okafor", why=WHY)
    correct(study, person.code, name, "53", was="52", by="Dr Okafor", why=WHY)
    data = load(study)
    scores = data.scores[data.scores["measure"] == "distress"]
    assert scores["score"].tolist() == [53, 35]
    assert data.sha256 != before.sha256
    assert any(line.startswith("1 value was given wrongly and corrected") for line in section(data).text)
    item = named(study, person.code, "k10", "1")
    correct(study, person.code, item.name, "4", was="1", by="Dr Okafor", why=WHY)
    said = section(load(study, "analyst")).text
    assert any(line.startswith("2 values of 1 participant were given wrongly and corrected") for line in said)
    study.close()


def test_an_erasure_takes_the_corrections_with_it(folder: Path, whole: Study) -> None:
    person, other = rated(whole, 35), rated(whole)
    for one in (person, other):
        name = named(whole, one.code, "distress", "distress").name
        correct(whole, one.code, name, "53", was="35", by="Dr Okafor", why=f"misread the slip of {one.code}")
    withdraw(whole, person.code, by="researcher", erase=True)
    assert corrections(whole, person.code) == []
    assert values(whole, person.code) == []
    assert len(corrections(whole, other.code)) == 1
    assert verify(whole.records).mistakes == []
    for file in folder.rglob("*"):
        assert f"slip of {person.code}".encode() not in (file.read_bytes() if file.is_file() else b"")


def test_corrections_are_append_only_and_an_altered_one_is_found(whole: Study) -> None:
    person = rated(whole)
    name = named(whole, person.code, "distress", "distress").name
    correct(whole, person.code, name, "53", was="35", by="Dr Okafor", why=WHY)
    connection = sqlite3.connect(whole.records.path)
    with pytest.raises(sqlite3.IntegrityError, match="corrections are append-only"):
        connection.execute("UPDATE correction SET value = 12")
    trigger = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'correction_is_never_changed'").fetchone()
    connection.execute("DROP TRIGGER correction_is_never_changed")
    connection.execute("UPDATE correction SET value = 12")
    connection.execute(trigger[0])
    connection.commit()
    connection.close()
    assert verify(whole.records).mistakes == ["Correction 1 was altered."]


def test_the_command_lists_values_corrects_one_and_says_what_is_lacking(folder: Path, whole: Study) -> None:
    person = rated(whole)
    name = named(whole, person.code, "distress", "distress").name

    def run(*arguments: str) -> str:
        return CliRunner().invoke(main, ["correct", str(folder), person.code, *arguments]).output

    assert f"{name:12}  day 1, before: distress  35" in run()
    assert "Say what it was" in run(name, "--to", "53")
    assert "changed since you looked" in run(name, "--was", "3", "--to", "53", "--by", "x", "--why", "y")
    told = run(name, "--was", "35", "--to", "53", "--by", "Dr Okafor", "--why", WHY)
    assert told == f"{name} of {person.code} is 53 now; what was given stays in the record.\n"
    assert f"{name:12}  day 1, before: distress  53 (corrected)" in run()
    age = named(whole, person.code, "screening", "age").name
    told = run(age, "--was", "20", "--to", "17", "--by", "Dr Okafor", "--why", WHY)
    assert f"the rules would exclude {person.code}: The study is for adults." in told
