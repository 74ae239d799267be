"""The report as one HTML page that needs nothing else, with the answer first.

`page` puts what the analysis says in the order in which a reader asks: the question, the answer, how sure it is, then
section by section everything else. The wording of the sections is theirs; here they are set.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from study.analysis.data import AnalysisData
from study.analysis.results import Provenance, Results, Section, Table
from study.report.answer import Answer, answers
from study.report.figure import Figure
from study.report.style import themed
from study.report.tables import Shown, as_csv, as_shown, typographic

__all__ = ["page"]

FIRST = ("forest",)
"""Figures that belong to the answer."""

MOST_ROWS = 70
"""Rows of a table that stand on the page: those of longer ones are points of a curve, and in the CSV."""


@dataclass(frozen=True, slots=True)
class _Table:
    number: int
    table: Table
    shown: Shown
    link: str
    """The table as CSV, inside the page itself."""


@dataclass(frozen=True, slots=True)
class _Figure:
    number: int
    figure: Figure
    svg: str
    numbers: _Table | None


@dataclass(frozen=True, slots=True)
class _Part:
    section: Section
    warnings: tuple[str, ...]
    figures: tuple[_Figure, ...]
    tables: tuple[_Table, ...]


@dataclass(frozen=True, slots=True)
class _Report:
    title: str
    provenance: Provenance
    facts: tuple[tuple[str, str], ...]
    banners: tuple[tuple[str, str], ...]
    estimand: tuple[tuple[str, str], ...]
    lead: str
    answers: tuple[Answer, ...]
    unanswered: tuple[str, ...]
    caution: str
    for_screen: bool
    first: tuple[_Figure, ...]
    parts: tuple[_Part, ...]


def page(
    data: AnalysisData,
    results: Results,
    figures: Sequence[Figure],
    undrawn: Mapping[str, Sequence[str]],
    *,
    extra_css: str = "",
    for_screen: bool = True,
) -> str:
    """The whole page. `undrawn` are sentences by section, about figures that could not be drawn.

    `for_screen` lets the figures follow the reader's light or dark; without it they have the colours of paper.
    """
    report = _assembled(data, results, figures, undrawn, for_screen)
    css = (files("study.report") / "static" / "report.css").read_text(encoding="utf-8") + extra_css
    return str(_template().render(report=report, css=_markup(css)))


def _shortened(table: Table) -> Table:
    """The table as it stands on the page: one that nobody would read to the end is cut, and says so."""
    if len(table.rows) <= MOST_ROWS:
        return table
    cut = f"The first {MOST_ROWS} of {len(table.rows)} rows; the CSV has all."
    return replace(table, rows=table.rows[:MOST_ROWS], note=f"{table.note} {cut}".strip())


def _assembled(
    data: AnalysisData,
    results: Results,
    figures: Sequence[Figure],
    undrawn: Mapping[str, Sequence[str]],
    for_screen: bool,
) -> _Report:
    level = f"{100 * (1 - data.plan.alpha):g}% CI"
    counted = {"table": 0, "figure": 0}

    def set_table(table: Table, *, numbered: bool = True) -> _Table:
        counted["table"] += numbered
        text = as_csv(table, results.provenance)
        link = "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode() if for_screen else ""
        return _Table(counted["table"], _shortened(table), as_shown(_shortened(table), level), link)

    def set_figure(figure: Figure) -> _Figure:
        counted["figure"] += 1
        numbers = set_table(figure.table, numbered=False) if figure.table else None
        svg = _inline(figure) if for_screen else _image(figure)
        return _Figure(counted["figure"], figure, _markup(svg), numbers)

    first = tuple(set_figure(figure) for figure in figures if figure.name in FIRST)
    known = {section.name for section in results.sections}
    parts = []
    for place, section in enumerate(results.sections):
        own = [figure for figure in figures if figure.name not in FIRST and figure.section == section.name]
        if place == len(results.sections) - 1:  # figures of sections that this analysis does not have
            own += [figure for figure in figures if figure.name not in FIRST and figure.section not in known]
        warnings = (*section.warnings, *undrawn.get(section.name, ()))
        parts.append(
            _Part(
                section,
                tuple(dict.fromkeys(warnings)),
                tuple(set_figure(figure) for figure in own),
                tuple(set_table(table) for table in section.tables),
            )
        )
    found = answers(data, results)
    estimand = data.plan.estimand
    return _Report(
        title=results.title,
        provenance=results.provenance,
        facts=_facts(data),
        banners=_banners(data),
        estimand=(
            ("Population", estimand.population),
            ("Treatment", estimand.treatment),
            ("Variable", estimand.variable),
            ("Intercurrent events", estimand.intercurrent_events),
            ("Summary", estimand.summary),
        ),
        lead=found.lead,
        answers=found.answers,
        unanswered=found.unanswered,
        caution=found.caution,
        for_screen=for_screen,
        first=first,
        parts=tuple(parts),
    )


def _facts(data: AnalysisData) -> tuple[tuple[str, str], ...]:
    arms = data.participants["arm"].value_counts()
    return (
        ("Arms", ", ".join(f"{arm} ({int(arms.get(arm, 0))})" for arm in data.arms)),
        ("Participants", str(len(data.participants))),
        ("Study days", str(data.protocol.days)),
        ("Registration", data.protocol.registration or "none"),
    )


def _banners(data: AnalysisData) -> tuple[tuple[str, str], ...]:
    found = []
    if data.rehearsal:
        found.append(("A rehearsal.", "The participants are simulated. Nothing here is a finding about anybody."))
    if data.blinded:
        found.append(("Blinded.", "The arms are masked, and what would tell them apart is left out."))
    return tuple(found)


def _image(figure: Figure) -> str:
    """The picture as an image with the colours of paper, which WeasyPrint reads much faster than what is inline."""
    from markupsafe import escape

    encoded = base64.b64encode(figure.svg.encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{encoded}" alt="{escape(typographic(figure.alt))}">'


def _inline(figure: Figure) -> str:
    """The picture in the page's own colours, with its name and description for whoever does not see it."""
    from markupsafe import escape

    name, told = f"{figure.name}-name", f"{figure.name}-told"
    head, _, body = themed(figure.svg).partition(">")
    title, told_text = escape(typographic(figure.title)), escape(typographic(figure.alt))
    labels = f'<title id="{name}">{title}</title><desc id="{told}">{told_text}</desc>'
    return f'{head} role="img" aria-labelledby="{name} {told}">{labels}{body}'


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("study.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    environment.filters["typographic"] = typographic
    return environment.get_template("report.html")


def _markup(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own CSS, and SVG in which every text is drawn as paths
