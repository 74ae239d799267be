"""The console: where those who run the study follow it. One module for each thing that they do there."""

from flask import Flask

from portal.console import (
    accounts,
    data,
    devices,
    enrolling,
    home,
    identities,
    paper,
    people,
    protocol,
    safety,
    signing,
    taking_over,
    transcripts,
    values,
    wording,
)
from portal.console.home import mark, newest_event, open_events

__all__ = ["register"]


def register(app: Flask) -> None:
    """Put every part of the console into the application."""
    for part in (
        signing.blueprint,
        home.blueprint,
        people.blueprint,
        enrolling.blueprint,
        values.blueprint,
        identities.blueprint,
        safety.blueprint,
        devices.blueprint,
        data.blueprint,
        protocol.blueprint,
        paper.blueprint,
        accounts.blueprint,
        accounts.own,
        transcripts.blueprint,
        taking_over.blueprint,
    ):
        app.register_blueprint(part)
    app.jinja_env.globals |= {"mark": mark, "open_events": open_events, "newest_event": newest_event}
    app.jinja_env.filters |= {"at": wording.at, "since": wording.since, "span": wording.span}
