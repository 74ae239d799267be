"""The engine `openai`: any server that speaks OpenAI's chat completions, such as vLLM on a GPU node."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx2
import openai

from therapist.engine import EngineIdentity, Priority, Prompt, Sampling, Usage
from therapist.engines._messages import as_messages
from therapist.errors import EngineError

__all__ = ["RemoteEngine", "RemoteGeneration", "begun"]

CONNECT_S = 5.0


class RemoteEngine:
    """A client of one server. The server does the queueing; replies run beside each other."""

    def __init__(
        self, base_url: str, model: str | None, api_key_env: str | None, timeout_s: float, tell: Callable[[str], None]
    ) -> None:
        """`timeout_s` is the longest silence of the server. The key comes from the environment and from nowhere else.

        The server is asked once for the models it has. Where `model` says which, it need not answer: it may be
        started later. Raises `EngineError` when the variable of the key is empty, when the key is refused, or when
        neither `model` nor the server names a model.
        """
        key = os.environ.get(api_key_env, "") if api_key_env else "none"
        if not key:
            raise EngineError(f"The environment variable {api_key_env} is empty; set it to the server's key.")
        try:
            self._client = openai.OpenAI(
                base_url=base_url,
                api_key=key,
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
                max_retries=0,  # the conversation tries once more by itself, and no oftener
                # Each reply has a connection of its own, so that hanging up can end no other's.
                http_client=openai.DefaultHttpx2Client(limits=httpx2.Limits(max_keepalive_connections=0)),
            )
            named = self._models(base_url, api_key_env, needed=model is None)
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise EngineError(f"base_url {base_url!r} is no address ({type(error).__name__}).") from None
        if model is None and not named:
            raise EngineError(f"The server at {base_url} names no model; say which with model = ...")
        if model is not None and named and model not in named:
            tell(f"The server at {base_url} does not name the model {model}; it names {', '.join(named[:5])}.")
        self.identity = EngineIdentity("openai", model or named[0], None)
        self._model = self.identity.model
        self._counts = True

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> "RemoteGeneration":
        return RemoteGeneration(self, prompt, sampling, seed)

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._client.close()

    def begin(self, messages: list[dict[str, str]], sampling: Sampling, seed: int) -> Any:
        """Ask for a reply; the server's stream of chunks. Raises what the client raises."""
        request: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "stream": True,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
        }
        if sampling.repetition_penalty != 1:
            # Not in OpenAI's own interface, but in that of vLLM and most others.
            request["extra_body"] = {"repetition_penalty": sampling.repetition_penalty}
        create = self._client.chat.completions.create
        if self._counts:
            try:
                return create(**request, stream_options={"include_usage": True})
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                # Older servers refuse an option they do not know. If that was not the reason, the next call says so.
                stream = create(**request)
                self._counts = False
                return stream
        return create(**request)

    def call_itself(self, name: str) -> None:
        """Take over the more precise name by which the server answers: a dated version for an alias."""
        if name != self.identity.model:
            self.identity = EngineIdentity("openai", name, None)

    def _models(self, base_url: str, api_key_env: str | None, *, needed: bool) -> list[str]:
        try:
            return [model.id for model in self._client.models.list().data]
        except openai.AuthenticationError:
            held = f"in {api_key_env}" if api_key_env else "(api_key_env names none)"
            raise EngineError(f"The server at {base_url} refuses the key {held}.") from None
        except Exception as error:  # what a server that is no such server sends can fail in any way
            if needed:
                raise EngineError(
                    f"The server at {base_url} does not say which models it has ({_kind(error)}); start it, mend "
                    "base_url, or say which model with model = ..."
                ) from None
            return []


class RemoteGeneration:
    """One reply being streamed from the server. The request is sent when iteration begins."""

    place = 0

    def __init__(self, engine: RemoteEngine, prompt: Prompt, sampling: Sampling, seed: int) -> None:
        self.usage = Usage(messages=as_messages(prompt, begin_in_words=True))
        self._engine = engine
        self._begin = prompt.begin.strip()
        self._sampling = sampling
        self._seed = seed
        self._closed = threading.Event()
        self._stream: Any = None
        self._started = time.monotonic()

    def __iter__(self) -> Iterator[str]:
        try:
            yield from begun(self._begin, self._pieces())
        except EngineError:
            raise
        except Exception as error:
            # The server's message may quote the prompt or the key, so only the kind of error goes on. A reader that
            # closed the stream is not told that it is closed.
            if not self._closed.is_set():
                raise EngineError(f"The server failed: {_kind(error)}.") from None
        finally:
            self.usage.last_token_ms = self._milliseconds()
            self.close()

    def close(self) -> None:
        """Hang up. Safe to call twice, and from any thread.

        A thread that is waiting for the server's next words is woken; one that is waiting for the server to answer
        at all is let go when the time-out has passed.
        """
        self._closed.set()
        if self._stream is not None:
            with suppress(Exception):
                _wake_reader(self._stream.response)

    def _pieces(self) -> Iterator[str]:
        if self._closed.is_set():
            return
        self._stream = self._engine.begin(self.usage.messages, self._sampling, self._seed)
        ended: str | None = None
        with self._stream:
            for chunk in self._stream:
                if self._closed.is_set():
                    return
                if chunk.model:
                    self._engine.call_itself(chunk.model)
                if chunk.usage is not None:
                    self._count(chunk.usage)
                for choice in chunk.choices or []:
                    ended = choice.finish_reason or ended
                    if choice.delta.content:
                        if self.usage.first_token_ms is None:
                            self.usage.first_token_ms = self._milliseconds()
                        yield choice.delta.content
        if self._closed.is_set():
            return
        if ended is None:
            raise EngineError("The server failed: it stopped in the middle of a reply.")
        if ended == "content_filter":
            raise EngineError("The server failed: it withheld the reply.")
        if ended == "length" and not self.usage.tokens_out:
            self.usage.tokens_out = self._sampling.max_tokens

    def _count(self, counted: Any) -> None:
        # Servers differ in what they fill in; a count that is missing is no reason to lose a reply.
        self.usage.tokens_in = getattr(counted, "prompt_tokens", None) or 0
        self.usage.tokens_out = getattr(counted, "completion_tokens", None) or 0
        details = getattr(counted, "prompt_tokens_details", None)
        self.usage.tokens_cached = getattr(details, "cached_tokens", None) or 0

    def _milliseconds(self) -> float:
        return 1000 * (time.monotonic() - self._started)


def begun(begin: str, pieces: Iterator[str]) -> Iterator[str]:
    """The pieces of a reply, with the beginning it was asked to have where the server wrote on from it.

    Told to begin with "It sounds like", a server writes "It sounds like you lost it", or writes on: "you lost it".
    The latter begins with a small letter, and gets the beginning. A reply that begins in its own way keeps it.
    """
    text = ""
    for piece in pieces:
        text = (text + piece).lstrip()
        if not begin.lower().startswith(text.lower()):
            break
    if text:
        wrote_on = begin and text[0].islower() and not text.lower().startswith(begin.lower())
        yield f"{begin} {text}" if wrote_on else text
    yield from pieces


def _wake_reader(response: Any) -> None:
    """End the wait of a thread that reads from this connection: closing it under the reader would not."""
    response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _kind(error: Exception) -> str:
    """What kind of error it was, without its words."""
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__}, status {status}" if status is not None else type(error).__name__
