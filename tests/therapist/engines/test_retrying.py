"""Whether a request is sent again, and after how long."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist.engines._retrying import ATTEMPTS, FIRST_S, LONGEST_ASKED_S, MOST_S, asked_to_wait, pause

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_the_pause_is_drawn_from_nothing_up_to_a_bound_that_doubles() -> None:
    assert [pause(attempt, None, lambda: 0.0) for attempt in (1, 2, 3)] == [0, 0, None]
    assert [pause(attempt, None, lambda: 1.0) for attempt in (1, 2)] == [0.5, 1.0]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("3", 3),
        ("0", 0),
        (format_datetime(NOW + timedelta(seconds=4), usegmt=True), 4),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_a_server_says_how_long_in_seconds_or_by_a_date(said: str, seconds: float | None) -> None:
    assert asked_to_wait({"retry-after": said}, NOW) == seconds
    assert asked_to_wait({}, NOW) is None


def test_a_server_that_wants_longer_than_anybody_would_wait_is_not_waited_for() -> None:
    assert pause(1, LONGEST_ASKED_S, lambda: 0.0) == LONGEST_ASKED_S
    assert pause(1, LONGEST_ASKED_S + 0.1, lambda: 0.0) is None


@given(st.integers(1, 20), st.one_of(st.none(), st.floats(0, 100)), st.floats(0, 1))
def test_no_pause_is_shorter_than_asked_for_or_longer_than_its_bound(
    attempt: int, asked: float | None, drawn: float
) -> None:
    found = pause(attempt, asked, lambda: drawn)
    if found is not None:
        assert attempt < ATTEMPTS
        assert (asked or 0) <= found <= (asked or 0) + min(MOST_S, FIRST_S * 2**attempt)


@given(st.text(max_size=40))
def test_whatever_stands_in_the_header_is_read_without_an_error(said: str) -> None:
    found = asked_to_wait({"retry-after": said}, NOW)
    assert found is None or found >= 0
