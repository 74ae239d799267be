"""The thread that runs the model: one pass after another, each over all replies that are being written.

A reply that is asked for joins at the next pass, and one that ends or is given up leaves its place to the next that
waits: nobody waits for another's reply to be whole (iteration-level scheduling: Yu et al., OSDI 2022). The prompts
that are read share the passes with the replies that are written, a bounded number of tokens in each, so that a long
prompt does not make the others halt. What nobody waits for is halted while anybody waits.
"""

import atexit
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import torch

from therapist.engines._kept import BLOCK, KeptBlocks
from therapist.engines._passes import Passes, Piece
from therapist.engines._queue import FairQueue
from therapist.engines._reply import Reply
from therapist.errors import EngineError

__all__ = ["Loop"]

READ_AT_ONCE = 16 * BLOCK
"""So many tokens of prompts are read in one pass, about 0.3 s with the default model; then a reply can be given up."""

NICE = 5
"""The model's threads stand behind those that hear, speak and serve pages, where both want a processor (Linux)."""


class Loop:
    """A fair queue, and the one thread that reads the model for those whose turn it is.

    The same thread reads for all because torch starts a set of helper threads for each thread that calls it. It ends
    with the process without holding it up.
    """

    def __init__(
        self, passes: Passes, kept: KeptBlocks, prepare: Callable[[Reply], None], at_once: int, read_at_once: int
    ) -> None:
        """`prepare` gives a reply its tokens; it may raise `EngineError`. `at_once` replies are written at a time, and
        `read_at_once` tokens of prompts are read in a pass."""
        self._passes = passes
        self._kept = kept
        self._prepare = prepare
        self._at_once = at_once
        self._read_at_once = read_at_once
        self._waiting: FairQueue[Reply] = FairQueue()
        self._active: list[Reply] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()
        # A thread that is inside torch when Python goes down aborts the process.
        atexit.register(self.close)

    def add(self, reply: Reply) -> bool:
        """Queue `reply`. False when the loop is closed."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.add(reply, reply.conversation, reply.priority)
            self._changed.notify()
            return True

    def give_up(self, reply: Reply) -> None:
        """Nobody reads `reply` any more: it leaves the queue at once, or the model after this pass."""
        reply.closed.set()
        with self._changed:
            if self._waiting.withdraw(reply):
                reply.end()

    def place(self, reply: Reply) -> int:
        """How many replies have to end before this one is begun."""
        with self._changed:
            taken = sum(one.priority == "interactive" or reply.priority == "batch" for one in self._active)
            return self._waiting.endings_before(reply, self._at_once - taken)

    def close(self) -> None:
        """Give up what waits and what is being written, and end the thread. Safe to call twice."""
        with self._changed:
            self._closed = True
            given_up = [*self._waiting.order(), *self._active]
            while self._waiting.next() is not None:
                pass
            self._changed.notify()
        for reply in given_up:
            reply.closed.set()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        for reply in given_up:
            # Not as if it were whole: what was written of it may end in the middle of a sentence.
            reply.end(EngineError("The language model was closed."))
        atexit.unregister(self.close)

    def _work(self) -> None:
        if hasattr(os, "setpriority"):
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            with torch.inference_mode():
                while self._turn():
                    pass
        except Exception as error:  # a defect; whoever waits must not wait for ever
            with self._changed:
                self._closed = True
                left = [*self._waiting.order(), *self._active]
            for reply in left:
                reply.end(error)
            raise

    def _turn(self) -> bool:
        """Let in whose turn it is, and make one pass. False when the loop is closed."""
        with self._changed:
            while not self._waiting and not self._active and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            fresh = self._let_in()
        for reply in fresh:
            self._begin(reply)
        for reply in [one for one in self._active if one.closed.is_set()]:
            self._leave(reply)
        if self._active:
            now = [one for one in self._active if one.priority == "interactive"] or self._active
            try:
                self._pass(now)
            except Exception as error:
                for reply in now:
                    self._leave(reply, error)
        return True

    def _let_in(self) -> list[Reply]:
        """Those who get a place now. What is batch work has none while somebody waits for a reply."""
        fresh: list[Reply] = []
        while True:
            interactive = sum(one.priority == "interactive" for one in self._active)
            urgent = bool(interactive) or self._waiting.urgent()
            if (interactive if urgent else len(self._active)) >= self._at_once:
                return fresh
            reply = self._waiting.next(batch=not urgent)
            if reply is None:
                return fresh
            self._active.append(reply)
            fresh.append(reply)

    def _begin(self, reply: Reply) -> None:
        reply.begin()
        try:
            self._prepare(reply)
            blocks = self._kept.beginning(reply.tokens) if self._passes.together else []
            reply.state = self._passes.begin(reply.most_tokens, blocks, reply.shared)
            reply.kept = len(blocks)
            reply.read = reply.usage.tokens_cached = BLOCK * len(blocks)
        except Exception as error:
            self._leave(reply, error)

    def _leave(self, reply: Reply, error: Exception | None = None) -> None:
        """Free the place of `reply`, if it has not left already."""
        with self._changed:
            if reply in self._active:
                self._active.remove(reply)
        if reply.state is not None:
            self._passes.end(reply.state)
            reply.state = None
        reply.end(error)

    def _pass(self, now: Sequence[Reply]) -> None:
        writing = [reply for reply in now if not reply.reading]
        reading = [reply for reply in now if reply.reading]
        pieces = [Piece(reply.state, reply.tokens[-1:], True) for reply in writing]
        answered = list(writing)
        room = self._read_at_once
        for reply in reading:
            while reply.reading and (room > 0 or not pieces):
                piece = self._piece(reply)
                pieces.append(piece)
                room -= len(piece.tokens)
                reply.read += len(piece.tokens)
                if not reply.reading:
                    answered.append(reply)
                if reply.read == reply.shared:
                    break
        scores = self._passes.read(pieces)
        for reply in writing:
            reply.read += 1
        for reply in reading:
            if reply.read == reply.shared > reply.kept * BLOCK:  # it has just been read to there
                try:
                    self._keep(reply, reply.shared)
                except Exception as error:
                    self._leave(reply, error)
        for reply, its in zip(answered, scores, strict=True):
            try:
                if reply not in writing:
                    self._keep(reply, reply.usage.tokens_in)
                if not reply.closed.is_set() and reply.take(its):
                    self._leave(reply)
            except Exception as error:  # one reply's failure is no other's
                self._leave(reply, error)

    def _piece(self, reply: Reply) -> Piece:
        """The next tokens of a prompt: to the end of a block, or to its own end."""
        prompt = reply.usage.tokens_in
        end = min(prompt, reply.read + BLOCK) if self._passes.together else prompt
        return Piece(reply.state, reply.tokens[reply.read : end], end == prompt)

    def _keep(self, reply: Reply, tokens: int) -> None:
        """Keep the blocks of the first `tokens` of a prompt, which have been read."""
        blocks = self._passes.blocks(reply.state, reply.kept, tokens // BLOCK)
        self._kept.keep(reply.tokens[:tokens], [*([None] * reply.kept), *blocks])
        reply.kept = tokens // BLOCK
