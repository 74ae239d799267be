"""The page: the answer first, everything carries what it came from, nothing comes from outside, nobody is shut out."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from study.analysis.results import Column, Section, Table
from study.report.answer import CAUTION
from study.report.numbers import interval, number
from study.report.page import page
from study.report.tables import typographic
from tests.analysing import synthetic
from tests.reporting import analysed, drawn, lacking, whole


class Page(HTMLParser):
    """What a test asks of a page: its text in order, its elements, and where they lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html() -> str:
    data, results = whole()
    return page(data, results, *drawn())


def test_the_page_refers_to_nothing_outside_itself(html: str) -> None:
    read = Page(html)
    for tag, attributes in read.elements:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src", "srcset", "data", "poster", "action"):
                assert value.startswith(("#", "data:")), (tag, name, value[:80])
            if "url(" in value:
                assert re.findall(r"url\((.)", value) == ["#"] * value.count("url("), value
    css = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert css is not None
    assert "url(" not in css[1]
    assert "@import" not in css[1]


def test_a_browser_asks_for_nothing_but_the_page(html: str, chromium: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(html)
    opened = chromium.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(path.as_uri())
    opened.close()
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]


def test_the_page_is_free_of_violations(html: str, chromium: Browser) -> None:
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    context = chromium.new_context()
    opened = context.new_page()
    opened.set_content(html)
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    # What a picture is drawn with is hidden from readers of the screen by its role; axe need not go through it.
    opened.evaluate("document.querySelectorAll('figure svg > g, figure svg > defs').forEach(one => one.remove())")
    # The rows of a table are alike: two of each part are looked at.
    opened.evaluate("document.querySelectorAll('tbody tr:nth-child(n + 3)').forEach(one => one.remove())")
    for width, colours in ((360, "light"), (1280, "dark")):
        opened.set_viewport_size({"width": width, "height": 800})
        opened.emulate_media(color_scheme=colours)
        found = Axe().run(opened, options={"runOnly": rules})
        assert found.violations_count == 0, found.generate_report()
        # What is wide scrolls inside its own frame.
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_the_answer_comes_before_everything_else(html: str) -> None:
    data, results = whole()
    text = Page(html[html.index("<main>") :]).text
    places = [text.index(data.plan.estimand.population)]
    for attribute in ("treatment", "variable", "intercurrent_events", "summary"):
        places.append(text.index(str(getattr(data.plan.estimand, attribute)).replace("0-100", "0–100")))
    table = results.tables["primary_contrasts"]
    for row in table.rows:
        cells = dict(zip((column.name for column in table.columns), row, strict=True))
        estimate, low, high = (float(cells[name] or 0) for name in ("difference", "low", "high"))
        places.append(text.index(f"{cells['arm']} compared with {cells['compared_with']}"))
        places.append(text.index(f"{number(estimate, 1)} points (95% CI {interval(low, high, 1)})"))
    places.append(text.index(CAUTION))
    places.append(text.index("Flow of participants", places[-1]))
    assert places == sorted(places)


def test_a_long_table_is_cut_on_the_page_and_whole_in_the_csv() -> None:
    data, results = whole()
    rows = tuple((f"row {number:03}", float(number)) for number in range(1, 101))
    long = Table("long", "A long table", (Column("name", "Name"), Column("value", "Value", "number")), rows)
    html = page(data, replace(results, sections=(Section("long", "Long", tables=(long,)),)), [], {})
    text = Page(html).text
    assert "row 070" in text
    assert "row 071" not in text
    assert "The first 70 of 100 rows; the CSV has all." in text
    link = next(one["href"] for one in Page(html).of("a") if one["href"].startswith("data:text/csv"))
    assert base64.b64decode(link.partition("base64,")[2]).decode().count("\nrow ") == 100


def test_every_table_and_figure_carries_data_plan_and_version(html: str) -> None:
    data, results = whole()
    said = f"Data {data.sha256[:8]} , plan {data.plan_sha256[:8]} , Bedside 1.2.3."
    tables = sum(len(section.tables) for section in results.sections) - 1  # the references are a list
    figures = len(drawn()[0])
    assert Page(html).text.count(said) == tables + figures
    assert data.sha256 in html
    assert data.plan_sha256 in html


def test_every_table_can_be_taken_from_the_page_as_csv(html: str) -> None:
    _, results = whole()
    links = {one["download"]: one["href"] for one in Page(html).of("a") if "download" in one}
    for section in results.sections:
        for table in section.tables:
            if table.name != "references":
                text = base64.b64decode(links[f"{table.name}.csv"].partition(",")[2]).decode()
                assert text.count("\n") == len(table.rows) + 1
                assert results.provenance.data_sha256 in text


def test_headings_are_nested_tables_have_heads_and_pictures_are_told(html: str) -> None:
    read = Page(html)
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert {one.get("scope") for one in read.of("th")} <= {"col", "row", "rowgroup"}
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for svg in read.of("svg"):
        assert svg["role"] == "img"
        assert set(svg["aria-labelledby"].split()) <= set(ids)
    targets = [one["href"][1:] for one in read.of("a") if one["href"].startswith("#")]
    assert len(targets) > 5
    assert set(targets) <= set(ids)


def test_a_name_with_markup_in_it_is_text() -> None:
    data, results = whole()
    broken = replace(results, title='<script>alert("x")</script> & more')
    html = page(data, broken, [], {})
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("lacks", lacking())
def test_a_study_that_lacks_something_has_a_page_with_sentences(lacks: str) -> None:
    data = synthetic(**lacking()[lacks])
    results = analysed(data)
    text = Page(page(data, results, [], {})).text
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b|Traceback", text)
    primary = results.section("primary")
    found = text[text.index("What was found") :]
    found = found[: found.index(results.sections[0].title)]
    estimated = [row for table in primary.tables if table.name == "primary_contrasts" for row in table.rows]
    assert found.count("(95% CI") == len(estimated)
    if not estimated:
        for sentence in primary.warnings:
            assert typographic(sentence) in found


def test_masked_arms_and_a_rehearsal_are_said_at_the_top() -> None:
    data = replace(synthetic(9, days=3, blinded=True), rehearsal=True)
    html = page(data, analysed(data), [], {})
    head = Page(html[: html.index("<main>")]).text
    assert "A rehearsal. The participants are simulated." in head
    assert "Blinded. The arms are masked" in head
    assert "robot" not in Page(html).text
