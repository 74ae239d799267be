"""Speech into words with Vosk, in any language that has a model; the folder of the model is named.

Vosk gives the times and confidences of words, and where a code, a rating or yes or no is expected it listens for the
words of `grammars/<language>.toml` alone. Small models can do that, and those that know the word `[unk]` write it for
whatever else is said. For a model that cannot, and for a language without such a file, it listens for all words.

`peek` closes what was said so far and the decoder goes on behind it, so that nothing is decoded twice.
"""

import json
import tomllib
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

from robot_node.errors import SpeechError
from robot_node.speech.recognition import RATE, Heard, Word, checked

__all__ = ["Vosk", "grammar_of"]

UNKNOWN = "[unk]"
"""What a model writes for a word that the grammar does not have."""


class Vosk:
    """Vosk's recogniser. See `Recogniser` for what it does."""

    rate = RATE

    def __init__(
        self, model: str = "", language: str = "en", *, partial_s: float = 0.2, restrict: bool | None = None
    ) -> None:
        """Read the model in the folder `model`; SpeechError when that fails.

        `restrict` says whether to use the grammars; None: when the model has `[unk]`. Without that word, as in the
        Korean small model, a grammar makes a number of whatever is said.
        """
        try:
            import vosk
        except ImportError as error:
            raise SpeechError("The recogniser vosk needs the package vosk; install it.") from error
        if not model:
            raise SpeechError("Vosk comes without a model: name the folder of one, as of vosk-model-small-en-us.")
        folder = Path(model).expanduser()
        if not (folder / "am" / "final.mdl").is_file() and not (folder / "final.mdl").is_file():
            raise SpeechError(f"There is no Vosk model in {folder}: am/final.mdl is missing.")
        vosk.SetLogLevel(-2)  # -1 lets warnings through
        try:
            self._model: Any = vosk.Model(str(folder))
        except Exception as error:
            raise SpeechError(f"The Vosk model in {folder} cannot be read.") from error
        self._new: Any = vosk.KaldiRecognizer
        # A grammar needs the two halves of the graph apart.
        wanted = self._known(UNKNOWN) if restrict is None else restrict
        self.restricts = wanted and any(folder.rglob("Gr.fst"))
        """Whether grammars are used."""
        self.name = f"vosk {metadata.version('vosk')} {_name(folder)}"
        self.language = language
        self.partial_s = partial_s
        self._decoders: dict[str, Any] = {}
        self._clock: dict[str, int] = {}
        self.begin()

    def begin(self, expecting: str = "words") -> None:
        """Begin a new utterance, with the grammar of what is expected where there is one."""
        kind = checked(expecting)
        words = (*grammar_of(self.language, kind), UNKNOWN) if self.restricts else ()
        words = tuple(word for word in words if self._known(word))
        kind = kind if words and words != (UNKNOWN,) else "words"
        if kind not in self._decoders:
            grammar = [json.dumps(words, ensure_ascii=False)] if kind != "words" else []
            self._decoders[kind] = self._new(self._model, RATE, *grammar)
            self._decoders[kind].SetWords(True)
            self._clock[kind] = 0
        self._kind, self._decoder = kind, self._decoders[kind]
        self._decoder.Reset()
        self._words: list[Word] = []
        self._done: list[str] = []
        # A decoder counts time from its making, and only what it was given.
        self._offset = -self._clock[kind]
        self._since_partial = 0.0
        self._partial = ""
        self._peeked: Heard | None = Heard("")

    def feed(self, samples: np.ndarray, quiet: bool = False) -> str | None:
        """Take more sound; return a new partial transcript, or None."""
        samples = np.asarray(samples, np.float32).reshape(-1)
        if not len(samples) or (quiet and self._peeked is not None):
            self._offset += len(samples)
            return None
        self._peeked = None
        self._clock[self._kind] += len(samples)
        data = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        if self._decoder.AcceptWaveform(data):
            self._keep(self._decoder.Result())
        self._since_partial += len(samples) / RATE
        if quiet or self._since_partial < self.partial_s:
            return None
        self._since_partial = 0.0
        text = self._text(json.loads(self._decoder.PartialResult()).get("partial", ""))
        if text == self._partial:
            return None
        self._partial = text
        return text

    def peek(self) -> Heard:
        """What was said so far. What follows is decoded as a sentence of its own."""
        if self._peeked is None:
            self._keep(self._decoder.FinalResult())
            self._decoder.Reset()
            sure = [word.confidence for word in self._words if word.confidence is not None]
            self._peeked = Heard(self._text(), sum(sure) / len(sure) if sure else None, tuple(self._words))
        return self._peeked

    def finish(self) -> Heard:
        """All that was said; at once when only quiet samples followed the last `peek`."""
        heard = self.peek()
        self.begin()
        return heard

    def close(self) -> None:
        """Give the model's memory back."""
        self._decoders.clear()
        self._decoder = self._model = None

    def _keep(self, result: str) -> None:
        said = json.loads(result)
        self._done.append(said.get("text", ""))
        begins = self._offset / RATE
        self._words += [
            Word(word["word"], begins + word["start"], begins + word["end"], min(1.0, word["conf"]))
            for word in said.get("result", [])
            if word["word"] != UNKNOWN
        ]

    def _text(self, rest: str = "") -> str:
        return " ".join(word for text in (*self._done, rest) for word in text.split() if word != UNKNOWN)

    def _known(self, word: str) -> bool:
        return all(self._model.vosk_model_find_word(part) >= 0 for part in word.split())


@cache
def grammar_of(language: str, kind: str) -> tuple[str, ...]:
    """The words that `kind` of answer is made of; empty when any word may come, or the language has no such file."""
    path = resources.files("robot_node.speech") / "grammars" / f"{language.split('-')[0].split('_')[0]}.toml"
    if not path.is_file():
        return ()
    return tuple(tomllib.loads(path.read_text(encoding="utf-8")).get(kind, {}).get("words", ()))


def _name(folder: Path) -> str:
    """The folder's name, or of a folder called just `model` its parent's."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "model" else folder.name
