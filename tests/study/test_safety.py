"""Safety events and harms: one queue, held until somebody takes charge, assessed, and counted by stopping rules."""

import json
from pathlib import Path

import pytest

from study import forms, halting, safety, visits
from study.enrolment import take_in
from study.errors import OutOfRange, StudyError, UnknownCode
from study.study import Study
from study.turns import Hit
from study.verify import verify
from tests import trial
from tests.conftest import HandClock
from tests.trial import join

HIT = Hit("suicide", "suicide.want_to_die", 0, 4, "participant")


def test_a_hit_an_item_and_a_report_come_into_one_queue(whole: Study, clock: HandClock) -> None:
    person = join(whole)
    visit = visits.today(whole, person)
    assert visit is not None
    visits.stop(whole, visit, "participant", HIT)
    clock.forward(days=7)
    other = join(whole)
    clock.forward(days=7)
    visit = visits.today(whole, other)
    assert visit is not None
    due = forms.due_in_visit(whole, visit)
    assert due is not None
    forms.submit(whole, other.code, due, trial.answers(whole, "k10", 2))
    safety.report(whole, other.code, by="nurse", description="a fall on the stairs", severity="mild")
    found = [(row["source"], row["category"], row["participant"]) for row in reversed(safety.events(whole))]
    assert found == [
        ("participant", "suicide", person.code),
        ("item", "severe_distress", other.code),
        ("report", "adverse event", other.code),
    ]
    assert verify(whole.records).mistakes == []


def test_an_item_alert_stops_the_visit_in_the_transaction_that_records_the_answer(
    whole: Study, clock: HandClock
) -> None:
    person = join(whole)
    clock.forward(days=14)
    visit = visits.today(whole, person)
    assert visit is not None
    for name in ("k10", "phq9"):
        due = forms.due_in_visit(whole, visit)
        assert due == forms.Due(name, "day 15", "en", visit.id)
        forms.submit(whole, person.code, due, trial.answers(whole, name, item9=1))
    assert visits.find(whole, visit.id).state == "stopped"
    assert whole.participant(person.code).status == "held"
    assert safety.events(whole)[0]["rule"] == "phq9 item 9 at least 1"


def test_an_answer_that_alarms_is_heard_in_a_form_that_is_not_complete(whole: Study, clock: HandClock) -> None:
    person = join(whole)
    clock.forward(days=14)
    visit = visits.today(whole, person)
    assert visit is not None
    due = forms.due_in_visit(whole, visit)
    assert due is not None
    forms.submit(whole, person.code, due, trial.answers(whole, "k10"))
    due = forms.due_in_visit(whole, visit)
    assert due is not None
    given = {**trial.answers(whole, "phq9", item9=1), "1": 7}
    for _ in range(2):  # and it is given again as it was
        with pytest.raises(OutOfRange):
            forms.submit(whole, person.code, due, given)
    assert [row["rule"] for row in safety.events(whole)] == ["phq9 item 9 at least 1"]
    assert visits.find(whole, visit.id).state == "stopped"
    assert whole.participant(person.code).status == "held"
    assert verify(whole.records).mistakes == []


def test_a_follow_up_in_which_an_answer_alarms_goes_on_when_somebody_has_taken_charge(
    folder: Path, clock: HandClock
) -> None:
    trial.write(folder, ('when = ["baseline", "day 15"]', 'when = ["baseline", "day 15", "follow-up"]'))
    study = Study.open(folder, clock=clock)
    person = join(study)
    clock.forward(days=44)
    visit = visits.today(study, person)
    assert visit is not None
    due = forms.due_in_visit(study, visit)
    assert due is not None
    forms.submit(study, person.code, due, trial.answers(study, "k10", 4))  # very distressed
    assert study.participant(person.code).status == "held"
    assert visits.today(study, study.participant(person.code)) is None
    assert forms.due_in_visit(study, visit) is None
    safety.acknowledge(study, 1, "Dr Okafor")
    clock.forward(days=2)
    assert visits.today(study, study.participant(person.code)) == visit
    due = forms.due_in_visit(study, visit)
    assert due == forms.Due("phq9", "follow-up", "en", visit.id)
    forms.submit(study, person.code, due, trial.answers(study, "phq9"))
    assert visits.find(study, visit.id).state == "done"
    assert verify(study.records).mistakes == []


def test_who_waits_for_somebody_to_take_charge_is_asked_no_more_forms(whole: Study) -> None:
    person = join(whole)
    visit = visits.today(whole, person)
    assert visit is not None
    visit = visits.rate(whole, visits.finish_exercise(whole, visits.rate(whole, visit, "before", 60)), "after", 40)
    assert forms.due_in_visit(whole, visit) is not None
    for _ in range(2):  # a page that had no answer sends its words again
        visits.stop(whole, visit, "participant", HIT)
    assert len(safety.events(whole)) == 1
    assert forms.due_in_visit(whole, visits.find(whole, visit.id)) is None
    assert safety.has_open_event(whole, person.code)
    assert visits.find(whole, visit.id).state == "done", "it ended as it ended"
    safety.acknowledge(whole, 1, "Dr Okafor")
    assert forms.due_in_visit(whole, visits.find(whole, visit.id)) is not None


def test_a_participant_waits_until_the_last_of_their_events_is_acknowledged(study: Study) -> None:
    person = take_in(study)
    numbers = [safety.report(study, person.code, by="nurse", description="a fall") for _ in range(2)]
    for number, status in zip(numbers, ("held", "active"), strict=True):
        safety.acknowledge(study, number, "Dr Okafor")
        assert study.participant(person.code).status == status
    with pytest.raises(UnknownCode, match="no open safety event 1"):
        safety.acknowledge(study, numbers[0], "Dr Okafor")


