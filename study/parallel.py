"""A function over a list of work: on every core of this machine or, when `RAY_ADDRESS` is set, on a Ray cluster.

Results come as they are done, in whatever order that is. So the function must make its result from its piece of work
alone: then nothing depends on how many cores there are. It is a function of a module, and its pieces of work and their
results can be pickled. Each worker reckons in one thread: as many workers as cores would otherwise get in each other's
way, and sums would be rounded differently where the number of threads differs.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from study.errors import StudyError

__all__ = ["cores", "each", "where"]

Work = TypeVar("Work")
Result = TypeVar("Result")

RAY_ADDRESS = "RAY_ADDRESS"
"""Ray's own variable: host:port of a cluster, or auto for the one that runs on this machine."""

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def where(jobs: int) -> str:
    """In words, where `each` would work."""
    address = os.environ.get(RAY_ADDRESS)
    return f"the Ray cluster at {address}" if address else f"{jobs} {'core' if jobs == 1 else 'cores'} of this machine"


def each(function: Callable[[Work], Result], work: Sequence[Work], *, jobs: int) -> Iterator[tuple[int, Result]]:
    """The place in `work` and the result of every piece, as they are done.

    `jobs` is the number of processes here; a Ray cluster has its own. An error in `function` ends it all and is raised
    here. Raises `StudyError` when the workers cannot be had, or are lost.
    """
    if os.environ.get(RAY_ADDRESS):
        yield from _on_ray(function, work, os.environ[RAY_ADDRESS])
    else:
        yield from _on_this_machine(function, work, jobs)


def _on_this_machine(
    function: Callable[[Work], Result], work: Sequence[Work], jobs: int
) -> Iterator[tuple[int, Result]]:
    waiting = iter(enumerate(work))
    running: dict[Future[Result], int] = {}
    # Spawned, not forked: a process that has threads may not be forked, and a fresh one reads the number of threads.
    workers = ProcessPoolExecutor(
        min(jobs, max(1, len(work))), mp_context=get_context("spawn"), initializer=_become_worker
    )
    with _environment(_ONE_THREAD), workers:
        try:
            while True:
                # No more is handed out than is being worked on, so that one who stops waits for that alone.
                for place, piece in waiting:
                    running[workers.submit(function, piece)] = place
                    if len(running) >= jobs:
                        break
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            raise StudyError(
                "A process that was at work has been ended from outside, perhaps because memory ran out; "
                "fewer at once (--jobs) need less."
            ) from None
        finally:
            workers.shutdown(cancel_futures=True)


def _become_worker() -> None:
    """Whoever started this process decides when it ends: Ctrl-C is theirs, and it does not outlive them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def leave_with_parent() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def _on_ray(function: Callable[[Work], Result], work: Sequence[Work], address: str) -> Iterator[tuple[int, Result]]:
    """The same on a cluster, whose nodes have Bedside installed. More is handed out than it has cores, for the way."""
    try:
        import ray
    except ImportError:
        raise StudyError(
            f"{RAY_ADDRESS} is {address!r}, and the package ray is not installed: pip install 'bedside[ray]', "
            f"or unset {RAY_ADDRESS} to use this machine."
        ) from None
    joined = not ray.is_initialized()
    if joined:
        _join(ray, address)
    try:
        task: Any = ray.remote(num_cpus=1, max_retries=3)(function)
        room = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting = iter(enumerate(work))
        running: dict[Any, int] = {}
        while True:
            for place, piece in waiting:
                running[task.remote(piece)] = place
                if len(running) >= room:
                    break
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            for reference in done:
                yield running.pop(reference), ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ModuleNotFoundError):
            raise StudyError(
                f"A node of the Ray cluster at {address} lacks a module ({error.cause}); install Bedside on every node."
            ) from None
        raise
    finally:
        if joined:
            ray.shutdown()


def _join(ray: Any, address: str) -> None:
    """Become a client of the cluster. Raises `StudyError` in seconds where Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    try:
        if colon and port.isdigit():
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    # Ray ends the whole process (SystemExit) when it gives up.
    except (OSError, RuntimeError, ValueError, SystemExit, ray.exceptions.RayError) as error:
        lines = [] if isinstance(error, SystemExit) else str(error).strip().splitlines()
        raise StudyError(
            f"No Ray cluster can be reached at {RAY_ADDRESS}={address} ({lines[0] if lines else 'Ray gave up'}); one "
            "that asks for a token wants RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, too."
        ) from None


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """`values` in the environment of the processes that are started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
