"""What the file of a measure may say, and how its mistakes are named.

The models below are the whole grammar of `measures/<name>.toml`; `docs/measures.md` repeats their descriptions.
`parse` returns a `MeasureFile` or raises `MeasureError` with one line: the file, the key, what is wrong and what is
allowed. What a measure does with answers is in `study.measure`.
"""

import difflib
import re
import tomllib
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from study.errors import MeasureError

__all__ = ["AlertRule", "Answers", "Band", "Item", "MeasureFile", "Missing", "Scale", "Span", "Text", "parse"]

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,31}$")]
Whole = Annotated[int, Field(ge=-10_000, le=10_000)]
Line = Annotated[str, Field(min_length=1, max_length=2000)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Item(_Table):
    """One question of a measure, answered with a whole number."""

    id: Id = Field(description="a short name, unique in the measure: small letters, digits and _; by custom its number")
    low: Whole = Field(description="the smallest answer")
    high: Whole = Field(description="the largest answer")
    reverse: bool = Field(False, description="true when a high answer means a low score; scored as low + high - answer")
    kind: Literal["choice", "line"] = Field(
        "choice", description="choice (one of the whole numbers from low to high) or line (a place on a line)"
    )

    @model_validator(mode="after")
    def _has_room(self) -> "Item":
        if self.low >= self.high:
            raise ValueError(f"item {self.id}: low is {self.low} and high {self.high}; high must be larger")
        if self.kind == "choice" and self.high - self.low > 20:
            raise ValueError(f"item {self.id}: a choice has at most 21 answers; write kind = 'line' for a longer one")
        return self

    def alternatives(self) -> tuple[int, ...]:
        """The answers to choose from, rising; none for an item that is answered on a line."""
        return () if self.kind == "line" else tuple(range(self.low, self.high + 1))


class Span(_Table):
    """Bounds to which items are brought."""

    low: Whole = Field(description="what an item's low becomes")
    high: Whole = Field(description="what an item's high becomes")

    @model_validator(mode="after")
    def _has_room(self) -> "Span":
        if self.low >= self.high:
            raise ValueError(f"has low = {self.low} and high = {self.high}; high must be larger")
        return self


class Missing(_Table):
    """What happens to a scale when items were left out."""

    at_most: Annotated[int, Field(ge=0)] = Field(
        0,
        description="how many items may be missing: their place is taken by the mean of the others; with more there is"
        " no score",
    )
    rounded: bool = Field(False, description="true rounds a score with missing items to a whole number, halves upwards")
    source: str = Field("", description="who says so; needed when at_most is above 0")


class Band(_Table):
    """A range of scores that has a name."""

    at_least: float = Field(description="the score at which the band begins; it ends where the next one begins")
    label: Line = Field(description="what scores in the band are called")


class Scale(_Table):
    """One score of a measure: (sum or mean of the items - subtract) * times / divided_by."""

    name: Id = Field(description="a short name, unique in the measure; the first scale is meant by the measure's name")
    title: Line = Field(description="what the score is a measure of")
    items: list[str] = Field(min_length=1, description="the ids of the items that are summed or averaged")
    how: Literal["sum", "mean"] = Field("sum", description="sum or mean of the items, after reversing")
    rescale: Span | None = Field(None, description="brings each item linearly from its own bounds to these, first")
    subtract: float = Field(0.0, description="what is taken off the sum or mean")
    times: Annotated[float, Field(gt=0)] = Field(1.0, description="what that is multiplied by")
    divided_by: Annotated[float, Field(gt=0)] = Field(1.0, description="and divided by")
    missing: Missing = Field(default_factory=Missing, description="the rule for missing items; without it, none may be")
    bands: list[Band] = Field([], description="cut-offs, rising")
    source: str = Field("", description="where the cut-offs come from; needed with bands")

    @model_validator(mode="after")
    def _fits_together(self) -> "Scale":
        where = f"scale {self.name}"
        twice = sorted({item for item in self.items if self.items.count(item) > 1})
        if twice:
            raise ValueError(f"{where}: item {twice[0]} is named twice; name each item once")
        if self.missing.at_most >= len(self.items):
            raise ValueError(f"{where}: missing.at_most is {self.missing.at_most}; allowed: 0 to {len(self.items) - 1}")
        if self.missing.at_most and not self.missing.source:
            raise ValueError(f"{where}: missing.source is empty; write who says that items may be missing")
        if self.bands and not self.source:
            raise ValueError(f"{where}: source is empty; write where the cut-offs come from")
        if any(one.at_least >= two.at_least for one, two in pairwise(self.bands)):
            raise ValueError(f"{where}: bands must rise; order them by at_least, each one once")
        return self


class AlertRule(_Table):
    """Answers that a person must hear of at once."""

    item: str | None = Field(None, description="the id of the item that is watched; either this or scale")
    scale: str | None = Field(None, description="the name of the scale that is watched; either this or item")
    at_least: float = Field(description="the answer or score from which on there is an alert")
    category: str = Field(
        description="what kind of event it is: small letters and _, such as self_harm or severe_distress",
        pattern=r"^[a-z][a-z_]{0,39}$",
    )

    @model_validator(mode="after")
    def _watches_one_thing(self) -> "AlertRule":
        if (self.item is None) == (self.scale is None):
            raise ValueError("has to have either item or scale, and not both")
        return self


class Answers(_Table):
    """How the answers read: a label for each number, or words for the two ends."""

    options: dict[str, Line] = Field(
        {}, description="the label of each answer, as number = label, in the order in which they are shown"
    )
    low: str = Field("", description="what the low end of a line, or of numbers without labels, means")
    high: str = Field("", description="what the high end means")

    @field_validator("options")
    @classmethod
    def _keys_are_numbers(cls, options: dict[str, str]) -> dict[str, str]:
        for key in options:
            if not re.fullmatch(r"0|-?[1-9][0-9]{0,5}", key):
                raise ValueError(f"has the key {key!r}; allowed: whole numbers, the answers that the labels stand for")
        return options


class Text(Answers):
    """A measure's wording in one language."""

    source: Line = Field(description="where this wording is published")
    direction: Literal["ltr", "rtl"] | None = Field(
        None, description="ltr or rtl, for a language that is usually written the other way"
    )
    instruction: str = Field("", description="what is said before the items; may be empty")
    questions: dict[str, Line] = Field(description="the wording of each item, as id = wording")
    answers: dict[str, Answers] = Field(
        {}, description="options, low and high of single items, where they differ from those of the language"
    )


class MeasureFile(_Table):
    """A whole measure."""

    title: Line = Field(description="the measure's name, as researchers know it")
    version: Line = Field(description="which version of the instrument this is; change it whenever the file changes")
    licence: Line = Field(description="who may use it, and on what conditions")
    citation: Line = Field(description="the publication to cite")
    items: list[Item] = Field(min_length=1, description="the items, in the order in which they are asked")
    scales: list[Scale] = Field(min_length=1, description="the scores")
    alerts: list[AlertRule] = Field([], description="answers and scores that raise a safety event")
    texts: dict[str, Text] = Field(
        {}, description="the wording by language (en, pt-BR); without any, the researcher supplies it"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "MeasureFile":
        ids = [item.id for item in self.items]
        names = [scale.name for scale in self.scales]
        for kind, found in (("item", ids), ("scale", names)):
            twice = sorted({one for one in found if found.count(one) > 1})
            if twice:
                raise ValueError(f"{kind}s: two are called {twice[0]}; give each its own")
        for scale in self.scales:
            _known(f"scales: scale {scale.name}: items", scale.items, ids)
        _known("alerts: item", [rule.item for rule in self.alerts if rule.item is not None], ids)
        _known("alerts: scale", [rule.scale for rule in self.alerts if rule.scale is not None], names)
        for language, text in self.texts.items():
            if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
                raise ValueError(f"texts.{language}: is no language; allowed: codes such as en, pt-BR or zh-Hans")
            self._text_is_complete(f"texts.{language}", text)
        return self

    def _text_is_complete(self, where: str, text: Text) -> None:
        ids = [item.id for item in self.items]
        _known(f"{where}.questions", text.questions, ids)
        _known(f"{where}.answers", text.answers, ids)
        for item in self.items:
            if item.id not in text.questions:
                raise ValueError(f"{where}.questions lacks item {item.id}; write the wording of each item")
            here = f"{where}.answers.{item.id}" if item.id in text.answers else where
            said = text.answers.get(item.id, text)
            if item.kind == "choice" and said.options:
                given = [int(key) for key in said.options]
                lacking = [value for value in item.alternatives() if value not in given]
                if lacking:
                    raise ValueError(f"{here}.options lacks {lacking[0]}; item {item.id} is answered {_bounds(item)}")
                beyond = [value for value in given if value not in item.alternatives()]
                if beyond:
                    raise ValueError(f"{here}.options has {beyond[0]}; item {item.id} is answered {_bounds(item)}")
            elif not (said.low and said.high):
                asked = "options, or low and high" if item.kind == "choice" else "low and high"
                raise ValueError(f"{here} does not say what the answers to item {item.id} mean; write {asked}")


def _bounds(item: Item) -> str:
    return f"from {item.low} to {item.high}"


def _known(where: str, named: Any, allowed: list[str]) -> None:
    for one in named:
        if one not in allowed:
            raise ValueError(f"{where}: there is no {one!r}; allowed: {', '.join(allowed)}")


def parse(data: dict[str, Any], file: str) -> MeasureFile:
    """The measure that `data` says. Raises `MeasureError`; `file` is what its line calls the file."""
    try:
        return MeasureFile.model_validate(data)
    except ValidationError as error:
        # A key that does not exist is often why another is missing, so it is said first.
        mistakes = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise MeasureError(" ".join(f"{file}: {_in_words(mistakes[0])}.".split())) from None


def toml(text: str, file: str) -> dict[str, Any]:
    """What the TOML `text` says; raises `MeasureError` with one line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MeasureError(f"{file}: not valid TOML: {error}.") from None
    except ValueError:  # a whole number of thousands of digits
        raise MeasureError(f"{file}: a number in it is too long.") from None
    except RecursionError:
        raise MeasureError(f"{file}: brackets in it are nested too deeply.") from None


def _in_words(error: Any) -> str:
    """One validation error as "key: what is wrong; what is allowed"."""
    loc: tuple[str | int, ...] = error["loc"]
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    field, beside = _field(loc)
    wanted = f"write {field.description}" if field is not None else "write it"
    try:
        written = repr(error["input"])
    except ValueError:  # a number of thousands of digits, in another base than ten
        written = "a very long number"
    written = written if len(written) <= 60 else f"{written[:60]}..."
    match error["type"]:
        case "missing":
            return f"{key} is missing; {wanted}"
        case "extra_forbidden":
            near = difflib.get_close_matches(str(loc[-1]), beside, 1)
            hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(beside)}"
            return f"{key} is not a key of a measure; {hint}"
        case "literal_error":
            return f"{key} is {written}; allowed: {error['ctx']['expected'].replace(' or ', ', ')}"
        case "value_error":
            reason = str(error["ctx"]["error"])
            return f"{key} {reason}" if reason.startswith("has ") else reason
        case "string_pattern_mismatch":
            return f"{key} is {written}; {wanted}"
        case kind if kind.endswith("_type"):
            expected = re.sub(r"^Input should be (?:an? )?(?:valid )?", "", error["msg"]).split(" or instance")[0]
            expected = "a table" if "dictionary" in expected else expected
            return f"{key} is {written}, which is not {expected}; {wanted}"
        case "too_short" | "string_too_short":
            return f"{key} is empty; {wanted}"
        case _:
            return f"{key} is {written}; {error['msg'].removeprefix('Input ')}"


def _field(loc: tuple[str | int, ...]) -> tuple[Any, list[str]]:
    """The field at `loc`, if there is one, and the keys of its table."""
    table: Any = MeasureFile
    field: Any = None
    inside = False  # within a table whose keys are the file's own: languages, items
    for part in loc:
        if isinstance(part, int):
            continue
        if inside:
            inside = False
            continue
        field = table.model_fields.get(part) if table else None
        beside = sorted(table.model_fields) if table else []
        if field is None:
            return None, beside
        annotation = str(field.annotation)
        tables = [one for one in _types(field.annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
        inside = annotation.startswith("dict")
        table = tables[0] if tables else None
        last = beside
    return (field, last) if field is not None else (None, [])


def _types(annotation: Any) -> list[Any]:
    """`annotation` and all that it is made of."""
    return [annotation, *(one for arg in getattr(annotation, "__args__", ()) for one in _types(arg))]
