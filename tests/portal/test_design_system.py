"""The design system's promises that can be computed from the sheet itself."""

import re
from importlib.resources import files

import pytest

SHEET = files("portal").joinpath("static", "bedside.css").read_text()

TEXT = [
    ("ink", "ground"), ("ink", "sheet"), ("ink", "mine"), ("ink", "note-ground"), ("ink", "good-ground"),
    ("ink", "warn-ground"), ("quiet", "ground"), ("quiet", "sheet"), ("quiet", "mine"), ("action", "ground"),
    ("action", "sheet"), ("action", "note-ground"), ("action", "good-ground"), ("on-action", "action"),
    ("warn", "ground"), ("warn", "sheet"), ("warn", "warn-ground"), ("good", "sheet"), ("note", "sheet"),
]  # fmt: skip
"""What is read on what: WCAG 2.2 asks for 4.5 to 1 (1.4.3)."""

SHAPES = [
    ("quiet", "sheet"), ("quiet", "ground"), ("action", "ground"), ("action", "sheet"), ("focus", "ground"),
    ("focus", "sheet"), ("focus", "warn-ground"), ("warn", "ground"), ("note", "ground"), ("good", "ground"),
    ("robot", "sheet"), ("chat", "sheet"), ("worksheet", "sheet"),
]  # fmt: skip
"""Edges of fields, marks, focus and lines of plots: 3 to 1 (1.4.11)."""


def tokens(colours: str) -> dict[str, str]:
    """The colours of the sheet, in light or in dark."""
    blocks = re.findall(r":root \{(.*?)\n *\}", SHEET, re.S)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0]))
    return found if colours == "light" else found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[1]))


def luminance(colour: str) -> float:
    """Relative luminance after WCAG 2.2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_wcag_computes_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_text_and_shapes_stand_out_from_their_grounds(colours: str) -> None:
    found = tokens(colours)
    for pairs, least in ((TEXT, 4.5), (SHAPES, 3.0)):
        for one, other in pairs:
            ratio = contrast(found[one], found[other])
            assert ratio >= least, f"--{one} on --{other} in {colours}: {ratio:.2f}"


def test_the_sheet_says_inline_and_block_and_never_left_and_right() -> None:
    own = SHEET.split("/* The console */")[0]
    rules = re.sub(r"/\*.*?\*/", "", own, flags=re.S)
    assert re.findall(r"(?<![\w-])(?:[\w-]+-)?(?:left|right)(?![\w-])", rules) == []


def test_nothing_comes_from_another_host() -> None:
    assert re.findall(r"@import|url\(|https?:", SHEET) == []


def test_every_token_is_used_and_every_token_that_is_used_exists() -> None:
    console = files("portal").joinpath("static", "console.css").read_text()
    made = set(re.findall(r"[{;\s]--([\w-]+):", SHEET + console))
    used = set(re.findall(r"var\(--([\w-]+)", SHEET + console))
    assert used <= made
    assert made - used <= {"step-0", "step-2", "space-7", "good", "wide"}
