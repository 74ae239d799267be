"""Measures: questionnaires and ratings as data, with their wording, scoring, cut-offs and alerts.

A measure is a file, `study/measures/<name>.toml`, or one of the researcher's own in `measures/` of the study's folder;
its grammar is in `study.measure_file`. What is here is pure but for `load_measure` and `measure_names`, which read
files. Answers are a mapping from an item's id to a whole number, or None for an item that was left out.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from study.errors import MeasureError, OutOfRange
from study.measure_file import AlertRule, Answers, Item, MeasureFile, Scale, Text, parse, toml

__all__ = ["Alert", "Item", "Measure", "Scale", "Wording", "load_measure", "measure_names"]

RIGHT_TO_LEFT = {"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"}
"""Languages that are written from right to left."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Answers that somebody must hear of; `rule` and `category` name them without quoting anything."""

    rule: str
    category: str


@dataclass(frozen=True, slots=True)
class Wording:
    """A measure's words in one language."""

    measure: str
    language: str
    text: Text
    items: tuple[Item, ...]

    @property
    def instruction(self) -> str:
        """What is said before the items; empty where the items say it all."""
        return self.text.instruction

    @property
    def source(self) -> str:
        """Where this wording is published."""
        return self.text.source

    @property
    def direction(self) -> str:
        """ltr or rtl, as HTML's attribute `dir`."""
        usual = "rtl" if self.language.split("-")[0] in RIGHT_TO_LEFT else "ltr"
        return self.text.direction or usual

    def question(self, item: str) -> str:
        """The wording of an item."""
        return self.text.questions[self._item(item).id]

    def options(self, item: str) -> list[tuple[int, str]]:
        """The answers to choose from, each with its label, in the order in which they are shown.

        Empty for an item that is answered on a line. Where only the ends have words, a number is its own label.
        """
        asked = self._item(item)
        if asked.kind == "line":
            return []
        labels = self._answers(item).options
        if labels:
            return [(int(value), label) for value, label in labels.items()]
        return [(value, str(value)) for value in asked.alternatives()]

    def low(self, item: str) -> str:
        """What the low end means; empty where every answer has its label."""
        return self._answers(item).low

    def high(self, item: str) -> str:
        """What the high end means; empty where every answer has its label."""
        return self._answers(item).high

    def _item(self, item: str) -> Item:
        for one in self.items:
            if one.id == item:
                return one
        raise MeasureError(f"{self.measure} has no item {item!r}; it has {', '.join(one.id for one in self.items)}.")

    def _answers(self, item: str) -> Answers:
        return self.text.answers.get(self._item(item).id, self.text)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure and all that can be done with answers to it."""

    name: str
    file: MeasureFile

    @property
    def title(self) -> str:
        return self.file.title

    @property
    def version(self) -> str:
        return self.file.version

    @property
    def sha256(self) -> str:
        """The hash of all that its file says: a wording or a rule that changed shows."""
        canonical = json.dumps(self.file.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def licence(self) -> str:
        return self.file.licence

    @property
    def citation(self) -> str:
        return self.file.citation

    @property
    def items(self) -> tuple[Item, ...]:
        """The items in the order in which they are asked."""
        return tuple(self.file.items)

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scores; the first is the one that is meant by the measure's name alone."""
        return tuple(self.file.scales)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages there is wording in; none when the researcher has to supply it and has not yet."""
        return tuple(sorted(self.file.texts))

    def wording(self, language: str) -> Wording:
        """The words in `language`. Raises `MeasureError` when there are none."""
        text = self.file.texts.get(language)
        if text is None:
            there = f"there is {', '.join(self.languages)}" if self.languages else "there is none in any language"
            raise MeasureError(
                f"{self.name} has no wording in {language!r}, {there}; "
                f"write [texts.{language}] in measures/{self.name}.toml in the study's folder."
            )
        return Wording(self.name, language, text, self.items)

    def check(self, answers: Mapping[str, int | None]) -> None:
        """Raises `OutOfRange` unless each answer is None or a whole number within its item's bounds."""
        items = {item.id: item for item in self.items}
        for key, value in answers.items():
            item = items.get(key)
            if item is None:
                raise OutOfRange(f"{self.name} has no item {str(key)[:40]!r}; it has {', '.join(items)}.")
            if value is None:
                continue
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not item.low <= value <= item.high:
                raise OutOfRange(
                    f"{self.name} item {item.id} is answered with a whole number from {item.low} to {item.high}."
                )

    def score(self, answers: Mapping[str, int | None]) -> dict[str, float | None]:
        """The score on each scale, by its name; None where more items are missing than its rule allows."""
        self.check(answers)
        return {scale.name: self._score(scale, answers) for scale in self.scales}

    def bounds(self, scale: str) -> tuple[float, float]:
        """The least and the greatest score on a scale."""
        of = self._scale(scale)
        items = [item for item in self.items if item.id in of.items]
        low = _total(of, [_part(of, item, item.high if item.reverse else item.low) for item in items])
        high = _total(of, [_part(of, item, item.low if item.reverse else item.high) for item in items])
        return low, high

    def band(self, scale: str, score: float) -> str | None:
        """What `score` is called on a scale with cut-offs; None without them, or below the first one."""
        reached = [band.label for band in self._scale(scale).bands if score >= band.at_least]
        return reached[-1] if reached else None

    def alerts(self, answers: Mapping[str, int | None]) -> list[Alert]:
        """The alerts that these answers raise.

        A score counts as soon as what was answered is enough, whatever the missing answers would have been.
        """
        self.check(answers)
        return [
            Alert(f"{self.name} {_watched(rule)} at least {rule.at_least:g}", rule.category)
            for rule in self.file.alerts
            if self._reached(rule, answers)
        ]

    def _reached(self, rule: AlertRule, answers: Mapping[str, int | None]) -> bool:
        if rule.item is not None:
            answer = answers.get(rule.item)
            return answer is not None and answer >= rule.at_least
        scale = self._scale(rule.scale or "")
        score = self._score(scale, answers)
        return max(self._least(scale, answers), -math.inf if score is None else score) >= rule.at_least

    def _scale(self, name: str) -> Scale:
        for scale in self.scales:
            if scale.name == name:
                return scale
        raise MeasureError(f"{self.name} has no scale {name!r}; it has {', '.join(one.name for one in self.scales)}.")

    def _score(self, scale: Scale, answers: Mapping[str, int | None]) -> float | None:
        given = [
            _part(scale, item, value)
            for item in self.items
            if item.id in scale.items and (value := answers.get(item.id)) is not None
        ]
        missing = len(scale.items) - len(given)
        if missing > scale.missing.at_most:
            return None
        score = _total(scale, given + [sum(given) / len(given)] * missing)
        return float(math.floor(score + 0.5)) if missing and scale.missing.rounded else score

    def _least(self, scale: Scale, answers: Mapping[str, int | None]) -> float:
        """The lowest score that answering the missing items could still lead to."""
        parts = []
        for item in (one for one in self.items if one.id in scale.items):
            value = answers.get(item.id)
            lowest = item.high if item.reverse else item.low
            parts.append(_part(scale, item, lowest if value is None else value))
        return _total(scale, parts)


