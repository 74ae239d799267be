"""Catalogues: English tables, gettext files of them, and what is refused."""

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from catalogues import NotTranslated, Source
from study.texts import SOURCE as STUDY
from study.texts import languages, texts
from therapist.languages import SOURCE as THERAPIST
from therapist.languages import lacks

ENGLISH = """
title = "Day {day}"
id = "left alone"
days.one = "One day is left."
days.other = "{count} days are left."
many = ["First", "Second"]
[[steps]]
id = "begin"
ask = "What happened?"
reflect = true
"""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "page.toml").write_text(ENGLISH)
    return Source(tmp_path, (("", "en/*.toml"),), leave=frozenset({"id"}))


GERMAN = {
    "Day {day}": '"Tag {day}"',
    "First": '"Erstens"',
    "Second": '"Zweitens"',
    "What happened?": '"Was ist passiert?"',
}


def translate(source: Source, **instead: str) -> Path:
    """A whole German catalogue, but for what is given `instead`."""
    path = source.update("de")
    text = path.read_text()
    for english, german in {**GERMAN, **{key.replace("_", " "): value for key, value in instead.items()}}.items():
        text = text.replace(f'msgid "{english}"\nmsgstr ""', f'msgid "{english}"\nmsgstr {german}')
    path.write_text(
        text.replace('msgstr[0] ""', 'msgstr[0] "Ein Tag."').replace('msgstr[1] ""', 'msgstr[1] "{count} Tage."')
    )
    return path


@pytest.mark.parametrize("language", [one for one in STUDY.languages() if one != "en"])
def test_every_language_is_complete(language: str) -> None:
    assert STUDY.mistakes(language) == []
    assert lacks(language) == []
    assert language in languages()


@pytest.mark.parametrize("language", [one for one in STUDY.languages() if one != "en"])
@pytest.mark.parametrize("source", [STUDY, THERAPIST], ids=["study", "therapist"])
def test_a_catalogue_is_in_the_order_of_the_english_texts(source: Source, language: str) -> None:
    """So `bedside languages --update` was run, and a translator's program shows the texts as they are read."""
    with (source.folder / "texts" / f"{language}.po").open("rb") as file:
        assert [message.context for message in read_po(file) if message.id] == list(source.english())


def test_a_table_is_the_same_but_for_its_texts(source: Source) -> None:
    translate(source)
    assert source.mistakes("de") == []
    data = ENGLISH.encode()
    english, english_hash = source.translated("page", data, "en")
    german, german_hash = source.translated("page", data, "de")
    assert german["title"].format(day=3) == "Tag 3"
    assert german["many"] == ["Erstens", "Zweitens"]
    assert german["steps"] == [{"id": "begin", "ask": "Was ist passiert?", "reflect": True}]
    assert german["id"] == "left alone"
    assert [english["days"](1), english["days"](2)] == ["One day is left.", "2 days are left."]
    assert [german["days"](1), german["days"](0)] == ["Ein Tag.", "0 Tage."]
    assert len({english_hash, german_hash}) == 2


def test_the_hash_of_a_language_covers_its_texts(source: Source) -> None:
    path = translate(source)
    before = source.translated("page", ENGLISH.encode(), "de")[1]
    path.write_text(path.read_text().replace("Erstens", "Zuerst"))
    source.update("de")
    assert source.translated("page", ENGLISH.encode(), "de")[1] != before


@pytest.mark.parametrize(
    ("instead", "wrong"),
    [
        ({"First": '""'}, "page.many.1: not translated"),
        ({"Day_{day}": '"Tag {tag}"'}, "page.title: has not the same {names} as the English: day"),
        ({"Day_{day}": '"Tag"'}, "page.title: has not the same {names} as the English: day"),
        ({"Day_{day}": '"Tag {day"'}, "page.title: has not the same {names} as the English: day"),
    ],
)
def test_what_does_not_fit_is_named_and_not_used(source: Source, instead: dict[str, str], wrong: str) -> None:
    translate(source, **instead)
    assert source.mistakes("de") == [wrong]
    with pytest.raises(NotTranslated, match="page"):
        source.translated("page", ENGLISH.encode(), "de")


def test_a_text_whose_english_changed_waits_for_somebody_to_look(source: Source) -> None:
    translate(source)
    changed = ENGLISH.replace("What happened?", "What took place?").replace('"Second"', '"Second", "Third"')
    (source.folder / "en" / "page.toml").write_text(changed)
    assert source.mistakes("de") == [
        "page.many.3: not translated",
        "page.steps.begin.ask: the English has changed since it was translated",
    ]
    path = source.update("de")
    assert source.mistakes("de")[1] == "page.steps.begin.ask: marked fuzzy: somebody has to look at it"
    assert "Was ist passiert?" in path.read_text()


def test_a_text_that_is_no_more_is_named_and_dropped(source: Source) -> None:
    translate(source)
    (source.folder / "en" / "page.toml").write_text(ENGLISH.replace('title = "Day {day}"', ""))
    assert source.mistakes("de") == ["page.title: there is no such text in English"]
    source.update("de")
    assert source.mistakes("de") == []


def test_a_language_that_is_not_there_is_answered_with_those_there_are(source: Source) -> None:
    translate(source)
    with pytest.raises(NotTranslated, match="no language 'fr'; allowed: en, de"):
        source.translated("page", ENGLISH.encode(), "fr")


def test_the_texts_of_a_study_come_in_its_language() -> None:
    assert texts("en", "screens")["chat"]["send"] == "Send"
    assert texts("de", "screens")["chat"]["send"] == "Senden"
    assert texts("de", "screens")["ineligible"]["lead"](2).endswith("aus diesen Gründen nicht teilnehmen:")
