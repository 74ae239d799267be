"""The console: where those who run the study follow it. One module for each thing that they do there."""

from flask import Flask

from portal.console import data, enrolling, home, identities, people, protocol, signing, values, wording
from portal.console.home import mark, newest_event, open_events

__all__ = ["register"]


def register(app: Flask) -> None:
    """Put every part of the console into the application."""
    parts = (signing, home, people, enrolling, values, identities, data, protocol)
    for part in parts:
        app.register_blueprint(part.blueprint)
    app.jinja_env.globals |= {"mark": mark, "open_events": open_events, "newest_event": newest_event}
    app.jinja_env.filters |= {"at": wording.at, "since": wording.since, "span": wording.span}
