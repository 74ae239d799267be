"""Agreement: alpha as published, its interval, and scorers held against labels."""

import math
from importlib.resources import files

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import ItemFileError
from audit.scoring.agreement import _alphas, agreement, alpha, scorer_against_labels
from audit.scoring.labels import Label, load_labels, parse_labels

NONE = math.nan

# The worked examples of Krippendorff, K. (2011), "Computing Krippendorff's Alpha-Reliability", sections A to C.
MEG = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
OWEN = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
BEN = ["a", "a", "b", "b", "d", "c", "c", "c", "e", "d", "d", "a"]
GERRY = ["b", "a", "b", "b", "b", "c", "c", "c", "e", "d", "d", "d"]
FOUR = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
    [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
]


def numbers(letters: list[str]) -> list[float]:
    return [float("abcde".index(letter)) for letter in letters]


def test_alpha_of_two_observers_of_a_dichotomy_is_as_published() -> None:
    assert alpha([MEG, OWEN]) == pytest.approx(0.095, abs=5e-4)


def test_alpha_of_two_observers_of_nominal_values_is_as_published() -> None:
    assert alpha([numbers(BEN), numbers(GERRY)]) == pytest.approx(0.692, abs=5e-4)


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_four_observers_with_gaps_is_as_published(level, published) -> None:
    assert alpha(FOUR, level) == pytest.approx(published, abs=5e-4)


def test_alpha_is_not_defined_where_nothing_varies() -> None:
    assert alpha([[0, 0, 0], [0, 0, 0]]) is None
    assert alpha([[0, 1, NONE], [NONE, NONE, 1]]) is None
    found = agreement("rare", [0, 0, 0], [0, 0, 0], seed=1)
    assert (found.alpha, found.low, found.high, found.agree) == (None, None, None, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=25),
    level=st.sampled_from(["nominal", "ordinal", "interval"]),
)
def test_alpha_is_the_librarys_alone_and_in_the_bootstrap(pairs, level) -> None:
    first, second = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    expected = alpha([first, second], level)
    if expected is not None:
        library = krippendorff.alpha(reliability_data=[first, second], level_of_measurement=level)
        assert expected == pytest.approx(library)
    values, codes = np.unique(np.array(first + second), return_inverse=True)
    found = _alphas(np.ones((1, len(pairs))), codes[: len(pairs)], codes[len(pairs) :], values, level)[0]
    assert (expected is None and math.isnan(found)) or found == pytest.approx(expected)


def test_a_unit_drawn_twice_counts_as_two() -> None:
    first, second = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 1])
    drawn = _alphas(np.array([[2.0, 0, 1, 1]]), first, second, np.array([0.0, 1.0]), "nominal")[0]
    assert drawn == pytest.approx(alpha([[0, 0, 1, 0], [0, 0, 0, 1]]))


def test_the_interval_holds_the_value_is_seeded_and_narrows_with_more_replies() -> None:
    few, many = [*MEG, *OWEN] * 2, [*MEG, *OWEN] * 20
    seen_few, seen_many = [1 - few[0], *few[1:-3], 1, 1, 0], [1 - many[0], *many[1:-30], *([1, 1, 0] * 10)]
    small, large = agreement("code", few, seen_few, seed=3), agreement("code", many, seen_many, seed=3)
    assert small == agreement("code", few, seen_few, seed=3)
    assert large != agreement("code", many, seen_many, seed=4)
    for found in (small, large):
        assert found.low < found.alpha < found.high
    assert large.high - large.low < small.high - small.low


def test_the_interval_covers_the_true_agreement_about_as_often_as_it_says() -> None:
    """Two coders see a code in 40 % of replies and differ in 15 %: alpha in the long run is 1 - 0.15 / (2 p q)."""
    rng = np.random.default_rng(8)
    share = 0.4 * 0.85 + 0.6 * 0.15
    p = (0.4 + share) / 2
    true = 1 - 0.15 / (2 * p * (1 - p))
    inside = 0
    for seed in range(200):
        first = (rng.random(80) < 0.4).astype(float)
        second = np.where(rng.random(80) < 0.15, 1 - first, first)
        found = agreement("code", first.tolist(), second.tolist(), seed=seed, draws=400)
        inside += found.low <= true <= found.high
    assert 0.88 <= inside / 200 <= 0.99


