"""An open study: the folder, its protocol, its record, its key and its clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from itertools import islice
from pathlib import Path
from secrets import choice
from typing import Literal

from sqlite_utils import Database

from study import schedule
from study.allocation import Slot, sequence
from study.clock import Clock, SystemClock
from study.errors import StudyError, UnknownCode, WrongToken
from study.keys import StudyKey
from study.protocol import Arm, Protocol, load, parse
from study.records import Records, stamp

__all__ = ["Participant", "Study", "create"]

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""For codes that people read out: without I, L, O, U, 0 and 1."""

_STRATUM = "all"


@dataclass(frozen=True, slots=True)
class Participant:
    code: str
    enrolled_at: datetime
    arm: Arm
    status: Literal["active", "held"]
    """`held` after a safety event, until somebody acknowledges it."""


class Study:
    """Everything one needs to run a study. Safe to use from several threads."""

    def __init__(self, folder: Path, protocol: Protocol, text: str, records: Records, key: StudyKey, clock: Clock):
        self.folder = folder
        self.protocol = protocol
        self.records = records
        self.key = key
        self.clock = clock
        self.text = text

    @classmethod
    def open(cls, folder: Path, *, clock: Clock | None = None, rehearsal: Path | None = None) -> "Study":
        """Open the study in `folder`, with its own record, or with the rehearsal record in the file `rehearsal`.

        Raises `ProtocolError` for a broken `study.toml`, `RecordError` for a record that does not belong, and
        `StudyError` when the protocol was changed after the first participant enrolled.
        """
        protocol, text = load(folder / "study.toml")
        key = StudyKey.open(folder / "study.key")
        records = Records(rehearsal, "rehearsal") if rehearsal else Records(folder / "study.sqlite", "study")
        study = cls(folder, protocol, text, records, key, clock or SystemClock())
        study._check_lock()
        return study

    @property
    def rehearsal(self) -> bool:
        return self.records.kind == "rehearsal"

    def close(self) -> None:
        self.records.close()

    # Participants

    def enrol(self, actor: str = "researcher") -> Participant:
        """Enrol one participant and allocate an arm, in one transaction.

        The allocation is computed only here, inside the transaction that uses it up; nothing else in the code can
        ask what comes next. The first enrolment locks the protocol.
        """
        now = self.clock.now()
        with self.records.write() as db:
            self._lock(db, now)
            position = db.execute("SELECT count(*) FROM participant WHERE stratum = ?", [_STRATUM]).fetchone()[0]
            slot = next(islice(self._sequence(), position, None))
            code = self._new_code(db)
            db.table("participant").insert(
                {
                    "code": code,
                    "enrolled_at": stamp(now),
                    "stratum": _STRATUM,
                    "position": slot.position,
                    "block": slot.block,
                    "arm": slot.arm,
                    "status": "active",
                }
            )
            self.records.log(db, now, actor, "enrolled", code, arm=slot.arm)
        return self.participant(code)

    def participant(self, code: str) -> Participant:
        """The participant with this code. Raises `UnknownCode`."""
        row = self.records.row("SELECT * FROM participant WHERE code = ?", code)
        if row is None:
            raise UnknownCode("There is no participant with this code.")
        return Participant(
            row["code"], datetime.fromisoformat(row["enrolled_at"]), self.protocol.arm(row["arm"]), row["status"]
        )

    def participants(self) -> list[Participant]:
        """All participants, in the order of their enrolment."""
        return [
            self.participant(row["code"]) for row in self.records.rows("SELECT code FROM participant ORDER BY rowid")
        ]

    def day_of(self, participant: Participant) -> int:
        """The study day it is now for `participant`, from 1; beyond the protocol's days when the study is over."""
        return schedule.study_day(participant.enrolled_at, self.clock.now(), self.protocol.zone, self.protocol.boundary)

    # Links and tokens

    def participant_path(self, code: str) -> str:
        """The participant's own link, without the server's address."""
        return f"/p/{code}/{self.key.token('participant', code)}/"

    def researcher_path(self) -> str:
        """The link of the researcher's page, without the server's address."""
        return f"/researcher/{self.key.token('researcher', 'page')}/"

    def device_token(self, device: str) -> str:
        """The token with which the robot called `device` comes to the device API."""
        return f"{device}.{self.key.token('device', device)}"

    def by_link(self, code: str, token: str) -> Participant:
        """The participant whose link this is. Raises `WrongToken`, which does not tell whether the code exists."""
        if not self.key.fits(token, "participant", code):
            raise WrongToken("This link is not complete or not right.")
        return self.participant(code)

    def is_researcher(self, token: str) -> bool:
        return self.key.fits(token, "researcher", "page")

    def by_device_token(self, token: str) -> str:
        """The name of the device whose token this is. Raises `WrongToken`."""
        device, _, secret = token.rpartition(".")
        if not device or not self.key.fits(secret, "device", device):
            raise WrongToken("The device token is not right; `bedside device` prints it.")
        return device

    # The lock of the protocol

    def locked_text(self) -> str | None:
        """The text of `study.toml` as the first enrolment locked it, or None before that."""
        row = self.records.row("SELECT text FROM protocol ORDER BY rowid DESC LIMIT 1")
        return row["text"] if row else None

    def _check_lock(self) -> None:
        locked = self.locked_text()
        if locked is not None and parse(locked) != self.protocol:
            raise StudyError(
                f"{self.folder / 'study.toml'} was changed after the first participant enrolled; put it back as it was "
                f"(`bedside check {self.folder} --locked` prints the locked text)."
            )

    def _lock(self, db: Database, now: datetime) -> None:
        if not db.execute("SELECT count(*) FROM protocol").fetchone()[0]:
            db.table("protocol").insert({"sha256": self.protocol.sha256, "text": self.text, "locked_at": stamp(now)})
            self.records.log(db, now, "bedside", "protocol locked", self.protocol.sha256)

    # Allocation

    def _sequence(self) -> Iterator[Slot]:
        """The sequence of this record. A rehearsal has one of its own, so that it never uses up the study's."""
        plan = self.protocol.allocation
        seed = f"rehearsal {plan.seed}" if self.rehearsal else self.key.allocation_seed(plan.seed)
        arms = self.protocol.arms
        return sequence(seed, _STRATUM, [arm.name for arm in arms], [arm.ratio for arm in arms], plan.block_sizes)

    def _new_code(self, db: Database) -> str:
        prefix = "SIM-" if self.rehearsal else ""
        while True:
            code = prefix + "".join(choice(_LETTERS) for _ in range(6))
            if not db.execute("SELECT 1 FROM participant WHERE code = ?", [code]).fetchone():
                return code


def create(folder: Path) -> Path:
    """Write a commented `study.toml` into `folder` (made if need be) and return its path.

    Raises `StudyError` when there is one already: it is never overwritten.
    """
    path = folder / "study.toml"
    if path.exists():
        raise StudyError(f"{path} is there already; edit it, or choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(files("study").joinpath("study.toml").read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{path} cannot be written: {error.strerror}.") from None
    return path
