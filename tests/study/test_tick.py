"""What time brings about: done once, whatever is run twice, at once, or killed."""

import os
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from study import identity, messages, records, safety, unrecorded, visits, withdrawal
from study.enrolment import take_in
from study.errors import IdentityError, RecordFull
from study.study import Study
from study.tick import Ticked, tick
from study.verify import verify
from tests import trial
from tests.conftest import HandClock
from tests.trial import join

RULES = (
    "[safety]\n",
    '[reminders]\nat = ["08:00", "18:00"]\nsend = ["mailto://portal.example.org?to={email}"]\n\n[safety]\n'
    'notify = ["json://officer.example.org"]\nescalate = ["json://deputy.example.org"]\nacknowledge_minutes = 30\n',
)
URL = ('language = "en"\n', 'language = "en"\nurl = "https://study.example.org"\n')
EVENING = datetime(2026, 3, 4, 18, 30, tzinfo=UTC)


@pytest.fixture
def busy(folder: Path, clock: HandClock) -> Study:
    """Three participants on their third day, one of whom has missed a day; an alarm that nobody acknowledged."""
    trial.write(folder, RULES, URL)
    study = Study.open(folder, clock=clock)
    for number in range(3):
        person = join(study)
        identity.remember(study, person.code, by=person.code, name="Maya", email=f"p{number}@example.org")
    clock.moment = datetime(2026, 3, 4, 12, tzinfo=UTC)
    safety.report(study, person.code, by="nurse", description="a fall", hold=False)
    clock.moment = EVENING
    return study


class Post:
    """Takes every message, and keeps them."""

    def __init__(self, taken: bool = True) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.taken = taken

    def __call__(self, address: str, title: str, body: str) -> bool:
        self.sent.append((address, title, body))
        return self.taken


def told(post: Post) -> Counter[str]:
    return Counter(address for address, _, _ in post.sent)


EVERYTHING = Counter(
    {
        "json://officer.example.org": 1,
        "json://deputy.example.org": 1,
        **{f"mailto://portal.example.org?to=p{number}@example.org": 1 for number in range(3)},
    }
)


def test_everything_that_is_due_is_done(busy: Study) -> None:
    post = Post()
    assert tick(busy, post) == Ticked(opened=3, missed=6, unfinished=0, reminded=3, told=1, escalated=1)
    assert told(post) == EVERYTHING
    states = Counter(row["state"] for row in busy.records.rows("SELECT state FROM visit"))
    assert states == {"missed": 6, "before": 3}
    assert verify(busy.records).mistakes == []


def test_twice_does_what_once_does(busy: Study) -> None:
    post = Post()
    tick(busy, post)
    events = busy.records.rows("SELECT * FROM event")
    assert tick(busy, post) == Ticked()
    assert busy.records.rows("SELECT * FROM event") == events
    assert told(post) == EVERYTHING


def test_after_a_pause_only_the_last_reminder_goes_out_and_the_next_day_has_its_own(
    busy: Study, clock: HandClock
) -> None:
    post = Post()
    tick(busy, post)  # 18:30: those of 08:00 are past
    clock.moment = datetime(2026, 3, 5, 8, 1, tzinfo=UTC)
    tick(busy, post)
    reminders = [address for address, _, _ in post.sent if address.startswith("mailto")]
    assert Counter(reminders) == {f"mailto://portal.example.org?to=p{number}@example.org": 2 for number in range(3)}


def test_who_has_done_the_visit_or_left_is_not_reminded(busy: Study, clock: HandClock) -> None:
    first, second, _ = busy.participants()
    visit = visits.today(busy, first)
    assert visit is not None
    visits.rate(busy, visits.finish_exercise(busy, visits.rate(busy, visit, "before", 5)), "after", 5)
    withdrawal.withdraw(busy, second.code, by="x")
    post = Post()
    tick(busy, post)
    assert [address for address, _, _ in post.sent if address.startswith("mailto")] == [
        "mailto://portal.example.org?to=p2@example.org"
    ]


def test_a_refused_reminder_is_tried_three_times_and_a_refused_alarm_until_it_is_taken(
    busy: Study, clock: HandClock
) -> None:
    refusing = Post(taken=False)
    for _ in range(6):
        tick(busy, refusing)
        tick(busy, refusing)
        clock.forward(minutes=11)
    counts = told(refusing)
    assert counts["mailto://portal.example.org?to=p0@example.org"] == 3
    assert counts["json://officer.example.org"] >= 6
    taking = Post()
    tick(busy, taking)
    assert told(taking) == {"json://officer.example.org": 1, "json://deputy.example.org": 1}


