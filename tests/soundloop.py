"""A sound loop without hardware: a sound server of its own, with a loudspeaker and a microphone that are only buffers.

What the robot says goes to the sink `speaker`, whose monitor is recorded; what is played to the sink `mic_in` is what its
microphone hears. Both are recorded on one clock, so that the time between the end of one's speech and the beginning
of the other's can be read off the sound itself.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["RATE", "Recorder", "SoundLoop", "Stretch"]

RATE = 16_000
CHUNK = RATE // 100
LOUD = 0.004
"""The root mean square of 10 ms from which on they are sound; the buffers themselves are silent."""

SCRIPT = """
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
load-module module-null-sink sink_name=speaker rate=48000 channels=2
load-module module-null-sink sink_name=mic_in rate=16000 channels=1
{microphone}
set-default-sink speaker
set-default-source mic
"""
PLAIN = "load-module module-remap-source source_name=mic master=mic_in.monitor"
ECHO = """
load-module module-loopback source=speaker.monitor sink=mic_in latency_msec=20
load-module module-remap-source source_name=ears master=mic_in.monitor
load-module module-echo-cancel source_name=mic source_master=ears sink_name=cancelled sink_master=speaker aec_method=webrtc
set-default-sink cancelled
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sound without a long silence in it; times are those of `time.monotonic`."""

    begins: float
    ends: float


class Recorder:
    """Records one source of the loop from now on."""

    def __init__(self, loop: "SoundLoop", source: str) -> None:
        self._process = subprocess.Popen(
            ["parec", "-d", source, "--format=s16le", f"--rate={RATE}", "--channels=1", "--latency-msec=10"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=loop.environment,
        )
        self._lock = threading.Lock()
        self._sound = bytearray()
        self._began: float | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def samples(self, since: float = 0.0) -> Any:
        """What was recorded since that moment, float32."""
        with self._lock:
            sound = np.frombuffer(bytes(self._sound), np.int16).astype(np.float32) / 32768
        if self._began is None:
            return sound
        return sound[max(0, int((since - self._began) * RATE)) :]

    def stretches(self, since: float = 0.0, gap_s: float = 0.3) -> list[Stretch]:
        """The stretches of sound since that moment, divided where there is silence of at least `gap_s`."""
        if self._began is None:
            return []
        since = max(since, self._began)
        sound = self.samples(since)
        frames = sound[: len(sound) // CHUNK * CHUNK].reshape(-1, CHUNK)
        loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > LOUD)
        if not len(loud):
            return []
        breaks = np.flatnonzero(np.diff(loud) * 0.01 > gap_s)
        first = loud[np.concatenate([[0], breaks + 1])]
        last = loud[np.concatenate([breaks, [len(loud) - 1]])] + 1
        return [Stretch(since + a * 0.01, since + b * 0.01) for a, b in zip(first, last, strict=True)]

    def silent_for(self) -> float:
        """Seconds since the last sound; since the beginning when there was none."""
        now = time.monotonic()
        recent = self.stretches(now - 5.0)
        return now - recent[-1].ends if recent else 5.0

    def wait_for_sound(self, since: float, timeout_s: float) -> Stretch:
        """The first sound after that moment. Raises AssertionError when none comes."""
        limit = time.monotonic() + timeout_s
        while not (found := self.stretches(since)):
            assert time.monotonic() < limit, "no sound came"
            time.sleep(0.02)
        return found[0]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 4096):
            now = time.monotonic()
            with self._lock:
                self._sound += chunk
                # Chunks come late, never early: the earliest possible beginning is the true one.
                began = now - len(self._sound) / 2 / RATE
                self._began = began if self._began is None else min(self._began, began)


class SoundLoop:
    """A sound server with a loudspeaker and a microphone; `with` starts and ends it."""

    def __init__(self, echo: bool = False) -> None:
        """With `echo` the microphone hears the loudspeaker, as in a room, and the server cancels the echo."""
        self.folder = Path(tempfile.mkdtemp(prefix="bedside-sound-"))
        self._socket = self.folder / "socket"
        microphone = ECHO if echo else PLAIN
        (self.folder / "loop.pa").write_text(SCRIPT.format(socket=self._socket, microphone=microphone))
        self.environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": str(self.folder),
            "PULSE_RUNTIME_PATH": str(self.folder / "pulse"),
            "PULSE_SERVER": f"unix:{self._socket}",
        }
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "SoundLoop":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server; what was plugged in is plugged in again."""
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", "-F", str(self.folder / "loop.pa"), "--daemonize=no", "--exit-idle-time=-1"],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("wb"),
            env=self.environment | {"HOME": str(self.folder)},
        )
        limit = time.monotonic() + 10
        while "mic" not in self.command("list", "short", "sources"):
            assert time.monotonic() < limit, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill the server, as a crash would."""
        if self._server is not None:
            self._server.send_signal(signal.SIGKILL)
            self._server.wait()
            self._server = None
        shutil.rmtree(self.folder / "pulse", ignore_errors=True)
        self._socket.unlink(missing_ok=True)

    def command(self, *words: str) -> str:
        """What `pactl` prints."""
        asked = subprocess.run(["pactl", *words], env=self.environment, capture_output=True, text=True, check=False)
        return asked.stdout

    def play(self, samples: Any) -> "subprocess.Popen[bytes]":
        """Say float32 mono samples at 16 kHz into the microphone; `wait` on what this returns for the end."""
        sound = (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
        process = subprocess.Popen(
            [
                "pacat",
                "--playback",
                "-d",
                "mic_in",
                "--format=s16le",
                f"--rate={RATE}",
                "--channels=1",
                "--latency-msec=20",
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
        )

        def feed() -> None:
            assert process.stdin is not None
            process.stdin.write(sound)
            process.stdin.close()

        threading.Thread(target=feed, daemon=True).start()
        return process
