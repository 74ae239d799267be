"""The console: where those who run the study follow it. One module for each thing that they do there."""

from flask import Flask

from portal.console import accounts, home, signing

__all__ = ["register"]


def register(app: Flask) -> None:
    """Put every part of the console into the application."""
    for part in (signing.blueprint, home.blueprint, accounts.blueprint, accounts.own):
        app.register_blueprint(part)
