"""The node `ear`: hears the participant and gives their words when they have finished.

One thread takes the sound frame by frame and notices where speech begins, pauses and ends; another turns it into
words. So the robot falls silent within a moment of being interrupted, however long a transcript takes. At the first
short pause the words so far are transcribed already; when nothing follows they are the answer, and no time is lost.
"""

import json
import queue
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_msgs.msg import Bool, Empty, Float32, String

from robot_node.errors import SoundError, SpeechError
from robot_node.node import RobotNode
from robot_node.sound.devices import reopen
from robot_node.sound.microphone import FRAME, RATE, Microphone
from robot_node.sound.recording import Recordings
from robot_node.speech.activity import Activity
from robot_node.speech.endpoint import FRAME_S, PRE_ROLL_S, Endpointer
from robot_node.speech.recognition import EXPECTING, Recogniser, open_recogniser
from study.logs import trace

__all__ = ["Ear"]

RETRY_S = 0.5
"""Between two attempts to open a microphone that was taken away."""

TRIES = 3
"""A recogniser that fails at so many utterances in a row needs another process."""

NOTHING = "nothing"
"""What the companion expects while the robot may not be interrupted."""


@dataclass(slots=True)
class _Utterance:
    """An utterance under way."""

    expecting: str
    recording: str
    samples: list[Any] = field(default_factory=list)
    quiet: bool = False
    ended: float = 0.0
    """When the speech in it ended, on the monotonic clock: before the pause by which that was known."""


