"""The robot's part of a visit, from hello to goodbye. No ROS here: words come from `hear` and go to `say`.

The portal's record says where the visit is, so a robot that was switched off in the middle of a sentence claims the
visit again and goes on from there, repeating no more than the last thing said.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import structlog

from robot_node.api import DeviceAPI, Visit
from robot_node.errors import ClaimedElsewhere, NotReachable, Refused, WrongCode
from robot_node.numbers import code_in, rating_in, yes_in
from study.texts import texts
from therapist.rails import split

__all__ = ["Dialogue"]

log = structlog.get_logger()

Given = ParamSpec("Given")
Result = TypeVar("Result")

AWAY_S = 3.0
"""After so long without the portal the robot says that it has lost the connection."""
LONGEST_WAIT_S = 5.0
"""Between two attempts to reach it."""


@dataclass
class Dialogue:
    """Holds one visit after another with whoever gives a code."""

    api: DeviceAPI
    say: Callable[[str], bool | None]
    """Says one sentence; False when the participant spoke into it or into one before it."""
    hear: Callable[[str], str]
    """Waits for what the participant says next; told which kind of answer is expected: `code`, `rating`, `yes`, `words`
    or `reflection`. Raises `Stopped` when there is to be nothing more."""
    pause: Callable[[float], None]
    """Waits so many seconds. Raises `Stopped` likewise."""
    show: Callable[[str], None] = lambda state: None
    """Told of the visit's state as it changes: `code`, then those of `Visit.state`; `away` while the portal is."""
    attend: Callable[[Visit], None] = lambda visit: None
    """Told of the visit when it is claimed."""
    hold_floor: Callable[[], None] = lambda: None
    """What is said from now to the next `hear` is not to be interrupted."""
    gesture: Callable[[str], None] = lambda name: None
    """Moves: `greet`, `nod`, `think` or `farewell`."""
    sounded: Callable[[], float | None] = lambda: None
    """How many milliseconds after the end of what was heard last the sentence said last began to sound; None when it
    did not sound, or nobody can tell."""
    notice: Callable[[str, str], None] = lambda level, what: None
    """Told how it is with the code, for the researcher: `ok`, `warning` or `error`, and what is the matter."""
    language: str = "en"
    """Of what is said before a visit is known; then it is the visit's."""
    _state: str = ""
    """What was shown last, but for `away`."""
    _said: dict[int | None, list[str]] = field(default_factory=dict)
    _cut: bool = False
    """Whether the participant spoke into the answer that is being said."""
    _heard: int | None = None
    """The turn of the words that were heard last."""
    _sounds: dict[int, float] = field(default_factory=dict)
    """Of answers to turns: when they began to sound, where the portal was not told yet."""

    def hold_visit(self, code: str | None = None, greet: bool = True) -> str:
        """Hold one visit to its end, or to where it was stopped, and return that state.

        With `code` the robot does not ask for it; without `greet` it goes on as if it had never been away.
        """
        visit = self._claim(code, greet)
        self.language = visit.language
        self.attend(visit)
        resumed = bool(visit.turns)
        while True:
            self._show(visit.state)
            match visit.state:
                case "before" | "after":
                    visit = self._rate(visit)
                case "exercise":
                    visit = self._exercise(visit, resumed)
                case "stopped":
                    self._finish_stopped(visit)
                    return "stopped"
                case _:
                    self.gesture("farewell")
                    self._tell("farewell")
                    return visit.state

    # The code

    def _claim(self, code: str | None, greet: bool) -> Visit:
        self._show("code")
        if greet:
            self.gesture("greet")
            self._tell("hello")
        wrong = 0
        self.notice("ok", "no visit")
        while True:
            if code is None:
                self._tell("ask_code")
                code = code_in(self.hear("code"))
                if code is None:
                    self._tell("unclear_code")
                    continue
            try:
                visit = self._patiently(self.api.claim, code)
            except WrongCode:
                wrong += 1
                if wrong % 3:
                    self.notice("warning", "a wrong code was given")
                    self._tell("wrong_code")
                else:
                    self.notice("error", "three wrong codes in a row; somebody has to help the participant")
                    self._tell("fetch_help")
            except ClaimedElsewhere:
                self.notice("error", "another robot holds the visit whose code was given")
                self._tell("elsewhere")
            else:
                self.notice("ok", "a visit is held")
                return visit
            code = None

    # The ratings

    def _rate(self, visit: Visit) -> Visit:
        occasion = visit.state
        self._tell(f"ask_{occasion}")
        value: int | None = None
        while True:
            heard = self.hear("rating" if value is None else "yes")
            if value is not None and (answer := yes_in(heard)) is not None and rating_in(heard) is None:
                if answer:
                    try:
                        return self._patiently(self.api.rate, visit.id, occasion, value)
                    except Refused:
                        return self._patiently(self.api.visit, visit.id)
                value = None
                self._tell("again")
                continue
            number = rating_in(heard)
            if number is None:
                # Not a number: it may be something that a person has to hear of.
                screened = self._patiently(self.api.screen, visit.id, heard)
                if screened.state != occasion:
                    return screened
                self._tell("unclear_yes" if value is not None else "unclear_rating")
                continue
            value = number
            self._tell("confirm_rating", value=value)

    # The exercise

    def _exercise(self, visit: Visit, resumed: bool) -> Visit:
        self._said, self._heard, self._sounds = {}, None, {}
        if resumed and visit.turns:
            self._tell("go_on")
        if not visit.pending:
            # The opening, or after a restart the last question.
            last = next((turn for turn in reversed(visit.turns) if turn["speaker"] == "therapist"), None)
            for sentence in split(last["text"]) if last else []:
                self.say(sentence)
        while visit.state == "exercise":
            if visit.pending:
                visit = self._listen_to_reply(visit, thinks=True)
                if visit.pending:
                    self.pause(1.0)  # the portal could not record its answer this time
                continue
            words, token = self.hear("reflection" if visit.reflect else "words"), secrets.token_hex(16)
            if not words.strip():
                continue
            self.gesture("nod")
            try:
                heard = self._patiently(self.api.say, visit.id, words, token)
            except Refused:
                self._tell("over")
                visit = self._patiently(self.api.visit, visit.id)
                continue
            self._heard = heard.number
            if heard.stopped:
                self.hold_floor()
            visit = self._listen_to_reply(visit, thinks=not heard.stopped)
        if visit.state == "stopped" and visit.pending:
            visit = self._listen_to_reply(visit, thinks=False)
        return visit

    def _listen_to_reply(self, visit: Visit, *, thinks: bool) -> Visit:
        """Say the answer that is owed, sentence by sentence, and return the visit as it is then.

        One that `thinks` does so while the answer waits for the model or is being written, and nothing came for a
        moment. It is asked to again and again: a short sound that it makes meanwhile ends the gesture.
        """
        self._cut = False

        def follow() -> Visit:
            silent = thinks
            for event in self.api.reply(visit.id, visit.last_number):
                if event.name in ("wait", "place") and silent:
                    self.gesture("think")
                elif event.name == "sentence":
                    silent = False
                    self._say_once(
                        event.data["reply_to"], event.data["index"], event.data["text"], event.data.get("whole", False)
                    )
            return self.api.visit(visit.id)

        visit = self._patiently(follow)
        self._report_sounds(visit.id)
        return visit

    def _report_sounds(self, visit_id: int) -> None:
        """Tell the portal when answers began to sound. Nobody is kept waiting for that: it is tried again next time."""
        for reply_to, after_ms in list(self._sounds.items()):
            try:
                self.api.sound(visit_id, reply_to, after_ms)
            except NotReachable:
                return
            except Refused as error:
                log.warning("first sound refused", error=str(error))
            del self._sounds[reply_to]

    def _say_once(self, reply_to: int | None, index: int, text: str, whole: bool) -> None:
        """Say a sentence of an answer, unless it was said before the connection broke."""
        said = self._said.setdefault(reply_to, [])
        if not whole:
            if index >= len(said):
                self._aloud(reply_to, text)
            return
        already = " ".join(said)
        rest = text.removeprefix(already) if text.startswith(already) else text
        for sentence in split(rest):
            self._aloud(reply_to, sentence)

    def _aloud(self, reply_to: int | None, sentence: str) -> None:
        said = self._said[reply_to]
        said.append(sentence)
        if self.say(sentence) is False:
            self._cut = True
        if reply_to is not None and reply_to == self._heard and len(said) == 1:
            after_ms = self.sounded()
            if after_ms is not None:
                self._sounds[reply_to] = round(after_ms, 1)

    def _finish_stopped(self, visit: Visit) -> None:
        """Say the fixed message, if the answer that carries it was not said, and heard to its end, already."""
        message = visit.message or ""
        if self._cut or not any(" ".join(said) == message for said in self._said.values()):
            self.hold_floor()
            for sentence in split(message):
                self.say(sentence)

    # The connection

    def _patiently(self, call: Callable[Given, Result], *given: Given.args, **named: Given.kwargs) -> Result:
        """Make a call until the portal answers. The participant is told when that takes longer than a moment."""
        began = time.monotonic()
        wait, away, told = 0.2, False, False
        while True:
            try:
                result = call(*given, **named)
            except NotReachable as error:
                log.warning("portal away", error=str(error))
                if not away:
                    away = True
                    self.show("away")
                if not told and time.monotonic() - began > AWAY_S:
                    told = True
                    self._tell("away")
                self.pause(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
            else:
                if away:
                    self.show(self._state)
                if told:
                    self._tell("back")
                return result

    def _show(self, state: str) -> None:
        self._state = state
        self.show(state)

    def _tell(self, name: str, **values: object) -> None:
        for sentence in split(texts(self.language, "robot")[name].format(**values)):
            self.say(sentence)
