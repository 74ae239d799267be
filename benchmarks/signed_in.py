"""What it costs to ask who is signed in, with each thread's connection kept and with one opened for each question.

python benchmarks/signed_in.py [--check]
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from portal.app import create_app
from portal.console.guard import COOKIE
from portal.limiting import Bucket
from study.access import accounts, signing, store
from study.study import Study, create

LEAST = 200
"""Requests a second of somebody who is signed in, in one thread, that `--check` asks for."""


@click.command()
@click.option("--check", is_flag=True, help=f"Fail below {LEAST} requests a second.")
def main(check: bool) -> None:
    """Ask who is signed in, some thousand times, and open a page of the console."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        create(Path(folder) / "study")
        study = Study.open(Path(folder) / "study")
        accounts.add(study, "somebody", ["administrator"], by="benchmark")
        token = signing.begin(study, "somebody")
        app = create_app(study, {})
        app.extensions["bedside limits"].account = Bucket(10**9, 1)
        client = app.test_client()
        client.set_cookie(COOKIE, token)

        def anew() -> None:
            store._connections.pop(study)
            signing.signed_in(study, token)

        kept = _milliseconds(lambda: signing.signed_in(study, token), 5000)
        opened = _milliseconds(anew, 500)
        page = _milliseconds(lambda: client.get("/console/pulse"), 1000)
        app.extensions["bedside"].close()
        study.close()
    click.echo(f"who is signed in: {kept:.3f} ms with the connection kept, {opened:.3f} ms with one for each question")
    click.echo(f"a request of somebody who is signed in: {page:.2f} ms, so {1000 / page:.0f} a second in one thread")
    if check and 1000 / page < LEAST:
        sys.exit(1)


def _milliseconds(act: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - began) / times * 1000


if __name__ == "__main__":
    main()
