"""How long `bedside serve` takes until somebody sees a page, and until the model has written them a sentence.

The portal is the real one, a process of its own, with the default model. From its first page on, one participant of the
chat arm rates, writes and reads as a browser does, without a pause; the answer that is asked for while the model still
loads is the model's. The default model has to be unpacked already: the first start of all takes half a minute more.

    python benchmarks/starting.py [--times 5]
"""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import httpx2
from _portal import LOCAL, prepare

from study.enrolment import take_in
from study.study import Study

WORDS = "I failed my maths exam yesterday and I keep thinking about it, about 70"

LONGEST_S = 300


@click.command(epilog="Let the machine be quiet: the load it begins with is printed.")
@click.option("--times", default=5, show_default=True, help="How often the portal is started.")
def main(times: int) -> None:
    """Print the median seconds to the first page and to the model's first sentence, with the least and the most."""
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.2f} before")
    measured = [_start() for _ in range(times)]
    for name, values in zip(("first page", "first sentence of the model"), zip(*measured, strict=True), strict=True):
        print(f"{name}: {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f}), {times} starts")


def _start() -> tuple[float, float]:
    """Seconds from the command to the first page, and to the first sentence of the model."""
    with tempfile.TemporaryDirectory() as place:
        # However slow this machine is: what is asked for is when the model's sentence comes, not the script's.
        path = prepare(Path(place) / "study", LOCAL, patience_s=600)
        study = Study.open(path.parent)
        who = take_in(study, kind="test", arm="chat", skip=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "bedside", "serve", str(path.parent), "--port", str(port)]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                link = f"http://127.0.0.1:{port}{study.participant_path(who.code)}"
                with httpx2.Client(timeout=LONGEST_S, trust_env=False, follow_redirects=True) as browser:
                    page = _first_page(browser, link, server)
                    to_page = time.perf_counter() - began
                    to_sentence = _write(browser, link, page) - began
            finally:
                server.terminate()
        origin = study.records.row("SELECT origin FROM turn WHERE reply_to IS NOT NULL")
        study.close()
    if origin is None or origin["origin"] != "model":
        raise SystemExit("The answer was not the model's: is the default model installed, and does it load?")
    return to_page, to_sentence


def _first_page(browser: httpx2.Client, link: str, server: "subprocess.Popen[bytes]") -> str:
    while server.poll() is None:
        try:
            answer = browser.get(link)
        except httpx2.ConnectError:
            time.sleep(0.01)
        else:
            return answer.raise_for_status().text
    raise SystemExit("The portal did not start.")


def _write(browser: httpx2.Client, link: str, page: str) -> float:
    """Rate, write a message, and read its answer to the end, when it is recorded; the moment of its first sentence."""
    button = re.search(r'id="next" href="([^"]+)"', page)
    if button is None:
        raise SystemExit("The page of today has no button.")
    rating = browser.get(str(httpx2.URL(link).join(button[1]))).text
    visit = re.search(r'name="visit" value="([^"]*)"', rating)
    if visit is None:
        raise SystemExit("The rating is not due.")
    browser.post(link + "rating", data={"visit": visit[1], "occasion": "before", "value": "70"}).raise_for_status()
    sent = {"visit": visit[1], "token": "starting", "words": WORDS}
    number = json.loads(browser.post(link + "turns", json=sent).raise_for_status().text)["number"]
    first = 0.0
    with browser.stream("GET", link + "reply", params={"visit": visit[1], "after": number}) as answer:
        for line in answer.iter_lines():
            if line == "event: sentence":
                first = first or time.perf_counter()
    return first


if __name__ == "__main__":
    main()
