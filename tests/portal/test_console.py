"""The console: who may come in."""

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient


def test_only_who_is_signed_in_sees_the_dashboard(app: Flask, console_as: Callable[..., FlaskClient]) -> None:
    assert app.test_client().get("/console/").status_code == 303
    assert "Dashboard" in console_as("researcher").get("/console/").text
    assert console_as("administrator").get("/console/").status_code == 403