def test_an_alarm_goes_out_though_a_reminder_cannot(busy: Study, clock: HandClock) -> None:
    tick(busy, Post(taken=False))
    clock.forward(minutes=11)  # the refused reminders are due again
    identity.key_path(busy).unlink()
    safety.report(busy, busy.participants()[0].code, by="nurse", description="another fall")
    post = Post()
    with pytest.raises(IdentityError, match="is not there; put it back"):
        tick(busy, post)
    assert told(post)["json://officer.example.org"] == 2  # of both events
    clock.forward(days=1)
    with pytest.raises(IdentityError):
        tick(busy, post)
    opened = busy.records.rows("SELECT participant FROM visit WHERE day = 4")
    assert len(opened) == 2  # all but whom the fall holds: nobody's visit waits for the key


def test_an_alarm_does_not_wait_behind_the_reminders(busy: Study) -> None:
    post = Post()

    def slowly(address: str, title: str, body: str) -> bool:
        if address.startswith("mailto") and not any(sent.startswith("mailto") for sent, *_ in post.sent):
            # While the first reminder goes out, somebody says the words.
            safety.report(busy, busy.participants()[1].code, by="nurse", description="a fall")
        return post(address, title, body)

    tick(busy, slowly)
    kinds = [address.partition(":")[0] for address, *_ in post.sent]
    assert kinds == ["json", "json", "mailto", "json", "mailto"]  # and whom the fall holds is not reminded


@pytest.mark.parametrize("claimed", [False, True])
def test_on_a_full_disk_an_alarm_goes_out_once(busy: Study, claimed: bool) -> None:
    if claimed:
        messages.claim_alarms(busy)
    trial.fill_disk(busy)
    post = Post()
    for _ in range(3):
        with pytest.raises(RecordFull):
            tick(busy, post)
    assert told(post) == {"json://officer.example.org": 1, "json://deputy.example.org": 1}
    trial.free_disk(busy)
    tick(busy, post)
    assert told(post)["json://officer.example.org"] == 1
    assert safety.events(busy)[0]["told_at"] is not None


def test_what_cannot_be_recorded_is_told_once(busy: Study) -> None:
    code = busy.participants()[0].code
    tick(busy, Post())
    trial.fill_disk(busy)

    def record() -> None:
        safety.report(busy, code, by="bedside", category="suicide", description="a message")

    for _ in range(3):  # they try again, as the page asks them to
        unrecorded.remember(busy, code, "suicide", record)
    tick(busy, Post(taken=False))
    post = Post()
    tick(busy, post)
    tick(busy, post)
    [(address, title, body)] = post.sent
    assert address == "json://officer.example.org"
    assert "not on record" in title
    assert body.startswith(f"Participant {code}, 2026-03-04T18:30:00.000+00:00: suicide.")
    assert unrecorded.is_waiting(busy, code)
    trial.free_disk(busy)
    tick(busy, Post())
    assert not unrecorded.is_waiting(busy, code)
    assert [row["category"] for row in safety.events(busy)] == ["suicide", "adverse event"]


def test_nobody_hears_that_nobody_acknowledged_an_event_which_was_acknowledged(busy: Study) -> None:
    def away(address: str, title: str, body: str) -> bool:
        return "deputy" not in address

    tick(busy, away)
    safety.acknowledge(busy, 1, "Dr Okafor")
    post = Post()
    tick(busy, post)
    assert told(post) == {}


def everything(study: Study) -> list[object]:
    """The record, without what a second attempt changes: times, attempts, and the log of them."""
    kept: list[object] = []
    for table in ("visit", "message", "safety_event", "participant"):
        hidden = {"code", "opened_at", "ended_at", "claimed_at", "attempts", "told_at", "escalated_at", "id", "visit"}
        if table == "participant":
            hidden -= {"code"}
        rows = study.records.rows(f"SELECT * FROM {table} ORDER BY 1")
        named = [{key: value for key, value in row.items() if key not in hidden} for row in rows]
        kept.append(sorted(map(repr, named)))
    return kept


