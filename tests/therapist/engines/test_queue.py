"""Whose turn it is."""

from hypothesis import given
from hypothesis import strategies as st

from therapist.engine import Priority
from therapist.engines._queue import FairQueue

Ask = tuple[str, Priority]

ASKS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["interactive", "batch"])), max_size=12)


def queue(*asks: Ask) -> FairQueue[int]:
    """A queue of the numbers of `asks`, which name the conversation and the priority."""
    made: FairQueue[int] = FairQueue()
    for number, (conversation, priority) in enumerate(asks):
        made.add(number, conversation, priority)
    return made


def test_who_asked_first_is_first() -> None:
    assert queue(("a", "interactive"), ("b", "interactive"), ("c", "interactive")).order() == [0, 1, 2]


def test_what_nobody_waits_for_is_last() -> None:
    asks = queue(("a", "batch"), ("b", "interactive"))
    assert asks.order() == [1, 0]
    assert [asks.next(batch=False), asks.next(batch=False), asks.next()] == [1, None, 0]


def test_who_asks_for_much_stands_behind_who_asks_for_little() -> None:
    assert queue(("a", "interactive"), ("a", "interactive"), ("b", "interactive")).order() == [0, 2, 1]


@given(ASKS)
def test_a_place_is_how_many_are_begun_before(asks: list[Ask]) -> None:
    waiting = queue(*asks)
    while len(waiting):
        places = {job: waiting.place(job) for job in waiting.order()}
        assert sorted(places.values()) == list(range(len(waiting)))
        first = waiting.next()
        assert first is not None
        assert places[first] == 0
    assert waiting.next() is None


@given(ASKS, st.integers(0, 11))
def test_who_leaves_holds_up_nobody(asks: list[Ask], leaves: int) -> None:
    waiting = queue(*asks)
    others = [one for one in queue(*asks).order() if one != leaves]
    assert waiting.withdraw(leaves) == (leaves < len(asks))
    assert sorted(waiting.order()) == sorted(others)
    assert not waiting.withdraw(leaves)
    assert waiting.place(leaves) == 0


@given(ASKS)
def test_no_conversation_is_begun_twice_while_another_waits_for_its_first(asks: list[Ask]) -> None:
    waiting = queue(*asks)
    urgent = {name for name, priority in asks if priority == "interactive"}
    begun = [waiting.next() for _ in urgent]
    assert {asks[one][0] for one in begun if one is not None} == urgent


def test_who_comes_later_stands_before_anothers_second() -> None:
    waiting = queue(("a", "interactive"), ("a", "interactive"))
    assert waiting.next() == 0
    waiting.add(2, "b", "interactive")
    assert waiting.order() == [2, 1]
