"""The whole run: which replicates there are to make, making them on all cores or on Ray, and keeping them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from study.allocation_rehearsal import levels_of
from study.parallel import each
from study.power.assumptions import Assumptions, due_of, plan_of
from study.power.planned import replicate
from study.power.replicates import Replicate, keeping, key_of
from study.protocol import Protocol

__all__ = ["Batch", "Cell", "Request", "run"]

FORMAT = 2
"""Raised when the same configuration gives other replicates than before."""

BATCH = 10
"""Replicates that a worker makes at a time: work of about a second."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the curves."""

    participants: int
    scale: float
    """What the effects are multiplied by."""


@dataclass(frozen=True)
class Request:
    """What is to be simulated."""

    protocol: Protocol
    assumed: Assumptions
    participants: tuple[int, ...]
    scales: tuple[float, ...] = (1.0,)
    replicates: int = 1000
    seed: int = 1

    @property
    def cells(self) -> list[Cell]:
        return [Cell(number, scale) for scale in self.scales for number in self.participants]

    def configuration(self) -> dict[str, Any]:
        """All that the replicates of a cell depend on, but for the cell."""
        plan = plan_of(self.protocol).model_dump(
            exclude={"estimand", "secondary", "deltas", "imputations", "randomisations", "per_protocol", "families"}
        )
        return {
            "format": FORMAT,
            "version": version("bedside"),
            "arms": [[arm.name, arm.ratio] for arm in self.protocol.arms],
            "days": self.protocol.days,
            "allocation": self.protocol.allocation.model_dump(exclude={"seed"}),
            "levels": {factor.name: levels_of(self.protocol, factor) for factor in self.protocol.allocation.strata},
            "due": due_of(self.protocol),
            "plan": plan,
            "assumed": self.assumed.as_json(),
            "seed": self.seed,
        }

    def cell_keys(self) -> list[str]:
        """The hash by which the replicates of each cell are kept. Their number is not in it: more can be added."""
        whole = self.configuration()
        return [key_of({**whole, "participants": cell.participants, "scale": cell.scale}) for cell in self.cells]


@dataclass(frozen=True)
class Batch:
    """A piece of work: some replicates of one cell. It is all that a worker is told."""

    protocol: Protocol
    assumed: Assumptions
    cell: Cell
    seed: int
    numbers: tuple[int, ...]


def make(batch: Batch) -> list[Replicate]:
    """The replicates of a batch."""
    return [
        replicate(batch.protocol, batch.assumed, batch.cell.participants, batch.cell.scale, batch.seed, number)
        for number in batch.numbers
    ]


def run(
    request: Request, folder: Path, *, jobs: int, progress: Callable[[int, int], None] = lambda done, of: None
) -> list[list[Replicate]]:
    """The replicates of each cell, in the order of `request.cells`; those that `folder` has are not made again.

    `progress` is told how many are there, of how many. Whatever ends this, what was finished is kept. Raises
    `StudyError`.
    """
    with keeping(folder, request.cell_keys()) as kept:
        total = request.replicates * len(kept)
        there = sum(_there(one.replicates, request.replicates) for one in kept)
        progress(there, total)
        work = [
            (place, Batch(request.protocol, request.assumed, cell, request.seed, numbers))
            for place, cell in enumerate(request.cells)
            for numbers in _batches([n for n in range(request.replicates) if n not in kept[place].replicates])
        ]
        for done, made in each(make, [batch for _, batch in work], jobs=jobs) if work else ():
            kept[work[done][0]].add(made)
            there += len(made)
            progress(there, total)
        return [one.first(request.replicates) for one in kept]


def _there(replicates: dict[int, Replicate], wanted: int) -> int:
    return sum(number < wanted for number in replicates)


def _batches(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for number in range(math.ceil(len(numbers) / BATCH)):
        yield tuple(numbers[number * BATCH : (number + 1) * BATCH])
