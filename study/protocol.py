"""The protocol: what `study.toml` may say, and how its mistakes are named.

The models below are the whole grammar of the file. Each field carries the description that the documentation and
the template repeat. `load` returns a `Protocol` or raises `ProtocolError` with one line for each mistake, each
naming the key and what is allowed.
"""

import difflib
import hashlib
import json
import tomllib
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from study.errors import ProtocolError

__all__ = ["Arm", "Contact", "EngineChoice", "Medium", "Protocol", "load", "parse"]

Medium = Literal["robot", "chat", "worksheet"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EngineChoice(_Table):
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
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(
        0.0, description="0 takes the likeliest word each time; higher values vary more"
    )
    max_tokens: Annotated[int, Field(ge=16, le=1000)] = Field(
        60, description="the longest reply, in tokens, before it is cut off"
    )

    @field_validator("timeout_s", "temperature", mode="before")
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


class Arm(_Table):
    """One arm of the study: a medium with a persona and an engine."""

    name: str = Field(
        description="a short name, unique in the study: letters, digits, - and _",
        pattern=r"^[a-z][a-z0-9_-]{0,31}$",
    )
    medium: Medium = Field(description="robot, chat or worksheet")
    persona: str = Field("neutral", description="the manner of the replies: neutral or warm_trait")
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


class Allocation(_Table):
    """How participants come to their arm."""

    seed: int = Field(description="a whole number; with the study's key it fixes the sequence")
    block_sizes: list[Annotated[int, Field(ge=1, le=200)]] = Field(
        min_length=1, description="sizes of the permuted blocks, each a multiple of the sum of the ratios"
    )


class Contact(_Table):
    """Someone a participant in distress can reach."""

    name: Annotated[str, Field(min_length=1, max_length=120)] = Field(description="who it is")
    reach: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="how to reach them, as the participant reads or hears it"
    )


class Safety(_Table):
    """What happens when somebody may be in danger."""

    contacts: list[Contact] = Field(min_length=1, description="shown and said whenever the safety screen stops a visit")
    notify: list[str] = Field(
        default=[], description="Apprise addresses (e-mail, SMS, chat) that are told of each safety event"
    )


class Visits(_Table):
    """When a study day begins."""

    day_boundary: str = Field(
        "04:00", description="the time of day, HH:MM in the study's time zone, at which a new study day begins"
    )

    @field_validator("day_boundary")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        try:
            time.fromisoformat(value)
        except ValueError:
            raise ValueError(f"is {value!r}; write a time of day as HH:MM, for example 04:00") from None
        return value


class Exercises(_Table):
    """What is done on each day."""

    rota: list[str] = Field(
        min_length=1, description="exercises in the order of the days, begun again when the list is used up"
    )


class Robot(_Table):
    """What holds for robots."""

    record_speech: bool = Field(
        False,
        description="true where participants consented to it: robots keep the sound of each answer as a WAV file",
    )


class Protocol(_Table):
    """A whole study, as written in `study.toml`."""

    title: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="the study's name, as participants see it"
    )
    days: Annotated[int, Field(ge=1, le=365)] = Field(15, description="how many study days, one visit each")
    timezone: str = Field(description="an IANA time zone, for example Europe/London")
    language: Literal["en"] = Field("en", description="the language of all that participants read: en")
    allocation: Allocation
    visits: Visits = Field(default_factory=Visits)
    exercises: Exercises
    engine: EngineChoice = Field(default_factory=EngineChoice)
    arms: list[Arm] = Field(min_length=1)
    safety: Safety
    robot: Robot = Field(default_factory=Robot)

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        if value not in available_timezones():
            near = difflib.get_close_matches(value, available_timezones(), 1)
            hint = f"; did you mean {near[0]}?" if near else "; write one such as Europe/London"
            raise ValueError(f"is {value!r}, which is no IANA time zone{hint}")
        return value

    @model_validator(mode="after")
    def _arms_fit_together(self) -> "Protocol":
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"arms: two arms are called {twice[0]!r}; give each its own name")
        unit = sum(arm.ratio for arm in self.arms)
        for size in self.allocation.block_sizes:
            if size % unit:
                raise ValueError(
                    f"allocation.block_sizes: {size} is no multiple of {unit}, the sum of the arms' ratios; "
                    f"allowed: {unit}, {2 * unit}, {3 * unit}, ..."
                )
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def boundary(self) -> time:
        return time.fromisoformat(self.visits.day_boundary)

    @property
    def sha256(self) -> str:
        """The hash the protocol is locked by: of what it says, so that comments may change."""
        # Studies that were locked before there was a table [robot] keep their hash.
        unsaid = {"robot"} if self.robot == Robot() else None
        canonical = json.dumps(self.model_dump(exclude=unsaid), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def engine_of(self, arm: Arm) -> EngineChoice | None:
        """The engine that answers in `arm`; None for a worksheet without assistance."""
        return None if not arm.assist else arm.engine or self.engine

    def exercise_on(self, day: int) -> str:
        """The exercise of study day `day`, counted from 1."""
        return self.exercises.rota[(day - 1) % len(self.exercises.rota)]


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
    try:
        return Protocol.model_validate(data)
    except ValidationError as error:
        # A key that does not exist is often why another is missing, so it is said first.
        ordered = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise ProtocolError([f"{name}: {_in_words(one)}." for one in ordered]) from None


def _in_words(error: Any) -> str:
    """One validation error as "key: what is wrong; what is allowed"."""
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"{key} is missing; {_purpose(error['loc'])}"
        case "extra_forbidden":
            allowed = _keys_beside(error["loc"])
            near = difflib.get_close_matches(str(error["loc"][-1]), allowed, 1)
            hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(allowed)}"
            return f"{key} is not a key of the protocol; {hint}"
        case "literal_error":
            return f"{key} is {error['input']!r}; allowed: {context['expected'].replace(' or ', ', ')}"
        case "value_error":
            reason = str(context["error"])
            return f"{key} {reason}" if reason.startswith("is ") else f"{key}: {reason}" if key else reason
        case "string_pattern_mismatch":
            return f"{key} is {error['input']!r}; {_purpose(error['loc'])}"
        case kind if kind.endswith("_type"):
            wanted = error["msg"].removeprefix("Input should be ").removesuffix(" instance")
            return f"{key} is {error['input']!r}, which is not {wanted}"
        case "too_short" | "string_too_short":
            return f"{key} is empty; {_purpose(error['loc'])}"
        case _:
            return f"{key} is {error['input']!r}; {error['msg'].removeprefix('Input ')}"


def _table_of(loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The table that holds the key at `loc`."""
    table: Any = Protocol
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


def _keys_beside(loc: tuple[str | int, ...]) -> list[str]:
    table = _table_of(loc)
    return sorted(table.model_fields) if table else []


def _purpose(loc: tuple[str | int, ...]) -> str:
    """What the key at `loc` is for, from its description."""
    table = _table_of(loc)
    field = table.model_fields.get(str(loc[-1])) if table else None
    if field is None or not field.description:
        return f"add [{loc[-1]}]; `bedside init` writes an example"
    return f"write {field.description}"
