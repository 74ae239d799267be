"""Starting and ending ROS in a process of ours."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
    from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    executor = MultiThreadedExecutor(num_threads=2)
    ending = threading.Event()

    def spin() -> None:
        try:
            while not ending.is_set():
                executor.spin_once(timeout_sec=0.2)
        except ExternalShutdownException:
            pass

    thread = threading.Thread(target=spin, name="executor")
    thread.start()
    try:
        yield executor
    finally:
        ending.set()
        executor.wake()
        thread.join()
        for node in executor.get_nodes():
            node.destroy_node()
        executor.shutdown()
        rclpy.shutdown()
