"""Whatever happens, in whatever order: the record equals an independent model of enrolment and allocation."""

import hashlib
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from study import enrolment, halting
from study.amendment import amend
from study.errors import NotDue, StudyError
from study.study import Study, create
from study.verify import verify
from tests import trial
from tests.conftest import HandClock
from tests.trial import fill

ARMS = ["robot", "chat", "worksheet"]


SIZES = [[3, 6], [6], [3]]
"""The sizes of the blocks, which amendments change in turn."""


def blocks(seed: str, stratum: str, sizes: list[int], count: int) -> list[str]:
    """The first `count` arms of a stratum, from the description of permuted blocks alone."""

    def number(text: str) -> int:
        return int(hashlib.sha256(text.encode()).hexdigest(), 16)

    arms: list[str] = []
    block = 0
    while len(arms) < count:
        size = sizes[number(f"{seed}/{stratum}/{block}/size") % len(sizes)]
        slots = [arm for arm in ARMS for _ in range(size // 3)]
        order = sorted(range(size), key=lambda slot: number(f"{seed}/{stratum}/{block}/{slot}"))
        arms += [slots[slot] for slot in order]
        block += 1
    return arms[:count]


class AllocationMachine(RuleBasedStateMachine):
    """People come, answer, consent, are enrolled or not; the study is halted, reopened, rehearsed, amended."""

    answering = Bundle("answering")
    ready = Bundle("ready")
    enrolled = Bundle("enrolled")
    halted = Bundle("halted")

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp())
        folder = self.place / "mystudy"
        path = create(folder)
        path.write_text(path.read_text().replace('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"'))
        trial.write(folder)
        self.folder = folder
        self.clock = HandClock(datetime(2026, 3, 2, 9, tzinfo=UTC))
        self.study = Study.open(folder, clock=self.clock)
        self.scheme = 0  # of whoever comes now
        self.began: dict[str, int] = {}  # code to the scheme they began on
        self.model: dict[tuple[int, str], list[str]] = {}  # scheme and stratum to codes, in the order of enrolment
        self.tests = 0
        self.halts: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "study"):
            self.study.close()
            shutil.rmtree(self.place)

    @rule(target=answering)
    def somebody_comes(self) -> str:
        code = enrolment.come(self.study).code
        self.began[code] = self.scheme
        return code

    @rule(target=ready, code=consumes(answering), sex=st.sampled_from(["female", "male"]), k10=st.sampled_from([0, 1]))
    def they_answer_and_consent(self, code: str, sex: str, k10: int) -> tuple[str, str]:
        person = fill(self.study, code, {"age": 30, "sex": sex, "treatment": "no"}, k10=k10)
        assert person.state == "baseline"
        return code, f"sex: {sex}; k10: {'20 or more' if k10 else 'below 20'}"

    @rule(target=enrolled, sex=st.sampled_from(["female", "male"]), count=st.integers(1, 4))
    def some_go_all_the_way(self, sex: str, count: int) -> Any:
        codes = []
        for _ in range(0 if self.halts else count):
            code = self.somebody_comes()
            codes.append(self.they_are_enrolled(self.they_answer_and_consent(code, sex, 0)))
        return multiple(*codes)

    @rule(code=consumes(answering))
    def they_cannot_take_part(self, code: str) -> None:
        fill(self.study, code, {"age": 17, "sex": "female", "treatment": "no"})
        self._refused(code)

    @rule(code=consumes(answering))
    def they_decline(self, code: str) -> None:
        enrolment.decline(self.study, code)
        self._refused(code)

    @rule(code=answering)
    def they_are_enrolled_too_early(self, code: str) -> None:
        self._refused(code)

    @rule(target=enrolled, who=ready)
    def they_are_enrolled(self, who: tuple[str, str]) -> str:
        code, stratum = who
        known = any(code in codes for codes in self.model.values())
        if self.halts and not known:
            self._refused(code)
            return code
        enrolment.enrol(self.study, code)
        if not known:
            self.model.setdefault((self.began[code], stratum), []).append(code)
        return code

    @rule()
    def a_test_participant_comes(self) -> None:
        if not self.halts:
            enrolment.take_in(self.study, "researcher", kind="test", skip=True)
            self.tests += 1

    @rule()
    def a_rehearsal_is_held(self) -> None:
        rehearsal = Study.open(self.folder, clock=self.clock, rehearsal=self.folder / f"rehearsal{self.scheme}.sqlite")
        trial.join(rehearsal)
        rehearsal.close()

    @rule(target=halted, what=st.sampled_from([("study", ""), ("arm", "chat")]))
    def somebody_halts(self, what: tuple[halting.Scope, str]) -> int:
        number = halting.halt(self.study, *what, by="Dr Okafor", why="to look")
        self.halts.add(number)
        return number

    @rule(number=consumes(halted))
    def it_goes_on(self, number: int) -> None:
        if number in self.halts:
            halting.lift(self.study, number, by="Dr Okafor", why="looked")
            self.halts.discard(number)

    @rule()
    def the_process_ends_and_another_begins(self) -> None:
        self.study.close()
        self.study = Study.open(self.folder, clock=self.clock)

    @precondition(lambda self: self.began)
    @rule()
    def the_allocation_is_amended(self) -> None:
        """From the first person on, whoever began before stays with the scheme they began on."""
        self.study.close()
        old, new = (SIZES[number % len(SIZES)] for number in (self.scheme, self.scheme + 1))
        path = self.folder / "study.toml"
        text = path.read_text()
        assert f"block_sizes = {old} " in text
        path.write_text(text.replace(f"block_sizes = {old} ", f"block_sizes = {new} "))
        amend(self.folder, by="Dr Okafor", why="to be harder to guess", clock=self.clock)
        self.scheme += 1
        self.study = Study.open(self.folder, clock=self.clock)

    @rule(hours=st.integers(1, 100))
    def time_passes(self, hours: int) -> None:
        self.clock.forward(hours=hours)

    def _refused(self, code: str) -> None:
        try:
            enrolment.enrol(self.study, code)
        except (NotDue, StudyError):
            return
        raise AssertionError("somebody was enrolled who must not be")

    @invariant()
    def the_record_equals_the_model(self) -> None:
        if not hasattr(self, "study"):
            return
        public = self.study.protocol.allocation.seed
        rows = self.study.records.rows("SELECT * FROM participant WHERE kind = 'participant'")
        found = {row["code"]: (row["scheme"], row["stratum"], row["position"], row["arm"]) for row in rows}
        expected = {}
        for (scheme, stratum), codes in self.model.items():
            seed = self.study.key.allocation_seed(f"{public}/{scheme}" if scheme else str(public))
            arms = blocks(seed, stratum, SIZES[scheme % len(SIZES)], len(codes))
            expected |= {
                code: (scheme, stratum, place, arm) for place, (code, arm) in enumerate(zip(codes, arms, strict=True))
            }
        assert found == expected
        assert self.study.records.row("SELECT count(*) AS n FROM participant WHERE kind = 'test'") == {"n": self.tests}

    @invariant()
    def the_record_verifies(self) -> None:
        if hasattr(self, "study"):
            assert verify(self.study.records).mistakes == []


AllocationMachine.TestCase.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAllocation = AllocationMachine.TestCase
