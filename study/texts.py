"""All text that a participant reads or hears outside the exercises, by language.

The English is data, in `study/texts/en/*.toml`, so that it can be reviewed as a unit; other languages are gettext
catalogues of it, `study/texts/<language>.po` (see `catalogues`).
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalogues import NotTranslated, Source
from study.errors import StudyError

if TYPE_CHECKING:
    from study.protocol import Contact

__all__ = ["SOURCE", "crisis_message", "languages", "texts", "unfinished"]

SOURCE = Source(Path(__file__).parent, (("", "texts/en/*.toml"),))


@cache
def texts(language: str, part: str) -> dict[str, Any]:
    """The texts of one part (`screens`, `crisis`, `robot`, `messages`) in `language`.

    Raises `StudyError` when the language lacks one of them.
    """
    data = (SOURCE.folder / "texts" / "en" / f"{part}.toml").read_bytes()
    try:
        return SOURCE.translated(part, data, language)[0]
    except NotTranslated as error:
        raise StudyError(f"study/{error}") from None


def languages() -> list[str]:
    """The languages in which every text is there."""
    return [language for language in SOURCE.languages() if not SOURCE.mistakes(language)]


def unfinished(language: str, lacking: list[str], complete: list[str]) -> str:
    """The sentence with which a study in a language that lacks something is refused."""
    more = f", and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"{language!r} is not complete ({lacking[0]}{more}); allowed: {', '.join(complete)}"


def crisis_message(language: str, contacts: "list[Contact]") -> str:
    """The fixed message that is said when a visit is stopped, with the study's own contacts in it."""
    said = texts(language, "crisis")
    people = " ".join(said["contact"].format(name=contact.name, reach=contact.reach) for contact in contacts)
    return f"{said['before']} {people} {said['after']}"
