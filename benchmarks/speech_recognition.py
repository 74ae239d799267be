"""How well the robot understands English: word errors, time, and numbers, codes, yes and no as the robot takes them.

Two natural synthetic voices read what students may say (`student_sentences.toml`), clean and with pink noise 10 dB
below the speech. Each sentence goes through the recogniser as from a microphone, frame by frame between silences; time
counts from the end of the sentence to its words.

Word errors are counted after both sides were put into lower case, without punctuation, with numbers as words: "75"
and "seventy-five" are the same, and so are two spellings of a word ("canceled", "to-day"). The interval is a bootstrap
over sentences.
"""

import json
import os
import platform
import re
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import jiwer
import numpy as np
from rich.console import Console
from rich.table import Table

from robot_node.numbers import code_in, rating_in, yes_in
from robot_node.speech.recognition import RATE, Recogniser, open_recogniser

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "robot_node"))

from voices import VOICES, noisy, silence  # noqa: E402 - beside the tests, which need it, too

SNR_DB = 10.0

BOUND = 0.05
"""Clean sentences are to have fewer word errors than that, in each voice."""

SETS: dict[str, tuple[str, Callable[[str], object]]] = {
    "ratings": ("rating", rating_in),
    "codes": ("code", code_in),
    "yes_or_no": ("yes", yes_in),
}

SPELLINGS = {"canceled": "cancelled", "draught": "draft", "to day": "today", "to morrow": "tomorrow"}
"""Spellings that the recogniser mixes; which one is written is no error."""

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


@dataclass
class Sentences:
    """The sentences in one voice, clean or noisy. Times are seconds."""

    voice: str
    noise: str
    sentences: int
    words: int
    word_errors: float
    """Errors a word of the reference: 0.02 is 2 %."""
    low: float
    high: float
    """The 95 % interval."""
    exact: int
    """Sentences without any error."""
    median_s: float
    p95_s: float
    """From the end of the sentence to its words."""
    real_time: float
    """Seconds of work a second of sound, without partial transcripts."""


@dataclass
class Answers:
    """One set of short answers in one voice, clean or noisy."""

    kind: str
    voice: str
    noise: str
    answers: int
    right: int
    unclear: int
    """The robot asks again."""
    wrong: int
    """The robot takes them for something else."""
    mistakes: list[str]


@click.command(
    epilog="Examples: `python benchmarks/speech_recognition.py`; with --engine vosk --model FOLDER for another engine; "
    "with --mistakes to read what was misheard. Let the machine be quiet for the times."
)
@click.option("--engine", default="moonshine", show_default=True, help="The recogniser.")
@click.option("--model", default="", help="A folder in place of the engine's own model.")
@click.option("--mistakes", is_flag=True, help="Print each sentence with an error to the standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the tables.")
@click.option("--check", is_flag=True, help="Exit 1 when clean sentences have over 5 % word errors in any voice.")
def main(engine: str, model: str, mistakes: bool, as_json: bool, check: bool) -> None:
    """Measure word errors, times, and how many short answers are understood."""
    load = os.getloadavg()[0]
    console = Console(stderr=True)
    said = tomllib.loads((HERE / "student_sentences.toml").read_text(encoding="utf-8"))
    recogniser = open_recogniser(engine, model, partial_s=1e6)  # partial transcripts are not what is measured
    _hear(recogniser, VOICES["joe"]("Hello."), "words")  # the first time takes longer
    tell = console.print if mistakes else lambda line: None
    sentences, answers = [], []
    for voice in VOICES:
        for noise in ("clean", f"{SNR_DB:.0f} dB"):
            sentences.append(_sentences(recogniser, said["sentences"], voice, noise, tell))
            answers += [_answers(recogniser, said[name], name, voice, noise, tell) for name in SETS]
    machine = f"{platform.machine()}, {os.cpu_count()} processors, load {load:.2f} before"
    if as_json:
        print(
            json.dumps(
                {
                    "recogniser": recogniser.name,
                    "machine": machine,
                    "sentences": [asdict(row) for row in sentences],
                    "answers": [asdict(row) for row in answers],
                },
                indent=1,
            )
        )
    else:
        _print(recogniser.name, machine, sentences, answers)
    recogniser.close()
    if check and any(row.word_errors > BOUND for row in sentences if row.noise == "clean"):
        raise SystemExit(1)


def normal(text: str) -> str:
    """`text` in lower case, without punctuation, numbers as words, each word in one spelling."""
    text = text.lower().replace("’", "'").replace("%", " percent")
    text = re.sub(r"\d+", lambda found: f" {in_words(int(found[0]))} ", text)
    text = " ".join(re.findall(r"[a-z]+(?:'[a-z]+)?", text.replace("-", " ")))
    for spelling, usual in SPELLINGS.items():
        text = re.sub(rf"\b{spelling}\b", usual, text)
    return text


