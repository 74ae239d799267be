"""The robot's part of a visit, against the real portal over real HTTP, without ROS: words in, sentences out."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from portal.app import create_app
from robot_node.api import DeviceAPI
from robot_node.api import Visit as RobotVisit
from robot_node.dialogue import Dialogue
from robot_node.errors import NotReachable, RobotError, Stopped, WrongToken
from study.access import devices
from study.enrolment import take_in
from study.study import Study
from study.visits import Visit, find, today
from therapist.engines import open_engine

ANSWER = "I failed the exam and was sad, 80"


class Desk:
    """A portal on a port, with one participant of the robot arm whose visit is due. It can be switched off."""

    def __init__(self, folder: Path) -> None:
        self.study = Study.open(folder)
        while True:
            person = take_in(self.study)
            if person.arm.medium == "robot":
                break
        visit = today(self.study, person)
        assert visit is not None
        self.visit_id = visit.id
        self.app = create_app(self.study, {self.study.protocol.engine: open_engine("eliza")})
        self.server: BaseWSGIServer | None = None
        self.port = 0
        self.switch_on()

    @property
    def visit(self) -> Visit:
        return find(self.study, self.visit_id)

    def switch_on(self) -> None:
        self.server = make_server("127.0.0.1", self.port, self.app, threaded=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def switch_off(self) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()

    def api(self, token: str | None = None) -> DeviceAPI:
        return DeviceAPI(f"http://127.0.0.1:{self.port}", token or devices.issue(self.study, "robot-1", by="test"))


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder)
    yield desk
    desk.switch_off()
    desk.app.extensions["bedside"].close()
    desk.study.close()


class Talk:
    """Somebody who talks to the robot: answers with the given words in turn, and remembers what the robot said."""

    def __init__(self, api: DeviceAPI, words: list[str], before: Callable[[int], None] = lambda number: None) -> None:
        self.said: list[str] = []
        self.states: list[str] = []
        self.expected: list[str] = []
        self._words = iter(words)
        self._before = before
        self._count = 0
        self.paused = 0.0
        self.dialogue = Dialogue(api, self._say, self._hear, self._pause, self.states.append)

    def _say(self, sentence: str) -> None:
        self.said.append(sentence)

    def _hear(self, kind: str) -> str:
        self.expected.append(kind)
        self._before(self._count)
        self._count += 1
        try:
            return next(self._words)
        except StopIteration:
            raise Stopped from None

    def _pause(self, seconds: float) -> None:
        self.paused += seconds
        if self.paused > 60:
            raise Stopped


def rows(desk: Desk, sql: str) -> list[dict[str, object]]:
    return desk.study.records.rows(sql)


def test_a_whole_visit_is_held_and_recorded(desk: Desk) -> None:
    words = [desk.visit.code, "seventy", "yes", *[ANSWER] * 8, "forty", "no", "thirty five", "yes"]
    talk = Talk(desk.api(), words)
    assert talk.dialogue.hold_visit() == "done"
    assert talk.states[0] == "code"
    assert talk.states[-1] == "done"
    assert "I heard 70." in talk.said
    assert "goodbye" in talk.said[-1]
    assert rows(desk, "SELECT occasion, value FROM rating ORDER BY id") == [
        {"occasion": "before", "value": 70},
        {"occasion": "after", "value": 35},
    ]
    # Every sentence of the therapist was said, once and in order.
    recorded = " ".join(str(row["text"]) for row in rows(desk, "SELECT text FROM turn WHERE speaker = 'therapist'"))
    spoken = " ".join(talk.said)
    assert recorded in spoken or all(sentence in spoken for sentence in recorded.split(". "))


def test_an_unclear_code_or_rating_is_asked_again(desk: Desk) -> None:
    words = ["what code", desk.visit.code, "rather a lot", "seventy", "hm", "no, eighty", "yes"]
    talk = Talk(desk.api(), words)
    with pytest.raises(Stopped):
        talk.dialogue.hold_visit()
    assert rows(desk, "SELECT value FROM rating") == [{"value": 80}]
    assert any("six digits. Please say them one by one" in said or "one by one" in said for said in talk.said)


def test_three_wrong_codes_ask_for_the_researcher(desk: Desk) -> None:
    wrong = f"{(int(desk.visit.code) + 1) % 10**6:06}"
    talk = Talk(desk.api(), [wrong, wrong, wrong, desk.visit.code])
    with pytest.raises(Stopped):
        talk.dialogue.hold_visit()
    assert sum("can't find a visit" in said for said in talk.said) == 2
    assert any("person who runs the study" in said for said in talk.said)
    assert "before" in talk.states


def test_a_robot_that_was_restarted_goes_on_and_repeats_only_the_last_question(desk: Desk) -> None:
    first = Talk(desk.api(), [desk.visit.code, "70", "yes", ANSWER, ANSWER])
    with pytest.raises(Stopped):
        first.dialogue.hold_visit()
    second = Talk(desk.api(), [*[ANSWER] * 6, "40", "yes"])
    assert second.dialogue.hold_visit(desk.visit.code) == "done"
    assert not any("Before we begin" in said for said in second.said)
    assert "Let us go on where we were." in second.said
    assert second.said.count(first.said[-1]) == 1
    numbers = [row["number"] for row in rows(desk, "SELECT number FROM turn WHERE speaker = 'participant'")]
    assert len(numbers) == 8


def test_a_portal_that_goes_away_is_waited_for_and_nothing_is_said_or_sent_twice(desk: Desk) -> None:
    def switch(number: int) -> None:
        if number == 5:
            desk.switch_off()
            threading.Timer(4.0, desk.switch_on).start()

    talk = Talk(desk.api(), [desk.visit.code, "70", "yes", *[ANSWER] * 8, "40", "yes"], switch)
    talk.dialogue.pause = lambda seconds: threading.Event().wait(seconds)  # type: ignore[assignment, func-returns-value]
    assert talk.dialogue.hold_visit() == "done"
    away = talk.states.index("away")
    assert talk.states[away - 1 : away + 2] == ["exercise", "away", "exercise"]
    assert "I have lost the connection." in talk.said
    assert "I am connected again." in talk.said
    assert len(rows(desk, "SELECT id FROM turn WHERE speaker = 'participant'")) == 8


def test_a_sentence_heard_before_the_stream_broke_is_not_repeated(desk: Desk) -> None:
    talk = Talk(desk.api(), [])
    talk.dialogue._say_once(2, 0, "It sounds like a hard day.", whole=False)
    talk.dialogue._say_once(2, 0, "It sounds like a hard day.", whole=False)
    talk.dialogue._say_once(2, 0, "It sounds like a hard day. What did you feel?", whole=True)
    assert talk.said == ["It sounds like a hard day.", "What did you feel?"]


@pytest.mark.parametrize("at", ["rating", "exercise"])
def test_a_crisis_is_answered_with_the_fixed_message_and_ends_the_visit(desk: Desk, at: str) -> None:
    words = [desk.visit.code, *([] if at == "rating" else ["70", "yes"]), "I want to die"]
    talk = Talk(desk.api(), words)
    assert talk.dialogue.hold_visit() == "stopped"
    assert any("116 123" in said for said in talk.said)
    assert sum("Thank you for telling me" in said for said in talk.said) == 1
    assert "goodbye" not in talk.said[-1]
    assert [row["category"] for row in rows(desk, "SELECT category FROM safety_event")] == ["suicide"]


def test_a_call_whose_answer_was_lost_is_made_again_as_the_same_call() -> None:
    """Its key is the same until it is answered; another call, and the next one that says the same, have another."""
    keys: list[str] = []
    lost = [True, True, False, False]

    def answer(request: httpx2.Request) -> httpx2.Response:
        keys.append(request.headers["Idempotency-Key"])
        if lost.pop(0):
            raise httpx2.ReadTimeout("lost")
        return httpx2.Response(201, json={"number": 2, "stopped": False})

    api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
    api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(answer))
    for _ in range(2):
        with pytest.raises(NotReachable):
            api.say(1, "hello", "t")
    assert [api.say(1, "hello", "t").number, api.say(1, "hello", "t").number] == [2, 2]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_a_stream_that_broke_off_is_taken_up_after_its_last_event() -> None:
    asked: list[str | None] = []
    parts = [
        'id: 1.2.3.aaaaaaaa\nevent: sentence\ndata: {"text": "One."}\n\n',
        'id: 3\nevent: turn\ndata: {"number": 3}\n\nid: 3\nevent: end\ndata: {}\n\n',
    ]

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers.get("Last-Event-ID"))
        return httpx2.Response(200, text=parts[min(len(asked), 2) - 1])

    api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
    api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(answer))
    with pytest.raises(NotReachable, match="broke off"):
        list(api.reply(1, 2))
    assert [event.name for event in api.reply(1, 2)] == ["turn", "end"]
    assert [event.name for event in api.reply(1, 2)] == ["turn", "end"]
    assert asked == [None, "1.2.3.aaaaaaaa", None]


@pytest.mark.parametrize(("stopped", "thinks"), [(False, 3), (True, 0)])
def test_thinking_begins_after_a_moment_is_renewed_and_ends_with_the_first_word(stopped: bool, thinks: int) -> None:
    """Whoever has just been told whom to call sees no robot that thinks about it."""
    stream = (
        ": still writing\n\n"
        'id: 2\nevent: place\ndata: {"reply_to": 2, "place": 1}\n\n'
        ": still writing\n\n"
        'id: 2.2.4.aaaaaaaa\nevent: sentence\ndata: {"reply_to": 2, "index": 0, "text": "One."}\n\n'
        ": still writing\n\n"
        "id: 3\nevent: end\ndata: {}\n\n"
    )
    visit = {"visit": 1, "state": "done", "pending": False, "turns": [], "language": "en", "reflect": False}
    visit |= {"code": "123456", "record": False}

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/reply"):
            return httpx2.Response(200, text=stream)
        if request.url.path.endswith("/turns"):
            return httpx2.Response(201, json={"number": 2, "stopped": stopped})
        return httpx2.Response(200, json=visit if request.url.path.endswith("/1") else {**visit, "state": "exercise"})

    api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
    api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(answer))
    talk = Talk(api, [ANSWER])
    done: list[str] = []
    talk.dialogue.gesture = done.append
    talk.dialogue.say = done.append  # type: ignore[assignment]
    assert talk.dialogue.hold_visit("123456", greet=False) == "done"
    assert done[: 2 + thinks] == ["nod", *["think"] * thinks, "One."]
    assert done.count("think") == thinks


def test_a_wrong_token_or_address_is_said_to_the_person_who_set_the_robot_up(desk: Desk) -> None:
    with pytest.raises(WrongToken, match="bedside device"):
        desk.api("robot-1.wrong").claim("123456")
    nobody = DeviceAPI("http://127.0.0.1:9", "robot-1.wrong")
    with pytest.raises(NotReachable, match="cannot be reached"):
        nobody.claim("123456")
    assert issubclass(WrongToken, RobotError)


def test_the_portal_is_told_when_each_answer_began_to_sound_and_again_when_it_was_away(desk: Desk) -> None:
    api = desk.api()
    sounds = iter([1180.54, 900.0, None, *[700.0] * 20])
    reports: list[tuple[int, float]] = []
    tell = api.sound

    def sound(visit_id: int, reply_to: int, after_ms: float) -> None:
        reports.append((reply_to, after_ms))
        if len(reports) == 1:
            raise NotReachable("away")
        tell(visit_id, reply_to, after_ms)

    api.sound = sound  # type: ignore[method-assign]
    talk = Talk(api, [desk.visit.code, "70", "yes", *[ANSWER] * 3])
    talk.dialogue.sounded = lambda: next(sounds)
    with pytest.raises(Stopped):
        talk.dialogue.hold_visit()
    assert reports == [(2, 1180.5), (2, 1180.5), (4, 900.0)]  # nobody knows of the third
    kept = rows(desk, "SELECT reply_to, after_ms FROM first_sound ORDER BY reply_to")
    assert kept == [{"reply_to": 2, "after_ms": 1180.5}, {"reply_to": 4, "after_ms": 900.0}]


def test_a_robot_that_goes_on_after_a_restart_does_not_know_when_the_words_were_said(desk: Desk) -> None:
    with pytest.raises(Stopped):
        Talk(desk.api(), [desk.visit.code, "70", "yes", ANSWER]).dialogue.hold_visit()
    talk = Talk(desk.api(), [desk.visit.code])
    talk.dialogue.sounded = lambda: 500.0
    with pytest.raises(Stopped):
        talk.dialogue.hold_visit()
    assert rows(desk, "SELECT * FROM first_sound") == []


def stream(*parts: bytes) -> DeviceAPI:
    """A connection to a portal whose reply streams are these, one after the other."""
    left = list(parts)

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=left.pop(0))

    api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
    api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(answer))
    return api


def test_what_breaks_a_line_of_text_breaks_no_line_of_the_stream() -> None:
    """Words that were written on a phone have such characters, and an answer may say them back."""
    text = "One.\u2028Two.\u2029Three.\u0085Four."
    event = f'id: 2\r\nevent: sentence\r\ndata: {{"text": "{text}"}}\r\n\r\nid: 3\nevent: end\ndata: {{}}\n\n'
    assert [one.data.get("text") for one in stream(event.encode()).reply(1, 2)] == [text, None]


@pytest.mark.parametrize(
    "broken", [b'data: {"text": "My fath', b'data: {"text": "My fath\n', b"data: 3\n", b"data: \xff\n"]
)
def test_a_line_that_makes_no_sense_is_a_stream_that_broke_off(broken: bytes) -> None:
    api = stream(b"id: 2\nevent: sentence\n" + broken, b"id: 3\nevent: end\ndata: {}\n\n")
    with pytest.raises(NotReachable, match="broke off") as caught:
        list(api.reply(1, 2))
    assert "fath" not in str(caught.value)
    assert [one.name for one in api.reply(1, 2)] == ["end"]


def test_a_connection_that_blinks_after_a_long_sentence_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is how long the portal is away, and not how long its answer has been under way."""
    now = [100.0]
    monkeypatch.setattr("robot_node.dialogue.time.monotonic", lambda: now[0])
    api = stream(
        b'id: 2\nevent: sentence\ndata: {"reply_to": 2, "index": 0, "text": "One."}\n\n',
        b'id: 3\nevent: sentence\ndata: {"reply_to": 2, "index": 1, "text": "Two."}\n\nevent: end\ndata: {}\n\n',
    )
    visit = RobotVisit(1, "exercise", True, [], None, "en", False, "123456", False)
    api.visit = lambda visit_id: visit  # type: ignore[method-assign]
    talk = Talk(api, [])

    def say(sentence: str) -> None:
        talk.said.append(sentence)
        now[0] += 5.0

    talk.dialogue.say = say
    talk.dialogue._listen_to_reply(visit, thinks=True)
    assert talk.said == ["One.", "Two."]


@pytest.mark.parametrize(
    ("why", "said", "level"),
    [
        ("Another robot holds this visit.", "Another robot has this visit.", "error"),
        ("Some questions on the participant's page come first.", "There is something to read or to answer", "warning"),
        ("A new consent is to be read on the participant's own page first.", "There is something to read", "warning"),
        ("The study is paused; somebody will be in touch.", "We can't go on just now.", "warning"),
        ("The participant has left the study.", "We can't go on just now.", "warning"),
        (None, "We can't go on just now.", "warning"),
    ],
)
def test_a_visit_that_may_not_be_had_is_told_with_the_reason(why: str | None, said: str, level: str) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(409, json={"error": why} if why else [])

    api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
    api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(answer))
    talk = Talk(api, ["4 8 1 5 1 6"])
    notices: list[tuple[str, str]] = []
    talk.dialogue.notice = lambda *notice: notices.append(notice)
    with pytest.raises(Stopped):
        talk.dialogue.hold_visit()
    assert any(sentence.startswith(said) for sentence in talk.said), talk.said
    assert notices[-1][0] == level
    assert why is None or level == "error" or why in notices[-1][1]
