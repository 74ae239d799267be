"""Every arm is waited for alike: what is held, and what the waits are then."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from study import sounding, visits
from study.enrolment import take_in
from study.equalising import ENOUGH, LATEST_MS, SAMPLE, Waits, drawn, equalised, hold_ms, lacking, waits_of
from study.errors import NotDue
from study.study import Study
from study.turns import TurnKeeper
from study.verify import verify
from study.visits import Visit
from study.withdrawal import withdraw
from therapist.transcript import Turn

times = st.floats(0, 30_000, allow_nan=False)
chances = st.floats(0, 1, exclude_max=True)
answers = st.lists(st.tuples(times, times).map(lambda pair: (pair[0], sum(pair))), min_size=ENOUGH, max_size=60)


def chat(*ready: float) -> Waits:
    return Waits.of([(one, one) for one in ready])


@given(robot=answers, own=st.lists(times, min_size=ENOUGH, max_size=60), ready=times, chance=chances)
def test_what_is_held_is_never_negative_and_never_longer_than_the_bound(
    robot: list[tuple[float, float]], own: list[float], ready: float, chance: float
) -> None:
    arms = {"robot": Waits.of(robot), "chat": chat(*own)}
    for name in arms:
        assert 0.0 <= hold_ms(name, ready, arms, chance=chance) <= LATEST_MS


@given(own=st.lists(times, min_size=ENOUGH, max_size=60), more=times, ready=times, chance=chances)
def test_an_arm_that_is_the_latest_at_every_quantile_holds_nothing(
    own: list[float], more: float, ready: float, chance: float
) -> None:
    arms = {"late": chat(*(one + more for one in own)), "early": chat(*own)}
    latest = max(arms["late"].ready)
    if ready <= latest:  # beyond its own sample an answer is later than any that the arms are known to give
        assert hold_ms("late", ready, arms, chance=chance) <= max(
            later - earlier for earlier, later in zip([0.0, *arms["late"].ready], arms["late"].ready, strict=False)
        )


@given(own=st.lists(times, min_size=ENOUGH, max_size=60), ready=times, other=times, chance=chances)
def test_what_was_ready_first_is_first_when_it_has_been_held(
    own: list[float], ready: float, other: float, chance: float
) -> None:
    """With the same chance the order of an arm's answers stays."""
    arms = {"chat": chat(*own), "robot": chat(*(one + 800 for one in own))}
    first, second = sorted((ready, other))
    seen = [one + hold_ms("chat", one, arms, chance=chance) for one in (first, second)]
    assert seen[0] <= seen[1] + 1e-6


@given(few=st.lists(times, max_size=ENOUGH - 1), own=st.lists(times, min_size=ENOUGH, max_size=60), ready=times)
def test_nothing_is_held_before_every_arm_has_enough_answers(few: list[float], own: list[float], ready: float) -> None:
    arms = {"chat": chat(*own), "robot": chat(*few)}
    assert hold_ms("chat", ready, arms, chance=0.5) == 0.0
    assert lacking(arms) == {"robot": len(few)}
    assert hold_ms("worksheet", ready, {"chat": chat(*own)}, chance=0.5) == 0.0


def test_a_quantile_of_the_one_becomes_the_same_quantile_of_the_other() -> None:
    """By hand: 21 answers at 0, 10, ... 200 ms, and others at 1000, 1100, ... 3000; the median of both is the 11th."""
    arms = {"chat": chat(*(10.0 * n for n in range(21))), "robot": chat(*(1000.0 + 100.0 * n for n in range(21)))}
    # 100 ms stands above 10 of 21: between 10/22 and 12/22, by chance; in the middle at 11/22, the median: 2000 ms.
    assert hold_ms("chat", 100.0, arms, chance=0.5) == pytest.approx(1900.0)
    assert hold_ms("chat", 100.0, arms, chance=0.0) == pytest.approx(1800.0)
    assert hold_ms("robot", 2000.0, arms, chance=0.5) == 0.0


def test_a_robots_answer_is_counted_to_its_first_sound() -> None:
    robot = Waits.of([(100.0 + n, 900.0 + n) for n in range(21)])
    arms = {"robot": robot, "chat": chat(*(100.0 + n for n in range(21)))}
    assert hold_ms("chat", 110.0, arms, chance=0.5) == pytest.approx(800.0)
    assert hold_ms("robot", 110.0, arms, chance=0.5) == 0.0


def test_equal_times_are_spread_over_the_whole_of_the_other_distribution() -> None:
    """An engine that takes no time worth speaking of has its answers at one place; chance alone tells them apart."""
    source = random.Random(3)
    arms = {"chat": chat(*[0.1] * 200), "robot": chat(*(source.lognormvariate(7, 0.4) for _ in range(200)))}
    seen = [0.1 + hold_ms("chat", 0.1, arms, chance=source.random()) for _ in range(2000)]
    assert stats.kstest(seen, arms["robot"].ready).statistic < 0.05


