"""Starting and ending ROS in a process of ours."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["spinning"]


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
