"""The engine `openai`: any server that speaks OpenAI's chat completions, such as vLLM on a GPU node.

This is the one place where a request is tried again: it knows what may be, and whether a word was said already. A
server that keeps failing is left alone for a while (`_breaker`), and no more than `at_once` requests are on their way
to it (`_door`).
"""

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx2
import openai
import structlog

from therapist.engine import EngineIdentity, Priority, Prompt, Sampling, Usage
from therapist.engines._breaker import Breaker
from therapist.engines._door import Door, LeftAlone, Ticket
from therapist.engines._messages import as_messages
from therapist.engines._retrying import AGAIN, asked_to_wait, pause
from therapist.errors import EngineError

__all__ = ["RemoteEngine", "RemoteGeneration", "begun"]

log = structlog.get_logger()

CONNECT_S = 5.0

SILENT = 0.5
"""A server that was given up after so large a part of its time-out without a word has failed. One that was given up
sooner, because the participant left or was answered otherwise, has shown nothing."""

COUNTS: tuple[dict[str, Any], ...] = (
    {"stream_options": {"include_usage": True, "continuous_usage_stats": True}, "timings_per_token": True},
    {"stream_options": {"include_usage": True}},
    {},
)
"""How a server is asked to count tokens: with every piece (as vLLM and as llama.cpp call it), at the end, not at all.

A reply is mostly stopped after its first sentence, before the end at which OpenAI's own interface would tell."""

ITS_OWN_FAULT = frozenset({400, 413, 422})
"""Answers to a request that is wrong in itself: the server that gives them is well."""

BROKEN = frozenset({"abort", "error"})
"""Why a reply ended that no model has ended: vLLM and SGLang say so where others end the stream without a word."""


