"""Reading what somebody sent: the checks at the edge, once for pages and robots."""

from typing import Any

from flask import abort, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from study.errors import OutOfRange

__all__ = ["LIMIT", "after", "body", "rating", "said", "sent", "whole", "words"]

LIMIT = 4000
"""The longest message, in characters: about two pages."""

LARGEST_READ = 1024 * 1024
"""Of a body that is too large to be taken, so many bytes at most are read to be screened."""


def body() -> dict[str, Any]:
    """The request's fields, from a form or from a JSON object."""
    if request.is_json:
        try:
            data = request.get_json(silent=True)
        except RecursionError:
            data = None
        if not isinstance(data, dict):
            abort(400, "The body must be a JSON object.")
    else:
        data = request.form.to_dict()
    return {whole(name): whole(value) if isinstance(value, str) else value for name, value in data.items()}


def whole(text: str) -> str:
    """The same with a mark in place of each half of a character, such as JSON can name and no file can keep."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def sent() -> dict[str, Any]:
    """The fields of a request that is refused; none where they cannot be read."""
    try:
        return body()
    except RequestEntityTooLarge:
        if (request.content_length or 0) > LARGEST_READ:
            return {}
        request.max_content_length = request.max_form_memory_size = LARGEST_READ
        return sent()
    except HTTPException:
        return {}


def said(fields: dict[str, Any]) -> list[str]:
    """What somebody wrote in these fields, in their own words."""
    own = [name for name in fields if name in ("words", "reason") or name.startswith("answer-")]
    return [text for name in own if isinstance(text := fields[name], str) and text.strip()]


def words(fields: dict[str, Any], name: str = "words") -> str:
    """The message in `fields`. Ends the request with 422 when it is empty and 413 when it is too long."""
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        abort(422, f"{name} must be a text that is not empty.")
    if len(value) > LIMIT:
        abort(413, f"{name} must have at most {LIMIT} characters.")
    return value.strip()


def after() -> int:
    """The number of the last turn that a page has, from its address; 0 when it says none."""
    value = request.args.get("after", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else 0


def text_of(fields: dict[str, Any], name: str, longest: int = 100) -> str:
    """A short text such as a token or a code. Ends the request with 422 when it is missing."""
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        abort(422, f"{name} must be a text of 1 to {longest} characters.")
    return value


def rating(fields: dict[str, Any]) -> int:
    """The rating in `fields`. Raises `OutOfRange` when it is no whole number; the study checks its bounds."""
    value = fields.get("value")
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 8:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise OutOfRange("value must be a whole number from 0 to 100.")


def occasion(fields: dict[str, Any]) -> Any:
    """`before` or `after`. Ends the request with 422 for anything else."""
    value = fields.get("occasion")
    if value not in ("before", "after"):
        abort(422, "occasion must be before or after.")
    return value
