"""What is sent to the API and what it answers. A field's description is also what a wrong one is told."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from portal.words import LIMIT
from study.access.devices import State
from study.turns import Origin
from study.visit import Occasion, VisitState

__all__ = [
    "Body",
    "Claim",
    "Device",
    "Error",
    "FirstSound",
    "Rating",
    "Reply",
    "Said",
    "Sentence",
    "Sounded",
    "SpokenTurn",
    "Telemetry",
    "Turn",
    "Visit",
    "WholeTurn",
    "Words",
]

LARGEST = 2**53 - 1
"""The largest whole number that every JSON reader keeps exactly."""

Token = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,100}$")]


def _whole(value: object) -> object:
    """To JSON, 70.0 is the whole number 70."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Body(BaseModel):
    """What a client sends: nothing but the fields that are named, each of its own type."""

    # Python's regular expressions, as JSON Schema's readers in Python use them: the two must agree on white space.
    model_config = ConfigDict(extra="forbid", strict=True, regex_engine="python-re", allow_inf_nan=False)


class Claim(Body):
    code: str = Field(
        pattern=r"^[0-9]{6}$", description="the six digits on the participant's page", examples=["481516"]
    )


class Rating(Body):
    occasion: Occasion = Field(description="`before` or `after` the exercise", examples=["before"])
    value: Annotated[int, BeforeValidator(_whole)] = Field(
        ge=0, le=100, description="distress, a whole number from 0 to 100", examples=[70]
    )


class Words(Body):
    words: str = Field(
        min_length=1,
        max_length=LIMIT,
        pattern=r"^[^\x00]*[^\s\x00][^\x00]*$",
        description=f"what the participant said, 1 to {LIMIT} characters that are not all white space",
        examples=["I failed the exam and was sad."],
    )


class Turn(Words):
    token: Token = Field(
        description="1 to 100 visible ASCII characters that the client makes up for this turn: the same token again is "
        "the same turn",
        examples=["5f1c0a"],
    )


class FirstSound(Body):
    reply_to: Annotated[int, BeforeValidator(_whole)] = Field(
        ge=1, le=LARGEST, description="the number of the participant's turn that was answered", examples=[2]
    )
    after_ms: float = Field(
        ge=0,
        le=600_000,
        description="milliseconds from the end of the participant's speech to the first sound of the answer",
        examples=[1180.5],
    )


class Telemetry(Body):
    battery: float | None = Field(None, ge=0, le=1, description="from 0 (empty) to 1 (full)", examples=[0.8])
    latency_ms: float | None = Field(
        None, ge=0, le=600_000, description="how long a call took there and back, in milliseconds", examples=[12.5]
    )
    state: State | None = Field(
        None, description="what the device is doing; one of the words listed", examples=["idle"]
    )
    version: str | None = Field(
        None,
        pattern=r"^[!-~]{1,40}$",
        description="the version of the device's program, 1 to 40 visible ASCII characters",
        examples=["0.1.0"],
    )


class Reply(Body):
    """The query of a reply stream, which arrives as text."""

    model_config = ConfigDict(strict=False, extra="ignore")

    after: int = Field(
        0, ge=0, le=LARGEST, description="the number of the last turn that the client has, a whole number from 0"
    )


class Error(BaseModel):
    error: str = Field(description="what is wrong, in one sentence")
    message: str | None = Field(
        None, description="with 409, where the safety screen found something in words that were refused: what to say"
    )


class SpokenTurn(BaseModel):
    number: int = Field(description="from 1, in order")
    speaker: Literal["participant", "therapist"]
    text: str
    origin: Origin = Field(
        description="where the words come from; `person`: somebody who had taken over from the model, `fallback`: the "
        "script's words in place of the model's, `crisis`: the fixed message"
    )


class Visit(BaseModel):
    visit: int = Field(description="its number, for the other calls")
    state: VisitState = Field(description="where it is; the last four are final")
    code: str = Field(description="its six digits")
    day: int = Field(description="the study day")
    days: int = Field(description="how many there are")
    language: str = Field(description="in which to speak, as in `en`")
    pending: bool = Field(description="whether an answer of the therapist's is owed: read the reply")
    claimed: bool = Field(description="whether a device holds it")
    reflect: bool = Field(description="whether the question that waits asks to think: leave a longer pause")
    record: bool = Field(description="whether this participant's answers may be kept as sound")
    message: str | None = Field(description="what to say when the visit was stopped")
    turns: list[SpokenTurn] = Field(description="all so far; once the exercise has begun, the opening is the first")


class Said(BaseModel):
    number: int = Field(description="the turn's number: read the reply after it")
    stopped: bool = Field(description="whether the safety screen stopped the visit, for these words or others")


class Sounded(BaseModel):
    reply_to: int = Field(description="the number of the participant's turn that was answered")
    after_ms: float = Field(description="what stands: of several reports the first")


class Device(BaseModel):
    device: str = Field(description="the device's name")
    expires_at: str | None = Field(
        description="when this token ends, ISO 8601; after a rotation soon; null if it does not expire"
    )


class Place(BaseModel):
    """The data of an event `place`: an answer waits until the model is free, or no longer."""

    reply_to: int = Field(description="the number of the participant's turn that is answered")
    place: int = Field(
        description="how many answers have to end before this one is begun; 0: it has been, or is at once"
    )


class Sentence(BaseModel):
    """The data of an event `sentence`."""

    reply_to: int | None = Field(description="the number of the participant's turn that is answered; null: the opening")
    index: int = Field(description="its place in what is being written, from 0")
    text: str
    whole: bool = Field(False, description="whether `text` is all (that is left) of an answer that is recorded")


class WholeTurn(BaseModel):
    """The data of an event `turn`: an answer is whole, and recorded."""

    number: int = Field(description="its number, for `after`")
    reply_to: int | None = Field(
        description="the number of the participant's turn that was answered; null: the opening"
    )
