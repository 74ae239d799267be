"""How a simulated participant makes a visit: through the same doors as anyone.

They come through the study's door and fill in what they are asked. The chat and the worksheet open the participant's
link, read the page and send what its forms and its script send. The robot's participant reads the code on the page and
then speaks over ROS topics with the robot's node, which is another process.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import httpx2

from bedside.simulated import Character
from robot_node.client import Listener
from study.errors import StudyError
from study.forms import SCREENING, measure_of
from study.study import Participant, Study

__all__ = ["Visitor"]


LATER_S = 2.0
"""As soon as a page's script asks again when it was told `later`."""


class Visitor:
    """Makes the visits of one rehearsal. `pass_time` moves the rehearsal's clock by so many seconds."""

    def __init__(
        self, url: str, study: Study, pass_time: Callable[[float], None], listener: Listener | None = None
    ) -> None:
        self._study = study  # for what a person would know: which questions there are, and who takes charge
        self._http = httpx2.Client(base_url=url, timeout=120, trust_env=False, follow_redirects=True)
        self._pass_time = pass_time
        self._listener = listener
        self._asked_for_code = ""

    def come(self, character: Character) -> tuple[str, Participant | None]:
        """Come through the study's door and answer what is asked until the enrolment; None if it does not come to it.

        Returns the person's own link and whom they became.
        """
        door = self._study.join_path()
        page = _hidden(self._get(door), "page")
        answer = self._http.post(door, data={"page": page, "timezone": self._study.protocol.timezone})
        _text(answer)
        return answer.url.path, self.go_on(answer.url.path, character)

    def go_on(self, path: str, character: Character) -> Participant | None:
        """Answer what is asked until the enrolment."""
        page = self._due(path)
        while True:
            page = self._forms(path, page, character)
            if 'name="decision"' not in page:
                break
            ticked = dict.fromkeys(re.findall(r'name="((?:statement|permission)-[^"]+)"', page), "yes")
            fields = {**ticked, "sha256": _hidden(page, "sha256"), "decision": "agree"}
            page = _text(self._http.post(path + "consent", data=fields))
        code = path.split("/")[2]
        enrolled = self._study.person(code).state == "enrolled"
        return self._study.participant(code) if enrolled else None

    def visit(self, path: str, character: Character) -> str:
        """Make today's visit at the link `path`; return `done`, `stopped` or `closed`, as the page says at the end."""
        page = self._forms(path, self._due(path), character)
        if "<form" not in page and 'class="code"' not in page:
            return _ending(page, self._study.protocol.language)
        if 'class="code"' in page:
            self._robot(page, character)
            return _ending(self._forms(path, self._due(path), character), self._study.protocol.language)
        visit = _hidden(page, "visit")
        before = character.rate_before()
        page = self._rate(path, page, before, character)
        if 'id="say"' in page:
            self._chat(path, visit, character)
        else:
            self._worksheet(path, page, visit, character)
        page = self._rate(path, self._due(path), character.rate_after(before), character)
        return _ending(self._forms(path, page, character), self._study.protocol.language)

    def close(self) -> None:
        self._http.close()

    # In the browser

    def _forms(self, path: str, page: str, character: Character) -> str:
        """Fill in the forms that the page shows, one after another; the page after them."""
        while 'class="questions"' in page:
            due = {name: _hidden(page, name) for name in ("measure", "occasion", "visit")}
            self._pass_time(10 + character.random.expovariate(1 / 20))
            given = self._answers(due["measure"], character)
            sent = {f"item-{name}": "none" if value is None else str(value) for name, value in given.items()}
            page = _text(self._http.post(path + "form", data={**due, **sent}))
        return page

    def _answers(self, measure: str, character: Character) -> dict[str, Any]:
        protocol = self._study.protocol
        if measure == SCREENING:
            return character.answer_questions(protocol.screening, protocol.eligibility)
        return character.answer_items(measure_of(self._study, measure))

    def _rate(self, path: str, page: str, value: int, character: Character) -> str:
        self._pass_time(5 + character.random.expovariate(1 / 5))
        fields = {"visit": _hidden(page, "visit"), "occasion": _hidden(page, "occasion"), "value": str(value)}
        return _text(self._http.post(path + "rating", data=fields))

    def _chat(self, path: str, visit: str, character: Character) -> None:
        # The page's script knows no step; what to say next follows from the questions in the transcript.
        state = json.loads(self._get(path + "visit"))
        before: dict[str, int] = {}
        while state["state"] == "exercise":
            step = self._step_asked(state)
            said = character.answer(step, before.get(step, 0))
            before[step] = before.get(step, 0) + 1
            self._pass_time(character.takes_s(said))
            number = self._send(path, {"visit": visit, "token": self._token(character), "words": said})
            state = self._read_reply(path, visit, number)
            for reply in _replies(state)[-1:]:
                character.hears(reply, said)

    def _worksheet(self, path: str, page: str, visit: str, character: Character) -> None:
        number = 0
        written: list[str] = []
        for step in re.findall(r'data-step="(\w+)"', page):
            said = character.answer(step, 0)
            self._pass_time(character.takes_s(said))
            _text(self._http.put(path + f"drafts/{step}", json={"visit": visit, "words": said}))
            fields = {"visit": visit, "step": step, "token": f"{visit}-{step}", "words": said}
            number = self._send(path, fields)
            written.append(said)
        # The answers come in the order of what they answer, and none where the worksheet is paper.
        for said, reply in zip(written, _replies(self._read_reply(path, visit, number)), strict=False):
            character.hears(reply, said)

    def _send(self, path: str, fields: dict[str, str]) -> int:
        return int(json.loads(_text(self._http.post(path + "turns", json=fields)))["number"])

    def _read_reply(self, path: str, visit: str, after: int) -> dict[str, Any]:
        """Read along to the end of the answer; the visit as it is then."""
        while True:
            ended = self._read_on(path, visit, after)
            if ended is not None:
                return ended
            time.sleep(LATER_S)

    def _read_on(self, path: str, visit: str, after: int) -> dict[str, Any] | None:
        """The same; None when the portal has no room for another reader just now."""
        with self._http.stream("GET", path + "reply", params={"visit": visit, "after": after}) as answer:
            name = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                    self._heard(name)
                    if name == "later":
                        return None
                elif name == "end" and line.startswith("data: "):
                    ended: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    return ended
        raise StudyError("The portal broke off an answer during the rehearsal.")

    def _heard(self, event: str) -> None:
        """Told of each event of an answer as it comes."""

    def _due(self, path: str) -> str:
        """The page of today, or what its one button leads to."""
        page = self._get(path)
        button = re.search(r'id="next" href="([^"]+)"', page)
        return self._get(button[1]) if button else page

    def _step_asked(self, state: dict[str, Any]) -> str:
        return _step_in(state["turns"][-1]["text"], self._study.protocol.language)

    @staticmethod
    def _token(character: Character) -> str:
        return f"{character.random.getrandbits(128):032x}"

    def _get(self, path: str) -> str:
        return _text(self._http.get(path))

    # With the robot

    def _robot(self, page: str, character: Character) -> None:
        if self._listener is None:
            raise StudyError("The protocol has a robot arm, and the rehearsal runs no robot.")
        code = re.sub(r"\D", "", re.search(r'class="code"[^>]*>([\d ]+)<', page)[1])  # type: ignore[index]
        before: dict[str, int] = {}
        rated: int | None = None
        heard = self._asked_for_code or self._hear()[0]
        while True:
            said = ""
            if "six digits" in heard:
                answer = f"It is {' '.join(code)}."
            elif "Is that right?" in heard:
                answer = "Yes."
            elif "how much distress" in heard:
                value = character.rate_before() if rated is None else character.rate_after(rated)
                rated = value
                answer = f"{value}"
            else:
                step = _step_in(heard, self._study.protocol.language)
                answer = said = character.answer(step, before.get(step, 0))
                before[step] = before.get(step, 0) + 1
            self._pass_time(character.takes_s(answer))
            self._listener.speak(answer)
            heard, over = self._hear()
            if said and not over:
                character.hears(heard, said)
            if over:
                self._asked_for_code = heard  # the robot has turned to whoever comes next
                return

    def _hear(self) -> tuple[str, bool]:
        """What the robot says until it listens, and whether a visit ended on the way."""
        if self._listener is None:
            raise StudyError("The protocol has a robot arm, and the rehearsal runs no robot.")
        said, states = self._listener.until_listening()
        return " ".join(said), bool({"done", "stopped"} & set(states))


def _step_in(text: str, language: str) -> str:
    """The step whose question ends `text`; `anything` when the question is not the script's own."""
    from therapist.exercise import exercise_names, load_exercise

    for name in exercise_names():
        for step in load_exercise(name, language).steps:
            if text.endswith((step.ask, step.follow_up)):
                return step.id
    return "anything"


def _replies(state: dict[str, Any]) -> list[str]:
    """What the therapist has said in a visit after its opening, oldest first."""
    return [turn["text"] for turn in state["turns"] if turn["speaker"] == "therapist"][1:]


def _text(answer: httpx2.Response) -> str:
    if answer.status_code >= 400:
        raise StudyError(f"The portal answered {answer.status_code} to a simulated participant.")
    return answer.text


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    if found is None:
        raise StudyError("The portal showed a simulated participant a page without the form that is due.")
    return found[1]


def _ending(page: str, language: str) -> str:
    heading = re.search(r"<h1>([^<]+)</h1>", page)
    from study.texts import texts

    said = texts(language, "screens")
    stopped = texts(language, "crisis")["page"]["title"]
    names = {said["done"]["title"]: "done", stopped: "stopped"}
    return names.get(heading[1].replace("&#39;", "'") if heading else "", "closed")
