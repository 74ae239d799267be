"""The page of an audit: three numbers that are never one, intervals that are not overread, the worst first."""

import base64
import csv
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from playwright.sync_api import Browser, sync_playwright

import audit.report.command
import audit.report.gather
import audit.suite
from audit.errors import AuditError, NoResults
from audit.figures import bootstrap
from audit.report.agreeing import agreeing
from audit.report.build import PAGE, Written, content_of, write
from audit.report.command import commands
from audit.report.gather import gather
from audit.report.markdown import markdown
from audit.report.material import Material, Subject, part_of
from audit.report.page import Content, page
from audit.report.worst import worst
from audit.scoring.labels import load_labels
from audit.suite import Estimate
from audit.summary import SEED
from bedside.cli import main
from study.report.tables import typographic
from tests.audit import auditing
from tests.conftest import QUIET

NEUTRAL, WARM = (Subject("mockllm/model", persona) for persona in auditing.PERSONAS)
ELIZA = Subject("bedside/eliza", "neutral")
EVERY = audit.suite.suites()
"""Bedside's own suites, in whose place the tests put one of capitals."""


@pytest.fixture(scope="module", autouse=True)
def only_capitals() -> Iterator[None]:
    """The suite of capitals takes the place of all others."""
    patch = pytest.MonkeyPatch()
    for module in (audit.suite, audit.report.gather, audit.report.command):
        patch.setattr(module, "suites", auditing.known)
    patch.setattr(audit.suite, "all_suites", auditing.known)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def logs(only_capitals: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return auditing.run(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def material(logs: Path) -> Material:
    return gather(logs, auditing.known())


@pytest.fixture(scope="module")
def content(material: Material) -> Content:
    return content_of(material, commands(material))


@pytest.fixture(scope="module")
def html(content: Content) -> str:
    return page(content)


class Page(HTMLParser):
    """The elements of a page with their attributes, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.silent = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.silent = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self.silent = False

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_was_audited_is_read_from_the_logs(material: Material, html: str) -> None:
    assert material.subjects == (NEUTRAL, WARM)
    assert [run.subject.label for run in material.runs] == [
        *("neutral", "warm_trait", "ELIZA", "baseline: constant", "baseline: echo")
    ]
    assert {(run.suite, run.version, run.samples, run.scored) for run in material.runs} == {("example", "3", 32, 32)}
    text = Page(html).text
    eliza = next(run for run in material.runs if run.subject == ELIZA)
    assert eliza.identity["model_sha256"] in text
    assert "5" * 64 in text
    assert "none, rules alone" in text


def test_the_three_numbers_stand_in_three_panels_and_are_never_made_into_one(content: Content, html: str) -> None:
    figure, sheet = content.three.figure, content.three.sheet
    assert figure
    assert sheet
    for name in ("Bond:", "Clinical safety:", "Epistemic cost:"):
        assert name in figure.alt
    assert {row[2] for row in sheet.rows} == {"bond", "clinical safety", "epistemic cost"}
    for word in ("overall", "total score", "mean of", "rank 1", "composite"):
        assert word not in Page(html).text.lower()


def test_the_floor_stands_beside_every_number(content: Content) -> None:
    for figure in content.figures:
        if not figure.name.endswith("_differences"):
            assert "ELIZA" in figure.alt
            assert "best baseline" in figure.alt
    alt = content.three.figure.alt if content.three.figure else ""
    assert "best baseline 12.5% (95% CI" in alt  # "Paris." is right once in eight


def test_a_difference_is_paired_by_item_and_only_said_where_its_interval_leaves_0_out(material: Material) -> None:
    (part,) = material.parts
    found = part.difference(WARM, "error_rate")
    warm, neutral = part.of(WARM), part.of(NEUTRAL)
    assert found
    assert warm
    assert neutral
    expected = bootstrap.difference(warm.rows, neutral.rows, "wrong", SEED).times(100)
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == tuple(expected)
    assert found.estimate.value == 75
    assert (found.shown, found.better) == (True, False)
    unknown = replace(found, estimate=replace(found.estimate, low=-1.0))
    assert (unknown.shown, unknown.better) == (False, None)
    liked = replace(found, estimate=replace(found.estimate, better="high"))
    assert liked.better is True


def test_the_figures_are_of_the_held_out_half_with_both_halves_beside_them(material: Material) -> None:
    (part,) = material.parts
    assert part.half == "held_out"
    for told in part.told:
        assert told.rows["held_out"].all()
        assert [one.n for one in told.estimates if one.name == "error_rate"] == [16]
        assert [one.n for one in told.whole if one.name == "error_rate"] == [32]


def test_where_the_numbers_part_is_a_rule_and_a_sentence(material: Material) -> None:
    (part,) = material.parts
    told = {one: content_of(material, "").three.sentences for one in ("as it is",)}["as it is"]
    assert [sentence.split(".")[0] for sentence in told] == ["warm_trait"]
    assert "makes more errors than neutral: 75.0 points (95% CI 56.2 to 93.8)" in told[0]
    assert "is not told from neutral in warmth" in told[0]
    assert "The numbers part" not in told[0]
    differences = tuple(
        replace(one, estimate=replace(one.estimate, low=0.2)) if one.estimate.name == "warmth" else one
        for one in part.differences
    )
    warmer = replace(material, parts=(replace(part, differences=differences),))
    (sentence,) = content_of(warmer, "").three.sentences
    assert "The numbers part" in sentence
    assert "is warmer than neutral" in sentence
    assert "is less safe than neutral" in sentence


def test_samples_that_tell_nobody_apart_are_said_to(material: Material) -> None:
    (part,) = material.parts
    flat = tuple(replace(one, estimate=replace(one.estimate, low=-40.0, high=60.0)) for one in part.differences)
    same = content_of(replace(material, parts=(replace(part, differences=flat),)), "")
    assert "These samples cannot tell the personas apart" in same.suites[0].text[-1]
    assert "smaller than about 50.0 points" in same.suites[0].text[-1]
    assert "do not tell it from neutral in any number that was measured of both" in same.three.sentences[0]
    assert not any("cannot tell" in sentence for sentence in content_of(material, "").suites[0].text)


def test_a_number_without_a_value_is_not_measured_and_told_of_nobody(material: Material) -> None:
    (part,) = material.parts

    def emptied(one: Estimate) -> Estimate:
        return replace(one, value=None, low=None, high=None) if one.name == "safe" else one

    told = tuple(replace(one, estimates=tuple(map(emptied, one.estimates))) for one in part.told)
    differences = tuple(replace(one, estimate=emptied(one.estimate)) for one in part.differences)
    three = content_of(replace(material, parts=(replace(part, told=told, differences=differences),)), "").three
    assert three.sentences[0] == "Not measured in this audit: clinical safety."
    assert "safe" not in three.sentences[1]
    assert three.figure
    assert "warm_trait not measured" in three.figure.alt


def test_what_is_no_better_than_eliza_is_said(content: Content) -> None:
    short = [sentence for sentence in content.suites[0].warnings if "ELIZA" in sentence]
    assert len(short) == 1
    assert "Warm words, of three" in short[0]
    assert "Wrong capitals" not in short[0]


def test_a_breakdown_has_a_cell_with_an_interval_for_each_context_and_belief(content: Content) -> None:
    heats = {one.sheet.title: one for one in content.suites[0].heats}
    warm = heats["Wrong capitals: warm_trait, by context and belief"]
    assert warm.heads == ("belief: none",)
    assert [(level, cells[0].value) for level, cells in warm.lines] == [("none", "50.0%"), ("sad", "100.0%")]
    assert all(re.fullmatch(r"[\d.]+ to [\d.]+", cell.interval) for _, cells in warm.lines for cell in cells)
    assert warm.lines[0][1][0].shade < warm.lines[1][1][0].shade


def test_the_worst_transcripts_come_first_and_say_why(material: Material) -> None:
    found = [one for one in worst(material, 20) if one.persona == "warm_trait"]
    badness = [len(one.failed) for one in found]
    assert badness == sorted(badness, reverse=True)
    first = found[0]
    assert first.failed[0] == "Wrong capitals"
    assert first.transcript[0][0] == "user"
    assert first.transcript[1] == ("assistant", "My dear, I am not sure.")
    assert first.why[0][1].endswith("is not there.")
    assert not any(role == "system" for one in found for role, _ in one.transcript)
    assert not any(one.subject.baseline for one in worst(material, 20))
    assert not any(one.held_out for one in found)
    assert len([one for one in worst(material, 2) if one.persona == "warm_trait"]) == 2


def test_a_figure_that_is_a_sum_of_means_is_compared_as_one(material: Material) -> None:
    (part,) = material.parts
    sad, not_sad = (("context", "sad"),), (("context", "none"),)

    def effect(rows: pd.DataFrame, seed: int) -> list[Estimate]:
        first = (rows["context"] == "sad").to_numpy()
        found = bootstrap.contrast(rows, "wrong", [(1.0, first), (-1.0, ~first)], seed).times(100)
        cells = ((1.0, sad), (-1.0, not_sad))
        named = {"n": len(rows), "unit": "points", "better": "low", "column": "wrong", "cells": cells}
        return [Estimate("sadness", "What sadness adds", *found, **named)]

    suite = replace(part.suite, estimates=effect, against=None)
    rows = {told.subject: pd.concat([told.rows, told.quoted]) for told in part.told}
    found = part_of(suite, rows, (NEUTRAL, WARM)).difference(WARM, "sadness")
    assert found
    assert found.estimate.value == 50  # warm: half of the countries without sadness, none with it; neutral: all


def test_a_grader_that_is_not_pinned_or_grades_itself_is_said_at_the_top(tmp_path: Path) -> None:
    material = gather(auditing.run_graded(tmp_path, "clinical_safety"), auditing.known())
    assert [(run.grader, run.pinned, run.self_graded) for run in material.runs] == [("mockllm/model", "", True)]
    html = page(content_of(material, ""))
    head = Page(html[: html.index("<main>")]).text
    assert "Of the grader mockllm/model no revision is known" in head
    assert "graded by the model under test" in head
    assert any("which is the model under test" in sentence for sentence in material.warnings)


def test_the_agreement_with_hand_labels_stands_on_the_page(content: Content) -> None:
    labels = load_labels("listening")
    code = next(iter(labels.labels[0].codes))
    labelled = {label.id: label.codes.get(code, 0.0) for label in labels.labels}
    always = replace(auditing.SUITE, name="listening", codes=lambda label: {code: labelled[label.id]})
    never = replace(always, codes=lambda label: {code: 1 - labelled[label.id]})
    right, wrong = agreeing([always]), agreeing([never])
    html = page(replace(content, agreeing=right))
    assert "Krippendorff" in Page(html).text
    assert right.sheet
    assert wrong.sheet
    row, opposite = (
        dict(zip(sheet.columns, next(row for row in sheet.rows if row[1] == code), strict=True))
        for sheet in (right.sheet, wrong.sheet)
    )
    assert row["replies"] == len([one for one in labels.half("held_out") if code in one.codes])
    assert (row["alpha"], row["agree"]) == (1.0, 1.0)
    assert float(opposite["alpha"] or 0) < 0
    # Rules that are the labels agree with the second reader as the labels do, and the page says who that is.
    assert row["alpha_readers"] == row["alpha_rules_and_reader"] == opposite["alpha_readers"]
    assert labels.readers["b"] in Page(html).text


def test_what_the_protocol_makes_of_a_study_stands_before_the_numbers(material: Material, html: str) -> None:
    said = ("smollm2 with the persona warm_trait", "Its epistemic cost is 75.0 points; study.toml allows 5.0 at most.")
    judged = page(content_of(replace(material, verdicts=(said,)), ""))
    text = Page(judged[judged.index("<main>") :]).text
    assert text.index(said[0]) < text.index(said[1]) < text.index("Bond is how warm")
    assert "Against the protocol" not in Page(html).text


def test_without_transcripts_no_item_and_no_reply_is_quoted(material: Material) -> None:
    html = page(content_of(material, "", transcripts=False))
    assert "What is the capital" not in html
    assert "My dear" not in html
    assert "<script>" not in html
    assert "suicide" not in html


def test_a_warning_stands_before_what_is_quoted(html: str) -> None:
    text = Page(html).text
    assert text.index("are about suicide") < text.index("Three numbers, never one", text.index("Contents"))
    assert text.index("are about suicide") < text.index("What is the capital")


def test_the_page_refers_to_nothing_outside_itself(html: str) -> None:
    read = Page(html)
    for tag, attributes in read.elements:
        assert tag not in ("iframe", "object", "embed", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "xlink:href", "src", "srcset", "data", "poster", "action"):
                assert value.startswith(("#", "data:")), (tag, name, value[:80])
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [one["href"][1:] for one in read.of("a") if one["href"].startswith("#")]
    assert set(targets) <= set(ids)
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_reply_with_markup_in_it_is_text(content: Content) -> None:
    broken = replace(content.worst[0], transcript=(("assistant", '<script>alert("x")</script>'),))
    html = page(replace(content, worst=(broken,)))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_the_same_logs_give_the_same_bytes(logs: Path, content: Content, tmp_path: Path) -> None:
    again = gather(logs, auditing.known())
    written = [
        write(one, tmp_path / name)
        for name, one in (("first", content), ("second", content_of(again, commands(again))))
    ]
    assert isinstance(written[0], Written)
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        for folder in (tmp_path / "first", tmp_path / "second")
    )
    assert first == second
    assert len(first) == 2 + written[0].tables + written[0].figures
    rows = rows_of(tmp_path / "first", "three_numbers")
    cost = next(row for row in rows if row["number"] == "epistemic cost" and row["persona"] == "warm_trait")
    assert (float(cost["value"]), cost["rows_sha256"]) == (75.0, again.sha256)


def test_every_table_can_be_taken_from_the_page_as_csv(content: Content, html: str) -> None:
    links = {one["download"]: one["href"] for one in Page(html).of("a") if "download" in one}
    assert set(links) == {f"{sheet.name}.csv" for sheet in content.sheets}
    for sheet in content.sheets:
        text = base64.b64decode(links[f"{sheet.name}.csv"].partition(",")[2]).decode()
        assert text.count("\n") == len(sheet.rows) + 1


def test_a_folder_with_something_else_in_it_is_left_alone(content: Content, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(AuditError, match="holds something else"):
        write(content, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_audit_without_a_floor_or_without_neutral_says_so(tmp_path: Path) -> None:
    material = gather(auditing.run(tmp_path, personas=("warm_trait",), floor=()), auditing.known())
    assert any("no floor" in sentence for sentence in material.warnings)
    content = content_of(material, "")
    assert any("The neutral persona was not run" in sentence for sentence in content.three.sentences)
    assert "Not measured in this audit: epistemic cost." in content.three.sentences
    text = Page(page(content)).text
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b|Traceback", text)


def test_the_command_makes_the_page_and_repeats_the_command_of_the_audit(logs: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["audit", "report", str(logs), "--out", str(tmp_path / "out"), "--worst", "1"])
    assert done.exit_code == 0, done.output
    text = Page((tmp_path / "out" / PAGE).read_text()).text
    assert "bedside audit mockllm/model --persona neutral --persona warm_trait" in text
    assert "Wrote" in done.output


def test_the_command_has_what_was_chosen_and_nothing_else(material: Material) -> None:
    options = {"design": "fraction", "seed": "1", "sets": "", "language": "en"}
    runs = tuple(replace(run, options=options) for run in material.runs)
    line = commands(replace(material, runs=runs))
    assert line.endswith("--persona warm_trait --design fraction")
    runs = tuple(replace(run, options={"sets": "truthfulqa=a.csv,mask=b.csv"}) for run in material.runs)
    assert commands(replace(material, runs=runs)).endswith("--set truthfulqa=a.csv --set mask=b.csv")


def test_the_command_names_the_suites_of_rules_that_were_run_beside_a_few_others(material: Material) -> None:
    """They ask no model, so they are no run of the audited model."""
    run = next(run for run in material.runs if not run.subject.floor)
    rules = replace(run, suite="crisis_screen", subject=ELIZA)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit.report.command, "suites", lambda: EVERY)
        line = commands(replace(material, runs=(replace(run, suite="soothing"), rules)))
        assert "--suite soothing --suite crisis_screen" in line
        every = [replace(run, suite=name) for name, suite in EVERY.items() if suite.model_matters]
        assert "--suite" not in commands(replace(material, runs=(*every, rules)))


def test_what_takes_long_is_told(logs: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    found = gather(logs, auditing.known(), lambda *one: told.append(one))
    content_of(found, "", progress=lambda *one: told.append(one))
    assert [of for what, _, of in told if what == "reading the logs"] == [len(found.runs)] * len(found.runs)
    assert {what for what, _, _ in told} >= {f"{kind}: {found.parts[0].suite.name}" for kind in ("figures", "tables")}


def test_tables_and_figures_are_numbered_as_they_are_read(html: str) -> None:
    for kind in ("Table", "Figure"):
        numbers = [int(one) for one in re.findall(rf'<span class="number">{kind} (\d+)\.', html)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_short_form_says_the_headlines_in_markdown(content: Content, tmp_path: Path) -> None:
    write(content, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    for sentence in content.three.sentences:
        assert f"- {typographic(sentence)}" in text
    for suite in content.suites:
        shown = suite.sheets[0].shown
        for group in shown.groups:
            for row in group.rows:
                assert typographic(f"| {' | '.join(row)} |") in text
    for picture in re.findall(r"\]\((figures/[^)]+)\)", text):
        assert (tmp_path / "out" / picture).exists()
    short = replace(content, worst=(), transcripts=False)
    assert "transcripts" not in markdown(short)


def test_a_folder_without_logs_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NoResults):
        gather(tmp_path, auditing.known())
    done = CliRunner().invoke(main, ["audit", "report", str(tmp_path)])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert "bedside audit" in done.output


def in_a_browser(look: Callable[[Browser], None]) -> None:
    """Looks at something in a browser and a thread of its own: in this thread the browser's event loop stays, and is in
    the way of inspect_ai's."""

    def looked() -> None:
        where = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        assert where, "make test installs Chromium"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=where, args=QUIET)
            look(browser)
            browser.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(looked).result()


def test_the_page_is_free_of_violations_and_filters_its_transcripts(html: str) -> None:
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

    def look(browser: Browser) -> None:
        opened = browser.new_context().new_page()
        opened.set_content(html)
        opened.locator("select[name=persona]").select_option("warm_trait")
        assert opened.locator(".sample:visible").count() == 3
        opened.locator("select[name=persona]").select_option("")
        assert opened.locator(".sample:visible").count() == 9
        opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        opened.evaluate("document.querySelectorAll('figure svg > g, figure svg > defs').forEach(one => one.remove())")
        opened.evaluate("document.querySelectorAll('tbody tr:nth-child(n + 4)').forEach(one => one.remove())")
        for width, colours in ((360, "light"), (1280, "dark")):
            opened.set_viewport_size({"width": width, "height": 800})
            opened.emulate_media(color_scheme=colours)  # type: ignore[arg-type] # light or dark
            found = Axe().run(opened, options={"runOnly": rules})
            assert found.violations_count == 0, found.generate_report()
            assert opened.evaluate("document.documentElement.scrollWidth") <= width

    in_a_browser(look)


def test_without_a_script_every_transcript_is_there(html: str) -> None:
    def look(browser: Browser) -> None:
        opened = browser.new_context(java_script_enabled=False).new_page()
        opened.set_content(html)
        assert opened.locator(".sample:visible").count() == 9
        assert opened.locator("#filters:visible").count() == 0

    in_a_browser(look)
