"""The plan of an analysis of a tidy table: which columns are what, which model, what to compare."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from study.errors import ProtocolError
from study.grammar import Table
from study.protocol import mistakes

__all__ = ["Contrasts", "Data", "Model", "TidyPlan", "load_plan"]

Column = Annotated[str, Field(min_length=1, max_length=200)]

Level = str | bool | int | float


class Data(Table):
    """Which columns of the table are what."""

    outcome: Column = Field(description="the column of the outcome, a number")
    participant: Column | None = Field(
        None, description="the column that says whose row it is; needed unless the model is ancova"
    )
    arm: Column | None = Field(None, description="the column of the arm, a factor; leave it out for data without arms")
    day: Column | None = Field(
        None, description="the column of the day or occasion; needed for mmrm, and for a random slope"
    )
    baseline: Column | None = Field(None, description="the column of the baseline, a number")
    covariates: list[Column] = Field([], description="further columns to adjust for")
    factors: dict[Column, list[Level]] = Field(
        {},
        description="columns that are factors, each with its levels in order, the first being the reference: { arm = "
        '["placebo", "drug"] }; an empty list takes the levels that occur, sorted. All other columns are numbers',
    )
    missing: list[str] = Field(["", "NA"], description="what stands in a field whose value is missing")
    separator: Literal[",", ";", "\t"] = Field(",", description='what separates the fields: ",", ";" or "\\t"')
    decimal: Literal[".", ","] = Field(".", description='the decimal mark of numbers: "." or ","')


class Model(Table):
    """Which model is fitted."""

    kind: Literal["mixed", "mmrm", "ancova"] = Field(
        "mixed",
        description="mixed (random effects of participants), mmrm (repeated measures) or ancova (one row for each "
        "participant, least squares)",
    )
    terms: list[Column] = Field(
        [],
        description='the fixed effects, columns or products of columns: ["baseline", "arm", "day", "arm:day"]; if left '
        "out, baseline, covariates, arm, day and arm:day, as far as data has them (for ancova without day)",
    )
    day: Literal["linear", "factor"] | None = Field(
        None, description="the day as a line or as a factor; if left out, a line for mixed and a factor for mmrm"
    )
    random: Literal["intercept", "slope"] = Field(
        "intercept",
        description="mixed only: participants differ by an intercept, or by an intercept and a slope over day",
    )
    covariance: Literal["unstructured", "ar1", "compound_symmetry"] = Field(
        "unstructured", description="mmrm only: the covariance within participants"
    )
    df: Literal["kenward-roger", "satterthwaite"] = Field(
        "kenward-roger",
        description="degrees of freedom in small samples; kenward-roger also adjusts standard errors, satterthwaite "
        "leaves them as lme4 prints them",
    )
    method: Literal["reml", "ml"] = Field("reml", description="reml, or ml (then df is satterthwaite)")
    level: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="the level of the intervals")

    @model_validator(mode="after")
    def _ml_has_no_kenward_roger(self) -> "Model":
        if self.method == "ml" and self.df == "kenward-roger" and self.kind != "ancova":
            raise ValueError('method = "ml" has no Kenward-Roger; write df = "satterthwaite" beside it')
        return self

    @property
    def is_restricted(self) -> bool:
        """Whether its likelihood is the restricted one."""
        return self.kind != "ancova" and self.method == "reml"


class Contrasts(Table):
    """Which means are shown and compared."""

    means: list[Column] = Field(
        [], description="factors of whose levels (and their combinations) means are shown; the arm if left out"
    )
    pairs: list[Annotated[list[Level], Field(min_length=2, max_length=2)]] = Field(
        [], description="pairs of levels to compare, the first minus the second; all pairs if left out"
    )
    at: dict[Column, Level | list[Level]] = Field(
        {},
        description="where the other columns are held: { day = 8 }, or { day = [2, 4, 6, 8] } for the mean over these; "
        "otherwise numbers are at their mean and factors averaged over their levels",
    )
    multiplicity: Literal["holm", "none"] = Field("none", description="how the p values of the pairs are adjusted")


class TidyPlan(Table):
    """A whole plan."""

    data: Data
    model: Model = Field(default_factory=Model)
    contrasts: Contrasts = Field(default_factory=Contrasts)

    @field_validator("data", mode="after")
    @classmethod
    def _no_missing_level(cls, data: Data) -> Data:
        for name, levels in data.factors.items():
            for level in levels:
                if str(level) in data.missing:
                    raise ValueError(
                        f'factors.{name} has the level {level!r}, which stands for missing; change "missing"'
                    )
        return data

    @model_validator(mode="after")
    def _fits_together(self) -> "TidyPlan":
        data, model = self.data, self.model
        needs = {"participant": model.kind != "ancova", "day": model.kind == "mmrm" or self._slope}
        for key, needed in needs.items():
            if needed and getattr(data, key) is None:
                why = "a random slope" if key == "day" and model.kind == "mixed" else model.kind
                raise ValueError(f"data.{key} is missing; {why} needs the column")
        if not self.terms:
            raise ValueError("model.terms is empty, and data names no arm, day, baseline or covariate; write terms")
        return self

    @property
    def _slope(self) -> bool:
        return self.model.kind == "mixed" and self.model.random == "slope"

    @property
    def terms(self) -> list[str]:
        """The fixed effects."""
        if self.model.terms:
            return self.model.terms
        data = self.data
        day = data.day if self.model.kind != "ancova" else None
        found = [data.baseline, *data.covariates, data.arm, day]
        return [one for one in found if one] + ([f"{data.arm}:{day}"] if data.arm and day else [])

    @property
    def day_is_factor(self) -> bool:
        """Whether the day has a mean of its own for each."""
        if self.data.day is None:
            return False
        chosen = self.model.day or ("factor" if self.model.kind == "mmrm" else "linear")
        return chosen == "factor" or self.data.day in self.data.factors

    @property
    def columns(self) -> list[str]:
        """Every column that is read, once, the outcome first."""
        named = [self.data.outcome, self.data.participant, self.data.day]
        used = [part for term in self.terms for part in term.split(":")]
        return list(dict.fromkeys([one for one in named if one] + used))

    @property
    def factors(self) -> dict[str, list[Level]]:
        """The columns that are factors, with the levels that are written down."""
        found = dict(self.data.factors)
        if self.data.arm and self.data.arm not in found:
            found[self.data.arm] = []
        return found

    @property
    def sha256(self) -> str:
        """Of what it says, so that comments may change."""
        canonical = json.dumps(self.model_dump(exclude_defaults=True), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def load_plan(path: Path) -> TidyPlan:
    """The plan in a TOML file. Raises `ProtocolError`, with one line for each mistake."""
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ProtocolError([f"{path} is not UTF-8 text; save it as UTF-8."]) from None
    except OSError as error:
        raise ProtocolError([f"{path} cannot be read: {error.strerror}."]) from None
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError([f"{path.name}: not valid TOML: {error}."]) from None
    try:
        return TidyPlan.model_validate(found)
    except ValidationError as error:
        raise ProtocolError([f"{path.name}: {line}." for line in mistakes(error, TidyPlan, "the plan")]) from None
