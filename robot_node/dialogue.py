"""The robot's part of a visit, from hello to goodbye. No ROS here: words come from `hear` and go to `say`.

The portal's record says where the visit is, so a robot that was switched off in the middle of a sentence claims the
visit again and goes on from there, repeating no more than the last thing said.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

import structlog

from robot_node.api import DeviceAPI, Visit
from robot_node.errors import Alarmed, ClaimedElsewhere, NotReachable, PageFirst, Refused, WrongCode, WrongToken
from robot_node.numbers import code_in, is_plain, rating_in, yes_in
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

TRIES_IN_CRISIS = 3
"""A sentence of the fixed message that was cut is said again, at most so often in all."""

LONGEST_WORDS, OVERLAP = 4000, 200
"""The portal takes no more characters at once; longer words are screened in pieces, each with the end of the last."""

BEFORE_CODE_S = 60.0
"""What was said to the robot for so long before a code was taken, whoever gave the code has said."""


@dataclass
class Dialogue:
    """Holds one visit after another with whoever gives a code."""

    api: DeviceAPI
    say: Callable[[str], bool | None]
    """Says one sentence; False when the participant spoke into it or into one before it, or it made no sound."""
    hear: Callable[[str], str]
    """Waits for what the participant says next; told which kind of answer is expected: `code`, `rating`, `yes`, `words`
    or `reflection`. Raises `Stopped` when there is to be nothing more."""
    pause: Callable[[float], None]
    """Waits so many seconds. Raises `Stopped` likewise."""
    show: Callable[[str], None] = lambda state: None
    """Told of the visit's state as it changes: `code`, then those of `Visit.state`; `away` while the portal is."""
    overheard: Callable[[], list[str]] = list
    """What was heard since it was asked last and is no answer, since nobody listened or another answer came first."""
    attend: Callable[[Visit], None] = lambda visit: None
    """Told of the visit when it is claimed."""
    hold_floor: Callable[[], None] = lambda: None
    """What is said from now to the next `hear` is not to be interrupted."""
    settle: Callable[[], None] = lambda: None
    """Waits until nobody speaks any more, and what they said was heard."""
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
    _whole: bool = False
    """Whether the answer that was asked for last came to its end."""
    _heard: int | None = None
    """The turn of the words that were heard last."""
    _sounds: dict[int, float] = field(default_factory=dict)
    """Of answers to turns: when they began to sound, where the portal was not told yet."""
    _reached: float = 0.0
    """When the call under way began, or the last sign of life came."""
    _unscreened: list[str] = field(default_factory=list)
    """What was heard in the visit, is no turn of it and was not screened yet."""

    def hold_visit(self, code: str | None = None, greet: bool = True, visit_id: int | None = None) -> str:
        """Hold one visit to its end, or to where it was stopped, and return that state; `refused` when the portal does
        not let it go on.

        With `code` the robot does not ask for it; without `greet` it goes on as if it had never been away. `visit_id`
        is that of the visit with this code, which the robot held before: if it was stopped meanwhile its message is
        said, though it can't be claimed any more.
        """
        self._said, self._cut, self._heard, self._sounds, self._unscreened = {}, False, None, {}, []
        visit = self._claim(code, greet, visit_id)
        self.language = visit.language
        self.attend(visit)
        try:
            state = self._go_on(visit)
        except Alarmed as error:
            log.warning("words of a crisis were refused", error=str(error))
            self._show("stopped")
            self._say_to_the_end(error.message)
            state = "stopped"
        except Refused as error:
            log.warning("the visit cannot go on", error=str(error))
            self.notice("warning", f"a visit could not go on: {error}")
            self._tell(_why_not(error))
            return "refused"
        self.notice("ok", "no visit")
        return state

    def _go_on(self, visit: Visit) -> str:
        """Hold a visit that was claimed. Raises `Refused` when it was halted, or its participant has left, and
        `Alarmed` when the screen found something in words that are refused."""
        resumed = bool(visit.turns)
        while True:
            visit = self._screened(visit)
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
                    if not self._tell("farewell"):
                        self.settle()
                    self.hold_floor()  # who speaks into that gets no more of it, and no answer
                    over = visit.state
                    try:
                        visit = self._screened(visit)
                    except Alarmed:
                        raise
                    except Refused:
                        return over  # whatever happens to the study now
                    if visit.state != "stopped":
                        return over

    # The code

    def _claim(self, code: str | None, greet: bool, visit_id: int | None = None) -> Visit:
        if not self._state:
            self.notice("ok", "no visit")
        self._show("code")
        self.overheard()  # it was said to nobody, or in another visit
        if greet:
            self.gesture("greet")
            self._tell("hello")
        wrong = 0
        heard: list[tuple[float, str]] = []
        while True:
            if code is None:
                self._tell("ask_code")
                words = self.hear("code")
                heard += [(time.monotonic(), one) for one in [*self.overheard(), words]]
                code = code_in(words)
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
            except Refused as error:
                if visit_id is not None and (stopped := self._stopped(visit_id)):
                    return stopped
                self.notice("warning", f"the visit whose code was given cannot be made: {error}")
                self._tell(_why_not(error))
            else:
                self.notice("ok", "a visit is held")
                since = time.monotonic() - BEFORE_CODE_S
                self._unscreened = [words for at, words in heard if at > since and not is_plain(words)]
                return visit
            code = visit_id = None

    def _stopped(self, visit_id: int) -> Visit | None:
        """The visit when it was stopped: that is told also of one that cannot be claimed."""
        try:
            visit = self._patiently(self.api.visit, visit_id)
        except Refused:
            return None
        return visit if visit.state == "stopped" else None

    # The ratings

    def _rate(self, visit: Visit) -> Visit:
        occasion = visit.state
        self._tell(f"ask_{occasion}")
        value: int | None = None
        while True:
            visit = self._screened(visit)
            if visit.state != occasion:
                return visit
            heard = self.hear("rating" if value is None else "yes")
            if not is_plain(heard):
                # More than a number, yes or no: it may be something that a person has to hear of.
                self._unscreened.append(heard)
                visit = self._screened(visit)
                if visit.state != occasion:
                    return visit
            if value is not None and (answer := yes_in(heard)) is not None and rating_in(heard) is None:
                if answer:
                    try:
                        return self._patiently(self.api.rate, visit.id, occasion, value)
                    except Refused:
                        visit = self._patiently(self.api.visit, visit.id)
                        if visit.state == occasion:
                            raise  # it would be refused again and again
                        return visit
                value = None
                self._tell("again")
                continue
            number = rating_in(heard)
            if number is None:
                self._tell("unclear_yes" if value is not None else "unclear_rating")
                continue
            value = number
            self._tell("confirm_rating", value=value)

    # What is said beside an answer

    def _screened(self, visit: Visit) -> Visit:
        """The visit, after what was heard and is no turn of it was screened; a hit has stopped it."""
        return self._patiently(self._screen, visit)

    def _screen(self, visit: Visit) -> Visit:
        refusal: Refused | None = None
        self._unscreened += self.overheard()
        while self._unscreened and visit.state != "stopped":
            # One by one, since what stands beside a sentence may excuse it; and together, since one may be in two.
            spoken = [*self._unscreened, " ".join(self._unscreened)]
            for words in dict.fromkeys(piece for one in spoken for piece in _pieces(one) if piece.strip()):
                try:
                    visit = self.api.screen(visit.id, words)
                except Alarmed:
                    self._unscreened = []
                    raise
                except Refused as error:
                    refusal = error  # the portal screens what it refuses: each piece is to come before it
                if visit.state == "stopped":
                    break
            self._unscreened = self.overheard()
        if refusal is not None and visit.state != "stopped":
            raise refusal
        return visit

    # The exercise

    def _exercise(self, visit: Visit, resumed: bool) -> Visit:
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
            visit = self._screened(visit)
            if visit.state != "exercise" or visit.pending:
                continue
            words, token = self.hear("reflection" if visit.reflect else "words"), secrets.token_hex(16)
            if not words.strip():
                continue
            self.gesture("nod")
            try:
                heard = self._patiently(self.api.say, visit.id, words, token)
            except Alarmed:
                raise
            except Refused:
                visit = self._not_taken(visit, words)
                continue
            self._heard = heard.number
            if heard.stopped:
                return self._hear_crisis_out(visit, heard.number)
            visit = self._listen_to_reply(visit, thinks=True)
        if visit.state == "stopped" and visit.pending:
            self.hold_floor()
            visit = self._listen_to_reply(visit, thinks=False)
        return visit

    def _not_taken(self, visit: Visit, words: str) -> Visit:
        """The visit as it stands when it does not take these words as a turn: they are screened all the same."""
        self._unscreened.append(words)
        try:
            visit = self._screened(visit)
        except Alarmed:
            raise
        except Refused:
            visit = self._patiently(self.api.visit, visit.id)  # one that was stopped is told while the study is halted
        if visit.state != "stopped":
            self._tell("over")
        return visit

    def _hear_crisis_out(self, visit: Visit, number: int) -> Visit:
        """Say the fixed message that answers turn `number`, and return the visit, which was stopped.

        Whatever else the portal refuses, since a stopping rule may have halted the study, or somebody have revoked the
        token, at the same moment: what needs no portal is said then.
        """
        self.hold_floor()
        try:
            return self._listen_to_reply(visit, thinks=False)
        except (Refused, WrongToken) as error:
            log.warning("the message of a crisis was refused", error=str(error))
        try:
            return self._patiently(self.api.visit, visit.id)
        except (Refused, WrongToken):
            crisis = texts(self.language, "crisis")
            said = " ".join(self._said.get(number, [])) if self._whole else ""
            message = said or f"{crisis['before']} {crisis['after']}"
            return replace(visit, state="stopped", pending=False, message=message)

    def _listen_to_reply(self, visit: Visit, *, thinks: bool) -> Visit:
        """Say the answer that is owed, sentence by sentence, and return the visit as it is then.

        One that `thinks` does so while the answer waits for the model or is being written, and nothing came for a
        moment. It is asked to again and again: a short sound that it makes meanwhile ends the gesture.
        """
        self._cut = self._whole = False

        def follow() -> Visit:
            silent = thinks
            for event in self.api.reply(visit.id, visit.last_number):
                if thinks and (screened := self._screen(visit)).state == "stopped":
                    return screened
                if event.name in ("wait", "place") and silent:
                    self.gesture("think")
                elif event.name == "sentence":
                    silent = False
                    self._say_once(
                        event.data["reply_to"], event.data["index"], event.data["text"], event.data.get("whole", False)
                    )
                self._reached = time.monotonic()
            self._whole = True
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
            self._say_to_the_end(message)

    def _say_to_the_end(self, message: str) -> None:
        """Say the message of a crisis."""
        self.hold_floor()
        for sentence in split(message):
            # Somebody may have spoken in the moment before the floor was held.
            for _ in range(TRIES_IN_CRISIS):
                if self.say(sentence) is not False:
                    break
                self.hold_floor()

    # The connection

    def _patiently(self, call: Callable[Given, Result], *given: Given.args, **named: Given.kwargs) -> Result:
        """Make a call until the portal answers. The participant is told when that takes longer than a moment."""
        self._reached = time.monotonic()
        wait, away, told = 0.2, False, False
        while True:
            try:
                result = call(*given, **named)
            except NotReachable as error:
                log.warning("portal away", error=str(error))
                if not away:
                    away = True
                    self.show("away")
                if not told and time.monotonic() - self._reached > AWAY_S:
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

    def _tell(self, name: str, **values: object) -> bool:
        """Say a text of the robot; whether the participant let it finish."""
        sentences = split(texts(self.language, "robot")[name].format(**values))
        return False not in [self.say(sentence) for sentence in sentences]


def _why_not(error: Refused) -> str:
    """The name of the text for a visit that is refused."""
    return "page_first" if isinstance(error, PageFirst) else "not_now"


def _pieces(words: str) -> list[str]:
    """Words in pieces that the portal takes."""
    begins = range(0, max(len(words) - OVERLAP, 1), LONGEST_WORDS - OVERLAP)
    return [words[begin : begin + LONGEST_WORDS] for begin in begins]
