"""The engine `openai`: any server that speaks OpenAI's chat completions, such as vLLM on a GPU node."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import openai

from therapist.engine import EngineIdentity, Prompt, Sampling, Usage
from therapist.engines._messages import as_messages
from therapist.errors import EngineError

__all__ = ["RemoteEngine"]

CONNECT_S = 5.0


class RemoteEngine:
    """A client of one server. The server does the queueing; replies run beside each other."""

    def __init__(self, base_url: str, model: str | None, api_key_env: str | None, timeout_s: float) -> None:
        """`timeout_s` is the longest silence of the server. The key comes from the environment and from nowhere else.

        Raises `EngineError` when that variable is empty, or when no model is named and the server names none.
        """
        key = os.environ.get(api_key_env, "") if api_key_env else "none"
        if not key:
            raise EngineError(f"The environment variable {api_key_env} is empty; set it to the server's key.")
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=key,
            timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            max_retries=0,  # the conversation tries once more by itself, and no oftener
        )
        self.identity = EngineIdentity("openai", model or self._first_model(base_url), None)

    def generate(self, prompt: Prompt, *, sampling: Sampling, seed: int, conversation: str) -> "_Reply":
        return _Reply(self._client, self.identity.model, prompt, sampling, seed)

    def close(self) -> None:
        self._client.close()

    def _first_model(self, base_url: str) -> str:
        try:
            models = self._client.models.list().data
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise EngineError(
                f"The server at {base_url} does not answer ({type(error).__name__}); start it or mend its address."
            ) from error
        if not models:
            raise EngineError(f"The server at {base_url} names no model; say which with model = ...")
        return models[0].id


class _Reply:
    """One reply being streamed from the server."""

    def __init__(self, client: openai.OpenAI, model: str, prompt: Prompt, sampling: Sampling, seed: int) -> None:
        self.usage = Usage(messages=as_messages(prompt, begin_in_words=True))
        self._client = client
        self._request: dict[str, Any] = {
            "model": model,
            "messages": self.usage.messages,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
        }
        self._closed = threading.Event()
        self._stream: Any = None
        self._started = time.monotonic()

    def __iter__(self) -> Iterator[str]:
        try:
            self._stream = self._client.chat.completions.create(**self._request)
            for chunk in self._stream:
                if self._closed.is_set():
                    return
                if chunk.usage is not None:
                    self.usage.tokens_in = chunk.usage.prompt_tokens
                    self.usage.tokens_out = chunk.usage.completion_tokens
                if chunk.choices and (piece := chunk.choices[0].delta.content):
                    if self.usage.first_token_ms is None:
                        self.usage.first_token_ms = self._milliseconds()
                    yield piece
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            # The server's message may quote the prompt, so only the kind of error goes on.
            if not self._closed.is_set():
                raise EngineError(f"The server failed: {type(error).__name__}.") from None
        finally:
            self.usage.total_ms = self._milliseconds()
            self.close()

    def close(self) -> None:
        self._closed.set()
        if self._stream is not None:
            # Another thread may be reading: closing ends its wait, in whatever way the transport has.
            with suppress(Exception):
                self._stream.close()

    def _milliseconds(self) -> float:
        return 1000 * (time.monotonic() - self._started)
