"""PortAudio, loaded when sound is first needed, so that a robot without sound needs no sound library."""

from typing import Any

from robot_node.errors import SoundError

__all__ = ["portaudio", "reopen", "unopened"]


def portaudio() -> Any:
    """The module `sounddevice`. Raises `SoundError` when PortAudio is not installed."""
    try:
        import sounddevice
    except OSError:
        raise SoundError("PortAudio is not installed; type: apt-get install libportaudio2 libasound2-plugins") from None
    return sounddevice


def unopened(what: str, error: Exception) -> str:
    """Why a device cannot be opened, in one sentence."""
    reason = str(error).splitlines()[0]
    if "device -1" in reason:
        return f"this machine has no {what}, or its sound server does not run"
    return f"the {what} cannot be opened ({reason})"


def reopen() -> None:
    """Have PortAudio look for devices again: it knows those it found at its start. All its streams must be closed."""
    sounddevice = portaudio()
    sounddevice._terminate()
    sounddevice._initialize()
