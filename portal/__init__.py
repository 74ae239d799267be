"""The front door: participants' links, the researchers' console and the device API, in one Flask application.

`create_app` takes an open study and the engines of its arms; `portal.server` runs it under gunicorn.
"""

from portal.app import create_app

__all__ = ["create_app"]
