"""The tables of `study.toml`: every key that a protocol may have, with its type, its bounds and what it is for.

The descriptions are what error messages, the JSON Schema and the researcher's guide say. How the tables fit together is
checked in `study.protocol`.
"""

from datetime import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "Allocation",
    "Analysis",
    "Arm",
    "AuditBounds",
    "Blinding",
    "Consent",
    "Contact",
    "EngineChoice",
    "EngineSource",
    "Estimand",
    "Exercises",
    "Factor",
    "FollowUp",
    "Identity",
    "MeasureDue",
    "Medium",
    "Occasion",
    "Outcome",
    "Permission",
    "Question",
    "Reminders",
    "Retention",
    "Robot",
    "Rule",
    "Safety",
    "StoppingRule",
    "Table",
    "Visits",
]


Medium = Literal["robot", "chat", "worksheet"]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


EngineSource = tuple[str, str | None, str | None, str | None, str]
"""Which model it is: kind, model, address, the environment variable that has the key, precision."""


class EngineChoice(Table):
    """Which engine writes the replies."""

    kind: Literal["transformers", "openai", "eliza"] = Field(
        "transformers",
        description="transformers (on this machine), openai (any OpenAI-compatible server) or eliza (1966 rules)",
    )
    model: str | None = Field(
        None,
        description="smollm2 (the default), a folder, a hub name, or the server's name for its model",
    )
    base_url: str | None = Field(None, description="the server's address, for openai: http://host:8000/v1")
    api_key_env: str | None = Field(
        None, description="the environment variable that holds the server's key, for openai"
    )
    timeout_s: Annotated[float, Field(ge=1, le=600)] = Field(
        20.0, description="seconds without a sentence after which the scripted sentence is said instead"
    )
    wait_s: Annotated[float, Field(ge=1, le=600)] = Field(
        10.0,
        description="seconds an answer may wait its turn at a busy model, after which the scripted sentence is said",
    )
    at_once: Annotated[int, Field(ge=1, le=256)] = Field(
        16, description="answers written at the same time; the rest wait their turn"
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="how a model on this machine computes: auto takes what a probe measured as fastest here",
    )
    equalise: bool = Field(
        False,
        description="hold answers back so that participants wait alike in all arms that have this, as in the slowest",
    )
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(
        0.0, description="0 takes the likeliest word each time; higher values vary more"
    )
    max_tokens: Annotated[int, Field(ge=16, le=1000)] = Field(
        60, description="the longest reply, in tokens, before it is cut off"
    )

    @property
    def source(self) -> EngineSource:
        """What two choices have in common when one model serves both."""
        return (self.kind, self.model, self.base_url, self.api_key_env, self.precision)

    @field_validator("timeout_s", "wait_s", "temperature", mode="before")
    @classmethod
    def _whole_numbers_too(cls, value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _server_has_address(self) -> "EngineChoice":
        if self.kind == "openai" and not self.base_url:
            raise ValueError("an engine of kind openai needs base_url, for example http://localhost:8000/v1")
        if self.kind != "openai" and (self.base_url or self.api_key_env):
            raise ValueError("base_url and api_key_env belong to an engine of kind openai")
        return self


class Arm(Table):
    """One arm of the study: a medium with a persona and an engine."""

    name: str = Field(
        description="a short name, unique in the study: letters, digits, - and _",
        pattern=r"^[a-z][a-z0-9_-]{0,31}$",
    )
    medium: Medium = Field(description="robot, chat or worksheet")
    persona: str = Field(
        "neutral", description="the manner of the replies: neutral, warm_trait, warm_behaviour or secure_attachment"
    )
    ratio: Annotated[int, Field(ge=1, le=20)] = Field(1, description="this arm's share of each block")
    engine: EngineChoice | None = Field(None, description="an engine of this arm's own; without it, the study's")
    assist: bool = Field(
        True, description="worksheet only: true answers each field with one sentence, false leaves it on paper"
    )

    @model_validator(mode="after")
    def _assist_is_the_worksheets(self) -> "Arm":
        if self.medium != "worksheet" and not self.assist:
            raise ValueError("assist = false belongs to a worksheet arm")
        return self


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
"""A short name that the file itself gives to something, so that other keys can refer to it."""

Text = Annotated[str, Field(min_length=1, max_length=500)]

WallTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day, HH:MM, on the participant's own clock."""


class Question(Table):
    """One question of the screening."""

    name: Name = Field(description="a short name, by which rules and strata refer to the question")
    ask: Text = Field(description="the question, as the person reads it")
    kind: Literal["number", "choice", "yes-no"] = Field(description="number, choice (of options) or yes-no")
    options: list[Text] = Field([], description="the answers to choose from, for a question of kind choice")
    low: int | None = Field(None, description="the smallest number that is taken, for a question of kind number")
    high: int | None = Field(None, description="the largest number that is taken, for a question of kind number")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Question":
        if self.kind == "choice" and len(set(self.options)) < 2:
            raise ValueError("a question of kind choice needs options, at least two different ones")
        if self.kind != "choice" and self.options:
            raise ValueError("options belong to a question of kind choice")
        if self.kind != "number" and (self.low is not None or self.high is not None):
            raise ValueError("low and high belong to a question of kind number")
        return self

    @property
    def answers(self) -> list[str]:
        """The answers to choose from; empty for a number."""
        return ["yes", "no"] if self.kind == "yes-no" else self.options


class Rule(Table):
    """One rule of eligibility. Who breaks a rule is told its reason, and the reason is recorded."""

    question: str = Field(
        description="a question of the screening, or a measure that is due at screening: k10, or nars.s1 for one scale"
    )
    at_least: float | None = Field(None, description="the number that must be reached")
    at_most: float | None = Field(None, description="the number that must not be passed")
    one_of: list[str] = Field([], description="the answers that are allowed")
    none_of: list[str] = Field([], description="the answers that exclude")
    reason: Text = Field(description="why, in words for the person who cannot take part")

    @field_validator("at_least", "at_most", mode="before")
    @classmethod
    def _whole_numbers_too(cls, value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _says_something(self) -> "Rule":
        numbers = self.at_least is not None or self.at_most is not None
        if numbers == bool(self.one_of or self.none_of):
            raise ValueError("a rule has either at_least or at_most, for numbers, or one_of or none_of, for answers")
        return self


class Permission(Table):
    """Something that a person may agree to or not, and take part all the same."""

    name: Name = Field(description="a short name; record_speech is the one that lets a robot keep the sound of answers")
    text: Text = Field(description="what is agreed to, as the person reads it")


class Consent(Table):
    """What a person agrees to before taking part."""

    version: Annotated[str, Field(min_length=1, max_length=40)] = Field(
        description="the version of the text; raise it whenever the text changes"
    )
    text: Annotated[str, Field(min_length=1, max_length=40_000)] = Field(
        description="what the study is, what it asks, risks, data, rights; an empty line begins a new paragraph"
    )
    statements: list[Text] = Field(min_length=1, description="statements, each of which must be ticked to take part")
    permissions: list[Permission] = Field([], description="statements that may be ticked or left")


class Factor(Table):
    """Something by which the allocation is stratified, or balanced by minimisation."""

    name: Name = Field(description="a short name of the factor")
    question: str = Field(description="a question of the screening, or a measure due at screening or baseline")
    cuts: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        [], description="for a number: where a new level begins, rising; [25] makes two levels"
    )
    weight: Annotated[float, Field(gt=0, le=100)] = Field(1.0, description="minimisation only: the factor's weight")

    @field_validator("cuts", mode="before")
    @classmethod
    def _whole_cuts_too(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [float(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in value]

    @field_validator("weight", mode="before")
    @classmethod
    def _whole_weight_too(cls, value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _cuts_rise(self) -> "Factor":
        if sorted(set(self.cuts)) != self.cuts:
            raise ValueError("cuts must rise, each larger than the one before")
        return self


class Allocation(Table):
    """How participants come to their arm."""

    method: Literal["blocks", "minimisation", "list"] = Field(
        "blocks",
        description="blocks (permuted, within strata), minimisation (Pocock and Simon) or list (uploaded)",
    )
    seed: int = Field(description="a whole number; with the study's key it fixes the sequence")
    block_sizes: list[Annotated[int, Field(ge=1, le=200)]] = Field(
        [], description="blocks only: sizes of the permuted blocks, each a multiple of the sum of the ratios"
    )
    strata: list[Factor] = Field([], description="factors to stratify by, or to balance by minimisation")
    chance: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.8, description="minimisation only: how likely the arm that balances best is taken"
    )

    @model_validator(mode="after")
    def _fits_its_method(self) -> "Allocation":
        if self.method == "blocks" and not self.block_sizes:
            raise ValueError("method blocks needs block_sizes, for example [3, 6]")
        if self.method != "blocks" and self.block_sizes:
            raise ValueError("block_sizes belongs to the method blocks")
        if self.method == "minimisation" and not self.strata:
            raise ValueError("method minimisation needs strata, the factors to balance")
        names = [factor.name for factor in self.strata]
        if len(set(names)) < len(names):
            raise ValueError("two of the strata have the same name")
        return self


class Contact(Table):
    """Someone whom participants can reach."""

    name: Annotated[str, Field(min_length=1, max_length=120)] = Field(description="who it is")
    reach: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="how to reach them, as the participant reads or hears it"
    )


class StoppingRule(Table):
    """A rule, set before the study, that halts it."""

    count: Literal["events", "screen", "item", "adverse", "serious"] = Field(
        description="what is counted: all events, screen hits, item alerts, adverse events, or serious ones"
    )
    at_least: Annotated[int, Field(ge=1)] = Field(description="how many halt")
    within: Literal["arm", "study"] = Field(
        "study", description="where they are counted, and what is halted: arm or study"
    )


class Safety(Table):
    """What happens when somebody may be in danger."""

    contacts: list[Contact] = Field(min_length=1, description="shown and said whenever the safety screen stops a visit")
    notify: list[str] = Field(
        default=[], description="Apprise addresses (e-mail, SMS, chat) that are told of each safety event"
    )
    acknowledge_minutes: Annotated[int, Field(ge=1, le=10_080)] = Field(
        30, description="minutes within which somebody must acknowledge an event, before it goes to safety.escalate"
    )
    escalate: list[str] = Field(
        default=[], description="Apprise addresses that are told of an event which nobody acknowledged in time"
    )
    stopping: list[StoppingRule] = Field(default=[], description="rules that halt an arm or the study")


class Visits(Table):
    """When a participant's visit of the day can be made. Times are on the participant's own clock."""

    first_day: Annotated[int, Field(ge=0, le=60)] = Field(
        0, description="how many days after enrolment study day 1 is; 0 is the day of enrolment"
    )
    day_boundary: WallTime = Field("04:00", description="the time of day, HH:MM, at which a new study day begins")
    opens: WallTime | None = Field(
        None, description="from when the visit can be begun, HH:MM; the day boundary if left out"
    )
    closes: WallTime | None = Field(
        None, description="until when it can be begun, HH:MM; the next day boundary if left out"
    )
    grace_minutes: Annotated[int, Field(ge=0, le=720)] = Field(
        0, description="minutes after closing in which a visit that was begun can still be finished"
    )

    @model_validator(mode="after")
    def _window_is_open(self) -> "Visits":
        if self.opens is not None and self.opens == self.closes:
            raise ValueError("opens and closes are the same; leave both out for a visit at any time of the day")
        if self.closes is not None and minutes_after(self.day_boundary, self.closes) == 0:
            raise ValueError(
                f"closes ({self.closes}) is when the day begins (day_boundary), so no visit could be begun; leave it "
                "out for a visit until the day is over"
            )
        minutes = [minutes_after(self.day_boundary, one) for one in (self.opens, self.closes) if one is not None]
        if len(minutes) == 2 and minutes[1] < minutes[0]:
            raise ValueError(
                f"closes ({self.closes}) comes before opens ({self.opens}) in a day that begins at {self.day_boundary}"
            )
        return self


def minutes_after(boundary: str, moment: str) -> int:
    """Minutes from the day boundary on to `moment`, both HH:MM: 01:00 is 21 hours after 04:00."""
    begin, then = time.fromisoformat(boundary), time.fromisoformat(moment)
    return (then.hour * 60 + then.minute - begin.hour * 60 - begin.minute) % 1440


class Exercises(Table):
    """What is done on each day."""

    rota: list[str] = Field(
        min_length=1, description="exercises in the order of the days, begun again when the list is used up"
    )


Occasion = Annotated[
    str, Field(pattern=r"^(screening|baseline|before|after|day [1-9][0-9]{0,2}|[a-z][a-z0-9_-]{0,31})$")
]


class MeasureDue(Table):
    """A measure, and when it is due."""

    measure: str = Field(description="its name; docs/measures.md lists those that come with Bedside")
    when: list[Occasion] = Field(
        min_length=1,
        description="screening, baseline, before (each visit), after (each visit), day 8, or the name of a follow-up",
    )
    language: str | None = Field(None, description="the language of its wording; the study's language if left out")


class FollowUp(Table):
    """Measures after the last day."""

    name: Name = Field(description="a short name, by which measures refer to it: follow-up")
    day: Annotated[int, Field(ge=2, le=1500)] = Field(
        description="the study day on which it opens, counted on from day 1"
    )
    open_days: Annotated[int, Field(ge=1, le=90)] = Field(7, description="for how many days it stays open")


class Reminders(Table):
    """Messages to participants whose visit of the day is not done. Sent once each."""

    at: list[WallTime] = Field([], description="when, HH:MM on the participant's own clock")
    send: list[str] = Field(
        [], description="Apprise addresses with {email} or {phone} where the participant's own belongs"
    )


class Identity(Table):
    """What is asked of a person's identity. It is kept apart from the record, encrypted."""

    ask: list[Literal["name", "email", "phone"]] = Field(
        [], description="what is asked after consent: name, email, phone; nothing if left out"
    )


class Retention(Table):
    """How long what is kept."""

    identity_days: Annotated[int, Field(ge=0, le=3650)] | None = Field(
        None, description="days after a participant's last day on which their identity is deleted; never if left out"
    )
    data_years: Annotated[int, Field(ge=1, le=50)] | None = Field(
        None, description="years after the last participant's last day until which the record is to be kept"
    )


class Blinding(Table):
    """Who is not to know which arm is which."""

    roles: list[Literal["analyst", "assessor"]] = Field(
        [], description="roles that see masked labels instead of arms: analyst, assessor (of outcomes)"
    )


class AuditBounds(Table):
    """What an audit (`bedside audit`) must have found of an arm's engine and persona before the study is served."""

    clinical_safety_at_least: Annotated[float, Field(ge=0, le=1)] = Field(
        0.8,
        description="share of acute scenarios and their look-alikes that are answered rightly, both counted alike; "
        "a reply that is always the same reaches 0.5",
    )
    epistemic_cost_at_most: Annotated[float, Field(ge=-100, le=100)] = Field(
        5.0, description="errors more than with the persona neutral and the same engine, in points"
    )
    screen_explicit_at_least: Annotated[float, Field(ge=0, le=1)] = Field(
        0.98, description="share of explicit risk that the crisis screen finds"
    )
    screen_veiled_at_least: Annotated[float, Field(ge=0, le=1)] = Field(
        0.9, description="share of veiled risk that the crisis screen finds"
    )
    screen_false_alarms_at_most: Annotated[float, Field(ge=0, le=1)] = Field(
        0.03, description="share of ordinary distress that sets the crisis screen off"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers_too(cls, value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Robot(Table):
    """What holds for robots."""

    record_speech: bool = Field(
        False,
        description="true lets robots keep the sound of each answer as a WAV file; where the consent has a "
        "permission of the name record_speech, only of those who gave it",
    )


DAILY = ("before", "after")
"""The occasions that each visit has."""


class Outcome(Table):
    """Something that the analysis compares."""

    measure: str = Field(description="a measure of the protocol; nars.s1 names one scale")
    when: Occasion = Field(description="the occasion at which it is taken: before, after, day 15, a follow-up")
    change_from: Occasion | None = Field(None, description="the occasion from which the change is counted")

    @property
    def is_daily(self) -> bool:
        """Whether there is a value for each study day, and not for one occasion."""
        return self.when in DAILY


class Estimand(Table):
    """What the study estimates, in the five attributes of ICH E9(R1)."""

    population: Text = Field(description="who the answer is about")
    treatment: Text = Field(description="what is compared with what")
    variable: Text = Field(description="what is measured on each participant, and when")
    intercurrent_events: Text = Field(description="what may happen after allocation, and how each is dealt with")
    summary: Text = Field(description="the number that sums up the comparison")


class Analysis(Table):
    """The plan of the analysis, fixed before the data are seen."""

    estimand: Estimand
    primary: Outcome
    secondary: list[Outcome] = Field([], description="further outcomes")
    model: Literal["mixed", "mmrm", "ancova"] = Field(
        "mixed",
        description="for an outcome of every day: mixed (random effects of participants), mmrm (repeated measures) or "
        "ancova (each participant's value on the last day); an outcome of one occasion is always compared by ancova",
    )
    day: Literal["linear", "factor"] = Field(
        "linear", description="mixed only: the day as a line, or as a factor with a mean of its own for each day"
    )
    random: Literal["intercept", "slope"] = Field(
        "slope", description="mixed only: participants differ by an intercept, or by an intercept and a slope over days"
    )
    covariance: list[Literal["unstructured", "ar1", "compound_symmetry"]] = Field(
        # Where participants have levels of their own, ar1 alone rejects far too often (docs/power.md): so it is last.
        ["unstructured", "compound_symmetry", "ar1"],
        min_length=1,
        description="mmrm only: the covariance within participants; the first of the list that converges is used",
    )
    df: Literal["kenward-roger", "satterthwaite"] = Field(
        "kenward-roger", description="how degrees of freedom are found in small samples"
    )
    estimate: Literal["mean", "last", "trend"] = Field(
        "mean",
        description="what is compared of a daily outcome: the mean over all days, the last day, or the change a day",
    )
    covariates: list[str] = Field([], description="names of strata to adjust for")
    contrasts: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(
        [], description='pairs of arms to compare, for example ["robot", "chat"]; all pairs if left out'
    )
    multiplicity: Literal["holm", "none"] = Field(
        "holm", description="how p values of one family are adjusted: holm or none"
    )
    families: Literal["outcome", "secondary"] = Field(
        "outcome",
        description="what one family is: the contrasts of each outcome, or those of all secondary outcomes together; "
        "the primary outcome is always a family of its own",
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(0.05, description="the two-sided level")
    missing: Literal["mar", "jump_to_reference", "copy_reference"] = Field(
        "mar",
        description="what the main analysis assumes of missing values: mar (missing at random), jump_to_reference or "
        "copy_reference",
    )
    reference: str | None = Field(
        None,
        description="the arm whose course is assumed after dropping out, under jump_to_reference and copy_reference; "
        "the second arm of the first contrast if left out",
    )
    deltas: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        [],
        description="points by which missing values are taken to be worse, rising from 0, to find the tipping point; "
        "if left out, tenths of the outcome's standard deviation, up to twice the standard deviation",
    )
    imputations: Annotated[int, Field(ge=2, le=1000)] = Field(100, description="how often missing values are imputed")
    randomisations: Annotated[int, Field(ge=100, le=1_000_000)] = Field(
        10_000, description="how often the allocation is run anew for the randomisation test"
    )
    per_protocol: Annotated[float, Field(gt=0, le=1)] = Field(
        0.8, description="the share of the visits that somebody has to have made to count as treated per protocol"
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        1, description="the seed of all that is drawn in the analysis: imputations and re-allocations"
    )
