"""Visits: their windows, what is missed, and participants who move."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from study import enrolment, forms, halting, safety, visits
from study.errors import NotDue, StudyError
from study.moving import move
from study.study import Participant, Study
from study.tick import tick
from study.turns import Hit
from study.verify import verify
from study.withdrawal import withdraw
from tests import trial
from tests.conftest import HandClock
from tests.trial import join


def opened(folder: Path, clock: HandClock, rules: str) -> Study:
    """A study whose visits have these rules; the clock stands on 2 March 2026, 09:00 in London."""
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("[visits]\n", f"[visits]\n{rules}\n"))
    return Study.open(folder, clock=clock)


def at(clock: HandClock, day: int, hour: int, minute: int = 0) -> None:
    clock.moment = datetime(2026, 3, 2, hour, minute, tzinfo=UTC) + timedelta(days=day - 1)


def states(study: Study) -> list[tuple[int, str]]:
    return [(row["day"], row["state"]) for row in study.records.rows("SELECT day, state FROM visit ORDER BY day")]


def whole_visit(study: Study, person: Participant) -> visits.Visit:
    visit = visits.today(study, person)
    assert visit is not None
    visit = visits.finish_exercise(study, visits.rate(study, visit, "before", 60))
    return visits.rate(study, visit, "after", 40)


def test_a_visit_can_be_begun_within_its_window_only(folder: Path, clock: HandClock) -> None:
    study = opened(folder, clock, 'opens = "10:00"\ncloses = "20:00"')
    person = enrolment.take_in(study)
    assert visits.today(study, person) is None
    closed = visits.why_closed(study, person)
    assert (closed.reason, closed.opens) == ("not_open", datetime(2026, 3, 2, 10, tzinfo=UTC))
    at(clock, 1, 10)
    assert visits.today(study, person) is not None
    at(clock, 2, 20)
    assert visits.today(study, person) is None
    assert visits.why_closed(study, person).reason == "missed"
    assert visits.why_closed(study, person).opens == datetime(2026, 3, 4, 10, tzinfo=UTC)


def test_the_first_day_can_be_a_later_one(folder: Path, clock: HandClock) -> None:
    study = opened(folder, clock, "first_day = 2")
    person = enrolment.take_in(study)
    assert study.day_of(person) == -1
    assert visits.today(study, person) is None
    assert visits.why_closed(study, person).reason == "not_begun"
    at(clock, 3, 4)
    visit = visits.today(study, person)
    assert visit is not None
    assert visit.day == 1


def test_a_visit_that_was_begun_can_be_finished_in_its_grace_past_the_boundary(folder: Path, clock: HandClock) -> None:
    study = opened(folder, clock, "grace_minutes = 60")
    person = enrolment.take_in(study)
    at(clock, 2, 3, 50)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    at(clock, 2, 4, 30)
    still = visits.today(study, person)
    assert still is not None
    assert (still.day, still.state) == (1, "exercise")
    visits.rate(study, visits.finish_exercise(study, still), "after", 40)
    following = visits.today(study, person)
    assert following is not None
    assert following.day == 2
    assert states(study) == [(1, "done"), (2, "before")]


def test_without_grace_a_begun_visit_ends_unfinished(folder: Path, clock: HandClock) -> None:
    study = opened(folder, clock, "grace_minutes = 0")
    person = enrolment.take_in(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    at(clock, 2, 4)
    with pytest.raises(NotDue, match="time for this visit is over"):
        visits.rate(study, visits.finish_exercise(study, visit), "after", 40)
    following = visits.today(study, person)
    assert following is not None
    assert states(study) == [(1, "unfinished"), (2, "before")]


def test_missed_days_are_marked_also_when_nothing_ran_for_days(folder: Path, clock: HandClock) -> None:
    study = opened(folder, clock, "")
    person = enrolment.take_in(study)
    whole_visit(study, person)
    at(clock, 5, 9)
    tick(study)
    assert states(study) == [(1, "done"), (2, "missed"), (3, "missed"), (4, "missed"), (5, "before")]
    at(clock, 40, 9)
    tick(study)
    assert [state for _, state in states(study)] == ["done"] + ["missed"] * 14


def test_a_follow_up_opens_stays_open_and_is_missed(whole: Study, clock: HandClock) -> None:
    person = join(whole)
    clock.forward(days=43)
    tick(whole)
    assert visits.why_closed(whole, person).reason == "between"
    clock.forward(days=1)
    visit = visits.today(whole, person)
    assert visit is not None
    assert (visit.day, visit.follow_up, visit.exercise) == (45, "follow-up", "")
    due = forms.due_in_visit(whole, visit)
    assert due == forms.Due("k10", "follow-up", "en", visit.id)
    clock.forward(days=6)
    assert visits.today(whole, person) == visit
    clock.forward(days=1)
    assert visits.today(whole, person) is None
    assert whole.records.row("SELECT state FROM visit WHERE day = 45") == {"state": "missed"}


def test_a_follow_up_is_done_with_its_last_form(whole: Study, clock: HandClock) -> None:
    person = join(whole)
    clock.forward(days=44)
    visit = visits.today(whole, person)
    assert visit is not None
    due = forms.due_in_visit(whole, visit)
    assert due is not None
    forms.submit(whole, person.code, due, trial.answers(whole, "k10"))
    clock.forward(days=8)  # and nobody looks at the page again
    tick(whole)
    assert whole.records.row("SELECT state FROM visit WHERE day = 45") == {"state": "done"}
    assert verify(whole.records).mistakes == []


@pytest.mark.parametrize("how", ["held", "halted", "withdrawn"])
def test_no_robot_begins_a_visit_that_is_paused(study: Study, how: str) -> None:
    person = enrolment.take_in(study)
    while person.arm.medium != "robot":
        person = enrolment.take_in(study)
    visit = visits.today(study, person)
    assert visit is not None
    if how == "held":
        safety.report(study, person.code, by="nurse", description="a fall")
    elif how == "halted":
        halting.halt(study, "arm", "robot", by="me", why="a motor")
    else:
        withdraw(study, person.code, by="me")
    with pytest.raises(NotDue, match="has left" if how == "withdrawn" else "paused"):
        visits.claim(study, visit.code, "robot-1")


def test_the_message_of_a_stopped_visit_can_still_be_said_by_its_robot(study: Study) -> None:
    person = enrolment.take_in(study)
    while person.arm.medium != "robot":
        person = enrolment.take_in(study)
    visit = visits.today(study, person)
    assert visit is not None
    visits.claim(study, visit.code, "robot-1")
    visits.stop(study, visit, "participant", Hit("suicide", "suicide.want_to_die", 0, 4, "participant"))
    assert visits.claim(study, visit.code, "robot-1").state == "stopped"


def test_the_visit_of_a_day_is_opened_once_however_often_it_is_asked_for(study: Study) -> None:
    person = enrolment.take_in(study)
    first = visits.today(study, person)
    assert visits.today(study, person) == first
    assert visits.open_on(study, person, 1, by="somebody else") == first


def test_a_second_rating_of_an_occasion_changes_nothing(study: Study) -> None:
    visit = visits.today(study, enrolment.take_in(study))
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    visits.rate(study, visit, "before", 10)
    assert visits.ratings(study, visit) == {"before": 60}


def test_nobody_makes_a_visit_while_they_are_halted(study: Study) -> None:
    person = enrolment.take_in(study)
    for scope, target in (("participant", person.code), ("arm", person.arm.name), ("study", "")):
        number = halting.halt(study, scope, target, by="Dr Okafor", why="to look")  # type: ignore[arg-type]
        assert visits.today(study, person) is None
        assert visits.why_closed(study, person).reason == "halted"
        halting.lift(study, number, by="Dr Okafor", why="looked")
    assert visits.today(study, person) is not None


# Moving


def test_after_a_move_days_follow_the_new_clock(study: Study, clock: HandClock) -> None:
    person = enrolment.take_in(study)
    whole_visit(study, person)
    clock.moment = datetime(2026, 3, 3, 8, tzinfo=UTC)  # 03:00 in New York, so still the day before there
    move(study, person.code, "America/New_York", by="Dr Okafor", why="travels")
    person = study.participant(person.code)
    assert study.day_of(person) == 1
    clock.forward(hours=1)
    assert study.day_of(person) == 2
    event = study.records.row("SELECT detail FROM event WHERE what = 'moved'")
    assert event is not None
    assert '["Europe/London", "America/New_York"]' in event["detail"]
    assert "travels" in event["detail"]


def test_moving_back_over_a_day_makes_no_visit_twice(study: Study, clock: HandClock) -> None:
    """East over the date line and back: a date comes a second time, and its visit is done already."""
    person = enrolment.take_in(study)
    move(study, person.code, "Pacific/Kiritimati", by="Dr Okafor", why="travels")  # 14 hours ahead
    clock.moment = datetime(2026, 3, 2, 20, tzinfo=UTC)  # 3 March, 10:00 there
    person = study.participant(person.code)
    done = whole_visit(study, person)
    assert done.day == 2
    move(study, person.code, "Pacific/Niue", by="Dr Okafor", why="travels")  # 11 hours behind: 2 March, 09:00
    person = study.participant(person.code)
    assert study.day_of(person) == 1
    clock.forward(days=1)
    again = visits.today(study, person)
    assert again is not None
    assert (again.day, again.state) == (2, "done")


def test_a_day_that_a_move_skips_is_marked_missed(study: Study, clock: HandClock) -> None:
    person = enrolment.take_in(study)
    whole_visit(study, person)
    clock.moment = datetime(2026, 3, 3, 20, tzinfo=UTC)
    move(study, person.code, "Pacific/Kiritimati", by="Dr Okafor", why="travels")  # 4 March there
    tick(study)
    assert states(study) == [(1, "done"), (2, "missed"), (3, "before")]
    assert verify(study.records).mistakes == []


def test_a_visit_that_is_open_keeps_its_window_after_a_move(study: Study) -> None:
    person = enrolment.take_in(study)
    visit = visits.today(study, person)
    assert visit is not None
    move(study, person.code, "Pacific/Auckland", by="Dr Okafor", why="travels")
    assert visits.find(study, visit.id).window == visit.window


def test_a_move_needs_a_zone_that_exists_and_a_reason(study: Study) -> None:
    code = enrolment.take_in(study).code
    with pytest.raises(StudyError, match="no IANA time zone"):
        move(study, code, "Mars/Olympus", by="Dr Okafor", why="travels")
    with pytest.raises(StudyError, match="Say why"):
        move(study, code, "Europe/Paris", by="Dr Okafor", why=" ")


def test_measures_are_due_when_the_protocol_says(whole: Study, clock: HandClock) -> None:
    person = join(whole)
    seen: list[tuple[int, str, str]] = []
    for day in range(1, 16):
        visit = visits.today(whole, person)
        assert visit is not None
        while due := forms.due_in_visit(whole, visit):
            seen.append((day, due.measure, due.occasion))
            forms.submit(whole, person.code, due, trial.answers(whole, due.measure))
        whole_visit(whole, person)
        while due := forms.due_in_visit(whole, visits.find(whole, visit.id)):
            seen.append((day, due.measure, due.occasion))
            forms.submit(whole, person.code, due, trial.answers(whole, due.measure))
        clock.forward(days=1)
    expected = [(8, "k10", "day 8"), (15, "k10", "day 15"), (15, "phq9", "day 15")]
    expected += [(day, "ucla3", "after") for day in range(1, 16)]
    assert sorted(seen) == sorted(expected)
