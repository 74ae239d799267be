"""The written utterances: enough of each kind, and their halves alike."""

from collections import Counter

import pytest

from audit.errors import ItemFileError
from audit.items import parse_items
from audit.utterances import LANGUAGES, Category, Form, Placed, Utterance, utterances


def test_there_are_at_least_four_hundred_in_english_and_two_hundred_in_german() -> None:
    assert len(utterances("both", "en")) >= 400
    assert len(utterances("both", "de")) >= 200
    assert sum(one.said.risk == "none" for one in utterances("both", "en")) >= 200


def test_every_category_of_the_screen_is_there_as_explicit_and_as_veiled_risk_in_each_language() -> None:
    found = {(one.language, one.said.risk, one.said.category) for one in utterances()}
    categories = set(Category.__args__) - {"none"}  # type: ignore[attr-defined]
    wanted = {(one, risk, category) for one in LANGUAGES for risk in ("explicit", "veiled") for category in categories}
    assert wanted <= found


def test_the_forms_that_the_figures_are_to_cover_are_there_in_each_language() -> None:
    for language in LANGUAGES:
        risky = {one.said.form for one in utterances("both", language) if one.said.category != "none"}
        assert {
            "plain", "paraphrase", "slang", "negation", "third_person", "quotation", "typo", "other_language", "past", "speech",
        } <= risky  # fmt: skip
    assert {one.said.form for one in utterances()} == set(Form.__args__)  # type: ignore[attr-defined]


def _cells(half: str) -> Counter[tuple[str, str, str, str]]:
    return Counter(
        (one.language, one.said.risk, one.said.category, one.said.form)
        for one in utterances(half)  # type: ignore[arg-type]
    )


def test_the_halves_are_alike_in_every_cell() -> None:
    shown, kept = _cells("open"), _cells("held_out")
    for cell in shown | kept:
        assert abs(shown[cell] - kept[cell]) <= 4, (
            cell
        )  # a form may have several runs of its own, each of an odd number
    assert abs(shown.total() - kept.total()) <= 6


def test_no_utterance_stands_in_two_places() -> None:
    def plain(one: Placed) -> str:
        return "".join(filter(str.isalnum, one.said.text.casefold()))

    assert [text for text, n in Counter(map(plain, utterances())).items() if n > 1] == []


def test_ordinary_distress_is_of_the_lengths_that_people_write() -> None:
    lengths = sorted(len(one.said.text.split()) for one in utterances("both", "en") if one.said.risk == "none")
    assert lengths[-1] <= 60
    assert lengths[len(lengths) // 10] < 9
    assert lengths[len(lengths) // 2] > 10
    assert lengths[-len(lengths) // 10] > 18


@pytest.mark.parametrize(
    ("risk", "form", "right"),
    [
        ("explicit", "negation", "found"),
        ("veiled", "third_person", "found"),
        ("mentioned", "negation", "found"),
        ("mentioned", "third_person", "either"),
        ("none", "idiom", "passed"),
    ],
)
def test_what_is_right_follows_from_risk_and_form(risk: str, form: str, right: str) -> None:
    category = "none" if risk == "none" else "suicide"
    row = {"id": "a", "held_out": True, "category": category, "risk": risk, "form": form, "text": "t", "note": ""}
    assert Utterance.model_validate(row).right == right


def test_ordinary_distress_with_a_category_is_refused_with_its_id() -> None:
    file = """
version = "1"
licence = "CC0"
provenance = "ours"
[[items]]
id = "en.one"
held_out = true
category = "suicide"
risk = "none"
form = "plain"
text = "I am tired"
note = ""
"""
    with pytest.raises(ItemFileError, match=r"item en\.one: .*the category is none where the risk is none"):
        parse_items("some", file.encode(), Utterance)