def in_words(number: int) -> str:
    """A whole number from 0 to 999 in English words; above that its digits one by one."""
    if number < 20:
        return UNITS[number]
    if number < 100:
        return f"{TENS[number // 10 - 2]} {UNITS[number % 10] if number % 10 else ''}".strip()
    if number < 1000:
        rest = f" {in_words(number % 100)}" if number % 100 else ""
        return f"{UNITS[number // 100]} hundred{rest}"
    return " ".join(UNITS[int(digit)] for digit in str(number))


def _sentences(
    recogniser: Recogniser, said: list[str], voice: str, noise: str, tell: Callable[[str], Any]
) -> Sentences:
    errors, words, times, works, lengths, exact = [], [], [], [], [], 0
    for number, sentence in enumerate(said):
        sound = _sound(voice, sentence, noise, number)
        heard, seconds, work = _hear(recogniser, sound, "words")
        measured = jiwer.process_words(normal(sentence), normal(heard))
        wrong = measured.substitutions + measured.deletions + measured.insertions
        errors.append(wrong)
        words.append(len(normal(sentence).split()))
        times.append(seconds)
        works.append(work)
        lengths.append(len(sound) / RATE)
        exact += not wrong
        if wrong:
            tell(f"{voice}, {noise}: {sentence} -> {heard}")
    low, high = _interval(np.array(errors), np.array(words))
    return Sentences(
        voice,
        noise,
        len(said),
        sum(words),
        round(sum(errors) / sum(words), 4),
        round(low, 4),
        round(high, 4),
        exact,
        round(float(np.median(times)), 3),
        round(float(np.quantile(times, 0.95)), 3),
        round(sum(works) / sum(lengths), 3),
    )


def _answers(
    recogniser: Recogniser, said: list[dict[str, Any]], name: str, voice: str, noise: str, tell: Callable[[str], Any]
) -> Answers:
    expecting, understand = SETS[name]
    right = unclear = 0
    mistakes = []
    for number, answer in enumerate(said):
        heard, _, _ = _hear(recogniser, _sound(voice, answer["said"], noise, number), expecting)
        meant = understand(heard)
        right += meant == answer["meant"]
        unclear += meant is None
        if meant != answer["meant"]:
            mistakes.append(f"{answer['said']} -> {heard} -> {meant}")
            tell(f"{voice}, {noise}, {expecting}: {mistakes[-1]}")
    return Answers(name, voice, noise, len(said), right, unclear, len(said) - right - unclear, mistakes)


def _sound(voice: str, text: str, noise: str, seed: int) -> np.ndarray:
    """A sentence with half a second of silence around it, which has the noise, too."""
    sound = np.concatenate([silence(0.5), VOICES[voice](text), silence(0.5)])
    return sound if noise == "clean" else noisy(sound, SNR_DB, seed)


def _hear(recogniser: Recogniser, sound: np.ndarray, expecting: str) -> tuple[str, float, float]:
    """What was understood, how long after the last sample, and the work on all of it in seconds."""
    recogniser.begin(expecting)
    began = time.monotonic()
    for place in range(0, len(sound), 512):
        recogniser.feed(sound[place : place + 512])
    ended = time.monotonic()
    text = recogniser.finish().text
    return text, time.monotonic() - ended, time.monotonic() - began


def _interval(errors: np.ndarray, words: np.ndarray, repeats: int = 2000) -> tuple[float, float]:
    """The 95 % bootstrap interval of errors a word, sentences drawn with replacement."""
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, len(errors), (repeats, len(errors)))
    rates = errors[drawn].sum(axis=1) / words[drawn].sum(axis=1)
    return float(np.quantile(rates, 0.025)), float(np.quantile(rates, 0.975))


def _print(name: str, machine: str, sentences: list[Sentences], answers: list[Answers]) -> None:
    console = Console(width=110)
    table = Table(title=f"Sentences with {name} ({machine})")
    for column in ("voice", "noise", "sentences", "word errors", "95 %", "exact", "median s", "p95 s", "real time"):
        table.add_column(column, justify="left" if column in ("voice", "noise") else "right")
    for row in sentences:
        table.add_row(
            row.voice,
            row.noise,
            str(row.sentences),
            f"{row.word_errors:.1%}",
            f"{row.low:.1%} to {row.high:.1%}",
            str(row.exact),
            f"{row.median_s:.2f}",
            f"{row.p95_s:.2f}",
            f"{row.real_time:.3f}",
        )
    console.print(table)
    table = Table(title="Short answers as the robot takes them")
    for column in ("answers", "voice", "noise", "number", "right", "asked again", "wrong"):
        table.add_column(column, justify="left" if column in ("answers", "voice", "noise") else "right")
    for one in answers:
        table.add_row(
            one.kind.replace("_", " "),
            one.voice,
            one.noise,
            str(one.answers),
            str(one.right),
            str(one.unclear),
            str(one.wrong),
        )
    console.print(table)


if __name__ == "__main__":
    main()
