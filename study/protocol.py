"""The protocol: what `study.toml` says as a whole, and how its mistakes are named.

The tables of the file are in `study.grammar`; here is how they fit together. `load` returns a `Protocol` or raises
`ProtocolError` with one line for each mistake, each naming the key and what is allowed.
"""

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterator
from datetime import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from study.errors import ProtocolError
from study.grammar import (
    Allocation,
    Analysis,
    Arm,
    AuditBounds,
    Blinding,
    Consent,
    Contact,
    EngineChoice,
    EngineSource,
    Exercises,
    FollowUp,
    Identity,
    MeasureDue,
    Medium,
    Question,
    Reminders,
    Retention,
    Robot,
    Rule,
    Safety,
    Table,
    Visits,
)
from study.texts import SOURCE, languages, unfinished

__all__ = [
    "DISTRESS",
    "Arm",
    "Contact",
    "EngineChoice",
    "EngineSource",
    "Medium",
    "Protocol",
    "load",
    "mistakes",
    "parse",
    "understood",
    "zones",
]

DISTRESS = "distress"
"""The measure that every visit begins and ends with: 0 (none) to 100 (the worst imaginable)."""

_FIXED_OCCASIONS = ("screening", "baseline", "before", "after")


class Protocol(Table):
    """A whole study, as written in `study.toml`."""

    title: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="the study's name, as participants see it"
    )
    registration: Annotated[str, Field(max_length=200)] = Field(
        "", description="where and as what the trial is registered, for example ISRCTN12345678"
    )
    days: Annotated[int, Field(ge=1, le=365)] = Field(15, description="how many study days, one visit each")
    participants: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="how many participants are planned; the console shows the enrolment against it"
    )
    timezone: str = Field(
        description="an IANA time zone, for example Europe/London; participants elsewhere have one of their own"
    )
    language: str = Field(
        "en",
        description="what participants read and hear; `bedside languages` lists the languages there are",
        json_schema_extra=lambda schema: schema.update(enum=[*languages()]),
    )
    url: str | None = Field(
        None,
        description="where participants reach the portal, for the links in messages: https://study.example.org",
        pattern=r"^https?://[^\s/]+(/[^\s]*)?$",
    )
    contacts: list[Contact] = Field([], description="who runs the study, shown with the consent")
    allocation: Allocation
    visits: Visits = Field(default_factory=Visits)
    exercises: Exercises
    engine: EngineChoice = Field(default_factory=EngineChoice)
    arms: list[Arm] = Field(min_length=1)
    screening: list[Question] = Field([], description="questions that decide who can take part")
    eligibility: list[Rule] = Field([], description="rules over the answers of the screening, all of which must hold")
    consent: Consent | None = Field(None)
    identity: Identity = Field(default_factory=Identity)
    measures: list[MeasureDue] = Field(
        [MeasureDue(measure=DISTRESS, when=["before", "after"])], description="which measures are due when"
    )
    follow_ups: list[FollowUp] = Field([], description="measures after the last day")
    reminders: Reminders = Field(default_factory=Reminders)
    safety: Safety
    audit: AuditBounds = Field(default_factory=AuditBounds)
    robot: Robot = Field(default_factory=Robot)
    blinding: Blinding = Field(default_factory=Blinding)
    retention: Retention = Field(default_factory=Retention)
    analysis: Analysis | None = Field(None)

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        check_zone(value)
        return value

    @field_validator("language")
    @classmethod
    def _language_is_complete(cls, value: str) -> str:
        if value not in SOURCE.languages():
            raise ValueError(f"there are no texts in {value!r}; allowed: {', '.join(languages())}")
        if lacking := SOURCE.mistakes(value):
            raise ValueError(unfinished(value, lacking, languages()))
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "Protocol":
        mistakes = list(self._mistakes())
        if mistakes:
            raise ValueError("\n".join(mistakes))  # `parse` makes a line of each
        return self

    def _mistakes(self) -> Iterator[str]:
        yield from _repeated("arms", [arm.name for arm in self.arms])
        yield from _repeated("screening", [question.name for question in self.screening])
        yield from _repeated("measures", [due.measure for due in self.measures])
        yield from _repeated("follow_ups", [follow_up.name for follow_up in self.follow_ups])
        unit = sum(arm.ratio for arm in self.arms)
        for size in self.allocation.block_sizes:
            if size % unit:
                yield (
                    f"allocation.block_sizes: {size} is no multiple of {unit}, the sum of the arms' ratios; "
                    f"allowed: {unit}, {2 * unit}, {3 * unit}, ..."
                )
        distress = next((due for due in self.measures if due.measure == DISTRESS), None)
        if distress is None or not {"before", "after"} <= set(distress.when):
            yield f'measures: {DISTRESS} is due before and after every visit; write when = ["before", "after"] for it'
        if any(due.measure == "screening" for due in self.measures):
            yield "measures: 'screening' is the name of the screening's own questions; give the measure another"
        for number, follow_up in enumerate(self.follow_ups, 1):
            if follow_up.name in _FIXED_OCCASIONS:
                yield f"follow_ups[{number}].name is {follow_up.name!r}, which is an occasion already; choose another"
            if follow_up.day <= self.days:
                yield f"follow_ups[{number}].day is {follow_up.day}; it comes after the last day, {self.days}"
        allowed = self.occasions
        for number, due in enumerate(self.measures, 1):
            for one in due.when:
                if one not in allowed:
                    yield f"measures[{number}].when has {one!r}; allowed: {_some(allowed)}"
        ends = sorted((one.day, one.day + one.open_days) for one in self.follow_ups)
        for (_, end), (day, _) in pairwise(ends):
            if day < end:
                yield f"follow_ups: one opens on day {day}, when another is still open; put them further apart"
        yield from self._mistakes_of_engines()
        yield from self._mistakes_of_reminders()
        yield from self._mistakes_of_questions()
        if self.analysis is not None:
            yield from self._mistakes_of_analysis(self.analysis)

    def _mistakes_of_engines(self) -> Iterator[str]:
        shared: dict[EngineSource, tuple[str, int]] = {}
        for arm in self.arms:
            if choice := self.engine_of(arm):
                first, at_once = shared.setdefault(choice.source, (arm.name, choice.at_once))
                if choice.at_once != at_once:
                    yield (
                        f"at_once is {at_once} in the arm {first!r} and {choice.at_once} in {arm.name!r}, which share "
                        "one model; write the same in both"
                    )

    def _mistakes_of_reminders(self) -> Iterator[str]:
        for number, address in enumerate(self.reminders.send, 1):
            wanted = [name for name in ("email", "phone") if "{" + name + "}" in address]
            if not wanted:
                yield f"reminders.send[{number}] has neither {{email}} nor {{phone}}: whom shall it reach?"
            for name in wanted:
                if name not in self.identity.ask:
                    yield f"reminders.send[{number}] has {{{name}}}, which nobody is asked for; add it to identity.ask"
        if self.reminders.send and self.url is None:
            yield "reminders.send: reminders have a link in them; write url, where participants reach the portal"

    def _mistakes_of_questions(self) -> Iterator[str]:
        for number, rule in enumerate(self.eligibility, 1):
            key = f"eligibility[{number}]"
            yield from self._mistakes_of_reference(f"{key}.question", rule.question, ["screening"])
            question = self.question(rule.question)
            is_number = question is None or question.kind == "number"
            if is_number and (rule.one_of or rule.none_of):
                yield f"{key}: {rule.question} is a number; write at_least or at_most"
            if question and not is_number:
                if not (rule.one_of or rule.none_of):
                    yield f"{key}: {rule.question} is no number; write one_of or none_of"
                for answer in (*rule.one_of, *rule.none_of):
                    if answer not in question.answers:
                        yield f"{key}: {answer!r} is no answer to {rule.question}; allowed: {_some(question.answers)}"
        yield from self._mistakes_of_minimisation()
        for number, factor in enumerate(self.allocation.strata, 1):
            key = f"allocation.strata[{number}]"
            yield from self._mistakes_of_reference(f"{key}.question", factor.question, ["screening", "baseline"])
            question = self.question(factor.question)
            is_number = question is None or question.kind == "number"
            if is_number and not factor.cuts:
                yield f"{key}: {factor.question} is a number; write cuts, for example [25]"
            if not is_number and factor.cuts:
                yield f"{key}: {factor.question} is no number; leave cuts out"
            for answer in question.answers if question else []:
                # Strata are named "sex: female; site: north", and no two may have the same name.
                if any(f"; {other.name}: " in answer for other in self.allocation.strata):
                    yield f"{key}: the answer {answer!r} reads like two factors of a stratum; write it otherwise"

    def _mistakes_of_minimisation(self) -> Iterator[str]:
        ratios = [arm.ratio for arm in self.arms]
        least = min(ratios) / sum(ratios)
        if self.allocation.method == "minimisation" and len(ratios) > 1 and self.allocation.chance <= least:
            yield (
                f"allocation.chance is {self.allocation.chance:g}, so the arm that balances best would be avoided; "
                f"allowed: more than {least:.3g}, the smallest arm's share, and less than 1"
            )

    def _mistakes_of_reference(self, key: str, name: str, occasions: list[str]) -> Iterator[str]:
        due = [one.measure for one in self.measures if set(one.when) & set(occasions)]
        known = [question.name for question in self.screening] + due
        if name not in known and name.split(".")[0] not in due:
            yield f"{key} is {name!r}; allowed: {_some(known) or 'nothing yet: add [[screening]]'}"

    def _mistakes_of_analysis(self, plan: Analysis) -> Iterator[str]:
        names = [arm.name for arm in self.arms]
        for pair in plan.contrasts:
            if pair[0] == pair[1]:
                yield f"analysis.contrasts compares {pair[0]!r} with itself"
            for name in pair:
                if name not in names:
                    yield f"analysis.contrasts has {name!r}; allowed: {_some(names)}"
        if plan.reference is not None and plan.reference not in names:
            yield f"analysis.reference is {plan.reference!r}; allowed: {_some(names)}"
        if plan.deltas and (plan.deltas != sorted(set(plan.deltas)) or plan.deltas[0] < 0):
            yield "analysis.deltas must rise, each larger than the one before, from 0 on"
        factors = [factor.name for factor in self.allocation.strata]
        for name in plan.covariates:
            if name not in factors:
                yield f"analysis.covariates has {name!r}; allowed: {_some(factors) or 'nothing: there are no strata'}"
        outcomes = {"primary": plan.primary} | {f"secondary[{n}]": one for n, one in enumerate(plan.secondary, 1)}
        for key, outcome in outcomes.items():
            due = next((one for one in self.measures if one.measure == outcome.measure.split(".")[0]), None)
            if due is None:
                allowed = _some([one.measure for one in self.measures])
                yield f"analysis.{key}.measure is {outcome.measure!r}; allowed: {allowed}"
                continue
            for name, when in (("when", outcome.when), ("change_from", outcome.change_from)):
                if when is not None and when not in due.when:
                    yield f"analysis.{key}.{name} is {when!r}; {due.measure} is due: {_some(due.when)}"

    @property
    def occasions(self) -> list[str]:
        """Every occasion at which a measure can be due."""
        days = [f"day {day}" for day in range(1, self.days + 1)]
        return [*_FIXED_OCCASIONS, *days, *(follow_up.name for follow_up in self.follow_ups)]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def boundary(self) -> time:
        return time.fromisoformat(self.visits.day_boundary)

    @property
    def sha256(self) -> str:
        """The hash the protocol is locked by: of what it says, so that comments may change.

        What is left out does not count, so a key that a later version of Bedside brings changes no older study.
        """
        canonical = json.dumps(self.model_dump(exclude_defaults=True), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def asks_before_enrolment(self) -> bool:
        """Whether there is anything to answer or to agree to before somebody is enrolled."""
        return bool(self.screening or self.consent or self.due("screening") or self.due("baseline"))

    def allocates_otherwise(self, other: "Protocol") -> bool:
        """Whether its allocation is another one than `other`'s, so that places have to be counted anew."""
        ratios, others = ([(arm.name, arm.ratio) for arm in one.arms] for one in (self, other))
        return self.allocation != other.allocation or ratios != others

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def engine_of(self, arm: Arm) -> EngineChoice | None:
        """The engine that answers in `arm`; None for a worksheet without assistance."""
        return None if not arm.assist else arm.engine or self.engine

    def exercise_on(self, day: int) -> str:
        """The exercise of study day `day`, counted from 1."""
        return self.exercises.rota[(day - 1) % len(self.exercises.rota)]

    def question(self, name: str) -> Question | None:
        """The question of the screening that is called `name`."""
        return next((question for question in self.screening if question.name == name), None)

    def due(self, *occasions: str) -> list[MeasureDue]:
        """The measures due at any of `occasions`, in the order of the protocol."""
        return [due for due in self.measures if set(due.when) & set(occasions)]

    def follow_up_on(self, day: int) -> FollowUp | None:
        """The follow-up that is open on study day `day`."""
        return next((one for one in self.follow_ups if one.day <= day < one.day + one.open_days), None)


@cache
def _zones() -> frozenset[str]:
    """Every IANA time zone. Python looks through its folders of zones each time it is asked: 20 ms and more."""
    return frozenset(available_timezones()) - {"localtime", "posixrules"}  # what this machine has, whatever that is


def zones() -> list[str]:
    """Every IANA time zone that a place is named after, in the order of their names."""
    return sorted(zone for zone in _zones() if ("/" in zone and not zone.startswith("Etc/")) or zone == "UTC")


def check_zone(value: str) -> None:
    """Raises `ValueError` when `value` is no IANA time zone."""
    if value not in _zones():
        near = difflib.get_close_matches(value, _zones(), 1)
        hint = f"; did you mean {near[0]}?" if near else "; write one such as Europe/London"
        raise ValueError(f"is {value!r}, which is no IANA time zone{hint}")


def _repeated(table: str, names: list[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{table}: two are called {name!r}; give each its own name"


def _some(names: list[str]) -> str:
    """`names` as a list to read; a long one is cut short."""
    return ", ".join(names if len(names) <= 12 else [*names[:11], "..."])


def load(path: Path) -> tuple[Protocol, str]:
    """The protocol in the file `path`, and its text."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProtocolError(
            [f"{path} does not exist; `bedside init {path.parent}` writes one to begin from."]
        ) from None
    except UnicodeDecodeError:
        raise ProtocolError([f"{path} is not UTF-8 text; save it as UTF-8."]) from None
    except OSError as error:
        raise ProtocolError([f"{path} cannot be read: {error.strerror}."]) from None
    return parse(text, path.name), text


def parse(text: str, name: str = "study.toml") -> Protocol:
    """The protocol that `text` says. Raises `ProtocolError`; `name` is what its lines call the file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError([f"{name}: not valid TOML: {error}."]) from None
    except ValueError:  # a whole number of thousands of digits
        raise ProtocolError([f"{name}: a number in it is too long."]) from None
    except RecursionError:
        raise ProtocolError([f"{name}: brackets in it are nested too deeply."]) from None
    return understood(data, name)


def understood(data: dict[str, Any], name: str = "study.toml") -> Protocol:
    """The protocol in what a file says. Raises `ProtocolError`."""
    try:
        return Protocol.model_validate(data)
    except ValidationError as error:
        lines = mistakes(error, Protocol, "the protocol")
        raise ProtocolError([f"{name}: {line}{'' if line.endswith('?') else '.'}" for line in lines]) from None


def mistakes(error: ValidationError, root: type[BaseModel], what: str) -> list[str]:
    """Each mistake that was found in `what`, a file with the keys of `root`: "key: what is wrong; what is allowed"."""
    # A key that does not exist is often why another is missing, so it is said first.
    ordered = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    return [line for one in ordered for line in _in_words(one, root, what).splitlines()]


def _in_words(error: Any, root: type[BaseModel], what: str) -> str:
    """One validation error as "key: what is wrong; what is allowed"."""
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    context = error.get("ctx", {})
    shown = _shown(error["input"])
    match error["type"]:
        case "missing":
            return f"{key} is missing; {_purpose(error['loc'], root)}"
        case "extra_forbidden":
            allowed = _keys_beside(error["loc"], root)
            near = difflib.get_close_matches(str(error["loc"][-1]), allowed, 1)
            hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(allowed)}"
            return f"{key} is not a key of {what}; {hint}"
        case "literal_error":
            return f"{key} is {shown}; allowed: {context['expected'].replace(' or ', ', ')}"
        case "value_error":
            reason = str(context["error"])
            return f"{key} {reason}" if reason.startswith("is ") else f"{key}: {reason}" if key else reason
        case "string_pattern_mismatch":
            return f"{key} is {shown}; {_purpose(error['loc'], root)}"
        case kind if kind.endswith("_type"):
            wanted = error["msg"].removeprefix("Input should be ").removesuffix(" instance")
            return f"{key} is {shown}, which is not {wanted}"
        case "too_short" | "string_too_short":
            return f"{key} is empty; {_purpose(error['loc'], root)}"
        case _:
            return f"{key} is {shown}; {error['msg'].removeprefix('Input ')}"


def _shown(value: object) -> str:
    """What somebody wrote, as it can stand in a line."""
    try:
        text = repr(value)
    except ValueError:  # a number of thousands of digits, in another base than ten
        return "a very long number"
    return text if len(text) <= 80 else f"{text[:80]}..."


def _table_of(loc: tuple[str | int, ...], root: type[BaseModel]) -> type[BaseModel] | None:
    """The table of `root` that holds the key at `loc`."""
    table: Any = root
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        field = table.model_fields.get(part)
        if field is None:
            return None
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        tables = [one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)]
        if not tables:
            return None
        table = tables[0]
    return table  # type: ignore[no-any-return]


def _keys_beside(loc: tuple[str | int, ...], root: type[BaseModel]) -> list[str]:
    table = _table_of(loc, root)
    return sorted(table.model_fields) if table else []


def _purpose(loc: tuple[str | int, ...], root: type[BaseModel]) -> str:
    """What the key at `loc` is for, from its description."""
    table = _table_of(loc, root)
    field = table.model_fields.get(str(loc[-1])) if table else None
    if field is None or not field.description:
        return f"add [{loc[-1]}]; `bedside init` writes an example"
    return f"write {field.description}"
