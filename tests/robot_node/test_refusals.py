"""What the robot does when the portal refuses words in which the screen found something, or a visit in its middle."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from robot_node.api import DeviceAPI
from robot_node.dialogue import LONGEST_WORDS
from robot_node.errors import Stopped
from study.texts import texts
from tests.robot_node.test_dialogue import Talk

VISIT = {"visit": 1, "state": "before", "pending": False, "turns": [], "language": "en", "reflect": False}
VISIT |= {"code": "123456", "record": False}
CRISIS = "I want to die"
MESSAGE = "A person should hear it. Samaritans: 116 123. It does not have to get worse."
REFUSED = {"error": "The participant has left the study."}


class Portal:
    """One visit: what `refuses` says of a call is answered with 409, and words of a crisis are found in any case."""

    def __init__(self, state: str = "before", refuses: Callable[[str], dict[str, str] | None] = lambda path: None):
        self.visit = {**VISIT, "state": state}
        self.refuses = refuses
        self.screened: list[str] = []

    def api(self) -> DeviceAPI:
        api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
        api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(self.answer))
        return api

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.rpartition("/")[2]
        words = json.loads(request.content or "{}").get("words", "")
        if path == "screen":
            self.screened.append(words)
        if len(words) > LONGEST_WORDS:
            return httpx2.Response(422, json={"error": "Too many characters."})
        refusal = self.refuses(path)
        if refusal is not None or CRISIS in words:
            found = {"message": MESSAGE} if CRISIS in words else {}
            return httpx2.Response(409, json={**REFUSED, **(refusal or {}), **found})
        return httpx2.Response(200, json=self.visit)


def talk(portal: Portal, *words: str) -> Talk:
    return Talk(portal.api(), list(words))


def refusing(*paths: str, why: str = REFUSED["error"]) -> Callable[[str], dict[str, str] | None]:
    return lambda path: {"error": why} if path in paths else None


@pytest.mark.parametrize("at", ["before", "exercise", "done"])
@pytest.mark.parametrize("halted", [True, False])
def test_the_message_is_said_when_the_words_of_a_crisis_are_refused(at: str, halted: bool) -> None:
    spoken = talk(Portal(at, refusing("turns", "screen", "1") if halted else refusing()), CRISIS)
    floor: list[int] = []
    spoken.dialogue.hold_floor = lambda: floor.append(len(spoken.said))
    if at == "done":
        left = [CRISIS]
        spoken.dialogue.overheard = lambda: [left.pop()] if left and "goodbye" in str(spoken.said) else []
    assert spoken.dialogue.hold_visit("123456", greet=False) == "stopped"
    assert spoken.said[-3:] == ["A person should hear it.", "Samaritans: 116 123.", "It does not have to get worse."]
    assert " ".join(spoken.said).count(MESSAGE) == 1
    assert len(spoken.said) - 3 in floor
    assert spoken.states[-1] == "stopped"


def test_what_was_said_beside_a_refused_piece_is_screened_too() -> None:
    portal = Portal("exercise", refusing("screen"))
    spoken = talk(portal)
    left = ["The first piece.", "The second piece."]
    spoken.dialogue.overheard = lambda: [left.pop(0) for _ in left[:]] if "exercise" in spoken.states else []
    assert spoken.dialogue.hold_visit("123456", greet=False) == "refused"
    assert portal.screened == ["The first piece.", "The second piece.", "The first piece. The second piece."]


@pytest.mark.parametrize("pieces", [["I feel bad. " * 400], ["The weather will be fine. " * 80] * 3])
def test_long_words_are_screened_in_pieces_and_end_no_visit(pieces: list[str]) -> None:
    portal = Portal("before")
    spoken = talk(portal, *pieces[:1], "70")
    left = pieces[1:]
    spoken.dialogue.overheard = lambda: [left.pop(0) for _ in left[:]] if spoken.expected else []
    with pytest.raises(Stopped):
        spoken.dialogue.hold_visit("123456", greet=False)
    assert "I heard 70." in spoken.said
    together = " ".join(pieces)
    assert max(map(len, portal.screened)) == LONGEST_WORDS
    for begin in range(0, len(together) - 100, 50):
        assert any(together[begin : begin + 100] in words for words in portal.screened)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("The participant has to read the new consent on their own page first.", "page_first"),
        ("The time of this visit is over.", "not_now"),
    ],
)
def test_a_rating_that_is_refused_for_good_is_not_asked_for_again(why: str, said: str) -> None:
    spoken = talk(Portal("before", refusing("ratings", why=why)), *["70", "yes"] * 4)
    assert spoken.dialogue.hold_visit("123456", greet=False) == "refused"
    assert spoken.expected == ["rating", "yes"]
    assert " ".join(spoken.said).endswith(texts("en", "robot")[said])


@pytest.mark.parametrize("status", [409, 401])
def test_a_message_that_broke_off_is_said_in_full(status: int) -> None:
    """Also where the robot's token was revoked at that moment."""
    portal = Portal("exercise")
    streams = [0]

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/turns"):
            return httpx2.Response(201, json={"number": 2, "stopped": True})
        if request.url.path.endswith("/reply"):
            streams[0] += 1
            data: dict[str, Any] = {"reply_to": 2, "index": 0, "text": "Thank you for telling me."}
            if streams[0] == 1:
                return httpx2.Response(200, text=f"event: sentence\ndata: {json.dumps(data)}\n\n")
        if streams[0]:
            return httpx2.Response(status, json=REFUSED)
        return portal.answer(request)

    api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
    api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(answer))
    spoken = Talk(api, [CRISIS])
    assert spoken.dialogue.hold_visit("123456", greet=False) == "stopped"
    crisis = texts("en", "crisis")
    assert " ".join(spoken.said).endswith(f"{crisis['before']} {crisis['after']}")
