"""The node `voice`: says sentences one after the other, and tells when each word begins and each sentence is over.

Two threads: one speaks (the synthesiser has to stay on one), one plays. Callbacks of the executor only pass things on.
"""

import json
import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_msgs.msg import Bool, String

from robot_node.errors import SoundError, SpeechError
from robot_node.node import RobotNode
from robot_node.sound.devices import reopen
from robot_node.sound.speaker import Speaker
from robot_node.speech.synthesis import Speech, Synthesiser, open_synthesiser
from study.logs import trace

__all__ = ["Voice"]

RETRY_S = 0.5
"""Between two attempts to open a loudspeaker that was taken away."""

TICK_S = 0.005
"""How exactly words are announced."""

WAIT_S = 0.2
"""How often an idle thread looks whether it is to end."""

OPEN_S = 60.0
"""A synthesiser that has not opened within this does not open."""

TRIES = 3
"""A sentence that the synthesiser fails at so often needs another process."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence on its way to the loudspeaker."""

    sentence: str
    speech: Speech
    epoch: int
    """Which sentences go together: a cut ends all of one epoch."""


class Voice(RobotNode):
    """Configure opens the synthesiser, activate the loudspeaker."""

    def __init__(self, **options: Any) -> None:
        super().__init__("voice", **options)
        self._sentences: queue.Queue[tuple[str, int]] = queue.Queue()
        self._spoken: queue.Queue[_Said] = queue.Queue(maxsize=2)
        self._epoch = 0
        self._pending: list[str] = []
        """Sentences that were taken and are neither said nor cut."""
        self._pending_lock = threading.Lock()
        self._speaker: Speaker | None = None
        self._ending = threading.Event()
        self._halted = threading.Event()
        self._threads: list[threading.Thread] = []

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._spoken_topic = self.sends("spoken")
        self._speaking_topic = self.sends("speaking")
        self._word_topic = self.sends("word")
        self._captions_topic = self.sends("captions")
        # Before anything is reported: who reads that there is a voice may give it a sentence at once.
        self._ending.clear()
        self.takes("say", self._on_say)
        self.takes("hush", lambda message: self.cut())
        self.takes_stop(self._halt)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._ending.clear()
        opened: queue.Queue[Exception | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._synthesise, args=(opened,), name="synthesis", daemon=True),
            threading.Thread(target=self._play, name="playback", daemon=True),
        ]
        self._threads[0].start()
        failure = self._failure(opened)
        if failure is not None:
            self._ending.set()
            self.report("synthesiser", "error", failure)
            return TransitionCallbackReturn.FAILURE
        self._threads[1].start()
        self._speaking_topic.publish(Bool(data=False))
        return super().on_activate(state)

    def _failure(self, opened: "queue.Queue[Exception | None]") -> str | None:
        """Wait until the synthesiser has opened; what is the matter when it does not."""
        limit = time.monotonic() + OPEN_S
        while time.monotonic() < limit:
            try:
                error = opened.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            return None if error is None else _said_of(error)
        return "the synthesiser does not open"

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._end()
        return TransitionCallbackReturn.SUCCESS

    # What may be asked from any thread

    def _on_say(self, message: Any) -> None:
        if self._ending.is_set():
            return
        if not message.data:
            self.cut()  # whoever waited for what was given has given it up, and would give it again
            return
        with self._pending_lock:
            # Whoever waits for a sentence gives it again to a voice that was started again, which may have it already.
            if message.data in self._pending:
                return
            self._pending.append(message.data)
        self._sentences.put((message.data, self._epoch))

    def _done(self, sentence: str) -> None:
        with self._pending_lock:
            if sentence in self._pending:
                self._pending.remove(sentence)

    def cut(self) -> None:
        """Be silent at once; what was to follow is not said."""
        with self._pending_lock:
            self._epoch += 1
            self._pending.clear()
        if (speaker := self._speaker) is not None:
            speaker.cut()

    def _halt(self, on: bool) -> None:
        """Stand still: the sentence that is cut is said from its beginning when the robot may speak again."""
        if on:
            self._halted.set()
            if (speaker := self._speaker) is not None:
                speaker.cut()
        else:
            self._halted.clear()

    def _end(self) -> None:
        self._ending.set()
        self.cut()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5)
        self._threads = []
        self._sentences, self._spoken = queue.Queue(), queue.Queue(maxsize=2)

    # The thread that speaks

    def _synthesise(self, opened: "queue.Queue[Exception | None]") -> None:
        try:
            synthesiser = self._open_synthesiser()
        except Exception as error:  # whatever an engine raises, the node has to know
            opened.put(error)
            return
        self.report("synthesiser", "ok", synthesiser.name)
        opened.put(None)
        while not self._ending.is_set():
            try:
                sentence, epoch = self._sentences.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            speech = self._speech(synthesiser, sentence)
            if speech is None:
                self._done(sentence)
                self.broken.set()
                continue
            said = _Said(sentence, speech, epoch)
            self.report("synthesiser", "ok", synthesiser.name)
            while not self._ending.is_set():
                try:
                    self._spoken.put(said, timeout=WAIT_S)
                    break
                except queue.Full:
                    continue

    def _open_synthesiser(self) -> Synthesiser:
        synthesiser = open_synthesiser(
            self.value("engine"), self.value("voice"), self.value("words_a_minute"), self.value("pitch")
        )
        synthesiser.speak("Hello.")  # the first one takes longer
        return synthesiser

    def _speech(self, synthesiser: Synthesiser, sentence: str) -> Speech | None:
        """The sentence as sound; without sound when there is nothing in it to say; None when the synthesiser fails."""
        if not any(letter.isalnum() for letter in sentence):
            return Speech(np.zeros(0, np.float32), RATE, ())
        for attempt in range(TRIES):
            try:
                return synthesiser.speak(sentence)
            except Exception as error:  # whatever an engine raises, the robot must not fall silent unnoticed
                self.report("synthesiser", "error", _said_of(error), attempt=attempt + 1)
            self._ending.wait(RETRY_S)
        return None

    # The thread that plays

    def _play(self) -> None:
        while not self._ending.is_set():
            if not self._open_speaker():
                self._ending.wait(RETRY_S)
                continue
            try:
                said = self._spoken.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            while not self._ending.is_set() and said.epoch == self._epoch and not self._say_or_report(said):
                self._ending.wait(RETRY_S)
        if self._speaker is not None:
            self._speaker.close()
            self._speaker = None

    def _open_speaker(self) -> bool:
        """Whether there is a loudspeaker; a lost one is looked for again."""
        if self._speaker is not None and self._speaker.alive:
            return True
        if self._speaker is not None:
            self.report("speaker", "error", "the loudspeaker was taken away; trying to open it again")
            self._speaker.close()
            self._speaker = None
            reopen()
        try:
            self._speaker = Speaker(RATE, self.value("device"), self.value("latency_s"))
        except SoundError as error:
            self.report("speaker", "error", str(error))
            reopen()
            return False
        self.report("speaker", "ok", "open", latency_s=self._speaker.latency_s)
        return True

    def _say_or_report(self, said: _Said) -> bool:
        """The same as `_say`, where a loudspeaker that fails in another way than it should is one that went."""
        try:
            return self._say(said)
        except Exception as error:  # the thread must not end unnoticed
            self.report("speaker", "error", _said_of(error))
            speaker, self._speaker = self._speaker, None
            if speaker is not None:
                with suppress(Exception):
                    speaker.close()
            self._speaking_topic.publish(Bool(data=False))
            return False

    def _say(self, said: _Said) -> bool:
        """Play one sentence; False when it has to be said again because it was halted or the loudspeaker went."""
        if self._halted.is_set() or not self._open_speaker():
            return False
        speaker = self._speaker
        assert speaker is not None  # noqa: S101 - it was just opened
        samples = said.speech.samples if said.speech.rate == RATE else resampled(said.speech.samples, said.speech.rate)
        self._captions_topic.publish(String(data=said.sentence))
        self._speaking_topic.publish(Bool(data=True))
        if len(samples):
            speaker.play(samples * self.value("volume"))
        whole = self._follow(said, speaker) if len(samples) else True
        self._speaking_topic.publish(Bool(data=False))
        self._captions_topic.publish(String(data=""))
        if whole:
            self._done(said.sentence)
            self._spoken_topic.publish(String(data=said.sentence))
        return whole or said.epoch != self._epoch

    def _follow(self, said: _Said, speaker: Speaker) -> bool:
        """Announce the words as they are heard; whether the sentence came to its end."""
        began = time.monotonic() + speaker.latency_s
        words = list(said.speech.words)
        ends = [mark.begins_s for mark in words[1:]] + [said.speech.seconds]
        place = 0
        while True:
            if said.epoch != self._epoch or self._halted.is_set() or self._ending.is_set() or not speaker.alive:
                speaker.cut()  # once more: it may have begun in the moment of the first cut
                return False
            now = time.monotonic() - began
            while place < len(words) and words[place].begins_s <= now:
                mark = words[place]
                word = {"word": mark.word, "place": mark.place, "seconds": round(ends[place] - mark.begins_s, 3)}
                self._word_topic.publish(String(data=json.dumps(word)))
                place += 1
            if now >= said.speech.seconds:
                return speaker.wait(1.0)
            time.sleep(TICK_S)


def _said_of(error: Exception) -> str:
    """What the diagnostics say of an error: our own words, or where it was, since others' may quote the sentence."""
    return str(error) if isinstance(error, SpeechError) else trace(error)


RATE = 22050
"""Samples a second of the loudspeaker's stream: those of both synthesisers."""


def resampled(samples: Any, rate: int) -> Any:
    """Samples at `RATE`, by straight lines between them: for voices that come at another rate."""
    places = np.arange(int(len(samples) * RATE / rate)) * rate / RATE
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
