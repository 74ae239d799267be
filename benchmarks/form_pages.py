"""Form pages a second: Bedside's and oTree's, the same questionnaires, on the same machine.

Participants fill in four questionnaires (33 questions with radio buttons). For each, the page is asked for and what was
answered is sent, as a browser without a script does it; both servers keep what is sent in SQLite. Bedside's `serve`
and oTree's `prodserver` each run as they come; clients ask as fast as they are answered. Rounds alternate, so that both
meet the same machine.

    python benchmarks/form_pages.py --otree DIR/bin/otree [--check]

oTree wants a virtual environment of its own: `python3 -m venv DIR && DIR/bin/pip install otree`.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - gevent has to come first
import os  # noqa: E402
import platform  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager, suppress  # noqa: E402
from pathlib import Path  # noqa: E402
from statistics import median, quantiles  # noqa: E402
from typing import Any  # noqa: E402

import click  # noqa: E402
import gevent  # noqa: E402
import httpx2  # noqa: E402
from _portal import portal, prepare  # noqa: E402
from geventhttpclient import HTTPClient  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from study.enrolment import come  # noqa: E402
from study.measure import load_measure  # noqa: E402
from study.study import Study  # noqa: E402

MEASURES = ("gad7", "pss10", "sus", "k6")

HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


@click.command(epilog="Let the machine be quiet: the load it begins with is printed.")
@click.option("--otree", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="oTree.")
@click.option("--participants", default=60, show_default=True, help="Who fill in all questionnaires, in each round.")
@click.option("--clients", default=16, show_default=True, help="Who ask at once.")
@click.option("--rounds", default=3, show_default=True, help="Of each server; the median counts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
@click.option("--check", is_flag=True, help="Exit 1 when Bedside serves fewer requests a second than oTree.")
def main(otree: Path, participants: int, clients: int, rounds: int, as_json: bool, check: bool) -> None:
    """Have participants fill in questionnaires on both servers, and print how many requests a second each serves."""
    console = Console(stderr=True)
    load = os.getloadavg()[0]
    found: dict[str, list[dict[str, float]]] = {"Bedside": [], "oTree": []}
    for number in range(rounds):
        for name, server in (("Bedside", _bedside), ("oTree", _otree)):
            console.print(f"Round {number + 1} of {rounds}: {name} ...")
            with tempfile.TemporaryDirectory() as place, server(Path(place), participants, otree) as (url, paths):
                found[name].append(_measure(url, paths, clients))
    summary = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, load {load:.2f} before",
        "participants": participants,
        "clients": clients,
        "rounds": found,
    }
    if as_json:
        print(json.dumps(summary, indent=1))
    else:
        _print(summary)
    if check and _rate(found["Bedside"]) < _rate(found["oTree"]):
        raise SystemExit(1)


def _measure(url: str, paths: list[str], clients: int) -> dict[str, float]:
    """Let `clients` at once go through the pages that begin at `paths`."""
    waiting = list(reversed(paths))
    times: list[float] = []

    def fill_in() -> None:
        client = HTTPClient.from_url(url, concurrency=1, connection_timeout=60, network_timeout=60)
        while waiting:
            path = waiting.pop()
            for _ in MEASURES:
                page = _ask(client, "GET", path, times)[1]
                sent = _action(page, path)
                path, _ = _ask(client, "POST", sent, times, _answers(page))
                if not path:
                    raise click.ClickException(f"{sent} did not take what was answered.")
            _ask(client, "GET", path, times)

    began = time.perf_counter()
    gevent.joinall([gevent.spawn(fill_in) for _ in range(clients)], raise_error=True)
    took = time.perf_counter() - began
    return {"requests_s": len(times) / took, "median_ms": median(times), "p95_ms": quantiles(times, n=100)[94]}


def _ask(client: HTTPClient, method: str, path: str, times: list[float], body: str = "") -> tuple[str, str]:
    """Where the answer sends the browser, if anywhere, and the page."""
    began = time.perf_counter()
    answer = client.request(method, path, body=body.encode(), headers=HEADERS if body else {})
    page = answer.read().decode()
    times.append(1000 * (time.perf_counter() - began))
    if answer.status_code not in (200, 302, 303):
        raise click.ClickException(f"{method} {path} was answered with {answer.status_code}:\n{page[:500]}")
    return re.sub(r"^https?://[^/]+", "", answer.get("location") or ""), page


def _action(page: str, path: str) -> str:
    found = re.search(r'<form[^>]* action="([^"]+)"[^>]* class="questions"', page)
    return found[1] if found else path


def _answers(page: str) -> str:
    """The first answer to each question, and what the page's hidden fields hold."""
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    names = dict.fromkeys(
        re.findall(r'<input[^>]* type="radio"[^>]* name="([^"]+)"|<input type="radio" name="([^"]+)"', page)
    )
    first = {"".join(name): "0" for name in names}
    for name in first:
        value = re.search(rf'<input[^>]*name="{re.escape(name)}"[^>]*value="(\d+)"', page)
        first[name] = value[1] if value else "1"
    return "&".join(f"{name}={value}" for name, value in [*hidden, *first.items()])


# Bedside


