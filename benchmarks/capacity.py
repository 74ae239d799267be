"""How many participants a day a machine carries, from what an answer costs. docs/capacity.md has the arithmetic.

Answers come as they come (Poisson), the model writes `at_once` of them beside each other, and who finds it busy waits
in line: Erlang's formula for queues (A. K. Erlang, 1917; "Erlang C") gives the share that waits, and how long.
"""

import math

import click

__all__ = ["busy", "participants", "wait_longer_than"]


def busy(places: int, load: float) -> float:
    """The share of arrivals that find every place taken, when `load` places are taken on average (below `places`).

    Reckoned by way of Erlang B, whose recursion stays within bounds where factorials would not.
    """
    blocked = 1.0
    for taken in range(1, places + 1):
        blocked = load * blocked / (taken + load * blocked)
    return blocked / (1 - load / places * (1 - blocked))


def wait_longer_than(seconds: float, places: int, per_second: float, service_s: float) -> float:
    """The share of answers that wait longer than `seconds` for a place; 1 where more come than can be written."""
    load = per_second * service_s
    if load >= places:
        return 1.0
    return busy(places, load) * math.exp(-(places - load) * seconds / service_s)


def participants(
    *, answers: float, places: int, service_s: float, peak_share: float, wait_s: float, late_share: float
) -> int:
    """The most participants a day, one visit each, such that no more than `late_share` of the answers in the busiest
    hour wait longer than `wait_s`, and the machine has work for no more than `BUSIEST` of that hour, in which
    `peak_share` of the day's visits are held.
    """
    few, many = 0, 1
    while _holds(many, answers, places, service_s, peak_share, wait_s, late_share):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        if _holds(middle, answers, places, service_s, peak_share, wait_s, late_share):
            few = middle
        else:
            many = middle
    return few


BUSIEST = 0.7
"""So much of what a machine can write is planned for: an hour has its own peaks, and a machine its bad moments."""


def _holds(
    number: int, answers: float, places: int, service_s: float, peak_share: float, wait_s: float, late_share: float
) -> bool:
    per_second = number * peak_share * answers / 3600
    load = per_second * service_s
    return load <= BUSIEST * places and wait_longer_than(wait_s, places, per_second, service_s) <= late_share


@click.command(
    epilog="Example: `python benchmarks/capacity.py --at-once 8 --service 0.6` for one GPU of docs/capacity.md."
)
@click.option("--answers", default=10.0, show_default=True, help="Answers that the model writes in a visit.")
@click.option("--at-once", default=1, show_default=True, help="Answers written at the same time, on all replicas.")
@click.option("--service", "service_s", required=True, type=float, help="Seconds that one of so many at once takes.")
@click.option(
    "--peak", "peak_share", default=0.2, show_default=True, help="Share of the day's visits in its busiest hour."
)
@click.option("--wait", "wait_s", default=2.0, show_default=True, help="Seconds for a place that are not too long.")
@click.option("--late", "late_share", default=0.05, show_default=True, help="Share of answers that may wait longer.")
def main(answers: float, at_once: int, service_s: float, peak_share: float, wait_s: float, late_share: float) -> None:
    """Print the participants a day, and how busy the machine is then in the busiest hour."""
    found = participants(
        answers=answers,
        places=at_once,
        service_s=service_s,
        peak_share=peak_share,
        wait_s=wait_s,
        late_share=late_share,
    )
    per_second = found * peak_share * answers / 3600
    print(
        f"{found} participants a day; in the busiest hour {per_second:.2f} answers a second, "
        f"{per_second * service_s / at_once:.0%} of what could be written, "
        f"{wait_longer_than(wait_s, at_once, per_second, service_s):.1%} wait longer than {wait_s:g} s."
    )


if __name__ == "__main__":
    main()
