"""Which languages an exercise can be held in: those with every text and with rules by which a crisis is decided."""

from therapist._datafiles import SOURCE, names_in

__all__ = ["ENGLISH_ONLY", "SOURCE", "lacks"]

ENGLISH_ONLY = {"eliza": "its script is English", "smollm2": "this model was taught English only"}
"""Engines, and models that come with one, that write no other language, and why."""


def lacks(language: str) -> list[str]:
    """What `language` lacks, a line each."""
    rules = {"safety": "a crisis", "feelings": "a feeling that is told"}
    missing = [
        f"there are no rules for {what}, {folder}/{language}.toml"
        for folder, what in rules.items()
        if language not in names_in(folder)
    ]
    return missing + SOURCE.mistakes(language)
