"""Sixteen chats for half an hour: whether the portal's memory, threads or open files grow.

Participants chat with the real portal, `bedside serve`, over HTTP, with the model on this machine. They take no time to
think, and whoever has ended a visit is followed by the next, so that there are always sixteen answers being written or
waited for. Every ten seconds it is noted what the portal's processes hold. The first third does not count: in it the
model is loaded, and the conversations that are kept become as many as may be.

Growth is the slope of a straight line through the means of a minute, with its 95 % interval by Student's t; what is
reported is that slope over the time that counts. Minutes, because neighbouring samples resemble each other.

    python benchmarks/soak.py --minutes 30 [--check] [--folder DIR] [--json FILE]

`--folder` is given the samples (`soak.csv`) and a plot (`soak.svg`).
"""

import csv
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import click
import psutil
from _chats import Chat
from _measuring import give, line, machine, markdown, percentile
from _portal import local, memory_of, portal, prepare
from rich.console import Console

from study.study import Study

GROWTH = {"memory, MB": 0.02, "threads": 0.05, "open files": 0.05}
"""By so much, as a share of what there was, the upper end of the interval may say that it grew.

A thread or a file for each visit would be several times as much.
"""

EVERY_S = 10.0
"""So often it is noted what the portal holds."""


@dataclass
class Sample:
    """What the portal's processes hold at a moment."""

    seconds: float
    """Since everybody came."""
    memory_mb: float
    threads: int
    files: int
    answers: int
    """Whole so far."""
    visits: int
    """Begun so far."""


@dataclass
class Growth:
    """A straight line's rise over the time that counts, and the ends of its 95 % interval."""

    rise: float
    low: float
    high: float


