"""How long a write to the record takes while many threads write, as they do when a class begins at the same minute.

Each thread writes an event of the log, in a durable transaction of its own, then waits as long as a request would take.
"""

import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from study.records import Records


@click.command()
@click.option("--threads", default=64, show_default=True)
@click.option("--times", default=25, show_default=True, help="Writes of each thread.")
@click.option("--folder", type=click.Path(path_type=Path), help="On the disk to be tried.")
def main(threads: int, times: int, folder: Path | None) -> None:
    """Print writes a second, and how long one took: the median, the 95th percentile and the longest."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        records = Records(Path(place) / "study.sqlite")
        took: list[float] = []

        def write() -> None:
            for _ in range(times):
                begun = time.perf_counter()
                with records.write() as transaction:
                    transaction.log(datetime.now(UTC), "benchmark", "tried", "write")
                took.append(time.perf_counter() - begun)
                time.sleep(0.02)
            records.close()

        running = [threading.Thread(target=write) for _ in range(threads)]
        begun = time.perf_counter()
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        whole = time.perf_counter() - begun
        records.close()
    cuts = statistics.quantiles([1000 * one for one in took], n=100)
    slowest = 1000 * max(took)
    print(f"{len(took) / whole:.0f} writes/s; one took {cuts[49]:.1f} ms, 95 %: {cuts[94]:.1f}, slowest: {slowest:.0f}")


if __name__ == "__main__":
    main()
