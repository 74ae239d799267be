"""The node `companion`: holds visits. It hears and speaks through topics; the visit is in the portal's record."""

import math
import queue
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import structlog
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_msgs.msg import Bool, String

from robot_node.api import DeviceAPI, Visit
from robot_node.colleagues import Colleagues
from robot_node.dialogue import Dialogue
from robot_node.errors import NotReachable, RobotError, Stopped
from robot_node.node import RobotNode
from robot_node.resume import Resume
from study.logs import trace
from study.texts import texts

__all__ = ["Companion"]

log = structlog.get_logger()

FILLER_EVERY_S = 1.4
"""Between the end of a short sound and the next, while there is still nothing to say."""

ENCOURAGE_S = 60.0
"""After so much silence the robot says once that it is listening."""

REPEAT_CUT_S = 6.0
"""A sentence that was cut, and after which nothing was said, is said again after so long, with what was to follow."""

AFTER_SPEECH_S = 2.0
"""So long after somebody spoke their words may still be on the way: the robot says nothing of its own."""

LONGEST_SPEECH_S = 60.0
"""Who spoke into the farewell is heard out at most so long."""

BETWEEN_VISITS_S = 5.0
"""One participant goes, another comes."""

LOOK_S = 0.1
"""How often a waiting thread looks around."""

AWAIT_S = 20.0
"""At its start the robot waits at most so long for somebody who takes its sentences."""

LONGEST_SENTENCE_S = 10.0
"""A voice that has not said a sentence within this and a sixth of a second a letter does not answer."""

LONGEST_TROUBLE_S = 120.0
"""A voice without sound is waited for at most so long with one sentence."""

SENTENCE_RUNS = 3
"""A sentence is given to at most so many runs of a voice that dies of it."""

SAME_WORDS_S = 1.0
"""The ear says that speech has ended, and what was understood, within this of each other."""

REPORT_EVERY_S = 10.0
"""How often the portal is told how the robot is; after three such times without it, it counts as not connected."""

TOKEN_ENDS = timedelta(days=1)
"""A token that ends within this is a warning in the diagnostics."""


