"""The portal serves pages while its model loads, and while more answers wait than it has threads."""

import fcntl
import json
import re
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import BrowserContext, expect

from portal.server import THREADS
from portal.stream import STREAMS
from study.enrolment import take_in
from study.study import Study, create
from tests.e2e.conftest import Server, rate, sign_in, until
from tests.e2e.faulty import WORDS, Site, Somebody, begin, send, sentence
from tests.unaudited import served_unaudited
from therapist.engines._weights import cache_folder, packaged_gguf, sha256_of, unpack

ANSWERED = "li.therapist[data-number] >> nth=1"


def test_the_first_page_is_served_before_the_model_is_loaded_and_the_model_writes_when_it_is_there(
    serve: Callable[..., Server], phone: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is held up by the lock under which it is unpacked, which this test holds in a cache of its own."""
    real, digest = unpack(packaged_gguf(), lambda said: None)
    cache = tmp_path / "cache"
    (cache / "models").mkdir(parents=True)
    (cache / "hashes").symlink_to(cache_folder() / "hashes")
    assert sha256_of([packaged_gguf()]) == digest
    monkeypatch.setenv("BEDSIDE_CACHE", str(cache))
    folder = tmp_path / "mystudy"
    protocol = create(folder)
    protocol.write_text(protocol.read_text().replace("timeout_s = 20", "timeout_s = 600"))
    served_unaudited(folder)
    study = Study.open(folder)
    who = take_in(study, kind="test", arm="chat", skip=True)
    with (cache / "models" / f".{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = serve("serve", str(folder))
        page, console = phone.new_page(), phone.new_page()
        page.goto(server.url + study.participant_path(who.code))
        page.locator("#next").click()
        rate(page, 20)
        send(page, WORDS)
        expect(page.locator("#status")).to_have_text(sentence("chat.writing"))
        expect(page.locator("#typing")).to_be_visible()
        sign_in(console, server, folder, "researcher")
        console.goto(server.url + "/console/devices/")
        expect(console.locator("#engines")).to_contain_text("loading")
        assert page.locator("#turns li").count() == 2
        (cache / "models" / digest).symlink_to(real)
    page.locator(ANSWERED).wait_for(timeout=120_000)
    row = study.records.row("SELECT origin, provenance FROM turn WHERE reply_to = 2")
    assert row is not None
    told = json.loads(row["provenance"])
    assert row["origin"] == "model", told
    assert told["model_sha256"] == digest
    assert told["queue_ms"] > 0
    console.reload()
    expect(console.locator("#engines")).to_contain_text("on this machine, loaded")
    study.close()


def test_pages_are_answered_while_more_answers_are_waited_for_than_there_are_threads(
    site: Site, phone: BrowserContext
) -> None:
    who, page = site.somebody("chat"), phone.new_page()
    begin(page, who)
    site.model.hold()
    send(page, WORDS)
    expect(page.locator("#status")).to_have_text(sentence("chat.writing"))
    visit = who.rows("SELECT id FROM visit WHERE participant = :code")[0]["id"]
    with ExitStack() as stack:
        readers = [stack.enter_context(reader(site, who, visit)) for _ in range(THREADS + 40)]
        begun = [first_event(one) for one in readers]
        assert begun.count("wait") == STREAMS - 1  # the page itself reads, too
        assert begun.count("later") == len(readers) - begun.count("wait")
        answer = httpx2.get(site.server.url + who.path, timeout=60, trust_env=False)
        assert answer.status_code == 200
        late, other = site.somebody("chat"), phone.new_page()
        begin(other, late)
        send(other, WORDS)
        expect(other.locator("#status")).to_have_text(sentence("chat.writing"))
        expect(other.locator("#typing")).to_be_visible()  # and asks again, quietly
        assert other.locator("#status").text_content() != sentence("chat.cut")
        site.model.let()
        other.locator(ANSWERED).wait_for()
        until(lambda: len(who.turns()) == 3)


def reader(site: Site, who: Somebody, visit: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", site.server.port), timeout=60)
    connection.sendall(f"GET {who.path}reply?visit={visit}&after=2 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return connection


def first_event(connection: socket.socket) -> str:
    told = b""
    while not (found := re.search(rb"event: (\w+)\n", told)):
        piece = connection.recv(4096)
        assert piece, told
        told += piece
    return found[1].decode()
