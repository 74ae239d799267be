"""What the robot does with words of a crisis wherever they are said, and when the study is stopped in mid-visit."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from robot_node.api import DeviceAPI, Visit
from robot_node.errors import Stopped
from study import halting, withdrawal
from study.enrolment import take_in
from study.visits import today
from tests.robot_node.test_dialogue import ANSWER, Desk, Talk, rows

FIXED = "a person should hear it"
"""Words of the fixed message."""


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder)
    yield desk
    desk.switch_off()
    desk.app.extensions["bedside"].close()
    desk.study.close()


def talk(desk: Desk, *words: str, api: DeviceAPI | None = None) -> Talk:
    return Talk(api or desk.api(), [desk.visit.code, *words])


def categories(desk: Desk) -> list[object]:
    return [row["category"] for row in rows(desk, "SELECT category FROM safety_event")]


@pytest.mark.parametrize(
    "words",
    [
        ["Ninety. I want to die."],
        ["a hundred, no one would miss me if I killed myself"],
        ["seventy", "yes, I want to die"],
        ["seventy", "no, I want to die, nobody would notice, ten"],
        ["seventy", "Ich möchte sterben, ja"],
    ],
)
def test_a_number_or_a_yes_does_not_hide_a_crisis(desk: Desk, words: list[str]) -> None:
    spoken = talk(desk, *words)
    assert spoken.dialogue.hold_visit() == "stopped"
    assert categories(desk) == ["suicide"]
    assert rows(desk, "SELECT * FROM rating") == []
    assert sum(FIXED in said for said in spoken.said) == 1


def test_an_answer_of_nothing_but_a_number_or_yes_is_not_sent_to_the_screen(desk: Desk) -> None:
    api = desk.api()
    screened: list[str] = []
    screen = api.screen

    def noted(visit_id: int, words: str) -> Visit:
        screened.append(words)
        return screen(visit_id, words)

    api.screen = noted  # type: ignore[method-assign]
    spoken = talk(desk, "I would say about seventy", "no, eighty", "hm, rather a lot", "yes", api=api)
    with pytest.raises(Stopped):
        spoken.dialogue.hold_visit()
    assert screened == ["hm, rather a lot"]


@pytest.mark.parametrize("words", [["I want to die", "{code}"], ["{code}, I want to die"]])
def test_what_was_said_with_the_code_or_before_it_is_screened_when_the_visit_is_known(
    desk: Desk, words: list[str]
) -> None:
    spoken = Talk(desk.api(), [one.format(code=desk.visit.code) for one in words])
    assert spoken.dialogue.hold_visit() == "stopped"
    assert categories(desk) == ["suicide"]
    assert sum(FIXED in said for said in spoken.said) == 1


@pytest.mark.parametrize("at", ["the rating", "the exercise", "the answer"])
def test_what_was_said_while_nobody_listened_is_screened(desk: Desk, at: str) -> None:
    """In two pieces that mean nothing alone: an ear ends an utterance where somebody pauses."""
    spoken = talk(desk, "70", "yes", ANSWER, ANSWER)
    begins = {"the rating": "Before we begin", "the exercise": "What happened", "the answer": ""}[at]
    pieces = ["I want to kill", "myself"]

    def overheard() -> list[str]:
        turns = len(rows(desk, "SELECT id FROM turn WHERE speaker = 'participant'"))
        now = any(begins in said for said in spoken.said) if begins else turns == 1
        taken = pieces[:] if now else []
        del pieces[: len(taken)]
        return taken

    spoken.dialogue.overheard = overheard
    assert spoken.dialogue.hold_visit() == "stopped"
    assert categories(desk) == ["suicide"]
    assert sum(FIXED in said for said in spoken.said) == 1
    assert len(spoken.expected) == {"the rating": 1, "the exercise": 3, "the answer": 4}[at]


def test_words_that_are_not_taken_as_a_turn_are_screened(desk: Desk) -> None:
    """The exercise went on elsewhere meanwhile, where it came to its end."""

    def end(number: int) -> None:
        if number == 3:
            with desk.study.records.write() as write:
                write.update("visit", desk.visit_id, {"state": "after"})
                write.log(desk.study.clock.now(), "test", "visit moved", f"visit {desk.visit_id}")

    spoken = Talk(desk.api(), [desk.visit.code, "70", "yes", "I want to die"], end)
    assert spoken.dialogue.hold_visit() == "stopped"
    assert categories(desk) == ["suicide"]


def test_a_second_crisis_before_the_same_robot_is_answered_as_the_first(desk: Desk) -> None:
    first = talk(desk, "70", "yes", "I want to die")
    assert first.dialogue.hold_visit() == "stopped"
    while (person := take_in(desk.study)).arm.medium != "robot":
        pass
    visit = today(desk.study, person)
    assert visit is not None
    first._words = iter([visit.code, "I want to die"])
    first.said.clear()
    assert first.dialogue.hold_visit() == "stopped"
    assert sum(FIXED in said for said in first.said) == 1


def test_a_stopping_rule_that_halts_at_the_same_moment_does_not_silence_the_message(folder: Path) -> None:
    path = folder / "study.toml"
    rule = '{ count = "screen", at_least = 1, within = "arm" }'
    path.write_text(path.read_text() + f"\nstopping = [{rule}]\n")
    desk = Desk(folder)
    spoken = talk(desk, "70", "yes", "I want to die")
    assert spoken.dialogue.hold_visit() == "stopped"
    assert halting.halts(desk.study)
    assert sum(FIXED in said for said in spoken.said) == 1
    desk.switch_off()
    desk.app.extensions["bedside"].close()
    desk.study.close()


VISIT = {"visit": 1, "state": "exercise", "pending": False, "turns": [], "language": "en", "reflect": False}
VISIT |= {"code": "123456", "record": False}


@pytest.mark.parametrize("refused", ["/reply", "/1"])
def test_the_fixed_message_is_said_whatever_else_is_refused(refused: str) -> None:
    """Once, and not again when the reply had it already; without the contacts when the portal told nothing."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path.endswith("/turns"):
            return httpx2.Response(201, json={"number": 2, "stopped": True})
        if path.endswith("/claims"):
            return httpx2.Response(200, json=VISIT)
        if path.endswith("/reply") and refused != "/reply":
            text = (
                f'event: sentence\ndata: {{"reply_to": 2, "index": 0, "text": "{FIXED}"}}\n\nevent: end\ndata: {{}}\n\n'
            )
            return httpx2.Response(200, text=text)
        return httpx2.Response(409, json={"error": "The study is paused."})

    api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
    api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(answer))
    spoken = Talk(api, ["I want to die"])
    held: list[int] = []
    spoken.dialogue.hold_floor = lambda: held.append(len(spoken.said))
    assert spoken.dialogue.hold_visit("123456", greet=False) == "stopped"
    assert sum(FIXED in said for said in spoken.said) == 1
    assert held[0] == 0


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("what", ["the study", "the arm", "the participant", "withdrawn"])
def test_who_may_not_go_on_is_told_and_the_robot_waits_for_the_next(desk: Desk, what: str, at: int) -> None:
    def stop(number: int) -> None:
        if number != at:
            return
        if what == "withdrawn":
            withdrawal.withdraw(desk.study, desk.visit.participant, by="anna")
            return
        targets = {"the study": "", "the arm": "robot", "the participant": desk.visit.participant}
        halting.halt(desk.study, what.removeprefix("the "), targets[what], by="anna", why="asked to")  # type: ignore[arg-type]

    notices: list[str] = []
    spoken = Talk(desk.api(), [desk.visit.code, "seventy", "yes", *[ANSWER] * 3], stop)
    spoken.dialogue.notice = lambda level, what: notices.append(level)
    assert spoken.dialogue.hold_visit() == "refused"
    assert spoken.said[-2:] == ["We can't go on just now.", "Please ask the person who runs the study."]
    assert notices[-1] == "warning"
    spoken._words = iter([])
    with pytest.raises(Stopped):
        spoken.dialogue.hold_visit()
    assert spoken.said[-1] == "Please tell me the six digits on your page."


