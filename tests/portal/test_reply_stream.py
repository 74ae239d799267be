"""The reply stream: cut anywhere, it is taken up where it was."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.api.models import Sentence, Visit, WholeTurn
from portal.sessions import Event, Sessions
from portal.stream import follow
from study.access import devices
from study.study import Study
from study.visits import find
from tests.portal.conftest import Browser, Robot

Open = Callable[[str], Browser]

Answers = list[list[str]]
"""The sentences of each answer; answer i is turn 2i + 3, to turn 2i + 2."""

sentences = st.lists(st.sampled_from(["Yes.", "Ah, so.", "What did you think?", "Yes."]), min_size=1, max_size=4)

REQUESTS = Flask("test")


class Written:
    """Answers of which the first `recorded` are in the record, and the others are being written."""

    def __init__(self, answers: Answers, recorded: int) -> None:
        self.answers = answers
        self.recorded = recorded

    def follow(self, visit: object, after: int, every: float) -> Iterator[Event]:
        for place, said in enumerate(self.answers):
            to, number = 2 * place + 2, 2 * place + 3
            if place < self.recorded:
                if number > after:
                    yield Event("sentence", {"reply_to": to, "index": 0, "text": " ".join(said), "whole": True})
                    yield Event("turn", {"number": number, "reply_to": to})
                continue
            for index, sentence in enumerate(said):
                yield Event("sentence", {"reply_to": to, "index": index, "text": sentence})
                yield Event("wait", {})
            yield Event("turn", {"number": number, "reply_to": to})
        yield Event("end", {})


def read(written: Written, last: str | None = None) -> list[tuple[str, Event]]:
    headers = {"Last-Event-ID": last} if last is not None else {}
    with REQUESTS.test_request_context(headers=headers):
        events = follow(written, None, 0)  # type: ignore[arg-type]
    return [one for one in events if one[1].name != "wait"]


def told(events: list[tuple[str, Event]]) -> list[str]:
    """What a reader says aloud, and which turns are whole."""
    said = [event for _, event in events]
    return [event.data["text"] if event.name == "sentence" else str(event.data.get("number")) for event in said]


def joined(texts: list[str]) -> str:
    return " ".join(texts)


@settings(deadline=None)
@given(
    answers=st.lists(sentences, min_size=1, max_size=3),
    cuts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=4),
)
def test_a_stream_that_was_cut_anywhere_goes_on_without_a_repeat_or_a_gap(
    answers: Answers, cuts: list[tuple[int, int]]
) -> None:
    """However much of it is in the record by then, and however often it is cut."""
    heard: list[str] = []
    last = None
    recorded = heard_whole = 0
    for cut, more in cuts:
        events = read(Written(answers, recorded), last)[:cut]
        heard += told(events)
        last = events[-1][0] if events else last
        whole = sum(event.name == "turn" for _, event in events)  # these are in the record, and maybe more are by now
        recorded = min(max(recorded, heard_whole := heard_whole + whole) + more, len(answers))
    heard += told(read(Written(answers, recorded), last))
    uncut = told(read(Written(answers, 0)))
    assert joined([said for said in heard if said != "None"]) == joined(uncut[:-1])


@settings(deadline=None)
@given(said=sentences, rest=sentences, cut=st.integers(1, 4), recorded=st.booleans())
def test_an_answer_that_became_another_one_comes_whole(
    said: list[str], rest: list[str], cut: int, recorded: bool
) -> None:
    """The safety screen put its fixed message in the place of a model's answer, of which the reader has a part."""
    last = read(Written([said], 0))[min(cut, len(said)) - 1][0]
    other = ["You are not alone.", *rest]
    assert joined(told(read(Written([other], int(recorded)), last))) == joined([*other, "3", "None"])


def test_a_reader_is_given_the_rest_of_a_real_answer(browser_in: Open, study: Study, robot: Robot) -> None:
    browser = browser_in("robot")
    browser.page()
    code = find(study, browser.state()["visit"]).code
    path = f"/visits/{robot.call('POST', '/claims', {'code': code}).get_json()['visit']}"
    robot.call("POST", path + "/ratings", {"occasion": "before", "value": 70})
    robot.call("POST", path + "/turns", {"words": "I failed the exam and was sad, 80", "token": "t"})
    events = parsed(robot.call("GET", f"{path}/reply?after=2").text)
    assert [name for _, name, _ in events][-2:] == ["turn", "end"]
    models = {"sentence": Sentence, "turn": WholeTurn, "end": Visit}
    for _, name, data in events:
        models[name].model_validate(data)
    said = joined([data["text"] for _, name, data in events if name == "sentence"])
    for place, (number, _, _) in enumerate(events):
        headers = {"Authorization": f"Bearer {robot.token}", "Last-Event-ID": number}
        rest = parsed(robot.client.get(f"/api/v1{path}/reply", headers=headers).text)
        both = [*events[: place + 1], *rest]
        assert joined([data["text"] for _, name, data in both if name == "sentence"]) == said
        assert [data["number"] for _, name, data in both if name == "turn"] == [3]
    refused = robot.client.get(f"/api/v1{path}/reply", headers={**headers, "Last-Event-ID": "yesterday"})
    assert refused.status_code == 422


def test_a_page_is_given_the_whole_answer_to_put_in_the_place_of_its_part(browser_in: Open, study: Study) -> None:
    """A browser sends the id of the last event by itself, with the address that the page first asked for."""
    browser = browser_in("chat")
    browser.rate("before", 70)
    browser.page()
    assert browser.send("I failed the exam and was sad, 80", "t").status_code == 201
    where = f"{browser.path}reply?visit={browser.state()['visit']}&after=0"
    events = parsed(browser.client.get(where).text)
    place = next(place for place, (number, _, _) in enumerate(events) if number.startswith("1.2."))
    rest = parsed(browser.client.get(where, headers={"Last-Event-ID": events[place][0]}).text)
    told = study.records.row("SELECT text FROM turn WHERE reply_to = 2")
    assert told is not None
    assert joined([str(data["text"]) for _, name, data in rest if name == "sentence"]) == told["text"]


def parsed(text: str) -> list[tuple[str, str, dict[str, object]]]:
    found = re.findall(r"id: (.*)\nevent: (\w+)\ndata: (.*)\n\n", text)
    return [(number, name, json.loads(data)) for number, name, data in found]


@pytest.mark.parametrize("how", ["revoked", "rotated"])
def test_a_token_that_ends_cuts_the_stream(
    browser_in: Open, study: Study, robot: Robot, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    browser = browser_in("robot")
    browser.page()
    code = find(study, browser.state()["visit"]).code
    visit = robot.call("POST", "/claims", {"code": code}).get_json()["visit"]
    asked: list[float] = []

    def silent(self: Sessions, visit: object, after: int, every: float) -> Iterator[Event]:
        while True:
            asked.append(every)
            yield Event("wait", {})

    monkeypatch.setattr(Sessions, "follow", silent)
    headers = {"Authorization": f"Bearer {robot.token}"}
    answer = robot.client.get(f"/api/v1/visits/{visit}/reply", headers=headers, buffered=False)
    lines = iter(answer.response)
    assert [next(lines), next(lines)] == [b": still writing\n\n"] * 2
    if how == "revoked":
        devices.revoke(study, "robot-1", by="test")
    else:
        devices.rotate(study, "robot-1", by="test", grace=timedelta(0))
    assert list(lines) == []
    assert set(asked) == {1.0}
