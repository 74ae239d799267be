"""How long what is kept."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from study import identity, retention
from study.study import Study
from study.tick import tick
from study.withdrawal import withdraw
from tests.conftest import HandClock
from tests.trial import join, write

RULES = ("[robot]", "[retention]\nidentity_days = 30\ndata_years = 10\n\n[robot]")


def test_an_identity_is_deleted_its_days_after_the_last_day(folder: Path, clock: HandClock) -> None:
    write(folder, RULES)
    study = Study.open(folder, clock=clock)
    code = join(study).code
    identity.remember(study, code, by=code, name="Maya")
    clock.moment = datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(days=44 + 6 + 30)  # the follow-up closes on day 51
    tick(study)
    assert identity.contact(study, code) == {"name": "Maya"}
    clock.forward(days=1)
    assert [kept.code for kept in retention.due(study)] == [code]
    tick(study)
    assert identity.contact(study, code) == {}
    assert study.participant(code).status == "active"


def test_who_left_is_forgotten_earlier(folder: Path, clock: HandClock) -> None:
    write(folder, RULES)
    study = Study.open(folder, clock=clock)
    code = join(study).code
    identity.remember(study, code, by=code, name="Maya")
    withdraw(study, code, by=code)
    clock.forward(days=31)
    assert retention.delete_identities(study) == 1


def test_without_a_rule_nothing_is_deleted(whole: Study, clock: HandClock) -> None:
    code = join(whole).code
    identity.remember(whole, code, by=code, name="Maya")
    clock.forward(days=3000)
    assert retention.due(whole) == []


def test_the_record_is_kept_for_years_after_the_last_participants_last_day(folder: Path, clock: HandClock) -> None:
    write(folder, RULES)
    study = Study.open(folder, clock=clock)
    assert retention.keep_until(study) is None
    join(study)
    clock.moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    join(study)
    assert retention.keep_until(study) == date(2036, 5, 1) + timedelta(days=50)
