"""The student's voices in tests: the same each time, at the right rate, with as much noise as was asked for."""

from pathlib import Path

import numpy as np
import pytest
from voices import RATE, VOICES, noisy, resample, silence


@pytest.mark.parametrize("voice", VOICES)
def test_a_sentence_sounds_the_same_when_it_is_made_again(
    voice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = VOICES[voice]("I could not sleep.")
    monkeypatch.setenv("BEDSIDE_VOICES_CACHE", str(tmp_path))
    again = VOICES[voice]("I could not sleep.")
    assert len(list(tmp_path.iterdir())) == 1
    assert np.array_equal(first, again)
    assert first.dtype == np.float32
    assert 0.5 < len(first) / RATE < 3
    assert 0.1 < np.abs(first).max() <= 1


@pytest.mark.parametrize("rate", [22_050, 24_000, 48_000, 8_000])
def test_a_tone_stays_the_same_tone_at_another_rate(rate: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    at_16k = resample(tone, rate)
    assert len(at_16k) == RATE
    wanted = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert np.abs(at_16k - wanted)[1000:-1000].max() < 0.01


def test_what_is_too_high_for_the_rate_goes() -> None:
    tone = np.sin(2 * np.pi * 10_000 * np.arange(48_000) / 48_000)
    assert np.abs(resample(tone, 48_000))[1000:-1000].max() < 0.01


@pytest.mark.parametrize("colour", ["pink", "white"])
def test_noise_lies_as_far_below_the_speech_as_asked(colour: str) -> None:
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    # The silence around the speech does not count.
    sound = np.concatenate([silence(2), tone, silence(2)])
    noise = noisy(sound, 10, 1, colour) - sound
    assert 10 * np.log10((tone**2).mean() / (noise**2).mean()) == pytest.approx(10, abs=0.1)
    assert np.array_equal(noisy(sound, 10, 1, colour), noisy(sound, 10, 1, colour))
    assert not np.array_equal(noisy(sound, 10, 1, colour), noisy(sound, 10, 2, colour))
