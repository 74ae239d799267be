"""A figure of the report: a vector picture, what it shows in words, and its numbers as a table."""

from dataclasses import dataclass

from study.analysis.results import Table

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure; its `name` is unique in the report and names its SVG file."""

    name: str
    section: str
    """The section of the analysis beside which it stands."""
    title: str
    svg: str
    alt: str
    """What somebody who does not see it has to know: what is drawn, and what it shows."""
    table: Table | None = None
    """Its numbers; None where a table of the section has them."""
    note: str = ""
    """How to read it."""
