"""The front door: participants' links, the researchers' console and the device API, in one Flask application.

`portal.app.create_app` takes an open study and the engines of its arms; `portal.server` runs it under gunicorn. Nothing
is imported here: the command line needs no more of this room than its errors.
"""