@contextmanager
def _bedside(place: Path, participants: int, _: Path) -> Iterator[tuple[str, list[str]]]:
    folder = place / "study"
    path = prepare(folder)
    measures = '\n[[measures]]\nmeasure = "distress"\nwhen = ["before", "after"]\n'
    measures += "".join(f'\n[[measures]]\nmeasure = "{name}"\nwhen = ["baseline"]\n' for name in MEASURES)
    path.write_text(path.read_text() + measures)
    study = Study.open(folder)
    paths = [study.participant_path(come(study).code) for _ in range(participants)]
    study.close()
    with portal(folder) as (url, _process):
        yield url, paths


# oTree


@contextmanager
def _otree(place: Path, participants: int, otree: Path) -> Iterator[tuple[str, list[str]]]:
    project = place / "project"
    app = project / "forms"
    app.mkdir(parents=True)
    for needed in ("_static", "_templates"):
        (project / needed).mkdir()
    (project / "settings.py").write_text(
        "SESSION_CONFIGS = [dict(name='forms', app_sequence=['forms'], num_demo_participants=1)]\n"
        "SESSION_CONFIG_DEFAULTS = dict(real_world_currency_per_point=1, participation_fee=0)\n"
        "LANGUAGE_CODE = 'en'\nREAL_WORLD_CURRENCY_CODE = 'USD'\nUSE_POINTS = False\nDEMO_PAGE_INTRO_HTML = ''\n"
        "PARTICIPANT_FIELDS = []\nSESSION_FIELDS = []\nADMIN_USERNAME = 'admin'\nADMIN_PASSWORD = 'admin'\n"
        "SECRET_KEY = 'for a benchmark'\nINSTALLED_APPS = ['otree']\n"
    )
    (app / "__init__.py").write_text("\n".join(_app()))
    for name in MEASURES:
        (app / f"{name.capitalize()}.html").write_text(
            "{{ block title }}Some questions{{ endblock }}\n{{ block content }}\n{{ formfields }}\n{{ next_button }}\n"
            "{{ endblock }}\n"
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "OTREE_PRODUCTION": "1",
        "OTREE_REST_KEY": "key",
        "PATH": f"{otree.parent}:{os.environ['PATH']}",
    }
    url = f"http://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        [str(otree), "prodserver", str(port)], cwd=project, env=environment, start_new_session=True, **quiet
    ) as server:
        try:
            with httpx2.Client(base_url=url, timeout=600, trust_env=False) as client:
                _until_it_answers(client)
                order = {"session_config_name": "forms", "num_participants": participants}
                made = client.post("/api/sessions", json=order, headers={"otree-rest-key": "key"})
                link = made.json()["session_wide_url"]
                yield url, [_first_page(client, link) for _ in range(participants)]
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def _app() -> Iterator[str]:
    """The questionnaires as an oTree app."""
    yield "from otree.api import *\n\nclass C(BaseConstants):"
    yield "    NAME_IN_URL = 'forms'\n    PLAYERS_PER_GROUP = None\n    NUM_ROUNDS = 1\n"
    yield "class Subsession(BaseSubsession):\n    pass\n\nclass Group(BaseGroup):\n    pass\n"
    yield "class Player(BasePlayer):"
    for name in MEASURES:
        measure = load_measure(name)
        wording = measure.wording("en")
        for item in measure.items:
            choices = [[value, text] for value, text in wording.options(item.id)]
            yield (
                f"    {name}_{item.id} = models.IntegerField(label={wording.question(item.id)!r}, "
                f"choices={choices!r}, widget=widgets.RadioSelect)"
            )
    for name in MEASURES:
        fields = [f"{name}_{item.id}" for item in load_measure(name).items]
        yield f"\nclass {name.capitalize()}(Page):\n    form_model = 'player'\n    form_fields = {fields!r}"
    yield f"\npage_sequence = [{', '.join(name.capitalize() for name in MEASURES)}]\n"


def _until_it_answers(client: httpx2.Client) -> None:
    limit = time.monotonic() + 60
    while True:
        try:
            client.get("/")
            return
        except httpx2.HTTPError:
            if time.monotonic() > limit:
                raise click.ClickException("oTree does not answer.") from None
            time.sleep(0.2)


def _first_page(client: httpx2.Client, link: str) -> str:
    answer = client.get(link, follow_redirects=True)
    client.cookies.clear()
    return str(answer.url.path)


def _rate(rounds: list[dict[str, float]]) -> float:
    return median(one["requests_s"] for one in rounds)


def _print(summary: dict[str, Any]) -> None:
    table = Table(title=f"{summary['clients']} clients, {summary['participants']} participants, {summary['machine']}")
    for name in ("server", "requests a second", "of each round", "median ms", "p95 ms"):
        table.add_column(name, justify="left" if name == "server" else "right")
    for name, rounds in summary["rounds"].items():
        table.add_row(
            name,
            f"{_rate(rounds):.0f}",
            ", ".join(f"{one['requests_s']:.0f}" for one in rounds),
            f"{median(one['median_ms'] for one in rounds):.1f}",
            f"{median(one['p95_ms'] for one in rounds):.1f}",
        )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
