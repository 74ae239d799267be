"""When a server is left alone, and when it is asked again."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from therapist.engines._breaker import Breaker, Pass

ROUNDING_S = 1e-9
"""A time of a hundred seconds and a fraction, plus fifteen, minus itself, need not be fifteen to the last bit."""


class Hand:
    now = 100.0


def opened(clock: Hand) -> Breaker:
    breaker = Breaker(lambda: clock.now, failures=3, open_s=10, longest_s=35)
    for _ in range(3):
        breaker.failed(asked(breaker))
    return breaker


def asked(breaker: Breaker) -> Pass:
    leave = breaker.ask()
    assert leave is not None
    return leave


def test_a_server_that_fails_three_times_in_a_row_is_left_alone() -> None:
    clock = Hand()
    breaker = Breaker(lambda: clock.now, failures=3, open_s=10)
    for well in (False, False, True, False, False):
        assert breaker.standing == "closed"
        leave = asked(breaker)
        if well:
            breaker.succeeded(leave)
        else:
            breaker.failed(leave)
    breaker.failed(asked(breaker))
    assert (breaker.standing, breaker.left_s, breaker.ask()) == ("open", 10, None)


def test_one_probe_is_let_through_after_a_while_and_decides() -> None:
    clock = Hand()
    breaker = opened(clock)
    clock.now += 10
    probe = asked(breaker)
    assert probe.probe
    assert breaker.standing == "probing"
    assert breaker.ask() is None
    breaker.succeeded(probe)
    assert breaker.standing == "closed"
    assert not asked(breaker).probe


def test_each_probe_that_fails_doubles_the_while_up_to_a_bound() -> None:
    clock = Hand()
    breaker = opened(clock)
    lasted = []
    for _ in range(4):
        clock.now += breaker.left_s
        breaker.failed(asked(breaker))
        lasted.append(breaker.left_s)
    assert lasted == [20, 35, 35, 35]


def test_a_probe_that_was_given_up_leaves_its_place_to_the_next() -> None:
    clock = Hand()
    breaker = opened(clock)
    clock.now += 10
    breaker.withdrawn(asked(breaker))
    assert asked(breaker).probe


def test_a_request_from_before_that_fails_late_changes_nothing_and_one_that_succeeds_shows_that_it_is_there() -> None:
    clock = Hand()
    breaker = Breaker(lambda: clock.now, failures=1, open_s=10)
    early, late, good = (asked(breaker) for _ in range(3))
    breaker.failed(early)
    clock.now += 4
    breaker.failed(late)
    assert breaker.left_s == 6
    breaker.succeeded(good)
    assert breaker.standing == "closed"


class Anything(RuleBasedStateMachine):
    """Whatever happens to it in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Hand()
        self.breaker = Breaker(lambda: self.clock.now, failures=2, open_s=5, longest_s=15)
        self.out: list[Pass] = []

    @rule()
    def ask(self) -> None:
        standing, left = self.breaker.standing, self.breaker.left_s
        leave = self.breaker.ask()
        assert (leave is not None) == (standing == "closed" or (standing == "open" and left == 0))
        if leave is not None:
            self.out.append(leave)

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0), fate=st.sampled_from(["succeeded", "failed", "withdrawn"]))
    def end(self, which: int, fate: str) -> None:
        getattr(self.breaker, fate)(self.out.pop(which % len(self.out)))
        if fate == "succeeded":
            assert self.breaker.standing == "closed"

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def at_most_one_probe_is_out_and_it_never_stays_shut_for_ever(self) -> None:
        probing = self.breaker.standing == "probing"
        assert not probing or any(leave.probe for leave in self.out)
        assert 0 <= self.breaker.left_s <= 15 + ROUNDING_S


TestAnything = Anything.TestCase


@given(st.integers(1, 9))
def test_so_many_in_a_row_and_no_fewer(failures: int) -> None:
    breaker = Breaker(lambda: 0.0, failures=failures)
    for _ in range(failures):
        assert breaker.standing == "closed"
        breaker.failed(asked(breaker))
    assert breaker.standing == "open"
