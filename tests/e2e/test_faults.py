"""What goes wrong on a real day: nothing is lost, nothing comes twice, and a sentence says what happened."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from study.study import Study
from study.verify import verify
from tests.e2e.conftest import Server, begin, link_of, rate, until


class SlowModel(ThreadingHTTPServer):
    """A server that speaks OpenAI's chat completions and answers when the test lets it.

    With it the moment between a participant's message and its answer lasts as long as a test needs.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.asked = 0
        self.let = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: SlowModel

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["max_tokens"] > 1:  # not the portal reading the shared beginning
            self.server.asked += 1
            self.server.let.wait(60)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for piece, reason in (("It sounds like you failed ", None), ("the exam yesterday.", None), ("", "stop")):
            chunk: dict[str, Any] = {
                "id": "1", "object": "chat.completion.chunk", "created": 0, "model": "slow",
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": reason}],
            }  # fmt: skip
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def model() -> Iterator[SlowModel]:
    server = SlowModel()
    yield server
    server.let.set()
    server.shutdown()


@pytest.fixture
def slow_folder(folder: Path, model: SlowModel) -> Path:
    """The study, answered by the slow model."""
    path = folder / "study.toml"
    engine = f'kind = "openai"\nmodel = "slow"\nbase_url = "{model.url}"'
    path.write_text(path.read_text().replace('kind = "eliza"', engine, 1).replace("timeout_s = 20", "timeout_s = 50"))
    return folder


def rows(folder: Path, sql: str) -> list[dict[str, Any]]:
    study = Study.open(folder)
    found = study.records.rows(sql)
    study.close()
    return found


def begin_chat(page: Page, link: str) -> None:
    page.goto(link)
    rate(page, 60)
    expect(page.get_by_label("Your message")).to_be_visible()


def send(page: Page, words: str) -> None:
    page.get_by_label("Your message").fill(words)
    page.get_by_role("button", name="Send").click()


WORDS = "I failed my maths exam yesterday and I keep thinking about it."


def test_a_server_killed_between_a_message_and_its_answer_loses_neither(
    serve: Callable[..., Server], phone: BrowserContext, slow_folder: Path, model: SlowModel
) -> None:
    server = serve("serve", str(slow_folder))
    page = phone.new_page()
    begin_chat(page, link_of(slow_folder, server, "chat"))
    send(page, WORDS)
    page.locator("li.participant[data-number]").wait_for()  # the page says that it is kept
    until(lambda: model.asked == 1)
    server.kill()
    assert [row["speaker"] for row in rows(slow_folder, "SELECT speaker FROM turn")] == ["therapist", "participant"]
    expect(page.locator("#status")).to_contain_text("No connection")
    model.let.set()
    server.start()
    page.locator("li.therapist[data-number]").nth(1).wait_for()
    expect(page.locator("li.therapist").nth(1)).to_contain_text("It sounds like you failed the exam yesterday.")
    assert page.locator("#turns li").count() == 3
    page.reload()
    expect(page.locator("li.participant .text")).to_have_text(WORDS)
    assert page.locator("#turns li").count() == 3
    turns = rows(slow_folder, "SELECT speaker, text FROM turn ORDER BY number")
    assert [turn["speaker"] for turn in turns] == ["therapist", "participant", "therapist"]
    assert turns[1]["text"] == WORDS
    study = Study.open(slow_folder)
    assert verify(study.records).mistakes == []
    study.close()


def test_a_refresh_in_the_middle_of_an_answer_shows_it_once(
    serve: Callable[..., Server], phone: BrowserContext, slow_folder: Path, model: SlowModel
) -> None:
    server = serve("serve", str(slow_folder))
    page = phone.new_page()
    begin_chat(page, link_of(slow_folder, server, "chat"))
    send(page, WORDS)
    page.locator("li.participant[data-number]").wait_for()
    page.reload()
    expect(page.locator("#status")).to_have_text("writing ...")
    model.let.set()
    page.locator("li.therapist[data-number]").nth(1).wait_for()
    assert page.locator("#turns li").count() == 3
    assert model.asked == 1


