"""A whole analysis of invented data, made once for all tests that look at a report."""

from functools import cache
from typing import Any

from study.analysis.data import AnalysisData
from study.analysis.results import Provenance, Results, Section
from study.analysis.sections import adherence, flow, latency, methods, primary, secondary, sessions
from study.report.build import draw
from study.report.figure import Figure
from tests.analysing import synthetic

SECTIONS = (flow, primary, secondary, sessions, adherence, latency, methods)

QUICK = {"randomisations": 100, "imputations": 2}


def analysed(data: AnalysisData) -> Results:
    """The sections that have figures, and the methods; `study.analysis.run.analyse` takes longer."""
    sections: list[Section] = [module.section(data) for module in SECTIONS]
    return Results(data.protocol.title, Provenance(data.sha256, data.plan_sha256, "1.2.3"), tuple(sections))


@cache
def whole(n: int = 15, days: int = 4, seed: int = 2) -> tuple[AnalysisData, Results]:
    """Fifteen participants, four days."""
    data = synthetic(n, days=days, seed=seed, plan=QUICK)
    return data, analysed(data)


@cache
def drawn() -> tuple[list[Figure], dict[str, list[str]]]:
    """The figures of `whole`."""
    return draw(*whole())


def lacking() -> dict[str, dict[str, Any]]:
    """Studies that lack something, as arguments of `synthetic`."""
    return {
        "nobody": {"n": 0, "ineligible": 0, "declined": 0},
        "nobody enrolled": {"n": 0},
        "one participant": {"n": 1, "days": 3},
        "two participants": {"n": 2, "days": 3},
        "an arm empty": {"n": 9, "days": 3, "arms": ["robot", "chatbot"]},
        "one arm only": {"n": 6, "days": 3, "arms": ["robot"]},
        "all missing": {"n": 6, "days": 3, "missing": 1.0},
        "one day": {"n": 9, "days": 1},
        "everybody left": {"n": 9, "days": 4, "dropout": 1.0},
        "blinded": {"n": 9, "days": 3, "blinded": True},
    }