def test_a_report_need_not_hold(study: Study) -> None:
    person = take_in(study)
    safety.report(study, person.code, by="nurse", description="a cold", hold=False)
    assert study.participant(person.code).status == "active"


def test_an_acknowledgement_does_not_bring_back_who_left(study: Study) -> None:
    from study.withdrawal import withdraw

    person = take_in(study)
    number = safety.report(study, person.code, by="nurse", description="a fall")
    withdraw(study, person.code, by=person.code)
    safety.acknowledge(study, number, "Dr Okafor")
    assert study.participant(person.code).status == "withdrawn"


def test_every_judgement_stays_in_the_log(study: Study) -> None:
    person = take_in(study)
    number = safety.report(study, person.code, by="nurse", description="a fall", severity="mild", serious="no")
    safety.acknowledge(study, number, "Dr Okafor")
    safety.assess(study, number, by="Dr Okafor", severity="severe", serious="yes", why="a fracture showed")
    safety.assess(
        study, number, by="Dr Okafor", relatedness="not", expectedness="unexpected", outcome="recovered", close=True
    )
    row = safety.event(study, number)
    assert (row["severity"], row["relatedness"], row["outcome"], row["assessed_by"]) == (
        "severe",
        "not",
        "recovered",
        "Dr Okafor",
    )
    assert row["closed_at"] is not None
    details = [
        json.loads(one["detail"]) for one in study.records.rows("SELECT detail FROM event WHERE what LIKE '%assessed'")
    ]
    assert details[0]["changes"][f"safety_event/{number}"]["severity"] == ["mild", "severe"]
    assert details[0]["why"] == "a fracture showed"


def test_an_event_is_closed_when_it_is_acknowledged_and_has_an_outcome(study: Study) -> None:
    number = safety.report(study, take_in(study).code, by="nurse", description="a fall")
    for outcome in (None, "recovered"):
        with pytest.raises(StudyError, match="can be closed when"):
            safety.assess(study, number, by="Dr Okafor", outcome=outcome, close=True)
    safety.acknowledge(study, number, "Dr Okafor")
    safety.assess(study, number, by="Dr Okafor", outcome="recovered", close=True)


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        ({"severity": "bad"}, "severity is 'bad'; allowed: mild, moderate, severe, life-threatening, fatal"),
        ({"colour": "red"}, "colour is no part of an assessment"),
    ],
)
def test_only_the_words_of_the_scales_are_taken(study: Study, judged: dict[str, str], said: str) -> None:
    code = take_in(study).code
    with pytest.raises(StudyError, match=said):
        safety.report(study, code, by="nurse", description="a fall", **judged)
    with pytest.raises(StudyError, match="Describe what happened"):
        safety.report(study, code, by="nurse", description=" ")
    assert safety.events(study) == []


# Stopping rules


def with_rules(folder: Path, clock: HandClock, *rules: str) -> Study:
    path = folder / "study.toml"
    path.write_text(path.read_text() + "\nstopping = [" + ", ".join(rules) + "]\n")
    return Study.open(folder, clock=clock)


def test_a_stopping_rule_halts_an_arm_and_not_the_others(folder: Path, clock: HandClock) -> None:
    study = with_rules(folder, clock, '{ count = "adverse", at_least = 2, within = "arm" }')
    people = [take_in(study) for _ in range(6)]
    chat = [person for person in people if person.arm.name == "chat"]
    safety.report(study, chat[0].code, by="nurse", description="a fall", hold=False)
    safety.report(
        study, next(p.code for p in people if p.arm.name == "robot"), by="nurse", description="a fall", hold=False
    )
    assert halting.halts(study) == []
    safety.report(study, chat[1].code, by="nurse", description="a fall", hold=False)
    [halt] = halting.halts(study)
    assert (halt["scope"], halt["target"], halt["halted_by"]) == ("arm", "chat", "bedside")
    assert "stopping rule: 2 or more of adverse within the arm" in halt["why"]
    assert visits.today(study, chat[0]) is None
    assert visits.today(study, next(p for p in people if p.arm.name == "robot")) is not None
    with pytest.raises(StudyError, match="arm chat is halted"):
        take_in(study)


def test_a_stopping_rule_of_serious_events_looks_when_they_are_assessed(folder: Path, clock: HandClock) -> None:
    study = with_rules(folder, clock, '{ count = "serious", at_least = 1 }')
    number = safety.report(study, take_in(study).code, by="nurse", description="a fall")
    assert halting.halts(study) == []
    safety.assess(study, number, by="Dr Okafor", serious="yes")
    assert [halt["scope"] for halt in halting.halts(study)] == ["study"]


def test_a_rule_halts_once_and_whoever_lifted_it_has_decided(folder: Path, clock: HandClock) -> None:
    study = with_rules(folder, clock, '{ count = "events", at_least = 1 }')
    person = take_in(study)
    safety.report(study, person.code, by="nurse", description="a fall", hold=False)
    [halt] = halting.halts(study)
    halting.lift(study, halt["id"], by="Board", why="not related")
    safety.report(study, person.code, by="nurse", description="another", hold=False)
    assert halting.halts(study) == []


def test_events_of_test_participants_count_for_no_rule(folder: Path, clock: HandClock) -> None:
    study = with_rules(folder, clock, '{ count = "events", at_least = 1 }')
    person = take_in(study, kind="test", skip=True)
    safety.report(study, person.code, by="nurse", description="a try")
    assert halting.halts(study) == []