def test_two_arms_have_one_distribution_afterwards_also_when_theirs_cross() -> None:
    source = random.Random(1)
    one = [source.gauss(800, 50) for _ in range(4000)]
    two = [source.gauss(800, 400) for _ in range(4000)]
    arms = {"one": chat(*one[:SAMPLE]), "two": chat(*two[:SAMPLE])}
    assert stats.ks_2samp(one, two).statistic > 0.3
    held = {
        name: [ready + hold_ms(name, ready, arms, chance=source.random()) for ready in of[SAMPLE:]]
        for name, of in (("one", one), ("two", two))
    }
    assert stats.ks_2samp(held["one"], held["two"]).statistic < 0.08


@given(st.integers(), st.integers(1), st.integers(1))
def test_the_chance_of_an_answer_is_the_same_whenever_it_is_written(seed: int, visit: int, number: int) -> None:
    assert drawn(seed, visit, number) == drawn(seed, visit, number)
    assert 0 <= drawn(seed, visit, number) < 1


def test_chances_are_even() -> None:
    assert stats.kstest([drawn(1, visit, 2) for visit in range(2000)], "uniform").pvalue > 0.001


# From the record


def equal(folder: Path) -> Study:
    path = folder / "study.toml"
    path.write_text(path.read_text().replace('kind = "eliza"', 'kind = "eliza"\nequalise = true', 1))
    return Study.open(folder)


def answered(study: Study, arm: str, *answers: dict[str, object], origin: str = "model") -> Visit:
    """A visit of somebody in the arm, with answers of which these are the times."""
    while (participant := take_in(study)).arm.name != arm:
        pass
    visit = visits.today(study, participant)
    assert visit is not None
    visit = visits.rate(study, visit, "before", 60)
    keeper = TurnKeeper(study, visit)
    for number, told in enumerate(answers):
        said = keeper.add(Turn("participant", "situation", "I see.", "participant", token=f"t{number}"))
        keeper.add(Turn("therapist", "situation", "Yes.", origin, reply_to=said.number, provenance=told))  # type: ignore[arg-type]
    return visit


def test_the_record_says_how_late_each_arm_answers_by_itself(folder: Path) -> None:
    study = equal(folder)
    protocol = study.protocol
    arms = equalised(protocol)
    assert {protocol.arm(name).medium for name in arms} >= {"robot", "chat"}
    robot = next(name for name in arms if protocol.arm(name).medium == "robot")
    chatbot = next(name for name in arms if protocol.arm(name).medium == "chat")
    answered(study, chatbot, {"ready_ms": 120.5, "held_ms": 700.0}, {"ready_ms": 80.5}, {"ready_ms": None})
    answered(study, chatbot, {"ready_ms": 5.5}, origin="person")
    spoken = answered(study, robot, {"ready_ms": 130.5, "held_ms": 100.5}, {"ready_ms": 90.5})
    visits.claim(study, spoken.code, "robot-1")
    sounding.report(study, spoken, 1, 1000.5, by="robot-1")
    found = waits_of(study, protocol)
    assert found[chatbot] == Waits([80.5, 120.5], [80.5, 120.5])
    assert found[robot] == Waits([130.5], [900.0])  # what was held is taken away; the other was never heard of
    assert lacking(found)[robot] == 1
    study.close()


def test_the_first_report_of_a_sound_stands_and_one_of_no_turn_is_refused(folder: Path) -> None:
    study = Study.open(folder)
    robot = next(arm.name for arm in study.protocol.arms if arm.medium == "robot")
    visit = answered(study, robot, {"ready_ms": 90.5})
    assert sounding.report(study, visit, 1, 1000.5, by="robot-1") == 1000.5
    assert sounding.report(study, visit, 1, 2000.5, by="robot-1") == 1000.5
    for number in (2, 3):  # the therapist's own, and none
        with pytest.raises(NotDue):
            sounding.report(study, visit, number, 1.5, by="robot-1")
    assert study.records.rows(
        "SELECT reply_to, first_sound_ms, ready_ms FROM turn_timed WHERE reply_to IS NOT NULL"
    ) == [{"reply_to": 1, "first_sound_ms": 1000.5, "ready_ms": 90.5}]
    withdraw(study, visit.participant, by="the lab", erase=True)
    assert study.records.rows("SELECT * FROM first_sound") == []
    assert verify(study.records).mistakes == []
    study.close()


def test_without_the_key_no_arm_is_equalised(folder: Path) -> None:
    study = Study.open(folder)
    assert equalised(study.protocol) == []
    assert waits_of(study, study.protocol) == {}
    study.close()
