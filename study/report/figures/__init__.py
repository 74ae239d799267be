"""The figures of the report, a module each: `figure(data, results) -> Figure`.

A module raises `CannotEstimate` with a sentence where there is nothing to draw; the report says the sentence.
"""

from collections.abc import Callable

from study.analysis.data import AnalysisData
from study.analysis.results import Results
from study.report.figure import Figure

__all__ = ["Drawing", "drawings"]

Drawing = Callable[[AnalysisData, Results], Figure]


def drawings() -> dict[str, tuple[str, Drawing]]:
    """Every figure by its name, with the section in which it stands, in the order of the report."""
    from study.report.figures import adherence, course, flow, forest, latency, residuals, sessions, survival

    return {
        "flow": ("flow", flow.figure),
        "forest": ("primary", forest.figure),
        "course": ("primary", course.figure),
        "residuals": ("primary", residuals.figure),
        "sessions": ("sessions", sessions.figure),
        "adherence": ("adherence", adherence.figure),
        "survival": ("adherence", survival.figure),
        "latency": ("latency", latency.figure),
    }
