"""How long the portal takes over one request of a participant, in this process, without a network.

A chat visit is carried to the middle of its exercise with the 1966 rules; then each endpoint is called over and over,
and the median is printed in microseconds, with the number of statements that the record was asked. `--profile NAME`
prints where one endpoint spends its time. While a turn is measured, the answer to the one before is being written.
"""

import cProfile
import json
import logging
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import structlog
from flask.testing import FlaskClient

from portal.app import create_app
from study.enrolment import take_in
from study.study import Study, create
from therapist.engines import open_engine

Call = Callable[[], object]

SAID = "I failed my maths exam yesterday and I keep thinking about it, about 70"


@click.command()
@click.option("--times", default=200, show_default=True, help="Calls of each endpoint.")
@click.option("--profile", "profiled", help="Profile this endpoint: page, visit, turn, reply, rating or draft.")
def main(times: int, profiled: str | None) -> None:
    """Print the median time of each endpoint, in microseconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as place:
        path = create(Path(place) / "study")
        text = path.read_text().replace('kind = "transformers"\nmodel = "smollm2"', 'kind = "eliza"')
        path.write_text(text.replace("block_sizes = [3, 6] ", "block_sizes = [3] "))
        study = Study.open(path.parent)
        app = create_app(study, {study.protocol.engine: open_engine("eliza")})
        for name, calls in endpoints(study, app.test_client(), times).items():
            queries: list[str] = []
            study.records.db.conn.set_trace_callback(queries.append)
            calls[0]()
            study.records.db.conn.set_trace_callback(None)
            if name == profiled:
                profile = cProfile.Profile()
                profile.enable()
            took = []
            for call in calls[1:]:
                begun = time.perf_counter()
                call()
                took.append(time.perf_counter() - begun)
            if name == profiled:
                profile.disable()
                pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
            print(f"{name:10} {1e6 * statistics.median(took):8.0f} us   {len(queries):3} statements")
        app.extensions["bedside"].close()
        study.close()


def endpoints(study: Study, client: FlaskClient, times: int) -> dict[str, list[Call]]:
    """The calls to make of each endpoint, in the order in which they have to be made."""

    def link(arm: str) -> str:
        while True:
            participant = take_in(study)
            if participant.arm.name == arm:
                return study.participant_path(participant.code)

    def call(method: str, address: str, status: int = 200, **sent: Any) -> str:
        answer = client.open(address, method=method, **sent)
        if answer.status_code != status:
            raise click.ClickException(f"{address} answered {answer.status}")
        return answer.text

    def get(address: str) -> Call:
        return partial(call, "GET", address)

    def visit(path: str) -> str:
        return str(json.loads(call("GET", path + "visit"))["visit"])

    def rate(path: str) -> None:
        sent = {"visit": visit(path), "occasion": "before", "value": "60"}
        call("POST", path + "rating", 303, data=sent)

    def say(path: str, number: str, token: str) -> None:
        call("POST", path + "turns", 201, json={"visit": number, "token": token, "words": SAID})

    def draft(path: str, number: str, text: str) -> None:
        call("PUT", path + "drafts/thought", json={"visit": number, "words": text})

    begun, sheet = link("chat"), link("worksheet")
    for path in (begun, sheet):
        rate(path)
    number = visit(begun)
    for token in ("one", "two", "three"):
        say(begun, number, token)
        call("GET", f"{begun}reply?visit={number}&after=0")
    few = min(times, 60)
    fresh = [(path, visit(path)) for path in (link("chat") for _ in range(few))]
    return {
        "page": [get(begun + "now")] * times,
        "visit": [get(begun + "visit")] * times,
        "worksheet": [get(sheet + "now")] * times,
        "rating": [partial(rate, path) for path, _ in fresh],
        "begin": [get(path + "now") for path, _ in fresh],
        "turn": [partial(say, path, number, "t") for path, number in fresh],
        "reply": [get(f"{path}reply?visit={number}&after=2") for path, number in fresh],
        "draft": [partial(draft, sheet, visit(sheet), f"{SAID} {time}") for time in range(few)],
    }


if __name__ == "__main__":
    main()