class Ear(RobotNode):
    """Configure loads the recogniser, activate opens the microphone."""

    def __init__(self, **options: Any) -> None:
        super().__init__("ear", **options)
        self._listening = False
        self._speaking = False
        self._closed_until = 0.0
        self._expecting = "words"
        self._recording = ""
        self._ending = threading.Event()
        self._frames: queue.Queue[Any] = queue.Queue(maxsize=200)
        self._work: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._recogniser: Recogniser | None = None
        self._microphone: Microphone | None = None
        self._loose = np.zeros(0, np.float32)

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self._recogniser = open_recogniser(self.value("engine"), self.value("model"), self.value("language"))
            self._activity = Activity()
        except SpeechError as error:
            self.report("recogniser", "error", str(error))
            return TransitionCallbackReturn.FAILURE
        self.report("recogniser", "ok", self._recogniser.name)
        folder = self.value("recordings")
        self._recordings = Recordings(Path(folder).expanduser()) if folder else None
        self._heard_topic = self.sends("heard")
        self._ended_topic = self.sends("speech_ended")
        self._live_topic = self.sends("live_speech")
        self._activity_topic = self.sends("voice_activity")
        self._hush_topic = self.sends("hush")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._ending.clear()
        self._work = queue.Queue()
        self._threads = [
            threading.Thread(target=self._attend_or_report, name="attention", daemon=True),
            threading.Thread(target=self._recognise, name="recognition", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._activity_topic.publish(Bool(data=False))  # whatever one that died has said last
        self.takes("listening", self._on_listening)
        self.takes("speaking", self._on_speaking)
        self.takes("expecting", self._on_expecting)
        self.takes("recording", self._on_recording)
        if self.value("source") == "topic":
            self.takes("audio", self._on_audio)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        if self._recogniser is not None:
            self._recogniser.close()
            self._recogniser = None
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        return TransitionCallbackReturn.SUCCESS

    def _end(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(5)
        self._threads = []

    # Callbacks of the executor

    def _on_listening(self, message: Any) -> None:
        self._listening = message.data

    def _on_speaking(self, message: Any) -> None:
        if self._speaking and not message.data:
            self._closed_until = time.monotonic() + self.value("echo_tail_s")
        self._speaking = message.data

    def _on_expecting(self, message: Any) -> None:
        self._expecting = message.data

    def _on_recording(self, message: Any) -> None:
        self._recording = message.data

    def _on_audio(self, message: Any) -> None:
        sound = np.concatenate([self._loose, np.asarray(message.data, np.float32) / 32768])
        whole = len(sound) // FRAME * FRAME
        self._loose = sound[whole:]
        for start in range(0, whole, FRAME):
            if not self._frames.full():
                self._frames.put(sound[start : start + FRAME])

    # The thread that takes the sound

    @property
    def _open(self) -> bool:
        """Whether what is heard now may be an answer."""
        if self.value("barge_in"):
            return self._listening or (self._speaking and self._expecting != NOTHING)
        return self._listening and not self._speaking and time.monotonic() >= self._closed_until

    def _attend_or_report(self) -> None:
        """Take the sound; after a failure that nothing expects, report it and begin anew."""
        while not self._ending.is_set():
            try:
                self._attend()
            except Exception as error:  # an ear that is deaf must not look well
                self.report("microphone", "error", trace(error))
                self._activity_topic.publish(Bool(data=False))
                self._work.put(("drop", None))
                self._microphone = None
                self._ending.wait(RETRY_S)

    def _attend(self) -> None:
        shortest = self.value("barge_in_s") if self.value("barge_in") else 0.1
        endpointer = Endpointer(
            self.value("pause_s"),
            shortest_s=shortest,
            longest_s=self.value("longest_s"),
            on=self.value("threshold"),
            off=self.value("threshold") * 0.7,
        )
        before: deque[Any] = deque(maxlen=round(PRE_ROLL_S / FRAME_S) + round(shortest / FRAME_S) + 1)
        utterance: _Utterance | None = None
        was_open = False
        while not self._ending.is_set():
            frame = self._next_frame()
            # Who has begun is heard to the end, or until the robot speaks; into the robot's sentence, to the end.
            goes_on = utterance is not None and (self.value("barge_in") or not self._speaking)
            now_open = frame is not None and (self._open or goes_on)
            if now_open != was_open:
                was_open = now_open
                if not now_open and utterance is not None:
                    utterance.ended = time.monotonic()
                    self._work.put(("finish", utterance))  # what was heard of it may have to be heard of
                    self._activity_topic.publish(Bool(data=False))
                utterance = None
                endpointer.reset()
                self._activity.reset()
                before.clear()
            if frame is None or not now_open:
                continue
            if not endpointer.inside:
                thinks = self._expecting == "reflection"
                endpointer.pause_s = self.value("reflect_pause_s" if thinks else "pause_s")
            before.append(frame)
            event = endpointer.feed(self._activity.feed(frame))
            if utterance is not None:
                utterance.samples.append(frame)
                self._work.put(("feed", (frame, utterance.quiet)))
            match event.kind if event else "":
                case "began":
                    if self._speaking:
                        self._hush_topic.publish(Empty())
                    self._activity_topic.publish(Bool(data=True))
                    utterance = _Utterance(self._expecting, self._recording, list(before))
                    self._work.put(("begin", utterance.expecting))
                    self._work.put(("feed", (np.concatenate(utterance.samples), False)))
                case "paused" if utterance is not None:
                    utterance.quiet = True
                    self._work.put(("peek", None))
                case "resumed" if utterance is not None:
                    utterance.quiet = False
                case "ended" if event is not None and utterance is not None:
                    utterance.ended = time.monotonic() - (event.at_s - event.speech_until_s)
                    self._work.put(("finish", utterance))
                    self._activity_topic.publish(Bool(data=False))
                    utterance = None
        if self._microphone is not None:
            self._microphone.close()
            self._microphone = None

    def _next_frame(self) -> Any | None:
        """The next 512 samples; None when there are none for a while."""
        if self.value("source") == "topic":
            try:
                frame = self._frames.get(timeout=RETRY_S)
            except queue.Empty:
                self.report("microphone", "error", "no sound comes on the topic audio")
                return None
            self.report("microphone", "ok", "sound comes on the topic audio")
            return frame
        if self._microphone is None:
            try:
                self._microphone = Microphone(self.value("device"))
            except SoundError as error:
                self.report("microphone", "error", str(error))
                self._ending.wait(RETRY_S)
                reopen()
                return None
        frame = self._microphone.frame(RETRY_S)
        try:
            self._microphone.check()
        except SoundError as error:
            self.report("microphone", "error", str(error))
            self._microphone.close()
            self._microphone = None
            reopen()
            return None
        if frame is not None:
            self.report("microphone", "ok", "open")
        return frame

    # The thread that turns sound into words

    def _recognise(self) -> None:
        recogniser = self._recogniser
        assert recogniser is not None  # noqa: S101 - activate comes after configure
        failures, lost = 0, False
        while not self._ending.is_set():
            try:
                verb, given = self._work.get(timeout=RETRY_S)
            except queue.Empty:
                continue
            lost = lost and verb != "begin"
            if lost:
                continue  # the rest of an utterance at which the recogniser failed
            try:
                self._work_on(recogniser, verb, given)
                failures = 0 if verb == "finish" else failures
            except Exception as error:  # an ear that is deaf must not look well
                failures, lost = failures + 1, True
                self.report("recogniser", "error", trace(error))
                if failures == TRIES:
                    self.broken.set()
                    return
                # Long enough for the companion to see it, and to tell the participant to say it again.
                self._ending.wait(2 * RETRY_S)
                with suppress(Exception):
                    recogniser.begin()
                    self.report("recogniser", "ok", recogniser.name)

    def _work_on(self, recogniser: Recogniser, verb: str, given: Any) -> None:
        match verb:
            case "begin":
                recogniser.begin(given if given in EXPECTING else "words")
            case "feed":
                partial = recogniser.feed(given[0], quiet=given[1])
                if partial is not None:
                    self._tell(incremental=partial)
            case "peek":
                recogniser.peek()
            case "drop":
                recogniser.begin()
            case "finish":
                began = time.monotonic()
                heard = recogniser.finish()
                took = round((time.monotonic() - began) * 1000)
                self.report("recogniser", "ok", recogniser.name, last_ms=took)
                if heard.text:
                    self._tell(final=heard.text, confidence=heard.confidence)
                    self._ended_topic.publish(Float32(data=time.monotonic() - given.ended))
                    self._heard_topic.publish(String(data=heard.text))
                self._record(given, heard.text)

    def _tell(self, incremental: str = "", final: str = "", confidence: float | None = None) -> None:
        speech = {
            "incremental": incremental,
            "final": final,
            "confidence": confidence,
            "locale": self.value("language"),
        }
        self._live_topic.publish(String(data=json.dumps(speech, ensure_ascii=False)))

    def _record(self, utterance: _Utterance, text: str) -> None:
        """Keep the sound, when there is a folder for it and the visit allows it."""
        if self._recordings is None or not utterance.recording:
            return
        try:
            self._recordings.keep(utterance.recording, np.concatenate(utterance.samples), RATE, text)
        except (OSError, RuntimeError) as error:
            # No error: the ear hears all the same, and the participant need not be told.
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            self.report("recordings", "warning", f"an utterance could not be recorded ({reason})")
        else:
            self.report("recordings", "ok", "the last utterance was recorded")
