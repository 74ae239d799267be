"""The API: how robots and other programs take part, under `/api/v1`. docs/api.md describes it.

Each call is one function in `portal.api.views`, declared with everything that is said of it: its scope, the models of
its body and its answer, what it may be refused for. The same declaration checks a request, shapes its answer, and is
what `portal.api.document` makes the OpenAPI document from, so that the document says what the code does.
"""

from portal.api.calling import CALLS
from portal.api.document import document
from portal.api.views import blueprint

__all__ = ["CALLS", "PREFIX", "blueprint", "document", "no_such_call"]

PREFIX = "/api/v1"


def no_such_call(path: str) -> str:
    """The sentence for a path under `/api/` that is none."""
    if path.startswith(PREFIX + "/") or path == PREFIX:
        return f"There is no such call; {PREFIX}/openapi.json lists them."
    return f"This portal speaks version 1 of the API, which is under {PREFIX}."
