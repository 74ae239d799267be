"""Starting and ending ROS in a process of ours."""

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["EndSignal", "spinning"]


class EndSignal:
    """SIGINT or SIGTERM, to be waited for.

    A pipe, and no `threading.Event`: a signal that comes while the event's own lock is held would wait for it forever.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def wait(self, seconds: float) -> bool:
        """Whether the signal has come; waits so long for it."""
        return bool(select.select([self._read], [], [], seconds)[0])

    @staticmethod
    def ignore() -> None:
        """Take no notice of such signals from now on. ROS's launch passes Ctrl-C on to nodes that have had it already,
        and Python, on its way out, would die of it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def _take(self, *_: object) -> None:
        with suppress(BlockingIOError):  # the pipe is full of signals
            os.write(self._write, b".")


@contextmanager
def spinning(*, arguments: list[str] | None = None) -> Iterator[Any]:
    """ROS started, with an executor that spins in a thread; nodes are added to what this yields.

    Discovery stays on this machine unless the environment says otherwise. On the way out the executor's thread ends
    before ROS does: one that still spins aborts the process.
    """
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("RCUTILS_COLORIZED_OUTPUT", "0")
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions
    from rclpy.task import Future

    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    # One thread is enough, and quicker: every callback of ours only puts something into a queue.
    executor = SingleThreadedExecutor()
    ended = Future()

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin_until_future_complete(ended)

    thread = threading.Thread(target=spin, name="executor")
    thread.start()
    try:
        yield executor
    finally:
        nodes = list(executor.get_nodes())
        # In this order: a callback under way while the executor shuts down finds it half gone.
        ended.set_result(None)
        thread.join()
        executor.shutdown()
        for node in nodes:
            node.destroy_node()
        rclpy.shutdown()
