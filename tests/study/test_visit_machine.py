"""Whatever happens, in whatever order: visits move as the state machine allows, and nothing confirmed changes."""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from study import forms, halting, safety, visits
from study.errors import NotDue, StudyError
from study.moving import move
from study.study import Study, create
from study.tick import tick
from study.turns import Hit, TurnKeeper
from study.verify import verify
from study.withdrawal import withdraw
from tests import trial
from tests.conftest import HandClock
from tests.study.test_withdrawal import Said

AFTER = {
    None: {"before", "missed"},
    "before": {"exercise", "done", "stopped", "missed"},
    "exercise": {"after", "stopped", "unfinished"},
    "after": {"done", "stopped", "unfinished"},
}
"""What may follow which state, written from the guide and not from the code."""


class VisitMachine(RuleBasedStateMachine):
    """One participant, their days, and everything that can happen to them."""

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp())
        self.folder = self.place / "mystudy"
        path = create(self.folder)
        text = path.read_text().replace('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"')
        path.write_text(text.replace("[visits]\n", '[visits]\nopens = "06:00"\ncloses = "23:00"\ngrace_minutes = 45\n'))
        trial.write(self.folder)
        self.clock = HandClock(datetime(2026, 3, 26, 9, tzinfo=UTC))  # the clocks change on the 29th
        self.study = Study.open(self.folder, clock=self.clock)
        self.code = trial.join(self.study).code
        self.seen: dict[int, str] = {}
        self.confirmed: dict[str, object] = {}
        self.halts: list[int] = []
        self.left = False
        self.turns = 0

    def teardown(self) -> None:
        if hasattr(self, "study"):
            self.study.close()
            shutil.rmtree(self.place)

    def today(self) -> visits.Visit | None:
        visit = visits.today(self.study, self.study.participant(self.code))
        if visit is not None and visit.state not in ("done", "stopped"):
            assert not self.left
            assert not self.halts
            assert not safety.has_open_event(self.study, self.code)
        return visit

    @rule(occasion=st.sampled_from(["before", "after"]), value=st.integers(0, 100))
    def they_rate(self, occasion: visits.Occasion, value: int) -> None:
        visit = self.today()
        if visit is None:
            return
        try:
            visits.rate(self.study, visit, occasion, value)
        except NotDue:
            return
        self.confirmed.setdefault(f"rating {visit.id} {occasion}", value)

    @rule()
    def they_say_something(self) -> None:
        visit = self.today()
        if visit is None or visit.state != "exercise":
            return
        self.turns += 1
        turn = TurnKeeper(self.study, visit).add(Said(token=f"t{self.turns}", text=f"thought {self.turns}"))  # type: ignore[arg-type]
        self.confirmed[f"turn {visit.id} {turn.number}"] = turn.text

    @rule()
    def the_exercise_ends(self) -> None:
        visit = self.today()
        if visit is not None:
            visits.finish_exercise(self.study, visit)

    @rule(low=st.sampled_from([0, 0, 0, 2]))
    def they_give_a_form(self, low: int) -> None:
        visit = self.today()
        due = forms.due_in_visit(self.study, visit) if visit else None
        if visit is None or due is None:
            return
        forms.submit(self.study, self.code, due, trial.answers(self.study, due.measure, low))
        self.confirmed[f"form {visit.id} {due.measure} {due.occasion}"] = True
        if visit.follow_up and forms.due_in_visit(self.study, visits.find(self.study, visit.id)) is None:
            visits.finish_follow_up(self.study, visit)

    @rule()
    def the_screen_finds_something(self) -> None:
        visit = self.today()
        if visit is not None:
            visits.stop(self.study, visit, "draft", Hit("suicide", "x", 0, 1, "participant"))

    @rule()
    def somebody_takes_charge(self) -> None:
        for event in safety.events(self.study, open_only=True):
            safety.acknowledge(self.study, event["id"], "Dr Okafor")

    @precondition(lambda self: not self.halts)
    @rule(scope=st.sampled_from(["study", "participant"]))
    def it_is_halted(self, scope: halting.Scope) -> None:
        target = self.code if scope == "participant" else ""
        self.halts.append(halting.halt(self.study, scope, target, by="Dr Okafor", why="to look"))

    @precondition(lambda self: self.halts)
    @rule()
    def it_goes_on(self) -> None:
        halting.lift(self.study, self.halts.pop(), by="Dr Okafor", why="looked")

    @rule(zone=st.sampled_from(["Europe/London", "America/New_York", "Pacific/Kiritimati", "Pacific/Niue"]))
    def they_move(self, zone: str) -> None:
        move(self.study, self.code, zone, by="Dr Okafor", why="travels")

    @rule(minutes=st.one_of(st.integers(1, 120), st.integers(600, 1600), st.just(60 * 24 * 20)))
    def time_passes(self, minutes: int) -> None:
        self.clock.forward(minutes=minutes)

    @rule()
    def the_tick_comes(self) -> None:
        tick(self.study)

    @rule()
    def the_process_ends_and_another_begins(self) -> None:
        self.study.close()
        self.study = Study.open(self.folder, clock=self.clock)

    @precondition(lambda self: not self.left)
    @rule(sure=st.integers(0, 9))
    def they_leave(self, sure: int) -> None:
        if sure == 0:
            withdraw(self.study, self.code, by=self.code)
            self.left = True

    @rule(device=st.sampled_from(["robot-1", "robot-2"]))
    def a_robot_claims(self, device: str) -> None:
        row = self.study.records.row("SELECT code, device FROM visit ORDER BY id DESC LIMIT 1")
        if row is None:
            return
        try:
            visits.claim(self.study, row["code"], device)
        except StudyError:
            return
        assert row["device"] in (None, device)

    @invariant()
    def visits_move_as_they_may(self) -> None:
        if not hasattr(self, "study"):
            return
        rows = self.study.records.rows("SELECT * FROM visit")
        assert len({row["day"] for row in rows}) == len(rows)
        for row in rows:
            before = self.seen.get(row["id"])
            while before != row["state"]:
                # Several steps may lie between two looks: each of them must be allowed.
                allowed = AFTER.get(before, set())
                assert allowed, f"{before} to {row['state']}"
                if row["state"] in allowed:
                    break
                before = {"before": "exercise", "exercise": "after", None: "before"}[before]
            self.seen[row["id"]] = row["state"]
            rated = {
                one["occasion"] for one in self.study.records.rows("SELECT * FROM rating WHERE visit = ?", row["id"])
            }
            if row["state"] == "before":
                assert rated == set()
            if row["state"] in ("exercise", "after"):
                assert rated == {"before"}
            if row["state"] == "done" and not row["follow_up"]:
                assert rated == {"before", "after"}

    @invariant()
    def what_was_confirmed_stands(self) -> None:
        if not hasattr(self, "study"):
            return
        records = self.study.records
        stands: dict[str, object] = {
            f"rating {row['visit']} {row['occasion']}": row["value"] for row in records.rows("SELECT * FROM rating")
        }
        stands |= {f"turn {row['visit']} {row['number']}": row["text"] for row in records.rows("SELECT * FROM turn")}
        stands |= {
            f"form {row['visit']} {row['measure']} {row['occasion']}": True
            for row in records.rows("SELECT * FROM form WHERE visit IS NOT NULL")
        }
        assert stands == self.confirmed

    @invariant()
    def the_record_verifies(self) -> None:
        if hasattr(self, "study"):
            assert verify(self.study.records).mistakes == []


VisitMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestVisits = VisitMachine.TestCase