class Companion(RobotNode):
    """Configure connects it, activate begins a visit, deactivate breaks off (the visit can be claimed again)."""

    def __init__(self, **options: Any) -> None:
        super().__init__("companion", **options)
        self.finished = threading.Event()
        """Set when, with `once`, the visit is over, or when the robot cannot go on."""
        self.failure: RobotError | None = None
        self._api: DeviceAPI | None = None
        self._words: queue.Queue[str] = queue.Queue()
        self._overheard: queue.Queue[str] = queue.Queue()
        """What was heard and is no answer."""
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listening = False
        self._state = "idle"
        self._floor = threading.Lock()  # one sentence at a time
        self._outstanding = ""
        self._over = threading.Event()  # the outstanding sentence was said, or cut
        self._interrupted = threading.Event()
        self._unsaid: list[str] = []
        """Sentences that were cut, or were to follow one that was: said when nothing was said into them after all."""
        self._somebody_speaks = False
        self._spoke_until = 0.0
        """When the participant was last heard speaking."""
        self._waiting_since: float | None = None
        self._waiting_for_words = False
        self._halted = False
        self._clock_jumped = threading.Event()
        self._language = "en"
        self._battery: float | None = None
        self._heard_at = 0.0
        """When the last answer was heard."""
        self._answer_ended: float | None = None
        """When its words had ended, where the ear said so."""
        self._ended_at = (0.0, 0.0)
        """When the ear last said that speech had ended whose words did not come yet, and when that had been."""
        self._holds_floor = False
        """Whether a message of a crisis or a farewell is said: it is waited for however long there is no sound."""
        self._spoken = ""
        self._sound = ("", 0.0)
        """The sentence that began to sound last, and when."""

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        url, token = self.value("url"), self.value("token")
        if not url or not token:
            self.report("visit", "error", "the parameters url and token must be set")
            return TransitionCallbackReturn.FAILURE
        self._api = DeviceAPI(url, token)
        self._resume = Resume(self.value("resume"), url)
        self._say_topic = self.sends("say")
        self._listening_topic = self.sends("listening")
        self._expecting_topic = self.sends("expecting")
        self._recording_topic = self.sends("recording")
        self._state_topic = self.sends("visit_state")
        self._gesture_topic = self.sends("gesture")
        self._colleagues = Colleagues(self.get_namespace(), ("ear", "voice") if self.value("voice") else ())
        self.takes("heard", self._on_heard)
        self.takes("speech_ended", self._on_speech_ended)
        self.takes("spoken", self._on_spoken)
        self.takes("speaking", self._on_speaking)
        self.takes("voice_activity", self._on_voice_activity)
        self.takes("hush", self._on_hush)
        self.takes_stop(self._on_stop)
        self.takes("battery_state", self._on_battery)
        self.takes("/diagnostics", self._colleagues.take)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop.clear()
        self._words, self._overheard = queue.Queue(), queue.Queue()
        self._interrupted.clear()
        self._threads = [
            threading.Thread(target=self._hold_visits, name="visit", daemon=True),
            threading.Thread(target=self._keep_reporting, name="telemetry", daemon=True),
        ]
        if self.value("voice"):
            self._threads.append(threading.Thread(target=self._keep_company, name="company", daemon=True))
        for thread in self._threads:
            thread.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_threads()
        self._resume.forget()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_threads()
        if self._api is not None:
            self._api.close()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end_threads()
        return TransitionCallbackReturn.SUCCESS

    # The visit, in a thread of its own: HTTP must never hold up the executor

    def _hold_visits(self) -> None:
        assert self._api is not None  # noqa: S101 - activate comes after configure
        self._language = self.value("language")
        dialogue = Dialogue(
            self._api,
            say=self._speak,
            hear=self._hear,
            pause=self._pause,
            show=self._show,
            overheard=self._take_overheard,
            attend=self._attend,
            hold_floor=self._hold_floor,
            gesture=lambda name: self._gesture_topic.publish(String(data=name)),
            sounded=self._sounded,
            settle=self._settle,
            notice=lambda level, what: self.report("code", level, what),
            language=self._language,
        )
        kept = self._resume.code()
        code = kept or self.value("code") or None
        try:
            self._await_colleagues()
            while True:
                dialogue.hold_visit(code, greet=kept is None, visit_id=self._resume.visit() if kept else None)
                code = kept = None
                self._holds_floor = False
                self._interrupted.clear()
                self._unsaid.clear()
                self._resume.forget()
                self._recording_topic.publish(String(data=""))
                if self.value("once"):
                    self._show("idle")
                    break
                if self.value("voice"):
                    self._pause(BETWEEN_VISITS_S)
        except Stopped:
            pass
        except RobotError as error:
            self.failure = error
            self.report("visit", "error", str(error))
        except Exception as error:
            self.failure = RobotError(f"The robot's session failed: {type(error).__name__}.")
            self.report("visit", "error", str(self.failure))
            log.error("session failed", error=trace(error))
        self._waiting_since = None
        self._listen(False)
        self.finished.set()

    def _keep_reporting(self) -> None:
        """Tell the portal how the robot is, also between visits: researchers and participants see that it is there."""
        assert self._api is not None  # noqa: S101 - activate comes after configure
        while True:
            try:
                ends = self._api.report(battery=self._battery, state=self._state, version=version("bedside"))
            except NotReachable:
                pass  # the visit's thread finds out and says so, when there is a visit
            except RobotError as error:
                self.report("telemetry", "error", str(error))
            else:
                self.report("telemetry", "ok", "reported", battery=self._battery, latency_ms=self._api.latency_ms)
                self._report_token(ends)
            self._resume.keep()
            if self._stop.wait(REPORT_EVERY_S):
                return

    def _report_token(self, ends: str | None) -> None:
        if ends is None:
            self.report("token", "ok", "the device token does not end")
        elif datetime.fromisoformat(ends) - datetime.now(UTC) < TOKEN_ENDS:
            self.report("token", "warning", f"the device token ends at {ends}; bring the robot another one")
        else:
            self.report("token", "ok", f"the device token ends at {ends}")

    def _attend(self, visit: Visit) -> None:
        self._language = visit.language
        self._resume.remember(visit.code, visit.id)
        self._recording_topic.publish(String(data=f"visit-{visit.id}" if visit.record else ""))

    def _hold_floor(self) -> None:
        self._holds_floor = True
        self._interrupted.clear()
        self._unsaid.clear()
        self._expecting_topic.publish(String(data="nothing"))

    # Speaking

    def _speak(self, sentence: str, keep: bool = True) -> bool:
        """Say a sentence; with a voice, until it is said. False when the participant spoke into this answer, or there
        was no sound for too long: one to `keep` is said later if nothing was said after all."""
        self._waiting_since = None
        self._spoken = sentence
        if self._stop.is_set():
            raise Stopped
        if not self.value("voice"):
            self._say_topic.publish(String(data=sentence))
            return True
        with self._floor:
            said = not self._interrupted.is_set() and self._aloud(sentence)
        if not said and keep:
            self._unsaid.append(sentence)
        return said

    def _aloud(self, sentence: str) -> bool:
        """Say a sentence with the voice. False when it is to be said later: it was cut, or there is no sound."""
        while self._halted:
            self._pause(LOOK_S)
        self._outstanding = sentence
        self._sound = ("", 0.0)
        self._over.clear()
        voice = self._colleagues.run("voice")
        self._say_topic.publish(String(data=sentence))
        runs, patience = 1, LONGEST_SENTENCE_S + len(sentence) / 6
        began = limit = time.monotonic()
        while not self._over.wait(LOOK_S):
            if self._stop.is_set():
                raise Stopped
            if self._interrupted.is_set():
                break
            self._report_missing()
            now = time.monotonic()
            if self._colleagues.run("voice") != voice:
                # The voice was started again, and with it went the sentence.
                voice, limit, runs = self._colleagues.run("voice"), now, runs + 1
                if runs <= SENTENCE_RUNS:
                    self._say_topic.publish(String(data=sentence))
            if self._halted:
                began = limit = now
            elif self._colleagues.troubled("voice"):
                limit = now
            without_sound = not self._holds_floor and now > began + LONGEST_TROUBLE_S + patience
            if runs > SENTENCE_RUNS or now > limit + patience or without_sound:
                self.report("voice", "error", "the voice does not say what it is given")
                if without_sound:
                    self._outstanding = ""
                    self._say_topic.publish(String(data=""))  # it would be said twice, or to somebody else
                return not without_sound
        if self._interrupted.is_set():
            return False
        self.report("voice", "ok", "the voice says what it is given")
        return True

    def _sounded(self) -> float | None:
        """Milliseconds from the end of the speech that was heard last to the first sound of the sentence said last."""
        sentence, at = self._sound
        # An ear that gives words without sound says of no end: they ended when they came.
        began = self._heard_at if self._answer_ended is None else self._answer_ended
        return 1000 * (at - began) if sentence == self._spoken and at > began > 0 else None

    def _keep_company(self) -> None:
        """Never silent for long: while an answer is being written, a short sound, then a sentence."""
        fillers, due = 0, 0.0
        while not self._stop.wait(LOOK_S / 2):
            since = self._waiting_since
            if since is None:
                fillers, due = 0, 0.0
                continue
            due = due or since + self.value("patience_s")
            if time.monotonic() < due:
                continue
            with self._floor:
                if self._waiting_since is None or self._interrupted.is_set():
                    continue
                fillers += 1
                # Who gave a code or a number gets no "I see."
                name = f"wait_{min(fillers, 3)}" if self._waiting_for_words else "wait_3"
                try:
                    self._aloud(self._text(name))
                except Stopped:
                    return
            due = time.monotonic() + FILLER_EVERY_S

    # Hearing

    def _hear(self, kind: str) -> str:
        self._interrupted.clear()
        self._holds_floor = False
        self._waiting_since = None
        self._expecting_topic.publish(String(data=kind))
        self._listen(True)
        silent_since, encouraged = time.monotonic(), False
        try:
            while not self._stop.is_set():
                try:
                    words = self._words.get(timeout=LOOK_S)
                except queue.Empty:
                    if not self.value("voice"):
                        continue
                    if self._hears_somebody():
                        silent_since = time.monotonic()  # who is speaking is not spoken to
                        continue
                    self._tell_of_trouble()
                    silence = time.monotonic() - silent_since
                    if self._unsaid and silence > REPEAT_CUT_S and not self._colleagues.troubled("voice"):
                        unsaid, self._unsaid = self._unsaid, []
                        for sentence in unsaid:
                            self._speak(sentence)
                        silent_since = time.monotonic()
                    elif not encouraged and silence > ENCOURAGE_S:
                        encouraged = True
                        self._speak(self._text("take_your_time"), keep=False)
                    if self._interrupted.is_set():  # spoken into one of those
                        self._interrupted.clear()
                    continue
                self._waiting_for_words = kind in ("words", "reflection")
                self._waiting_since = time.monotonic()
                self._unsaid.clear()
                return words
        finally:
            self._listen(False)
        raise Stopped

    def _take_overheard(self) -> list[str]:
        """What was said while nobody listened, or after an answer and before the next question: to be screened."""
        sources = [self._overheard] if self._interrupted.is_set() else [self._words, self._overheard]
        return [source.get_nowait() for source in sources for _ in range(source.qsize())]

    def _settle(self) -> None:
        """Wait until nobody speaks, and the words of whoever did have come."""
        least = time.monotonic() + AFTER_SPEECH_S
        most = least + LONGEST_SPEECH_S
        while (now := time.monotonic()) < least or (self._hears_somebody() and now < most):
            self._pause(LOOK_S)

    def _hears_somebody(self) -> bool:
        """Whether somebody is speaking, or has been a moment ago; an ear that fails can't tell."""
        recently = time.monotonic() - self._spoke_until < AFTER_SPEECH_S
        return (self._somebody_speaks or recently) and not self._colleagues.troubled("ear")

    def _tell_of_trouble(self) -> None:
        """Say what the participant has to know of an ear, a voice or a body that fails, and of their coming back."""
        self._report_missing()
        for name in self._colleagues.news():
            self._speak(self._text(name), keep=False)
        if self._clock_jumped.is_set():
            self._clock_jumped.clear()
            self._speak(self._text("clock_jumped"), keep=False)

    def _await_colleagues(self) -> None:
        """Wait for the ear and the voice, or without them for whoever reads the topic: what is said before, is lost."""
        limit = time.monotonic() + AWAIT_S
        while (self._colleagues.missing() or not self._is_read()) and time.monotonic() < limit:
            self._pause(LOOK_S)
        self._report_missing()

    def _is_read(self) -> bool:
        """Whether what is published to be said reaches somebody: nodes find each other topic by topic."""
        return bool(self._say_topic.get_subscription_count())

    def _report_missing(self) -> None:
        if missing := self._colleagues.missing():
            self.report("colleagues", "error", f"not on the network: {', '.join(missing)}")
        elif again := self._colleagues.restarted():
            self.report("colleagues", "warning", f"all there; started again a moment ago: {', '.join(again)}")
        else:
            self.report("colleagues", "ok", "all there")

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _listen(self, on: bool) -> None:
        self._listening = on
        self._listening_topic.publish(Bool(data=on))
        self._report_visit()

    def _show(self, state: str) -> None:
        self._state = state
        self._state_topic.publish(String(data=state))
        self._report_visit()

    def _report_visit(self) -> None:
        if self.failure is None:
            away = self._state == "away"
            self.report(
                "visit",
                "warning" if away else "ok",
                "portal away" if away else self._state,
                listening=self._listening,
                portal=self.value("url"),
            )

    def _text(self, name: str) -> str:
        text: str = texts(self._language, "robot")[name]
        return text

    # Callbacks of the executor

    def _on_heard(self, message: Any) -> None:
        if not message.data.strip():
            return
        now = time.monotonic()
        told, ended = self._ended_at
        self._ended_at = (0.0, 0.0)  # what is heard next has an end of its own
        if self._interrupted.is_set() or self._listening:
            self._heard_at, self._answer_ended = now, ended if now - told < SAME_WORDS_S else None
            self._words.put(message.data)
        else:
            self._overheard.put(message.data)

    def _on_speech_ended(self, message: Any) -> None:
        now = time.monotonic()
        ended = now - float(message.data)
        if self._answer_ended is None and now - self._heard_at < SAME_WORDS_S:
            self._answer_ended = ended  # the words came first
        else:
            self._ended_at = (now, ended)

    def _on_speaking(self, message: Any) -> None:
        if message.data and self._sound[0] != self._outstanding:
            self._sound = (self._outstanding, time.monotonic())

    def _on_spoken(self, message: Any) -> None:
        if message.data == self._outstanding:
            self._over.set()

    def _on_hush(self, message: Any) -> None:
        self._interrupted.set()
        self._over.set()

    def _on_battery(self, message: Any) -> None:
        full = float(message.percentage)
        self._battery = None if math.isnan(full) else round(min(max(full, 0.0), 1.0), 2)

    def _on_stop(self, on: bool) -> None:
        self._halted = on
        self.report("stop", "warning" if on else "ok", "stopped" if on else "not stopped")

    def _on_voice_activity(self, message: Any) -> None:
        if self._somebody_speaks and not message.data:
            self._spoke_until = time.monotonic()
        self._somebody_speaks = message.data

    def time_jumped(self) -> None:
        self._clock_jumped.set()

    def _end_threads(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._threads = []
