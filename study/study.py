"""An open study: the folder, its protocol in all its versions, its record, its key and its clock."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from secrets import choice
from typing import Any, Literal
from zoneinfo import ZoneInfo

from study import schedule
from study.clock import Clock, SystemClock
from study.errors import ProtocolError, StudyError, UnknownCode, WrongToken
from study.keys import StudyKey
from study.protocol import Arm, Protocol, load, parse
from study.records import Records, Write, stamp
from study.texts import languages

__all__ = ["Kind", "Participant", "Person", "Study", "create", "lock", "template_names"]

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""For codes that people read out: without I, L, O, U, 0 and 1."""

Kind = Literal["participant", "test"]
"""A `test` participant tries the study out. They use up no place of the allocation and are no part of its data."""

Stage = Literal["screening", "consent", "baseline", "enrolled", "ineligible", "declined"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who opened the study's door."""

    code: str
    came_at: datetime
    kind: Kind
    state: Stage
    version: int
    """The version of the protocol that they began on, and finish on."""
    protocol: Protocol = field(compare=False)
    zone: ZoneInfo = field(compare=False)
    reasons: tuple[str, ...] = ()
    """Why they cannot take part."""


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who was enrolled and allocated."""

    code: str
    kind: Kind
    enrolled_at: datetime
    starts_on: date
    """The date of study day 1."""
    arm: Arm
    status: Literal["active", "held", "withdrawn"]
    """`held` after a safety event, until somebody acknowledges it."""
    version: int
    protocol: Protocol = field(compare=False)
    zone: ZoneInfo = field(compare=False)


class Study:
    """Everything one needs to run a study. Safe to use from several threads."""

    def __init__(self, folder: Path, protocol: Protocol, text: str, records: Records, key: StudyKey, clock: Clock):
        self.folder = folder
        self.protocol = protocol
        """The version that whoever comes now begins on."""
        self.records = records
        self.key = key
        self.clock = clock
        self.text = text
        self._versions: dict[int, Protocol] = {}

    @classmethod
    def open(cls, folder: Path, *, clock: Clock | None = None, rehearsal: Path | None = None) -> "Study":
        """Open the study in `folder`, with its own record, or with the rehearsal record in the file `rehearsal`.

        A rehearsal that has begun is read by the protocol in its own record, whatever `study.toml` says by now. Raises
        `ProtocolError` for a broken `study.toml`, `RecordError` for a record that does not belong, and `StudyError`
        when the protocol was changed after it was locked.
        """
        path = folder / "study.toml"
        begun = _rehearsed(rehearsal) if rehearsal and path.exists() else None
        protocol, text = begun or load(path)
        records = Records(rehearsal, "rehearsal") if rehearsal else Records(folder / "study.sqlite", "study")
        study = cls(folder, protocol, text, records, _key_of(folder), clock or SystemClock())
        if not study.rehearsal:
            study._check_lock()
        return study

    @property
    def rehearsal(self) -> bool:
        return self.records.kind == "rehearsal"

    def close(self) -> None:
        self.records.close()

    # People

    def person(self, code: str) -> Person:
        """The person with this code. Raises `UnknownCode`."""
        row = self.records.row("SELECT * FROM person WHERE code = ?", code)
        if row is None:
            raise UnknownCode("There is no participant with this code.")
        return self._person(row)

    def people(self) -> list[Person]:
        """Everybody who opened the study's door, in the order in which they came."""
        return [self._person(row) for row in self.records.rows("SELECT * FROM person ORDER BY rowid")]

    def participant(self, code: str) -> Participant:
        """The participant with this code. Raises `UnknownCode`."""
        row = self.records.row(f"{_PARTICIPANTS} WHERE participant.code = ?", code)
        if row is None:
            raise UnknownCode("There is no participant with this code.")
        return self._participant(row)

    def participants(self) -> list[Participant]:
        """All participants, in the order of their enrolment."""
        return [self._participant(row) for row in self.records.rows(f"{_PARTICIPANTS} ORDER BY participant.rowid")]

    def day_of(self, participant: Participant) -> int:
        """The study day it is now for `participant`, from 1; beyond the protocol's days when the study is over."""
        boundary = participant.protocol.boundary
        return schedule.study_day(participant.starts_on, self.clock.now(), participant.zone, boundary)

    def free_code(self, kind: Kind) -> str:
        """A code that nobody has, by which somebody new can be known."""
        prefix = "SIM-" if self.rehearsal else "TEST-" if kind == "test" else ""
        while True:
            code = prefix + "".join(choice(_LETTERS) for _ in range(6))
            if self.records.row("SELECT 1 FROM person WHERE code = ?", code) is None:
                return code

    def _person(self, row: dict[str, Any]) -> Person:
        return Person(
            code=row["code"],
            came_at=datetime.fromisoformat(row["came_at"]),
            kind=row["kind"],
            state=row["state"],
            version=row["protocol"],
            protocol=self.version(row["protocol"]),
            zone=ZoneInfo(row["timezone"]),
            reasons=tuple(json.loads(row["reasons"] or "[]")),
        )

    def _participant(self, row: dict[str, Any]) -> Participant:
        protocol = self.version(row["protocol"])
        return Participant(
            code=row["code"],
            kind=row["kind"],
            enrolled_at=datetime.fromisoformat(row["enrolled_at"]),
            starts_on=date.fromisoformat(row["starts_on"]),
            arm=protocol.arm(row["arm"]),
            status=row["status"],
            version=row["protocol"],
            protocol=protocol,
            zone=ZoneInfo(row["timezone"]),
        )

    # Links and tokens

    def participant_path(self, code: str) -> str:
        """The participant's own link, without the server's address."""
        return f"/p/{code}/{self.key.token('participant', code)}/"

    def join_path(self) -> str:
        """The link by which anyone can come to the study's door, without the server's address."""
        return f"/join/{self.key.token('join', 'page')}/"

    def by_link(self, code: str, token: str) -> Person:
        """The person whose link this is. Raises `WrongToken`, which does not tell whether the code exists."""
        if not self.key.fits(token, "participant", code):
            raise WrongToken("This link is not complete or not right.")
        return self.person(code)

    def is_join(self, token: str) -> bool:
        return self.key.fits(token, "join", "page")

    # The versions of the protocol

    def version(self, number: int) -> Protocol:
        """The protocol in its version `number`, from 1. A version never changes, so each is read once."""
        if number not in self._versions:
            row = self.records.row("SELECT text FROM protocol WHERE version = ?", number)
            if row is None:
                raise UnknownCode(f"The protocol has no version {number}.")
            self._versions[number] = parse(row["text"], f"study.toml, version {number}")
        return self._versions[number]

    def protocols(self) -> list[Protocol]:
        """The protocol as it is now, and every earlier version that somebody may still be on."""
        rows = self.records.rows("SELECT version FROM protocol ORDER BY version DESC")
        earlier = [self.version(row["version"]) for row in rows]
        return [self.protocol, *(one for one in earlier if one != self.protocol)]

    def locked_text(self) -> str | None:
        """The text of `study.toml` as it was locked or last amended, or None before that."""
        row = self.records.row("SELECT text FROM protocol ORDER BY version DESC LIMIT 1")
        return row["text"] if row else None

    def _check_lock(self) -> None:
        locked = self.locked_text()
        if locked is not None and _is_locked(self.records) and parse(locked) != self.protocol:
            raise StudyError(
                f"{self.folder / 'study.toml'} was changed after it was locked, by the first enrolment or by the "
                f"upload of an allocation list. Put it back (`bedside check {self.folder} --locked` prints the locked "
                f"text), or record the change with `bedside amend {self.folder}`."
            )


def _rehearsed(path: Path) -> tuple[Protocol, str] | None:
    """The latest protocol in the rehearsal record `path`, and its text; None before anybody came."""
    if not path.exists():
        return None
    records = Records(path, "rehearsal")
    row = records.row("SELECT text FROM protocol ORDER BY version DESC LIMIT 1")
    records.close()
    return (parse(row["text"], f"The protocol in {path}"), row["text"]) if row else None


def _key_of(folder: Path) -> StudyKey:
    """The study's key. Raises `StudyError` when it is not there, or is another one, though people have come.

    With a new key every link would be another, and the allocation would go on with another sequence, unnoticed.
    """
    path, record = folder / "study.key", folder / "study.sqlite"
    known = None
    if record.exists():
        records = Records(record)
        known = records.row("SELECT detail FROM event WHERE what = 'protocol recorded' ORDER BY id LIMIT 1")
        records.close()
    if known is not None and not path.exists():
        raise StudyError(f"{path} is missing, and people have come already; put back the file, or restore a backup.")
    key = StudyKey.open(path)
    try:
        expected = json.loads(known["detail"]).get("key", key.fingerprint) if known else key.fingerprint
    except ValueError:
        expected = key.fingerprint  # the log is damaged, which `bedside verify` says
    if expected != key.fingerprint:
        raise StudyError(f"{path} is the key of another study; put back the file that belongs to this study.")
    return key


def _is_locked(record: Records | Write) -> bool:
    """Whether the protocol can be amended only: somebody is enrolled, or a list was made for it."""
    enrolled = record.row("SELECT 1 FROM participant WHERE kind = 'participant'")
    return bool(enrolled or record.row("SELECT 1 FROM allocation_list"))


_PARTICIPANTS = "SELECT participant.*, person.protocol, person.timezone FROM participant JOIN person USING (code)"


def lock(study: Study, write: Write, now: datetime) -> int:
    """The number of the version that `study.protocol` is, recorded now if it is not yet, in the transaction of `write`.

    Before the first enrolment the file may still be edited: whoever comes then begins on what it says by then. An edit
    that was undone is one more version.
    """
    last = write.row("SELECT * FROM protocol ORDER BY version DESC LIMIT 1")
    known = write.value("SELECT version FROM protocol WHERE sha256 = ? ORDER BY version DESC", study.protocol.sha256)
    if known is not None and last and (known == last["version"] or _is_locked(write) or not _stands_in_file(study)):
        return int(known)
    scheme = last["scheme"] + study.protocol.allocates_otherwise(parse(last["text"])) if last else 0
    version = last["version"] + 1 if last else 1
    write.insert(
        "protocol",
        {
            "version": version,
            "sha256": study.protocol.sha256,
            "text": study.text,
            "locked_at": stamp(now),
            "locked_by": "bedside",
            "why": "edited before the first enrolment" if last else "the first person came",
            "scheme": scheme,
        },
    )
    fingerprint = study.key.fingerprint
    write.log(now, "bedside", "protocol recorded", f"version {version}", sha256=study.protocol.sha256, key=fingerprint)
    return version


def _stands_in_file(study: Study) -> bool:
    """Whether `study.toml` says what was read: an edit was undone. If not, the server was not restarted after one."""
    try:
        return load(study.folder / "study.toml")[0] == study.protocol
    except ProtocolError:
        return False


def template_names() -> list[str]:
    """The templates that `create` knows."""
    names = (file.name for file in files("study").joinpath("templates").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def create(folder: Path, template: str = "start", language: str = "en") -> Path:
    """Write the commented `study.toml` of a template into `folder` and return its path.

    A folder that is made for it is its owner's alone; one that is there stays as it is.

    What the template says itself, the consent for one, is English in any `language`: it is the researcher's to write.
    Raises `StudyError` when there is one already (it is never overwritten), and for a language that there is not.
    """
    if language not in languages():
        raise StudyError(f"There are no texts in {language!r}; allowed: {', '.join(languages())}.")
    path = folder / "study.toml"
    if path.exists():
        raise StudyError(f"{path} is there already; edit it, or choose another folder.")
    if template not in template_names():
        raise StudyError(f"There is no template {template!r}; choose one of {', '.join(template_names())}.")
    text = files("study").joinpath("templates", f"{template}.toml").read_text(encoding="utf-8")
    text = text.replace('language = "en"', f'language = "{language}"', 1)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        if path.is_file():  # half of it, on a full disk
            path.unlink()
        raise StudyError(f"{path} cannot be written: {error.strerror}.") from None
    return path
