"""The methods: every sentence follows from the plan, another plan has other sentences, and what is cited is listed."""

import re
from typing import Any

import pytest

from study.analysis.data import AnalysisData
from study.analysis.sections import methods
from study.analysis.sections._references import REFERENCES
from tests.analysing import kian2024, synthetic


def said(**plan: Any) -> str:
    return " ".join(methods.section(synthetic(6, days=15, plan=plan)).text)


def of_protocol(**changes: Any) -> str:
    from dataclasses import replace

    return " ".join(methods.section(replace(synthetic(6), protocol=kian2024(**changes))).text)


PLAN = said()


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({"model": "mmrm"}, "model for repeated measures, fitted by restricted maximum likelihood"),
        ({"model": "mmrm"}, "unstructured; should it not converge, compound symmetry then first-order autoregressive"),
        (
            {"model": "mmrm", "covariance": ["ar1"]},
            "the covariance within participants was first-order autoregressive.",
        ),
        ({"model": "ancova"}, "at the last study day by ordinary least squares"),
        ({"day": "factor"}, "study day as a factor"),
        ({"random": "intercept"}, "with a random intercept for each participant"),
        ({"df": "satterthwaite"}, "Degrees of freedom are those of Satterthwaite, 1946."),
        ({"estimate": "last"}, "The arms were compared on the last study day"),
        ({"estimate": "trend"}, "by the change for each further study day"),
        ({"contrasts": [["robot", "chatbot"]]}, "The contrasts planned are robot with chatbot."),
        ({"contrasts": []}, "The contrasts planned are every pair of arms."),
        ({"multiplicity": "none"}, "P values were not adjusted for multiplicity."),
        ({"families": "secondary"}, "those of all secondary outcomes together another"),
        ({"alpha": 0.01}, "two-sided at the level 0.01"),
        (
            {"missing": "jump_to_reference"},
            "imputed under jump to reference, as if whoever left had gone on as chatbot",
        ),
        ({"missing": "copy_reference", "reference": "worksheet"}, "had gone on as worksheet does"),
        ({"imputations": 37}, "imputed 37 times"),
        ({"deltas": [0.0, 2.5, 5.0]}, "by steps of 0, 2.5 and 5 points"),
        ({"randomisations": 12_000}, "12,000 times anew"),
        ({"per_protocol": 0.5}, "at least 50% of their visits"),
        ({"seed": 77}, "has the seed 77"),
        ({"covariates": []}, "adjusted for the baseline value where there is one,"),
        ({"secondary": []}, "random slope over days for each participant"),
        ({"primary": {"measure": "k10", "when": "day 15"}}, "The primary outcome is K10 at day 15."),
    ],
)
def test_another_plan_has_another_sentence(plan: dict[str, Any], sentence: str) -> None:
    text = said(**plan)
    assert sentence in text
    assert text != PLAN or plan == {"secondary": []}


def test_the_allocation_is_described_as_it_was() -> None:
    assert "in the ratio 1:1:1 by permuted blocks of 3 and 6 within strata of severity (below 22, 22 or more)" in PLAN
    allocation = kian2024().allocation.model_dump()
    minimised = of_protocol(allocation={**allocation, "method": "minimisation", "block_sizes": [], "chance": 0.75})
    assert "by minimisation (Pocock & Simon, 1975) over severity" in minimised
    assert "with probability 0.75" in minimised
    assert "sealed list" in of_protocol(allocation={**allocation, "method": "list", "block_sizes": []})


@pytest.mark.parametrize(
    "plan", [{}, {"df": "satterthwaite"}, {"multiplicity": "none"}, {"model": "ancova"}, {"missing": "copy_reference"}]
)
def test_what_is_cited_is_listed_and_what_is_listed_is_cited(plan: dict[str, Any]) -> None:
    section = methods.section(synthetic(6, plan=plan))
    text = " ".join(section.text)
    listed = {row[0] for row in section.tables[0].rows}
    assert listed == {cited for cited, _ in REFERENCES.values() if cited in text}
    assert ("Satterthwaite, 1946" in listed) == (plan.get("df") == "satterthwaite")
    assert ("Holm, 1979" in listed) == (plan.get("multiplicity") != "none")
    for year in re.findall(r"[A-Z][\w &.-]+, (?:19|20)\d\d", text):
        assert any(year.removeprefix("(").endswith(cited) or cited in year for cited in listed), year


def test_every_reference_is_of_its_year() -> None:
    for cited, listed in REFERENCES.values():
        year = re.findall(r"\d{4}", cited)[-1]
        assert year in listed
        assert listed.endswith(".") or re.search(r"doi:10\.\d{4,}/\S+$", listed)


def test_masked_arms_stay_masked() -> None:
    data: AnalysisData = synthetic(6, blinded=True)
    text = " ".join(methods.section(data).text)
    assert "Arm A, Arm B and Arm C, whose names are masked here" in text
    assert not re.search(r"robot|chat|worksheet", text.replace(data.protocol.title, ""))
