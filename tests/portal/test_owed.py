"""An answer that could not be begun is owed still: the next look begins it, without the server being started anew."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.sessions import Sessions
from study.errors import RecordError
from tests.portal.conftest import Browser

Open = Callable[[str], Browser]


def answered(browser: Browser) -> list[str]:
    return [turn["speaker"] for turn in browser.state()["turns"]][2:]


def test_a_worker_that_cannot_read_the_record_once_leaves_the_answer_to_the_next_look(
    browser_in: Open, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: Sessions = app.extensions["bedside"]
    real, failed = sessions.conversation, threading.Event()

    def conversation(*arguments: Any, **names: Any) -> Any:
        if threading.current_thread().name.startswith("answer") and not failed.is_set():
            failed.set()
            raise RecordError("study.sqlite cannot be read.")
        return real(*arguments, **names)

    browser = browser_in("chat")
    browser.rate("before", "62")
    browser.page()
    monkeypatch.setattr(sessions, "conversation", conversation)
    assert browser.send("I failed the exam and was sad", "t").status_code == 201
    assert failed.wait(20)
    for _ in range(2):  # the first may read along with the worker that failed, and ends with it
        assert browser.reply(2)[-1][0] == "end"
    assert answered(browser) == ["therapist"]


def test_words_for_which_no_thread_can_be_started_are_taken_and_answered_later(
    browser_in: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browser_in("chat")
    browser.rate("before", "62")
    browser.page()
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("answer"):
            raise RuntimeError("can't start new thread")
        real(thread)

    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", start)
        assert browser.send("I failed the exam and was sad", "t").status_code == 201
        assert browser.reply(2)[-1][1]["pending"]
    assert answered(browser) == []
    browser.reply(2)
    assert answered(browser) == ["therapist"]
    assert browser.send("I sat there, 80", "u").status_code == 201