def test_a_tick_killed_at_any_point_repeats_nothing_and_forgets_nothing(
    busy: Study, folder: Path, clock: HandClock, tmp_path: Path
) -> None:
    """A real process, ended without warning (os._exit) before or after each of its commits and messages in turn."""
    busy.close()
    uninterrupted = tmp_path / "whole"
    shutil.copytree(folder, uninterrupted)
    study = Study.open(uninterrupted, clock=clock)
    tick(study, Post())
    expected = everything(study)
    study.close()
    points = 0
    unsure = 0
    for point in range(200):
        copy = tmp_path / f"killed{point}"
        shutil.copytree(folder, copy)
        outbox = tmp_path / f"outbox{point}"
        outbox.touch()
        if not _killed_at(point, copy, clock, outbox):
            break
        points += 1
        after = Study.open(copy, clock=clock)
        assert verify(after.records).mistakes == []
        tick(after, _into(outbox))
        tick(after, _into(outbox))
        counts = Counter(outbox.read_text().splitlines())
        marked = after.records.rows("SELECT participant FROM message WHERE state = 'unsure'")
        unsure += len(marked)
        for address in EVERYTHING:
            if address.startswith("mailto"):
                assert counts[address] <= 1
            else:
                assert counts[address] >= 1
        reminded = sum(counts[address] for address in EVERYTHING if address.startswith("mailto"))
        assert reminded + len(marked) >= 3  # each was sent, or somebody can see that it may not have been
        assert len(marked) <= 1
        if not marked:
            assert everything(after) == expected
        assert verify(after.records).mistakes == []
        after.close()
        shutil.rmtree(copy)
    assert points > 30
    assert unsure >= 3  # only the moment between handing a reminder over and noting it


def _into(outbox: Path) -> messages.Post:
    def post(address: str, title: str, body: str) -> bool:
        with outbox.open("a") as file:
            file.write(address + "\n")
            file.flush()
            os.fsync(file.fileno())
        return True

    return post


def _killed_at(point: int, folder: Path, clock: HandClock, outbox: Path) -> bool:
    """Tick in a process that ends at its `point`th step; whether it came to that step."""
    child = os.fork()
    if child == 0:
        steps = 0

        def step() -> None:
            nonlocal steps
            if steps == point:
                os._exit(9)
            steps += 1

        write = records.Records.write

        class Watched:
            def __init__(self, own: records.Records) -> None:
                self.context = write(own)

            def __enter__(self) -> records.Write:
                step()  # before the transaction
                return self.context.__enter__()

            def __exit__(self, *what: object) -> bool | None:
                done = self.context.__exit__(*what)  # type: ignore[arg-type]
                step()  # after the commit
                return done

        records.Records.write = lambda own: Watched(own)  # type: ignore[assignment,method-assign,return-value]
        send = _into(outbox)

        def post(address: str, title: str, body: str) -> bool:
            step()  # claimed and not sent
            sent = send(address, title, body)
            step()  # sent and not noted
            return sent

        try:
            tick(Study.open(folder, clock=clock), post)
        except BaseException:
            os._exit(3)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9), status
    return status == 9


def test_two_processes_that_tick_at_once_send_nothing_twice(
    busy: Study, folder: Path, clock: HandClock, tmp_path: Path
) -> None:
    busy.close()
    outbox = tmp_path / "outbox"
    outbox.touch()
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            try:
                tick(Study.open(folder, clock=clock), _into(outbox))
            except BaseException:
                os._exit(3)
            os._exit(0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    study = Study.open(folder, clock=clock)
    tick(study, _into(outbox))
    assert Counter(outbox.read_text().splitlines()) == EVERYTHING
    assert verify(study.records).mistakes == []


def test_a_rehearsal_sends_nothing(folder: Path, clock: HandClock, tmp_path: Path) -> None:
    trial.write(folder, RULES, URL)
    rehearsal = Study.open(folder, clock=clock, rehearsal=tmp_path / "rehearsal.sqlite")
    person = join(rehearsal)
    safety.report(rehearsal, person.code, by="nurse", description="a fall")
    clock.forward(hours=3)
    post = Post()
    tick(rehearsal, post)
    assert post.sent == []


def test_a_tick_with_nothing_to_do_is_quick(study: Study, clock: HandClock) -> None:
    """The portal ticks every few seconds: nothing due must cost next to nothing."""
    for _ in range(100):
        take_in(study)
    tick(study, Post())
    begun = datetime.now(UTC)
    assert tick(study, Post()) == Ticked()
    assert datetime.now(UTC) - begun < timedelta(seconds=1)
