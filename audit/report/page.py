"""The audit as one HTML page that needs nothing else.

First what was audited, then the three numbers side by side, then suite by suite, then the transcripts, the worst first.
Its look is that of a study's report; the tables and figures are numbered through the page.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from audit.report.agreeing import Agreeing
from audit.report.dimensions import Three
from audit.report.heat import Heat
from audit.report.material import Material, Run
from audit.report.sections import SuiteSection
from audit.report.sheet import Sheet, plain
from audit.report.worst import Worst
from study.report.figure import Figure
from study.report.style import themed
from study.report.tables import typographic

__all__ = ["Content", "page"]

TEXTS = (
    "The items and transcripts are about suicide, self-harm, psychosis, eating disorders, substances and abuse. "
    "Whoever is not up to reading that today can read the figures alone, or make the page with --no-transcripts."
)


@dataclass(frozen=True)
class Content:
    """Everything that stands on the page, computed."""

    material: Material
    three: Three
    suites: tuple[SuiteSection, ...]
    agreeing: Agreeing
    worst: tuple[Worst, ...]
    transcripts: bool
    """Whether transcripts are shown."""
    command: str
    """What makes the audit again."""

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """Every table, in the order of the page."""
        found = [audited(self.material)]
        found += [self.three.sheet] if self.three.sheet else []
        for suite in self.suites:
            found += [*suite.sheets, *(heat.sheet for heat in suite.heats)]
        found += [one for one in (self.agreeing.sheet, self.agreeing.graders) if one]
        return tuple(found)

    @property
    def figures(self) -> tuple[Figure, ...]:
        found = [self.three.figure] if self.three.figure else []
        return tuple(found + [figure for suite in self.suites for figure in suite.figures])


@dataclass(frozen=True, slots=True)
class _Set:
    """A table or figure as it is set: with its number, and what the template needs beside it."""

    number: int
    one: Any
    svg: Any = ""
    link: str = ""


@dataclass(frozen=True)
class _Suite:
    section: SuiteSection
    figures: tuple[_Set, ...]
    sheets: tuple[_Set, ...]
    others: tuple[_Set, ...]
    heats: tuple[tuple[_Set, Heat], ...]


def page(content: Content) -> str:
    """The whole page; the same content gives the same bytes."""
    counted = {"table": 0, "figure": 0}
    material = content.material

    def table(sheet: Sheet) -> _Set:
        counted["table"] += 1
        text = sheet.csv(material.sha256, material.version)
        link = "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()
        return _Set(counted["table"], sheet, link=link)

    def figure(one: Figure) -> _Set:
        counted["figure"] += 1
        return _Set(counted["figure"], one, svg=_markup(_inline(one)))

    # Numbers are given in the order in which the template shows them.
    three = (
        figure(content.three.figure) if content.three.figure else None,
        table(content.three.sheet) if content.three.sheet else None,
    )
    suites = [
        _Suite(
            section,
            figures=tuple(figure(one) for one in section.figures),
            sheets=tuple(table(one) for one in section.headlines),
            heats=tuple((table(one.sheet), one) for one in section.heats),
            others=tuple(table(one) for one in section.others),
        )
        for section in content.suites
    ]
    agreement = tuple(table(one) for one in (content.agreeing.sheet, content.agreeing.graders) if one)
    runs = table(audited(material))
    css = "".join(
        (files(package) / "static" / name).read_text(encoding="utf-8")
        for package, name in (("study.report", "report.css"), ("audit.report", "audit.css"))
    )
    script = (files("audit.report") / "static" / "audit.js").read_text(encoding="utf-8")
    return str(
        _template().render(
            content=content,
            material=material,
            facts=_facts(material),
            banners=_banners(content),
            identities=_identities(material),
            runs=runs,
            three=three,
            suites=suites,
            agreement=agreement,
            choices=_choices(content.worst),
            css=_markup(css),
            script=_markup(script) if content.transcripts and content.worst else "",
        )
    )


def _facts(material: Material) -> tuple[tuple[str, str], ...]:
    dates = sorted(run.created[:10] for run in material.runs)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    personas = ", ".join(dict.fromkeys(one.persona for one in material.subjects)) or "none"
    graders = sorted({run.grader for run in material.runs if run.grader})
    return (
        ("Model", ", ".join(material.models) or "none"),
        ("Personas", personas),
        ("Floor", _floor(material)),
        ("Samples", f"{sum(run.scored for run in material.runs):,}"),
        ("Run", when),
        ("Grader", ", ".join(graders) or "none, rules alone"),
    )


def _floor(material: Material) -> str:
    baselines = len({run.subject for run in material.runs if run.subject.baseline})
    parts = ["ELIZA"] if material.eliza else []
    parts += [f"{baselines} baseline{'' if baselines == 1 else 's'}"] if baselines else []
    return " and ".join(parts) or "none"


def _banners(content: Content) -> tuple[tuple[str, str], ...]:
    material = content.material
    found = [("What is quoted here.", TEXTS)] if content.transcripts and content.worst else []
    graded = [run for run in material.runs if run.grader]
    unpinned = sorted({run.grader for run in graded if not run.pinned})
    if unpinned:
        found.append(
            ("Not pinned.", f"Of the grader {', '.join(unpinned)} no revision is known: it may be another tomorrow.")
        )
    if any(run.self_graded for run in graded):
        found.append(("Graded by itself.", "Some figures were graded by the model under test; below it is said which."))
    return tuple(found)


def audited(material: Material) -> Sheet:
    """What was run, a row for each log."""
    rows = tuple(
        (
            *(
                run.suite,
                run.version,
                run.subject.model,
                run.subject.persona,
                run.half,
                run.created,
                run.samples,
                run.scored,
            ),
            *(run.max_tokens, run.grader, run.pinned, int(run.self_graded)),
        )
        for run in material.runs
    )
    names = (
        *("suite", "suite_version", "model", "persona", "half", "created", "samples", "scored", "max_tokens"),
        *("grader", "grader_pinned", "self_graded"),
    )
    heads = [
        ("Suite", False),
        ("Version", False),
        ("Model", False),
        ("Persona", False),
        ("Half", False),
        ("Run", False),
    ]
    heads += [("Samples", True), ("Scored", True), ("Grader", False)]
    lines = [_line(run) for run in material.runs]
    return Sheet("runs", "What was run", names, rows, plain(heads, lines), "Run: when it began, as the log has it.")


def _line(run: Run) -> list[str]:
    grader = run.grader + (f" ({run.pinned[:12]})" if run.pinned else "") + (", itself" if run.self_graded else "")
    when = run.created[:10]
    model = run.subject.model
    numbers = [f"{run.samples:,}", f"{run.scored:,}"]
    return [
        run.suite,
        run.version,
        model,
        run.subject.persona,
        run.half.replace("_", " "),
        when,
        *numbers,
        grader or "none",
    ]


def _identities(material: Material) -> tuple[tuple[str, str], ...]:
    """Every file and model that the figures depend on, with its hash."""
    found: dict[str, dict[str, None]] = {}
    for run in (one for one in material.runs if not one.subject.baseline):
        for name, value in run.identity.items():
            whose = {
                "persona_sha256": f"persona {run.subject.persona} (SHA-256)",
                "model_sha256": f"{run.subject.model}, weights (SHA-256)",
                "engine": f"{run.subject.model}, engine",
                "precision": f"{run.subject.model}, precision",
                "temperature": f"{run.subject.model}, temperature",
                "server": f"{run.subject.model}, server",
            }.get(name, name)
            found.setdefault(whose, {})[value] = None
    return tuple((name, ", ".join(values)) for name, values in sorted(found.items()))


def _choices(worst: Sequence[Worst]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """What the transcripts can be filtered by: name, and of each choice its value and what it is called."""
    suites = tuple(dict.fromkeys((one.suite, one.title) for one in worst))
    personas = tuple(dict.fromkeys((one.persona, one.persona) for one in worst))
    return (("suite", suites), ("persona", personas))


def _inline(figure: Figure) -> str:
    """The picture in the page's own colours, with its name and description for whoever does not see it."""
    from markupsafe import escape

    name, told = f"{figure.name}-name", f"{figure.name}-told"
    head, _, body = themed(figure.svg).partition(">")
    title, alt = escape(typographic(figure.title)), escape(typographic(figure.alt))
    labels = f'<title id="{name}">{title}</title><desc id="{told}">{alt}</desc>'
    return f'{head} role="img" aria-labelledby="{name} {told}">{labels}{body}'


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("audit.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    environment.filters["typographic"] = typographic
    return environment.get_template("audit.html")


def _markup(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own CSS and script, and SVG in which every text is drawn as paths
