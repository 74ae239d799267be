"""What is said, in which language: English texts are TOML, other languages are gettext catalogues of them.

The English files are the source and are reviewed as a unit. A language is one `.po` file a room: its `msgctxt` is the
text's key (`screens.rating.question`), its `msgid` the English text. So a translation belongs to exactly one place,
and one whose English has changed since is known and not used. Numbers, names and structure stand in the English file
alone: an exercise has the same steps in every language.
"""

import hashlib
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

__all__ = ["Counted", "NotTranslated", "Source", "Text"]

Text = str | tuple[str, str]
"""An English text, or two: for one thing, and for any other number of things."""

SOURCE = "en"


class NotTranslated(LookupError):
    """A text that its language lacks, or a language that there is not."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A text that depends on how many there are: in English TOML a table of `one` and `other`."""

    forms: tuple[str, ...]
    choose: Callable[[int], str] = field(compare=False)
    """Which of them so many take: the language's own rule."""

    def __call__(self, count: int, **values: object) -> str:
        """The text for `count`, which may stand in it as `{count}`."""
        return self.choose(count).format(count=count, **values)


@dataclass(frozen=True)
class Source:
    """The texts of one room: where its English tables are, and its translations."""

    folder: Path
    """The room's own folder."""
    tables: tuple[tuple[str, str], ...]
    """What the keys of a table begin with, and the pattern of its files: `("exercises.", "exercises/*.toml")`."""
    catalogues: str = "texts"
    """The folder of the catalogues within the room."""
    leave: frozenset[str] = frozenset()
    """Keys whose values are no text that anybody reads or hears."""

    def languages(self) -> list[str]:
        """The languages there are, complete or not, English first."""
        return [SOURCE, *sorted(path.stem for path in (self.folder / self.catalogues).glob("*.po"))]

    def english(self) -> dict[str, Text]:
        """Every English text by its key."""
        found: dict[str, Text] = {}
        for prefix, pattern in self.tables:
            for path in sorted(self.folder.glob(pattern)):
                _each(tomllib.loads(path.read_text(encoding="utf-8")), f"{prefix}{path.stem}", self.leave, found)
        return found

    def translated(self, key: str, data: bytes, language: str) -> tuple[dict[str, Any], str]:
        """The table in the bytes of an English file, its texts in `language`, and the SHA-256 of what was read.

        The hash is that of the file; for another language it covers the file and every text put into it. Raises
        `NotTranslated`, and `tomllib.TOMLDecodeError` or `UnicodeDecodeError` for bytes that are no TOML.
        """
        table = tomllib.loads(data.decode("utf-8"))
        if language == SOURCE:
            return _put(table, key, self.leave, _english), hashlib.sha256(data).hexdigest()
        known, used = self._known(language), []

        def look(place: str, text: Text) -> str | Counted:
            said = known(place, text)
            used.append((place, said.forms if isinstance(said, Counted) else said))
            return said

        whole = _put(table, key, self.leave, look)
        return whole, hashlib.sha256(data + json.dumps(used, ensure_ascii=False).encode()).hexdigest()

    def mistakes(self, language: str) -> list[str]:
        """What is wrong with a language, a line for each text; none when it is complete."""
        if language not in self.languages():
            return [f"there is no catalogue {self.catalogues}/{language}.po"]
        if language == SOURCE:
            return []
        catalog, english = self._catalog(language), self.english()
        by_key = {str(message.context): message for message in catalog if message.id}
        lines = [
            f"{key}: {wrong}" for key, text in english.items() if (wrong := _wrong(by_key.get(key), text, catalog))
        ]
        return lines + [f"{key}: there is no such text in English" for key in by_key if key not in english]

    def update(self, language: str) -> Path:
        """Write the language's catalogue anew from the English texts, keeping what fits, and return its path.

        A translation whose English has changed is kept and marked fuzzy: it is not used until somebody has looked.
        """
        path = self.folder / self.catalogues / f"{language}.po"
        old = self._catalog(language) if path.exists() else Catalog(locale=_locale(language))
        new = Catalog(
            locale=_locale(language), project="Bedside", copyright_holder="the authors of Bedside", fuzzy=False,
            header_comment=f"# What Bedside says in {language}. The English beside it is the source.",
            creation_date=old.creation_date, revision_date=old.revision_date, last_translator=old.last_translator,
        )  # fmt: skip
        by_key = {message.context: message for message in old if message.id}
        for key, text in self.english().items():
            before = by_key.get(key)
            added = new.add(text, context=key)
            if before is not None and before.string:
                added.string = before.string
                if before.fuzzy or before.id != text:
                    added.flags.add("fuzzy")
        for message in new:
            message.flags.discard("python-brace-format")
            message.flags.discard("python-format")
        written = BytesIO()
        write_po(written, new, width=0, omit_header=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written.getvalue())
        return path

    def _catalog(self, language: str) -> Catalog:
        path = self.folder / self.catalogues / f"{language}.po"
        return _read(path, language, path.stat().st_mtime_ns)

    def _known(self, language: str) -> Callable[[str, Text], str | Counted]:
        if language not in self.languages():
            raise NotTranslated(f"There is no language {language!r}; allowed: {', '.join(self.languages())}.")
        catalog = self._catalog(language)
        path = self.folder / self.catalogues / f"{language}.po"
        spoken = _compiled(path, language, path.stat().st_mtime_ns)

        def look(key: str, text: Text) -> str | Counted:
            message = catalog.get(text[0] if isinstance(text, tuple) else text, key)
            wrong = _wrong(message, text, catalog)
            if message is None or wrong:
                raise NotTranslated(f"{self.catalogues}/{language}.po: {key}: {wrong}")
            if isinstance(text, tuple):
                return Counted(_forms(message), lambda count: spoken.npgettext(key, *text, count))
            return str(message.string)

        return look


