"""Where an utterance begins, pauses and ends, whatever the detector says."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_node.speech.endpoint import FRAME_S, Endpointer, Event

SPEECH, SILENCE = 0.95, 0.02

MAY_FOLLOW = {
    "began": {"paused", "ended"},
    "paused": {"resumed", "ended"},
    "resumed": {"paused", "ended"},
    "ended": {"began"},
}


def feed(endpointer: Endpointer, *runs: tuple[float, int]) -> list[Event]:
    """What happens while each probability lasts so many frames."""
    events = []
    for probability, frames in runs:
        events += [event for _ in range(frames) if (event := endpointer.feed(probability))]
    return events


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


@given(
    st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.35, 0.5, 1.0])), max_size=400),
    st.floats(0.3, 2.0),
    st.floats(0.5, 5.0),
)
def test_events_alternate_whatever_the_probabilities(chances: list[float], pause_s: float, longest_s: float) -> None:
    endpointer = Endpointer(pause_s, longest_s=longest_s)
    events = feed(endpointer, *((chance, 1) for chance in chances))
    stopped = endpointer.stop()
    events += [stopped] if stopped else []
    assert not events or events[0].kind == "began"
    for event, following in pairwise(events):
        assert following.kind in MAY_FOLLOW[event.kind]
        assert following.at_s > event.at_s or (stopped and following is stopped)
    assert not events or events[-1].kind == "ended"
    for event in events:
        assert 0 <= event.speech_from_s < event.speech_until_s <= event.at_s
        assert event.at_s - event.speech_from_s <= longest_s + 2 * FRAME_S
    for began, ended in zip(
        [e for e in events if e.kind == "began"], [e for e in events if e.kind == "ended"], strict=True
    ):
        assert began.speech_from_s == ended.speech_from_s


@given(
    st.lists(st.tuples(st.integers(4, 60), st.integers(1, 21)), min_size=1, max_size=8),
    st.floats(0.5, 1.0),
    st.floats(0.0, 0.3),
)
def test_speech_with_pauses_shorter_than_the_pause_is_one_utterance(
    parts: list[tuple[int, int]], speech: float, quiet: float
) -> None:
    endpointer = Endpointer(0.7)  # 22 frames
    runs = [run for spoken, silent in parts for run in ((speech, spoken), (quiet, silent))]
    events = feed(endpointer, *runs, (speech, 4), (quiet, 22))
    assert kinds(events).count("began") == kinds(events).count("ended") == 1
    assert events[0].speech_from_s == 0
    frames = sum(spoken + silent for spoken, silent in parts) + 4
    assert events[-1].speech_until_s == pytest.approx(frames * FRAME_S)
    assert kinds(events).count("paused") == sum(silent >= 8 for _, silent in parts) + 1


def test_the_first_short_pause_is_told_before_the_end() -> None:
    events = feed(Endpointer(0.7), (SPEECH, 30), (SILENCE, 40))
    assert kinds(events) == ["began", "paused", "ended"]
    assert [event.at_s for event in events] == pytest.approx([4 * FRAME_S, 38 * FRAME_S, 52 * FRAME_S])
    assert events[1].speech_until_s == events[2].speech_until_s == pytest.approx(30 * FRAME_S)


def test_a_click_is_no_speech() -> None:
    assert feed(Endpointer(), (SILENCE, 5), (SPEECH, 3), (SILENCE, 40)) == []


def test_a_click_in_a_pause_does_not_lengthen_it() -> None:
    events = feed(Endpointer(0.7), (SPEECH, 30), (SILENCE, 15), (SPEECH, 1), (SILENCE, 6))
    assert kinds(events) == ["began", "paused", "ended"]


def test_a_weaker_syllable_belongs_to_the_speech_before_it() -> None:
    assert kinds(feed(Endpointer(), (SPEECH, 10), (0.4, 30), (SPEECH, 1))) == ["began"]
    assert feed(Endpointer(), (0.4, 100)) == []


def test_who_reflects_is_left_a_longer_pause() -> None:
    endpointer = Endpointer(0.7)
    endpointer.pause_s = 1.5
    assert kinds(feed(endpointer, (SPEECH, 30), (SILENCE, 40), (SPEECH, 30))) == ["began", "paused", "resumed"]
    endpointer.pause_s = 0.7
    assert kinds(feed(endpointer, (SILENCE, 22))) == ["paused", "ended"]


def test_who_never_pauses_is_stopped_at_the_longest_length() -> None:
    events = feed(Endpointer(longest_s=60), (SPEECH, 1900))
    assert kinds(events) == ["began", "ended", "began"]
    assert events[1].at_s - events[1].speech_from_s == pytest.approx(60, abs=FRAME_S)


def test_reset_forgets_an_utterance_and_stop_ends_it() -> None:
    endpointer = Endpointer()
    feed(endpointer, (SPEECH, 10))
    endpointer.reset()
    assert endpointer.stop() is None
    feed(endpointer, (SPEECH, 10))
    assert (ended := endpointer.stop()) is not None
    assert (ended.kind, ended.at_s) == ("ended", pytest.approx(10 * FRAME_S))


@pytest.mark.parametrize(
    "settings",
    [{"pause_s": 0.25}, {"on": 0.3, "off": 0.5}, {"shortest_s": 0}, {"longest_s": 0.05}, {"short_pause_s": 0}],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"speech|pause|lengths"):
        Endpointer(**settings)