class RemoteEngine:
    """A client of one server. Replies run beside each other, `at_once` of them; the rest wait their turn."""

    def __init__(
        self,
        base_url: str,
        model: str | None,
        api_key_env: str | None,
        timeout_s: float,
        tell: Callable[[str], None],
        *,
        at_once: int = 16,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """`timeout_s` is the longest silence of the server. The key comes from the environment and from nowhere else.

        `now` is the clock of the circuit breaker, `draw` gives the part of a pause that is left to chance, 0 to 1.

        The server is asked once for the models it has. Where `model` says which, it need not answer: it may be
        started later. Raises `EngineError` when the variable of the key is empty, when the key is refused, or when
        neither `model` nor the server names a model.
        """
        self.timeout_s = timeout_s
        self.draw = draw
        self.door = Door(Breaker(now), at_once, base_url)
        self._sender = threading.local()
        key = os.environ.get(api_key_env, "") if api_key_env else "none"
        if not key:
            raise EngineError(f"The environment variable {api_key_env} is empty; set it to the server's key.")
        try:
            self._client = openai.OpenAI(
                base_url=base_url,
                api_key=key,
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
                max_retries=0,  # its own would try again after time-outs, too, and could not be stopped while they wait
                # Each reply has a connection of its own, so that hanging up can end no other's.
                http_client=openai.DefaultHttpx2Client(
                    limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
                    event_hooks={"request": [self._watch]},
                ),
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
        self._counts = COUNTS
        self.names: frozenset[str] = frozenset()

    def generate(
        self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str, priority: Priority = "interactive"
    ) -> "RemoteGeneration":
        return RemoteGeneration(self, prompt, sampling, seed, Ticket(conversation, priority))

    @property
    def left_alone_s(self) -> float | None:
        return self.door.left_alone_s

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._client.close()

    def begin(
        self, messages: list[dict[str, str]], sampling: Sampling, seed: int, connected: Callable[[Any], None]
    ) -> Any:
        """Ask for a reply; the server's stream of chunks. `connected` is told the connection as soon as there is one,
        which is before the server has answered. Raises what the client raises.
        """
        self._sender.connected = connected
        try:
            return self._ask(messages, sampling, seed)
        finally:
            self._sender.connected = None

    def _watch(self, request: httpx2.Request) -> None:
        """Have the client tell of the connection on which it sends this request, in this thread."""
        connected = getattr(self._sender, "connected", None)
        if connected is not None:

            def told(event: str, info: dict[str, Any]) -> None:
                if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
                    connected(info["return_value"])

            request.extensions["trace"] = told

    def _ask(self, messages: list[dict[str, str]], sampling: Sampling, seed: int) -> Any:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "stream": True,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
        }
        extra: dict[str, Any] = {}
        if sampling.repetition_penalty != 1:
            # Not in OpenAI's own interface, but in that of vLLM and most others.
            extra["repetition_penalty"] = sampling.repetition_penalty
        create = self._client.chat.completions.create
        ways = self._counts  # others may find out beside this one what the server takes
        for left, counts in enumerate(ways):
            try:
                stream = create(**request, extra_body={**extra, **counts})
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                # Some servers refuse what they do not know. If that was not the reason, the last call says so.
                if left == len(ways) - 1:
                    raise
            else:
                self._counts = ways[left:]
                return stream
        raise AssertionError("There is always one way to ask.")

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
    """One reply being streamed from the server. It takes its place in the queue when iteration begins."""

    def __init__(self, engine: RemoteEngine, prompt: Prompt, sampling: Sampling, seed: int, ticket: Ticket) -> None:
        self.usage = Usage(messages=as_messages(prompt, begin_in_words=True))
        self._engine = engine
        self._begin = prompt.begin.strip()
        self._sampling = sampling
        self._seed = seed
        self._ticket = ticket
        self._closed = threading.Event()
        self._connection: Any = None
        self._started = time.monotonic()

    @property
    def place(self) -> int:
        return self._engine.door.place(self._ticket)

    def __iter__(self) -> Iterator[str]:
        try:
            if self._engine.door.enter(self._ticket):
                self.usage.queue_ms = self._milliseconds()
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
            self._engine.door.leave(self._ticket)

    def close(self) -> None:
        """Leave the queue, or hang up. Safe to call twice, and from any thread: one that waits is woken at once, and
        the server, whose reader is gone, stops writing. Only a connection that is still being made is not broken off.
        """
        self._closed.set()
        self._engine.door.withdraw(self._ticket)
        if self._connection is not None:
            with suppress(Exception):
                _wake_reader(self._connection)

    def _pieces(self) -> Iterator[str]:
        """What the server says, the request being sent again where that may help."""
        attempt = 1
        while not self._closed.is_set():
            sent = time.monotonic()
            well: bool | None = None
            try:
                yield from self._attempt()
                well = self._verdict(sent)
                return
            except GeneratorExit:
                well = self._verdict(sent)
                raise
            except Exception as error:
                well = self._verdict(sent) if self._closed.is_set() else _is_well(error)
                wait = self._wait_after(error, attempt)
                if wait is None:
                    raise
                log.info("server asked again", error=_kind(error), attempt=attempt, in_s=round(wait, 2))
            finally:
                self._engine.door.tell(self._ticket, well)
            self._closed.wait(wait)
            if not self._closed.is_set() and not self._engine.door.again(self._ticket):
                raise LeftAlone("The server failed several times in a row; it is left alone for a while.")
            attempt += 1
            self.usage.retries += 1

    def _attempt(self) -> Iterator[str]:
        """One request. Raises what the client raises, and `EngineError`."""
        stream = self._engine.begin(self.usage.messages, self._sampling, self._seed, self._connected)
        ended: str | None = None
        with stream:
            for chunk in stream:
                if self._closed.is_set():
                    return
                if chunk.model:
                    self._engine.names |= {chunk.model}
                    self.usage.model = chunk.model  # a dated version for an alias; the next reply may have another
                if chunk.usage is not None:
                    self._count(chunk.usage)
                self._count_timings(getattr(chunk, "timings", None))
                for choice in chunk.choices or []:
                    ended = choice.finish_reason or ended
                    if choice.delta.content:
                        if self.usage.first_token_ms is None:
                            self.usage.first_token_ms = self._milliseconds()
                        yield choice.delta.content
        if self._closed.is_set():
            return
        if ended is None or ended in BROKEN:
            raise EngineError("The server failed: it stopped in the middle of a reply.")
        if ended == "content_filter":
            raise _Withheld("The server failed: it withheld the reply.")
        self.usage.cut = ended == "length"
        if self.usage.cut and not self.usage.tokens_out:
            self.usage.tokens_out = self._sampling.max_tokens

    def _connected(self, connection: Any) -> None:
        self._connection = connection
        if self._closed.is_set():
            with suppress(Exception):
                _wake_reader(connection)

    def _verdict(self, sent: float) -> bool | None:
        """Whether the server is well, as a request shows that ended without an error; None if it was too short."""
        if self.usage.first_token_ms is not None or not self._closed.is_set():
            return True
        return False if time.monotonic() - sent > SILENT * self._engine.timeout_s else None

    def _wait_after(self, error: Exception, attempt: int) -> float | None:
        """Seconds to wait before the request is sent again; None if it is not."""
        if self._closed.is_set() or self.usage.first_token_ms is not None:
            return None
        asked: float | None = None
        if isinstance(error, openai.APIStatusError):
            if error.status_code not in AGAIN:
                return None
            asked = asked_to_wait(error.response.headers, datetime.now(UTC))
        elif not isinstance(error.__cause__, httpx2.ConnectError):
            return None
        return pause(attempt, asked, self._engine.draw)

    def _count(self, counted: Any) -> None:
        # Servers differ in what they fill in; a count that is missing is no reason to lose a reply.
        self.usage.tokens_in = getattr(counted, "prompt_tokens", None) or 0
        self.usage.tokens_out = getattr(counted, "completion_tokens", None) or 0
        details = getattr(counted, "prompt_tokens_details", None)
        self.usage.tokens_cached = getattr(details, "cached_tokens", None) or 0

    def _count_timings(self, timings: Any) -> None:
        """llama.cpp's counts, which come with every piece when asked for."""
        if isinstance(timings, dict) and isinstance(timings.get("prompt_n"), int):
            self.usage.tokens_cached = timings.get("cache_n") or 0
            self.usage.tokens_in = timings["prompt_n"] + self.usage.tokens_cached
            self.usage.tokens_out = timings.get("predicted_n") or 0

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


class _Withheld(EngineError):
    """What was written is not handed out; the server is well."""


def _is_well(error: Exception) -> bool:
    """Whether a server is well that answers so."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in ITS_OWN_FAULT
    return isinstance(error, _Withheld)


def _wake_reader(connection: Any) -> None:
    """End the wait of a thread that reads from this connection: closing it under the reader would not."""
    connection.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _kind(error: Exception) -> str:
    """What kind of error it was, without its words."""
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__}, status {status}" if status is not None else type(error).__name__
