"""Which languages an exercise can be held in: those with every text and with rules by which a crisis is decided."""

from therapist._datafiles import SOURCE, names_in

__all__ = ["ENGLISH_ONLY", "SOURCE", "lacks"]

ENGLISH_ONLY = {"eliza": "its script is English", "smollm2": "this model was taught English only"}
"""Engines, and models that come with one, that write no other language, and why."""


def lacks(language: str) -> list[str]:
    """What `language` lacks, a line each."""
    screen = [] if language in names_in("safety") else [f"there are no rules for a crisis, safety/{language}.toml"]
    return screen + SOURCE.mistakes(language)