def _part(scale: Scale, item: Item, value: int) -> float:
    """What one answer adds to the score."""
    turned = item.low + item.high - value if item.reverse else value
    if scale.rescale is None:
        return float(turned)
    to = scale.rescale
    return to.low + (turned - item.low) * (to.high - to.low) / (item.high - item.low)


def _total(scale: Scale, parts: list[float]) -> float:
    whole = sum(parts) / len(parts) if scale.how == "mean" else sum(parts)
    return (whole - scale.subtract) * scale.times / scale.divided_by


def _watched(rule: AlertRule) -> str:
    return f"item {rule.item}" if rule.item is not None else str(rule.scale)


def measure_names(folder: Path | None = None) -> list[str]:
    """The names of the measures that Bedside brings along; with a study's `folder`, those of the study as well."""
    shipped = {one.name for one in files("study").joinpath("measures").iterdir()}
    own = {one.name for one in (folder / "measures").glob("*.toml")} if folder is not None else set()
    return sorted(name.removesuffix(".toml") for name in shipped | own if name.endswith(".toml"))


def load_measure(name: str, folder: Path | None = None) -> Measure:
    """The measure `name`; `folder` is the study's, whose `measures/<name>.toml` comes first.

    That file is a whole measure, or only `[texts.<language>]` tables, which are added to those of the measure that
    Bedside brings along. Raises `MeasureError` with one line.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", name):
        raise MeasureError(f"{name!r} is no name of a measure; allowed: small letters, digits, _ and -.")
    own = folder / "measures" / f"{name}.toml" if folder is not None else None
    if own is not None and own.exists():
        return _own(name, _read(own), own.name)
    if name not in measure_names():
        where = f"; or write measures/{name}.toml in the study's folder" if folder is not None else ""
        raise MeasureError(f"There is no measure {name!r}; there are {', '.join(measure_names())}{where}.")
    return _shipped(name)


@lru_cache
def _shipped(name: str) -> Measure:
    text = files("study").joinpath("measures", f"{name}.toml").read_text(encoding="utf-8")
    return Measure(name, parse(toml(text, f"{name}.toml"), f"{name}.toml"))


@lru_cache
def _own(name: str, text: str, file: str) -> Measure:
    """The measure in a file of the researcher's; cached by what the file says, since it may change at any time."""
    data = toml(text, file)
    if set(data) != {"texts"}:
        return Measure(name, parse(data, file))
    if name not in measure_names():
        raise MeasureError(
            f"{file}: it has only texts, and there is no measure {name!r} to add them to; write a whole measure, or "
            f"name the file after one of {', '.join(measure_names())}."
        )
    shipped = _shipped(name)
    texts = data["texts"] if isinstance(data["texts"], dict) else {}
    already = sorted(set(texts) & set(shipped.languages))
    if already:
        raise MeasureError(
            f"{file}: texts.{already[0]}: {name} has wording in this language already; allowed: other languages, or a "
            "whole measure of your own."
        )
    whole = shipped.file.model_dump(exclude_none=True)
    merged = {**whole, "texts": {**whole["texts"], **texts} if texts else data["texts"]}
    return Measure(name, parse(merged, file))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise MeasureError(f"{path.name}: not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise MeasureError(f"{path.name}: cannot be read: {error.strerror}.") from None