def test_a_word_in_the_moment_before_the_floor_is_held_does_not_cut_the_message(desk: Desk) -> None:
    spoken = talk(desk, "I want to die")
    cut = [True]
    say = spoken.dialogue.say

    def once_cut(sentence: str) -> bool | None:
        if FIXED in sentence and cut:
            return cut.clear() or False
        return say(sentence)

    spoken.dialogue.say = once_cut
    assert spoken.dialogue.hold_visit() == "stopped"
    assert sum(FIXED in said for said in spoken.said) == 1


@pytest.mark.parametrize("state", ["stopped", "exercise"])
def test_a_robot_that_died_in_a_crisis_says_the_message_though_it_cannot_claim(state: str) -> None:
    """Whose participant is held, as after every crisis, is not given to a robot; that it was stopped is told."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/visits/1"):
            return httpx2.Response(200, json={**VISIT, "state": state, "message": f"{FIXED}."})
        return httpx2.Response(409, json={"error": "The participant is held."})

    api = DeviceAPI("http://127.0.0.1:9", "robot-1.token")
    api._client = httpx2.Client(base_url="http://127.0.0.1:9/api/v1", transport=httpx2.MockTransport(answer))
    spoken = Talk(api, [])
    if state == "stopped":
        assert spoken.dialogue.hold_visit("123456", greet=False, visit_id=1) == "stopped"
        assert spoken.said == [f"{FIXED}."]
    else:
        with pytest.raises(Stopped):
            spoken.dialogue.hold_visit("123456", greet=False, visit_id=1)
        assert spoken.said[0] == "We can't go on just now."
