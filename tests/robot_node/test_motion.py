"""Whatever a gesture asks for and wherever the joints are, no plan leaves their limits."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robot_node.body.follower import TrajectoryFollower
from robot_node.body.gestures import Frame, Gesture, gestures
from robot_node.body.joints import JOINTS, REST, Positions, clamped, limits
from robot_node.body.motion import Point, Pulse, at, brake, guarded, plan, pulse, with_pulses
from robot_node.body.watch import Watch

ANYWHERE = st.tuples(*[st.floats(-4, 4)] * 4)
ANY_SPEED = st.tuples(*[st.floats(-5, 5)] * 4)
INSIDE = st.tuples(*[st.floats(limit.lower, limit.upper) for limit in limits()])


@st.composite
def any_gesture(draw: st.DrawFn) -> Gesture:
    moments = sorted(draw(st.sets(st.floats(0.001, 8.0), min_size=1, max_size=5)))
    frames = tuple(
        Frame.model_construct(seconds=moment, positions=dict(zip(JOINTS, draw(ANYWHERE), strict=True)))
        for moment in moments
    )
    return Gesture.model_construct(name="any", description="", frames=frames, repeat=False, hold=False, beat=None)


def assert_can_be_done(points: Sequence[Point]) -> None:
    assert points[0].seconds >= 0
    for point in points:
        for limit, position in zip(limits(), point.positions, strict=True):
            assert limit.lower <= position <= limit.upper
    for before, after in pairwise(points):
        assert after.seconds > before.seconds
        for limit, old, new in zip(limits(), before.positions, after.positions, strict=True):
            assert abs(new - old) <= limit.velocity * (after.seconds - before.seconds) + 1e-9


SHORT = Gesture(name="any", description="", frames=(Frame(seconds=0.25, positions=dict.fromkeys(JOINTS, 0.0)),))


@settings(deadline=None)
@given(any_gesture(), ANYWHERE, ANY_SPEED)
@example(SHORT, REST, (0.0, 0.0, 0.0, 1.0))
def test_a_plan_can_be_done_and_arrives(gesture: Gesture, start: Positions, velocities: Positions) -> None:
    points = plan(gesture, start, velocities)
    assert_can_be_done(points)
    assert points[0].positions == clamped(start)
    assert points[-1].positions == pytest.approx(clamped(gesture.keyframes()[-1][1]), abs=1e-5)


@settings(deadline=None)
@given(any_gesture(), ANYWHERE, st.lists(st.tuples(st.floats(-0.5, 2), st.floats(0.1, 1), ANYWHERE), max_size=4))
def test_words_on_top_of_it_can_be_done(
    gesture: Gesture, start: Positions, words: list[tuple[float, float, Positions]]
) -> None:
    points = plan(gesture, start)
    assert_can_be_done(with_pulses(points, 0.3, [Pulse(*word) for word in words], at(points, 0.3)))


@settings(deadline=None)
@given(ANYWHERE, ANY_SPEED)
def test_coming_to_a_stand_can_be_done(start: Positions, velocities: Positions) -> None:
    points = brake(start, velocities)
    assert_can_be_done(points)


@settings(deadline=None)
@given(
    ANYWHERE,
    st.lists(
        st.tuples(st.floats(0.0, 0.5), st.lists(st.tuples(st.floats(0.01, 1.0), ANYWHERE), min_size=1)), max_size=4
    ),
    st.lists(st.floats(0.0001, 0.3), min_size=5, max_size=30),
)
def test_a_follower_never_exceeds_the_limits(
    start: Positions, trajectories: list[tuple[float, list[tuple[float, Positions]]]], ticks: list[float]
) -> None:
    now = 100.0
    follower = TrajectoryFollower(start, now)
    waiting = list(trajectories)
    before = follower.at(now)
    for tick in ticks:
        if waiting:
            pause, steps = waiting.pop()
            moment, points = pause, []
            for step, positions in steps:
                moment += step
                points.append(Point(moment, positions))
            follower.follow(points, now)
        now += tick
        here = follower.at(now)
        for limit, old, new in zip(limits(), before, here, strict=True):
            assert limit.lower <= new <= limit.upper
            assert abs(new - old) <= limit.velocity * tick + 1e-9
        before = here


@pytest.mark.parametrize("name", sorted(gestures()))
def test_our_gestures_are_made_in_their_own_time_and_softly(name: str) -> None:
    gesture = gestures()[name]
    start = {"attend": gestures()["listen"].keyframes()[-1][1]}.get(name, REST)  # it comes out of the lean
    points = plan(gesture, start)
    assert points[-1].seconds == pytest.approx(gesture.frames[-1].seconds, abs=0.01)
    speeds = [
        [(b - a) / (after.seconds - before.seconds) for a, b in zip(before.positions, after.positions, strict=True)]
        for before, after in pairwise(points)
    ]
    for old, new in pairwise(speeds):
        assert max(abs(b - a) for a, b in zip(old, new, strict=True)) < 0.5  # radians a second in a twentieth of one


def test_a_motion_that_is_interrupted_goes_on_at_its_speed() -> None:
    points = plan(gestures()["idle"], REST, (0.0, 0.0, 0.0, 0.8))
    first = (points[1].positions[3] - points[0].positions[3]) / points[1].seconds
    assert 0.4 < first < 0.9
    assert abs(points[-1].positions[3] + 0.05) < 1e-6


def test_from_outside_the_limits_the_way_back_takes_its_time() -> None:
    points = guarded([Point(0.0, REST), Point(1.0, REST)], (0.0, 0.0, 0.0, 2.55))
    assert points[0] == Point(pytest.approx(1.0), (0.0, 0.0, 0.0, 1.2))


def test_each_word_adds_a_beat_and_every_second_one_to_the_other_side() -> None:
    speak = gestures()["speak"]
    one, two = pulse(speak, 0, 0.4), pulse(speak, 1, 0.4)
    assert one is not None
    assert two is not None
    assert one.positions[3] == -two.positions[3] != 0
    assert one.positions[0] == two.positions[0] != 0
    assert one.offset(0.0) == one.offset(0.4) == REST
    assert one.offset(0.2) == pytest.approx(one.positions)
    assert pulse(gestures()["nod"], 0, 0.4) is None


@pytest.mark.parametrize(
    "points", [[], [Point(1.0, REST), Point(1.0, REST)], [Point(1.0, REST), Point(0.5, REST)], [Point(-1.0, REST)]]
)
def test_a_trajectory_whose_times_do_not_rise_is_refused(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="later"):
        TrajectoryFollower(REST, 0.0).follow(points, 0.0)


def test_a_follower_does_not_mind_a_clock_that_stands_or_goes_back() -> None:
    follower = TrajectoryFollower(REST, 10.0)
    follower.follow([Point(1.0, (0.1, 0.0, 0.0, 0.0))], 10.0)
    here = follower.at(10.5)
    assert here[0] == pytest.approx(0.05)
    assert follower.at(9.0) == here == follower.at(10.5)
    assert follower.at(12.0)[0] == pytest.approx(0.1)


def test_a_joint_is_away_only_when_it_stays_away() -> None:
    watch = Watch(silence_s=1.0, deviation_rad=0.1, deviation_s=1.0, now=0.0)
    assert not watch.silent(1.0)
    assert watch.silent(1.1)
    watch.measured(REST, 1.1)
    there = (0.2, 0.0, 0.0, 0.0)
    assert watch.lagging(there, 1.2) is None
    assert watch.lagging(REST, 1.9) is None
    assert watch.lagging(there, 2.3) is None
    assert watch.lagging(there, 3.2) is None
    assert watch.lagging(there, 3.3) == "tower_1"
