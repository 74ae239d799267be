"""The primary outcome by the randomisation of the study itself."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from study.analysis.compare import compare
from study.analysis.data import AnalysisData
from study.analysis.outcomes import values
from study.analysis.reallocating import procedure_in_words, reallocations
from study.analysis.sections import methods, randomisation
from study.grammar import Factor
from study.protocol import Protocol
from study.statistics.randomisation import randomisation_test
from tests.analysing import ARMS, kian2024, synthetic
from tests.study.analysis.test_missing_section import table


def allocating(data: AnalysisData, *protocols: Protocol, versions: list[int] | None = None) -> AnalysisData:
    """The same participants as if they had come under other versions of the protocol."""
    people = data.participants.copy()
    people["version"] = versions or [1] * len(people)
    return replace(data, protocol=protocols[-1], versions=protocols, participants=people)


def changed(protocol: Protocol, **allocation: object) -> Protocol:
    whole = protocol.allocation.model_copy(update=allocation)
    return protocol.model_copy(update={"allocation": whole})


@pytest.fixture(scope="module")
def data() -> AnalysisData:
    return synthetic(plan={"randomisations": 2000}, dropout=0.2)


def test_the_blocks_and_strata_of_the_study_are_kept(data: AnalysisData) -> None:
    """Each stratum begins with a block of three or of six: its first three places are what these leave possible, as
    often as they should be."""
    drawn, made = reallocations(data, 500, np.random.default_rng(1))
    assert drawn.shape == (500, 38)
    assert [data.arms[number] for number in made] == data.participants["arm"].tolist()
    for _, own in data.participants.groupby("stratum"):
        here = drawn[:, own.index]
        firsts = [tuple(sorted(Counter(row[:3].tolist()).values())) for row in here]
        assert set(firsts) == {(1, 1, 1), (1, 2)}
        balanced = np.mean([one == (1, 1, 1) for one in firsts])
        # Half of the first blocks have three; of blocks of six, 8 of 20 choices of three have one of each.
        assert abs(balanced - (0.5 + 0.5 * 8 / 20)) < 0.1


def test_each_procedure_is_run_anew_and_said_in_words(data: AnalysisData) -> None:
    protocol = kian2024()
    assert procedure_in_words(data) == "permuted blocks of 3 or 6 within strata of severity"
    heavier = [Factor(name="severity", question="k10", cuts=[22.0], weight=2.0)]
    minimised = changed(protocol, method="minimisation", block_sizes=[], chance=0.9, strata=heavier)
    by_minimisation = allocating(data, minimised)
    assert procedure_in_words(by_minimisation) == (
        "minimisation over severity, with the best arm given in 90% of the draws"
    )
    drawn, _ = reallocations(by_minimisation, 300, np.random.default_rng(2))
    apart = [np.ptp(np.bincount(row, minlength=3)) for row in drawn]
    assert np.mean(apart) < 2.5
    listed = allocating(data, changed(protocol, method="list", block_sizes=[]))
    assert "an uploaded list" in procedure_in_words(listed)
    drawn, made = reallocations(listed, 300, np.random.default_rng(3))
    for _, own in data.participants.groupby("stratum"):
        assert all(sorted(row) == sorted(made[own.index]) for row in drawn[:, own.index].tolist())
    rehearsed = replace(listed, rehearsal=True)
    assert procedure_in_words(rehearsed) == "permuted blocks of 3 within strata of severity"


@pytest.mark.parametrize("method", ["blocks", "minimisation"])
def test_an_unequal_ratio_is_withheld_from_who_is_blinded(method: str) -> None:
    """In the order of the labels it would say which label has the larger share by design."""
    how = {"method": method, "block_sizes": [4] if method == "blocks" else []}
    for blinded in (False, True):
        data = synthetic(12, days=2, blinded=blinded)
        arms = [
            arm.model_copy(update={"ratio": 2 if place == 0 else 1}) for place, arm in enumerate(data.protocol.arms)
        ]
        uneven = changed(data.protocol.model_copy(update={"arms": arms}), **how)
        said = procedure_in_words(allocating(data, uneven))
        assert ("in the ratio 2:1:1" in said) != blinded
        assert ("ratio" in methods.section(replace(data, protocol=uneven)).text[0]) != blinded


def test_after_an_amendment_participants_keep_their_own_scheme(data: AnalysisData) -> None:
    """Twenty under the first version, blocks of three; then one that changes only the title; then blocks of six."""
    first = changed(kian2024(), block_sizes=[3])
    second = first.model_copy(update={"title": "Another title"})
    third = changed(second, block_sizes=[6])
    amended = allocating(data, first, second, third, versions=[1] * 10 + [2] * 10 + [3] * 18)
    assert procedure_in_words(amended) == (
        "permuted blocks of 3 within strata of severity; after an amendment, permuted blocks of 6 within strata of "
        "severity"
    )
    drawn, _ = reallocations(amended, 200, np.random.default_rng(4))
    for _, own in data.participants.groupby("stratum"):
        before = [place for place in own.index if place < 20]
        after = [place for place in own.index if place >= 20]
        for row in drawn:
            blocks = [row[before[start : start + 3]] for start in range(0, len(before) - 2, 3)]
            assert all(sorted(block) == [0, 1, 2] for block in blocks)
            assert np.bincount(row[after[:6]], minlength=3).max() == 2
    # The second block of those before does not begin anew with the second version, which allocates as the first.
    assert len(before) > 6


def test_p_is_that_of_a_direct_computation(data: AnalysisData) -> None:
    """With statsmodels' least squares on each participant's mean of day-centred values, in each of 300 draws."""
    few = replace(data, plan=data.plan.model_copy(update={"randomisations": 300}))
    section = randomisation.section(few)
    frame = values(data, data.plan.primary).frame
    centred = frame["value"] - frame.groupby("day")["value"].transform("mean")
    means = centred.groupby(frame["participant"], sort=False).mean()
    people = frame.drop_duplicates("participant")
    covariates = np.column_stack([people["baseline"].fillna(people["baseline"].mean()), people["severity"].cat.codes])
    response = means.loc[people["participant"]].to_numpy()
    known = ~np.isnan(response)
    drawn, made = reallocations(few, 300, np.random.default_rng([data.plan.seed, 2]))

    def t(allocations: np.ndarray) -> np.ndarray:
        found = []
        for arms in allocations:
            x = np.column_stack([arms[:, None] == np.arange(3), covariates]).astype(float)
            fit = sm.OLS(response[known], x[known]).fit()
            found.append(abs(float(np.squeeze(fit.t_test([1, -1, 0, 0, 0]).tvalue))))
        return np.array(found)

    expected = randomisation_test(drawn, made, t)
    row = table(section, "randomisation_contrasts")[0]
    assert (row["arm"], row["compared_with"]) == ("robot", "chatbot")
    assert row["p_randomisation"] == expected.p
    assert row["monte_carlo_high"] == expected.high


@pytest.mark.parametrize("estimate", ["mean", "last", "trend"])
def test_p_and_interval_stand_beside_the_models(data: AnalysisData, estimate: str) -> None:
    planned = replace(data, plan=data.plan.model_copy(update={"estimate": estimate}))
    section = randomisation.section(planned)
    model = compare(values(planned, planned.plan.primary), planned.plan)
    rows = table(section, "randomisation_contrasts")
    assert len(rows) == len(section.text) - 2 == 3
    for row, one in zip(rows, model.contrasts, strict=True):
        assert (row["arm"], row["compared_with"]) == one.arms
        assert row["model_p"] == one.estimate.p
        assert row["low"] < row["difference"] < row["high"]  # type: ignore[operator]
        assert 1 / 2001 <= row["p_randomisation"] <= row["p_largest"] <= 1  # type: ignore[operator]
        if estimate != "last":  # of the last day the model says what its line says, the test what the day's values say
            assert abs(row["difference"] - row["model_difference"]) < 0.7 * one.estimate.se  # type: ignore[operator]
        rejected = not row["low"] <= 0 <= row["high"]  # type: ignore[operator]
        assert abs(row["p_randomisation"] - 0.05) < 0.02 or rejected == (row["p_randomisation"] <= 0.05)  # type: ignore[operator]
    statistics = {row["statistic"] for row in table(section, "randomisation_tests")}
    assert ("generalised least squares over all days" in statistics) == (estimate != "last")
    assert section.text[0].startswith("The allocation of the study was run 2,000 times anew, for its 38 participants")


def test_a_large_effect_is_found_and_none_is_not() -> None:
    effects = dict.fromkeys(ARMS, -6.0)
    none = table(randomisation.section(synthetic(seed=11, effects=effects)), "randomisation_contrasts")
    assert min(row["p_largest"] for row in none) > 0.05  # type: ignore[type-var]
    some = table(
        randomisation.section(synthetic(seed=11, effects=effects | {"robot": -18.0})), "randomisation_contrasts"
    )
    found = {(row["arm"], row["compared_with"]): row["p_largest"] for row in some}
    assert found["robot", "chatbot"] < 0.01 < 0.05 < found["worksheet", "chatbot"]  # type: ignore[operator]


def test_who_is_blinded_gets_the_same_test_under_labels() -> None:
    """Arm A is the worksheet, B the robot, C the chatbot; the draws are others, since labels have another order."""
    plain = table(randomisation.section(synthetic()), "randomisation_contrasts")
    masked = table(randomisation.section(synthetic(blinded=True)), "randomisation_contrasts")
    names = {"Arm A": "worksheet", "Arm B": "robot", "Arm C": "chatbot"}
    shown = {(names[str(row["arm"])], names[str(row["compared_with"])]): row for row in masked}
    for row in plain:
        other = shown.get((str(row["arm"]), str(row["compared_with"])))
        if other is not None:
            assert other["difference"] == pytest.approx(row["difference"])
            assert abs(other["p_randomisation"] - row["p_randomisation"]) < 0.03  # type: ignore[operator]


@pytest.mark.parametrize("what", [{"n": 0}, {"n": 1}, {"n": 2}, {"arms": ["robot"]}, {"missing": 1.0}])
def test_what_cannot_be_tested_is_a_sentence(what) -> None:  # type: ignore[no-untyped-def]
    section = randomisation.section(synthetic(**what))
    assert not section.tables
    (warning,) = section.warnings
    assert warning.startswith("The randomisation test could not be made: ")
    assert warning.endswith(".")


def test_an_arm_without_values_leaves_the_other_contrasts() -> None:
    section = randomisation.section(synthetic(arms=["robot", "chatbot"], plan={"randomisations": 200}))
    assert len(table(section, "randomisation_contrasts")) == 1
    assert sum("cannot be tested" in warning for warning in section.warnings) == 2


def test_a_statistic_that_cannot_be_had_is_said() -> None:
    section = randomisation.section(synthetic(6, days=3, missing=0.5, plan={"randomisations": 100}))
    statistics = {row["statistic"] for row in table(section, "randomisation_tests")}
    assert statistics == {"analysis of covariance", "analysis of covariance of ranks"}
    (said,) = [one for one in section.warnings if "no randomisation test by generalised least squares" in one]
    assert said.endswith("does not converge.")


def test_the_same_data_give_the_same_section(data: AnalysisData) -> None:
    assert randomisation.section(data) == randomisation.section(data)
