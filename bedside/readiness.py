"""Before a study is served: is everything filled in that participants read, and can the people named be told?

A rehearsal and the demo may go without; nobody takes part in them.
"""

import re
from collections.abc import Mapping
from typing import Any

from study.errors import StudyError
from study.messages import unset_variables
from study.protocol import Protocol

__all__ = ["NotReady", "refuse_unready", "unfilled", "unset"]

_SEEN = ("title", "contacts", "screening", "eligibility", "consent")
"""The keys of a protocol whose texts participants read, beside `safety.contacts`."""

_PLACEHOLDER = re.compile(r"(?<!\w)<(?![^<>]*(?:@|://))[^\W\d_][^<>]*>")
"""A text in angle brackets, as the templates have them: no address in brackets, no `<` between numbers."""


class NotReady(StudyError):
    """A study is not served, because study.toml still lacks something that only its researchers know."""


def refuse_unready(protocol: Protocol) -> None:
    """Raises `NotReady`, naming the keys, for what `unfilled` or `unset` find."""
    if keys := unfilled(protocol):
        raise NotReady(
            f"The study is not served: participants would read texts in <angle brackets>, which are yours to fill in "
            f"in study.toml: {', '.join(keys)}."
        )
    if lacking := unset(protocol):
        raise NotReady(
            f"The study is not served, because nobody would be told: {'; '.join(lacking)}. Set what is missing in the "
            "environment of `bedside serve`."
        )


def unfilled(protocol: Protocol) -> list[str]:
    """The keys of texts that participants read and in which a placeholder in angle brackets stands."""
    whole = protocol.model_dump(exclude_none=True)
    shown = {key: whole[key] for key in _SEEN if key in whole}
    found = [key for key, text in _texts(shown, "") if _PLACEHOLDER.search(text)]
    contacts = _texts(whole["safety"]["contacts"], "safety.contacts")
    return found + [key for key, text in contacts if _PLACEHOLDER.search(text)]


def unset(protocol: Protocol) -> list[str]:
    """One phrase for each address that names an environment variable which is not set: its key and the variable."""
    return [
        *unset_variables("safety.notify", protocol.safety.notify),
        *unset_variables("safety.escalate", protocol.safety.escalate),
        *unset_variables("reminders.send", protocol.reminders.send),
    ]


def _texts(value: Any, key: str) -> list[tuple[str, str]]:
    """Every text in `value` with its key, such as `contacts[1].name`."""
    if isinstance(value, str):
        return [(key, value)]
    if isinstance(value, Mapping):
        parts = [(f"{key}.{name}".lstrip("."), part) for name, part in value.items()]
    elif isinstance(value, list):
        parts = [(f"{key}[{number}]", part) for number, part in enumerate(value, 1)]
    else:
        return []
    return [found for name, part in parts for found in _texts(part, name)]
