"""Running the portal under gunicorn: one process, because there is one model, and many threads."""

import resource
import socket
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from portal.errors import PortalError
from portal.stream import STREAMS

__all__ = ["CANNOT_LOAD", "listen_on", "serve"]

CANNOT_LOAD = 4
"""gunicorn's own status for an application that cannot be loaded: it does not try again."""

THREADS = STREAMS + 32
"""Requests served at a time: pages that read an answer, and everything else. A thread is begun when it is needed."""

FILES = 4096
"""Open files that so many threads may need: each has a connection to the browser and one to the record."""


def listen_on(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the system choose. Raises `PortalError` when the address cannot be had."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except socket.gaierror:
        raise PortalError(f"{host} is no address of this machine; 127.0.0.1 serves this machine alone.") from None
    except OverflowError:
        raise PortalError(f"{port} is no port; choose one from 1 to 65535.") from None
    except OSError as error:
        raise PortalError(
            f"Port {port} on {host} cannot be used ({error.strerror}); stop what uses it, or choose another --port."
        ) from None
    return listener


def serve(listener: socket.socket, make_app: Callable[[], Flask]) -> None:
    """Serve until told to stop. `make_app` is called in the process that serves, where the model is to live.

    When `make_app` exits with `CANNOT_LOAD`, having said why, the server ends with that status too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    _Server(listener, make_app).run()


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn is untyped
    def __init__(self, listener: socket.socket, make_app: Callable[[], Flask]) -> None:
        self._listener = listener
        self._make_app = make_app
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"fd://{self._listener.fileno()}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "timeout": 0,  # the worker loads a model before it answers anybody
            "graceful_timeout": 3,
            "keepalive": 15,
            "loglevel": "critical",  # what went wrong is said by the application, in one line or with its traceback
            "accesslog": None,  # an address is a key
            "forwarded_allow_ips": "",  # whether a proxy is believed is decided in `portal.doors`
            "proc_name": "bedside",
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()