def test_a_scorer_is_held_against_each_code_of_the_labels() -> None:
    labels = [
        Label(id=f"r{place}", context="I feel low.", reply=reply, codes={"asks": asks, "length": len(reply.split())})
        for place, (reply, asks) in enumerate([("How so?", 1), ("Fine.", 0), ("Tell me more.", 1), ("I see.", 0)])
    ]
    found = scorer_against_labels(
        labels, lambda label: {"asks": float("?" in label.reply)}, {"length": "ordinal"}, seed=1
    )
    assert [one.code for one in found] == ["asks", "length"]
    assert found[0].agree == 0.75
    assert found[0].alpha == pytest.approx(alpha([[1, 0, 1, 0], [1, 0, 0, 0]]))
    assert (found[1].n, found[1].alpha) == (0, None)


FILE = """
version = "1"
licence = "CC0-1.0"
provenance = "Written for the test."
[[labels]]
id = "a.1"
context = ["I lost my keys.", "Oh?", "Twice."]
reply = "Twice?"
codes = { asks = 1 }
"""


def test_a_file_of_labels_is_read_with_its_head() -> None:
    found = parse_labels("demo", FILE.encode())
    assert found.labels[0].turns == ("I lost my keys.", "Oh?", "Twice.")
    assert (found.licence, found.labels[0].rater, len(found.half("held_out"))) == ("CC0-1.0", "a", 0)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('reply = "Twice?"', "", "label a.1: reply"),
        ("codes = { asks = 1 }", 'codes = { asks = "yes" }', "label a.1: codes.asks"),
        ('licence = "CC0-1.0"', "", "'licence' is missing"),
        ("[[labels]]", "[[labels", "not valid TOML"),
    ],
)
def test_a_broken_file_of_labels_is_refused_with_the_place(old, new, says) -> None:
    with pytest.raises(ItemFileError, match=says):
        parse_labels("demo", FILE.replace(old, new).encode())


def test_a_reply_is_labelled_once_and_a_further_reader_reads_what_is_there() -> None:
    again = FILE[FILE.index("[[labels]]") :]
    with pytest.raises(ItemFileError, match="two labels have the id"):
        parse_labels("demo", (FILE + again).encode())
    further = '[readers]\nb = "somebody"\n[readings.b]\n"a.1" = { asks = 0 }\n'
    found = parse_labels("demo", (FILE + further).encode())
    (read,) = found.read_by("b", "both")
    assert (read.codes, read.rater, read.reply) == ({"asks": 0}, "b", found.labels[0].reply)
    assert found.read_by("b", "held_out") == ()
    for old, new, says in (
        ("a.1", "a.2", "read 'a.2', which is no label"),
        ("asks = 0", "nods = 0", "has the code 'nods', which 'a.1' has not"),
        ("asks = 0", "asks = nan", "readings.b.a.1.asks"),
        ('"a.1" = { asks = 0 }', "", "readings.b"),
        ("[readings.b]", "[reading.b]", "reading"),
        ("b =", "c =", "does not name those"),
        ("asks = 0", 'asks = "no"', "readings.b.a.1.asks"),
    ):
        with pytest.raises(ItemFileError, match=says):
            parse_labels("demo", (FILE + further.replace(old, new)).encode())
    with pytest.raises(ItemFileError, match="'a' is the letter"):
        parse_labels("demo", (FILE + further.replace("b =", "a =").replace("readings.b", "readings.a")).encode())


def test_a_file_of_labels_that_is_not_there_is_told() -> None:
    with pytest.raises(ItemFileError, match="no such file"):
        load_labels("nothing")


def test_every_file_of_labels_is_valid_and_says_who_labelled_it() -> None:
    folder = files("audit").joinpath("data", "labels")
    for file in folder.iterdir() if folder.is_dir() else ():
        found = load_labels(file.name.removesuffix(".toml"))
        assert "author" in found.provenance or "label" in found.provenance
