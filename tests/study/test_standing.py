"""How the study stands: who is due, in a visit, late, missing, and how many came how far."""

from datetime import UTC, date, datetime
from pathlib import Path

from study import enrolment, halting, safety, standing, visits
from study.enrolment import take_in
from study.standing import Today
from study.study import Participant, Study
from study.tick import tick
from study.withdrawal import withdraw
from tests import trial
from tests.conftest import HandClock


def now_of(study: Study) -> Today:
    return standing.today(study, study.participants())


def where(today: Today, person: Participant) -> list[str]:
    """The lists in which somebody stands."""
    lists = {name: getattr(today, name) for name in ("due", "visiting", "late", "missed")}
    found = [name for name, rows in lists.items() if any(one.participant.code == person.code for one in rows)]
    return found + ["held"] * any(one.code == person.code for one in today.held)


def begin(study: Study, person: Participant) -> visits.Visit:
    visit = visits.today(study, person)
    assert visit is not None
    return visits.rate(study, visit, "before", 60)


def test_a_day_from_due_to_missed(study: Study, clock: HandClock) -> None:
    """The window is open from 04:00 to 04:00, so its last quarter begins at 22:00."""
    person = take_in(study)
    assert where(now_of(study), person) == ["due"]
    clock.moment = datetime(2026, 3, 2, 21, 59, tzinfo=UTC)
    assert where(now_of(study), person) == ["due"]
    clock.moment = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
    assert where(now_of(study), person) == ["late"]
    clock.moment = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
    assert where(now_of(study), person) == ["due", "missed"]
    tick(study)  # writes down what was missed, and opens the visit of the new day
    assert where(now_of(study), person) == ["due", "missed"]
    clock.moment = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
    assert [one.day for one in now_of(study).missed] == [2]  # that of day 1 closed more than 24 hours ago


def test_in_a_visit_until_half_an_hour_without_a_word(study: Study, clock: HandClock) -> None:
    person = take_in(study)
    visit = begin(study, person)
    clock.forward(minutes=29)
    assert where(now_of(study), person) == ["visiting"]
    clock.forward(minutes=1)
    found = now_of(study)
    assert where(found, person) == ["late"]
    assert found.late[0].left_off
    visit = visits.finish_exercise(study, visit)
    visits.rate(study, visit, "after", 40)
    found = now_of(study)
    assert where(found, person) == []
    assert found.done == 1
    clock.forward(hours=24)
    assert now_of(study).done == 0


def test_who_waits_is_not_due(study: Study) -> None:
    person, other, gone = take_in(study), take_in(study), take_in(study)
    safety.report(study, person.code, by="nurse", description="a fall")
    halting.halt(study, "arm", other.arm.name, by="board", why="to look")
    withdraw(study, gone.code, by=gone.code)
    found = now_of(study)
    assert where(found, person) == ["held"]
    assert where(found, other) == ["held"]
    assert where(found, gone) == []


def test_the_most_urgent_come_first(study: Study, clock: HandClock) -> None:
    first = take_in(study)
    clock.forward(minutes=5)
    second = take_in(study)
    begin(study, second)
    clock.forward(minutes=5)
    begin(study, first)
    assert [one.participant.code for one in now_of(study).visiting] == [second.code, first.code]


def test_every_day_has_its_mark(study: Study, clock: HandClock) -> None:
    person, gone = take_in(study), take_in(study)
    visit = visits.finish_exercise(study, begin(study, person))
    visits.rate(study, visit, "after", 40)
    clock.forward(days=1)
    begin(study, person)  # and never ended
    clock.forward(days=1)
    tick(study)
    clock.forward(days=1)
    withdraw(study, gone.code, by=gone.code)
    tick(study)
    rows = {one.participant.code: one for one in standing.diary(study, study.participants())}
    marks = [square.mark for square in rows[person.code].squares]
    assert marks == ["done", "unfinished", "missed", "open", *["ahead"] * 11]
    assert [square.mark for square in rows[gone.code].squares] == [*["missed"] * 3, *["left"] * 12]
    assert rows[person.code].today == 4


def test_a_follow_up_is_ahead_due_and_missed(folder: Path, clock: HandClock) -> None:
    trial.write(folder)
    study = Study.open(folder, clock=clock)
    person = trial.join(study)
    clock.forward(days=46)
    squares = standing.diary(study, [person])[0].squares
    assert (squares[-1].day, squares[-1].mark) == (45, "ahead")
    assert [one.day for one in now_of(study).due] == [45]
    clock.forward(days=5, hours=6)
    assert where(now_of(study), person) == ["missed"]
    study.close()


def test_enrolment_adds_up_on_the_studys_own_calendar(study: Study, clock: HandClock) -> None:
    clock.moment = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    take_in(study)
    clock.moment = datetime(2026, 3, 29, 23, 30, tzinfo=UTC)  # in London it is the 30th: summer time began
    take_in(study)
    take_in(study)
    take_in(study, kind="test", skip=True)
    assert standing.enrolment(study) == [(date(2026, 3, 28), 1), (date(2026, 3, 30), 3)]


def test_the_flow_counts_everybody_once_and_no_test(folder: Path, clock: HandClock) -> None:
    trial.write(folder)
    study = Study.open(folder, clock=clock)
    person = trial.join(study)
    trial.fill(study, enrolment.come(study).code, {"age": 15, "sex": "male", "treatment": "yes"})
    withdraw(study, person.code, by=person.code)
    flow = standing.flow(study, standing.diary(study, study.participants()))
    assert (flow.came, flow.ineligible, flow.enrolled) == (2, 1, 1)
    assert sorted(reason for reason, _ in flow.reasons) == [
        "The study is for adults.",
        "The study is for people who are not in treatment.",
    ]
    assert flow.arms[person.arm.name] == {"allocated": 1, "left": 1}
    study.close()


def test_distress_is_the_mean_of_each_arm_day_and_occasion(study: Study) -> None:
    people = [take_in(study) for _ in range(6)]
    for person, value in zip(people, (10, 20, 30, 40, 50, 60), strict=True):
        visit = visits.today(study, person)
        assert visit is not None
        visits.rate(study, visit, "before", value)
    found = standing.distress(study)
    for arm in {person.arm.name for person in people}:
        values = [v for p, v in zip(people, (10, 20, 30, 40, 50, 60), strict=True) if p.arm.name == arm]
        assert found[arm, 1, "before"] == (sum(values) / 2, 2)