@click.command(epilog="Let the machine be quiet: the load it begins with is printed.")
@click.option("--minutes", default=30.0, show_default=True, help="How long, of which the last two thirds count.")
@click.option("--chats", default=16, show_default=True, help="Who chat at once.")
@click.option("--model", default="smollm2", show_default=True, help="Another model: a folder or a hub name.")
@click.option("--precision", default="auto", show_default=True, help="float32, bfloat16 or int8.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="For the samples and the plot.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there, too.")
@click.option("--check", is_flag=True, help="Exit 1 when something fails or grows.")
def main(
    minutes: float, chats: int, model: str, precision: str, folder: Path | None, file: Path | None, check: bool
) -> None:
    """Chat for some minutes, and tell what grew."""
    console = Console(stderr=True)
    about = machine()
    with tempfile.TemporaryDirectory() as place:
        study_folder = Path(place) / "study"
        prepare(study_folder, local(model, precision), patience_s=300)
        with portal(study_folder) as (url, process):
            study = Study.open(study_folder)
            samples, first, failures = _soak(url, study, process, chats, 60 * minutes, console)
            study.close()
    counted = [one for one in samples if one.seconds >= samples[-1].seconds / 3]
    held = dict(
        zip(GROWTH, zip(*((one.memory_mb, one.threads, one.files) for one in counted), strict=True), strict=True)
    )
    grown = {name: growth([one.seconds for one in counted], values) for name, values in held.items()}
    summary: dict[str, Any] = {
        "machine": about,
        "minutes": minutes,
        "chats": chats,
        "model": model,
        "precision": precision,
        "answers": samples[-1].answers,
        "visits": samples[-1].visits,
        "failures": failures,
        "first_sentence_s": {"median": median(first), "p95": percentile(first)},
        "held": {name: {"begin": values[0], "end": values[-1], "most": max(values)} for name, values in held.items()},
        "grown": {name: asdict(of) for name, of in grown.items()},
        "samples": [asdict(one) for one in samples],
    }
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        _save(folder, samples)
    give(summary, _table(summary), file, _misses(summary, grown, held), check)


def _soak(
    url: str, study: Study, process: psutil.Process, chats: int, seconds: float, console: Console
) -> tuple[list[Sample], list[float], dict[str, int]]:
    places = [Chat(url, study) for _ in range(chats)]
    first: list[float] = []
    failures: Counter[str] = Counter()
    over = threading.Event()

    def chat(place: Chat) -> None:
        while not over.is_set():
            try:
                answer = place.say()
            except Exception as error:
                failures[type(error).__name__] += 1
                over.wait(1.0)
            else:
                first.append(answer.first_sentence - answer.sent)
                failures.update(answer.provenance.get("failures", []))

    samples: list[Sample] = []
    with ThreadPoolExecutor(chats) as people:
        for place in places:
            people.submit(chat, place)
        began = time.monotonic()
        try:
            while (now := time.monotonic() - began) < seconds or not samples:
                samples.append(_sample(now, process, len(first), sum(place.begun for place in places)))
                last = samples[-1]
                console.print(
                    f"{now / seconds:4.0%}  {last.memory_mb:.0f} MB, {last.threads} threads, {last.files} files, "
                    f"{last.answers} answers in {last.visits} visits, failures: {failures.total()}"
                )
                time.sleep(max(0.0, min(EVERY_S, began + seconds - time.monotonic())))
        finally:
            over.set()
    for place in places:
        place.close()
    return samples, first, dict(failures)


def _sample(now: float, process: psutil.Process, answers: int, begun: int) -> Sample:
    own = [process, *process.children(recursive=True)]
    threads, files = sum(one.num_threads() for one in own), sum(one.num_fds() for one in own)
    return Sample(now, memory_of(process), threads, files, answers, begun)


def growth(seconds: Sequence[float], values: Sequence[float]) -> Growth:
    """How much `values` rise from the first second to the last by the line through the means of whole minutes.

    Too few minutes for a line say nothing: the interval then has no ends.
    """
    from scipy import stats

    minutes: dict[int, list[tuple[float, float]]] = {}
    for at, value in zip(seconds, values, strict=True):
        minutes.setdefault(int((at - seconds[0]) // 60), []).append((at, value))
    x = [fmean(at for at, _ in ones) for ones in minutes.values()]
    y = [fmean(value for _, value in ones) for ones in minutes.values()]
    span = seconds[-1] - seconds[0]
    if len(x) < 4:
        return Growth(values[-1] - values[0], float("-inf"), float("inf"))
    fitted = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(x) - 2)) * float(fitted.stderr)
    slope = float(fitted.slope)
    return Growth(slope * span, (slope - half) * span, (slope + half) * span)


def _misses(summary: dict[str, Any], grown: dict[str, Growth], held: dict[str, tuple[float, ...]]) -> list[str]:
    misses = [f"failures: {summary['failures']}"] if summary["failures"] else []
    for name, share in GROWTH.items():
        most = share * held[name][0]
        if grown[name].high > most:
            misses.append(f"{name}: may have grown by {grown[name].high:.1f}; {most:.1f} are allowed")
    return misses


def _table(summary: dict[str, Any]) -> str:
    head = ("what the portal holds", "when it begins to count", "at the end", "at most", "growth (95 % interval)")
    rows = [
        (
            name,
            f"{of['begin']:.0f}",
            f"{of['end']:.0f}",
            f"{of['most']:.0f}",
            "{rise:+.1f} ({low:+.1f} to {high:+.1f})".format(**summary["grown"][name]),
        )
        for name, of in summary["held"].items()
    ]
    first = summary["first_sentence_s"]
    said = (
        f"{summary['minutes']:g} minutes, {summary['chats']} chats: {summary['answers']} answers in "
        f"{summary['visits']} visits, first sentence after {first['median']:.1f} s in the median, {first['p95']:.1f} s "
        f"at the 95th percentile, failures: {summary['failures'] or 'none'}."
    )
    return f"{line(summary['machine'])}\n\n{markdown(head, rows)}\n\n{said}"


def _save(folder: Path, samples: list[Sample]) -> None:
    """The samples, and a plot of them."""
    with (folder / "soak.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(asdict(samples[0])))
        writer.writeheader()
        writer.writerows(asdict(one) for one in samples)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    minutes = [one.seconds / 60 for one in samples]
    columns = zip(*((one.memory_mb, one.threads, one.files) for one in samples), strict=True)
    for place, (name, values) in enumerate(zip(GROWTH, columns, strict=True), 1):
        axes = figure.add_subplot(3, 1, place)
        axes.plot(minutes, values)
        axes.axvline(minutes[-1] / 3, linestyle=":")
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes; what counts begins at the dotted line")
    figure.savefig(folder / "soak.svg")


if __name__ == "__main__":
    main()