def _wrong(message: Message | None, text: Text, catalog: Catalog) -> str | None:
    """What is wrong with a translation of `text`; None when it can be used."""
    forms = _forms(message)
    if message is None or not all(forms):
        return "not translated"
    if message.id != text:
        return "the English has changed since it was translated"
    if message.fuzzy:
        return "marked fuzzy: somebody has to look at it"
    if isinstance(text, tuple) and len(forms) != catalog.num_plurals:
        return f"has {len(forms)} forms; the language has {catalog.num_plurals}"
    wanted = _places(text if isinstance(text, str) else text[1])
    for form in forms:
        # A form for exactly one thing may do without the number.
        if (_places(form) ^ wanted) - ({"count"} if isinstance(text, tuple) else set()):
            return f"has not the same {{names}} as the English: {', '.join(sorted(wanted)) or 'none'}"
    return None


def _forms(message: Message | None) -> tuple[str, ...]:
    """The translation, or for a text that depends on a count its forms; an empty one where there is none."""
    if message is None or not message.string:
        return ("",)
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def _places(text: str) -> set[str]:
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError:
        return {"a bracket that is not closed"}


def _english(key: str, text: Text) -> str | Counted:
    if isinstance(text, str):
        return text
    one, other = text
    return Counted(text, lambda count: one if count == 1 else other)


def _locale(language: str) -> Locale:
    return Locale.parse(language, sep="-")


@cache
def _read(path: Path, language: str, changed: int) -> Catalog:
    """The catalogue in a file, read once for each time that it was changed."""
    with path.open("rb") as file:
        return read_po(file, locale=_locale(language))


@cache
def _compiled(path: Path, language: str, changed: int) -> GNUTranslations:
    """The catalogue as gettext itself reads it, which knows the language's rule for its plurals."""
    written = BytesIO()
    write_mo(written, _read(path, language, changed))
    written.seek(0)
    return GNUTranslations(written)


def _put(value: Any, key: str, leave: frozenset[str], look: Callable[[str, Text], Any]) -> Any:
    """`value` with each text in it replaced by what `look` has for its key."""
    match value:
        case str():
            return look(key, value)
        case {"one": str(one), "other": str(other)} if len(value) == 2:
            return look(key, (one, other))
        case dict():
            return {
                name: inner if name in leave else _put(inner, f"{key}.{name}", leave, look)
                for name, inner in value.items()
            }
        case list():
            return [_put(inner, f"{key}.{_name(inner, place)}", leave, look) for place, inner in enumerate(value, 1)]
        case _:
            return value


def _name(inner: Any, place: int) -> str:
    """What an entry of a list is called: its `id`, or its place counted from one."""
    return str(inner.get("id", place)) if isinstance(inner, dict) else str(place)


def _each(table: dict[str, Any], key: str, leave: frozenset[str], found: dict[str, Text]) -> None:
    _put(table, key, leave, found.__setitem__)