def test_two_windows_show_one_visit(
    serve: Callable[..., Server], phone: BrowserContext, slow_folder: Path, model: SlowModel
) -> None:
    server = serve("serve", str(slow_folder))
    one, two = phone.new_page(), phone.new_page()
    link = link_of(slow_folder, server, "chat")
    begin_chat(one, link)
    two.goto(link)
    begin(two)
    send(one, WORDS)
    one.locator("li.participant[data-number]").wait_for()
    send(two, "The same from the other window, but too soon.")
    # The second window shows where the visit stands, and keeps what was typed there.
    expect(two.locator("li.participant .text")).to_have_text(WORDS)
    expect(two.get_by_label("Your message")).to_have_value("The same from the other window, but too soon.")
    model.let.set()
    for page in (one, two):
        page.locator("li.therapist[data-number]").nth(1).wait_for()
        assert page.locator("#turns li").count() == 3
    assert len(rows(slow_folder, "SELECT id FROM turn")) == 3


def test_a_message_sent_without_a_connection_arrives_once_when_it_is_back(
    serve: Callable[..., Server], phone: BrowserContext, folder: Path
) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    begin_chat(page, link_of(folder, server, "chat"))
    phone.set_offline(True)
    send(page, WORDS)
    expect(page.locator("#status")).to_contain_text("Your message is kept here")
    expect(page.locator("li.unsent .text")).to_have_text(WORDS)
    assert len(rows(folder, "SELECT id FROM turn")) == 1
    phone.set_offline(False)
    page.locator("li.therapist[data-number]").nth(1).wait_for()
    assert page.locator("li.unsent").count() == 0
    assert [row["text"] for row in rows(folder, "SELECT text FROM turn WHERE speaker = 'participant'")] == [WORDS]


def test_an_answer_that_got_lost_on_the_way_back_is_not_sent_twice(
    serve: Callable[..., Server], phone: BrowserContext, folder: Path
) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    begin_chat(page, link_of(folder, server, "chat"))
    lost: list[int] = []

    def lose_the_first_answer(route: Any) -> None:
        answer = route.fetch()  # the server has taken it
        if not lost:
            lost.append(answer.status)
            route.abort()
        else:
            route.fulfill(response=answer)

    page.route("**/turns", lose_the_first_answer)
    send(page, WORDS)
    page.locator("li.therapist[data-number]").nth(1).wait_for()
    assert lost == [201]
    assert page.locator("#turns li").count() == 3
    assert len(rows(folder, "SELECT id FROM turn WHERE speaker = 'participant'")) == 1


def test_a_worksheet_keeps_what_was_typed_through_a_kill_and_back(
    serve: Callable[..., Server], phone: BrowserContext, folder: Path
) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    page.goto(link_of(folder, server, "worksheet"))
    rate(page, 20)
    first = page.locator('form[data-step="situation"]')
    first.get_by_role("textbox").fill(WORDS)
    expect(first.locator(".status")).to_have_text("Saved")
    server.kill()
    second = page.locator('form[data-step="thought"]')
    second.get_by_role("textbox").fill("I thought that I am not made for this.")
    expect(second.locator(".status")).to_contain_text("Not saved yet")
    server.start()
    expect(second.locator(".status")).to_have_text("Saved")
    page.reload()
    expect(first.get_by_role("textbox")).to_have_value(WORDS)
    expect(second.get_by_role("textbox")).to_have_value("I thought that I am not made for this.")
    button = first.get_by_role("button")
    button.dblclick()
    expect(first.locator(".answer")).to_have_text(WORDS)
    assert len(rows(folder, "SELECT id FROM turn WHERE speaker = 'participant'")) == 1


def test_back_after_a_rating_does_not_ask_again(
    serve: Callable[..., Server], phone: BrowserContext, folder: Path
) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    begin_chat(page, link_of(folder, server, "chat"))
    page.go_back()
    page.go_forward()
    page.goto(link_of(folder, server, "chat"))
    expect(page.get_by_text("You have begun.")).to_be_visible()
    begin(page)
    expect(page.get_by_label("Your message")).to_be_visible()
    assert len(rows(folder, "SELECT id FROM rating")) == 1


def test_a_crisis_shows_the_people_to_call(serve: Callable[..., Server], phone: BrowserContext, folder: Path) -> None:
    server = serve("serve", str(folder))
    page = phone.new_page()
    begin_chat(page, link_of(folder, server, "chat"))
    send(page, "I don't want to live any more.")
    expect(page.get_by_role("heading", name="Let's stop here for today")).to_be_visible()
    expect(page.get_by_text("116 123")).to_be_visible()
    assert len(rows(folder, "SELECT id FROM safety_event")) == 1
    log = "".join(server.output)
    assert "safety event" in log
    assert "live any more" not in log
