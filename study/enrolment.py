"""From the study's door to an arm: coming, consenting, being enrolled and allocated.

Each step is a transaction of its own and can be asked for again: where it was taken already, nothing happens. The
answers to the screening and the baseline are taken by `study.forms`.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from study import forms, halting, on_paper
from study.allocation import Slot, minimise, sequence
from study.allocation_list import listed
from study.eligibility import excluded_by, level, stratum_of
from study.errors import Excluded, NotDue, StudyError
from study.grammar import Consent
from study.protocol import Protocol, check_zone
from study.records import Records, Write, stamp
from study.safety import has_open_event
from study.schedule import local_day
from study.study import Kind, Participant, Person, Study, lock

__all__ = [
    "come",
    "consent_due",
    "consent_sha256",
    "consents",
    "decline",
    "enrol",
    "give_consent",
    "may_record",
    "take_in",
]


def come(
    study: Study,
    *,
    kind: Kind = "participant",
    timezone: str | None = None,
    by: str = "portal",
    code: str | None = None,
) -> Person:
    """Somebody opens the study's door: they get a code, and begin on the protocol as it is now.

    `timezone` is theirs, an IANA name; the study's if left out. `code` is one that `Study.free_code` gave beforehand:
    asked for with it again, this is the same person. Raises `StudyError` for a time zone that does not exist.
    """
    if timezone is not None:
        try:
            check_zone(timezone)
        except ValueError as error:
            raise StudyError(f"The time zone {error}{'' if str(error).endswith('?') else '.'}") from None
    protocol = study.protocol
    if protocol.screening or protocol.due("screening"):
        state = "screening"
    else:
        state = "consent" if protocol.consent else "baseline"
    now = study.clock.now()
    with study.records.write() as write:
        if code is not None and write.row("SELECT 1 FROM person WHERE code = ?", code):
            return study.person(code)
        version = lock(study, write, now)
        code = code or study.free_code(kind)
        write.insert(
            "person",
            {
                "code": code,
                "came_at": stamp(now),
                "protocol": version,
                "timezone": timezone or protocol.timezone,
                "kind": kind,
                "state": state,
                "decided_at": None,
                "reasons": None,
            },
        )
        write.log(now, by, "came", code, person=code, protocol=version)
    return study.person(code)


def consent_sha256(consent: Consent) -> str:
    """The hash of everything that a person agrees to."""
    canonical = json.dumps(consent.model_dump(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def consent_due(study: Study, person: Person) -> Consent | None:
    """The consent that is to be given now: before the enrolment, or again when an amendment brought another version.

    None when nothing is to be agreed to. Somebody who was enrolled without a consent is asked for none.
    """
    if person.state == "consent":
        return person.protocol.consent
    current = study.protocol.consent
    if person.state != "enrolled" or current is None:
        return None
    last = study.records.row("SELECT version FROM consent WHERE person = ? ORDER BY id DESC", person.code)
    return current if last is not None and last["version"] != current.version else None


def consents(study: Study, person: Person) -> list[tuple[dict[str, Any], Consent]]:
    """What somebody agreed to: each consent as a row, with the text, the statements and the permissions of then."""
    texts = {consent_sha256(one.consent): one.consent for one in study.protocols() if one.consent}
    rows = study.records.rows("SELECT * FROM consent WHERE person = ? ORDER BY id DESC", person.code)
    return [(row, texts[row["sha256"]]) for row in rows if row["sha256"] in texts]


def give_consent(
    study: Study,
    code: str,
    *,
    statements: Collection[int],
    permissions: Collection[str] = (),
    witness: str | None = None,
    sha256: str | None = None,
) -> Person:
    """Record that somebody agreed: `statements` are the numbers (from 0) of those ticked, of which all are needed.

    `witness` is who vouches for a consent on paper. `sha256` is the hash of what the person was shown. Raises
    `StudyError` when a statement is not ticked, and `NotDue` when no consent is due or another text was shown.
    """
    person = study.person(code)
    consent = consent_due(study, person)
    if consent is None:
        if study.records.row("SELECT 1 FROM consent WHERE person = ?", code):
            return person
        raise NotDue("No consent is due now.")
    if sha256 is not None and sha256 != consent_sha256(consent):
        raise NotDue("The text of the consent is another one by now.")
    if set(statements) != set(range(len(consent.statements))):
        raise StudyError("Every statement has to be ticked to take part.")
    now = study.clock.now()
    with study.records.write() as write:
        given = "SELECT 1 FROM consent WHERE person = ? AND version = ?"
        stage = write.value("SELECT state FROM person WHERE code = ?", code)
        if stage in ("consent", "enrolled") and write.row(given, code, consent.version) is None:
            agreed = {permission.name: permission.name in permissions for permission in consent.permissions}
            write.insert(
                "consent",
                {
                    "person": code,
                    "version": consent.version,
                    "sha256": consent_sha256(consent),
                    "permissions": json.dumps(agreed),
                    "given_at": stamp(now),
                    "witness": witness,
                },
            )
            if stage == "consent":
                write.update("person", code, {"state": "baseline"})
            write.log(now, witness or code, "consented", code, person=code, version=consent.version)
    return study.person(code)


def decline(study: Study, code: str) -> Person:
    """Somebody does not want to take part, before they are enrolled."""
    now = study.clock.now()
    with study.records.write() as write:
        state = write.value("SELECT state FROM person WHERE code = ?", code)
        if state in ("screening", "consent", "baseline"):
            write.update("person", code, {"state": "declined"})
            write.log(now, code, "declined", code, person=code)
        elif state != "declined":
            raise NotDue("This can be declined before the enrolment only.")
    return study.person(code)


def enrol(study: Study, code: str, *, by: str = "bedside", arm: str | None = None) -> Participant:
    """Enrol and allocate somebody who has given all that comes before, in one transaction.

    The allocation is computed only here, inside the transaction that uses it up; nothing else in the code can ask what
    comes next. `arm` chooses the arm of a test participant. Raises `NotDue` when something is lacking, and `StudyError`
    when the study is halted or an uploaded list has no place left.
    """
    person = study.person(code)
    if person.state == "enrolled":
        return study.participant(code)
    _check_choice(person.protocol, person.kind, arm)
    if person.state != "baseline" or forms.due_before_enrolment(study, person) is not None:
        raise NotDue("Something is still to be answered before the enrolment.")
    return _allocate(study, person, by, arm)


def _check_choice(protocol: Protocol, kind: Kind, arm: str | None) -> None:
    """Raises `StudyError` for an arm that is not there, or that somebody would choose for a participant."""
    names = [one.name for one in protocol.arms]
    if arm is not None and kind != "test":
        raise StudyError("The arm of a test participant can be chosen, and of nobody else.")
    if arm is not None and arm not in names:
        raise StudyError(f"There is no arm {arm!r}; choose one of {', '.join(names)}.")


def _allocate(study: Study, person: Person, by: str, arm: str | None) -> Participant:
    code = person.code
    protocol = person.protocol
    known = forms.known(study, code)
    levels = {factor.name: level(factor, known) for factor in protocol.allocation.strata}
    now = study.clock.now()
    first = local_day(now, person.zone, protocol.boundary).toordinal() + protocol.visits.first_day
    with study.records.write() as write:
        state = write.value("SELECT state FROM person WHERE code = ?", code)
        if state == "enrolled":
            return study.participant(code)
        if state != "baseline":  # they declined, or were withdrawn, since it was looked at
            raise NotDue("Who is not on the way to take part any more cannot be enrolled.")
        halting.refuse_enrolment(write, [one.name for one in protocol.arms])
        place: dict[str, Any] = {"scheme": None, "stratum": None, "position": None, "block": None}
        if person.kind == "test":
            given = arm or protocol.arms[_tests(write) % len(protocol.arms)].name
        else:
            scheme = write.value("SELECT scheme FROM protocol WHERE version = ?", person.version)
            stratum = "all" if protocol.allocation.method == "minimisation" else stratum_of(levels)
            slot = _next(study, write, protocol, scheme, stratum, levels)
            given = slot.arm
            place = {"scheme": scheme, "stratum": stratum, "position": slot.position, "block": slot.block}
        write.insert(
            "participant",
            {
                "code": code,
                "kind": person.kind,
                "enrolled_at": stamp(now),
                "starts_on": now.date().fromordinal(first).isoformat(),
                **place,
                "levels": json.dumps(levels, ensure_ascii=False),
                "arm": given,
                # Somebody about whom an alarm is open takes part, and waits until a person has taken charge of it.
                "status": "held" if has_open_event(study, code) else "active",
            },
        )
        write.update("person", code, {"state": "enrolled"})
        write.log(now, by, "enrolled", code, person=code, arm=given)
    return study.participant(code)


def take_in(
    study: Study,
    by: str = "researcher",
    *,
    kind: Kind = "participant",
    arm: str | None = None,
    timezone: str | None = None,
    answers: Mapping[str, Any] | None = None,
    scores: Mapping[str, Mapping[str, int | None]] | None = None,
    permissions: Collection[str] = (),
    witness: str | None = None,
    skip: bool = False,
    code: str | None = None,
) -> Participant:
    """Everything at once, for a person who was screened and consented in the researcher's presence or on paper.

    `answers` are those to the screening's questions, `scores` the answers to the items of the measures due before the
    enrolment. `witness`, or else `by`, vouches for the consent. `skip` lets a test participant pass by all that. `code`
    is one that `Study.free_code` gave beforehand: asked for with it again, this is the same participant. Raises
    `Excluded` when the rules exclude the person, who is recorded; and `StudyError` before anything is recorded for
    answers that are wrong or lacking, and while nobody can be enrolled.
    """
    skip = skip and kind == "test"
    _check_choice(study.protocol, kind, arm)
    halting.refuse_enrolment(study.records, [one.name for one in study.protocol.arms])
    if not skip:
        on_paper.check(study, answers or {}, scores or {}, permissions)
        if kind == "participant" and (
            code is None or not study.records.row("SELECT 1 FROM person WHERE code = ?", code)
        ):
            _refuse_without_a_place(study, answers or {}, scores or {})
    person = come(study, kind=kind, timezone=timezone, by=by, code=code)
    if skip:
        with study.records.write() as write:
            state = write.value("SELECT state FROM person WHERE code = ?", person.code)
            if state in ("screening", "consent", "baseline"):
                write.update("person", person.code, {"state": "baseline"})
                write.log(study.clock.now(), by, "test participant let in", person.code, person=person.code)
        return _allocate(study, study.person(person.code), by, arm)
    person = _enter(study, person, answers or {}, scores or {}, permissions, witness or by)
    if person.state == "ineligible":
        raise Excluded(person.code, f"{person.code} cannot take part: {' '.join(person.reasons)}")
    return enrol(study, person.code, by=by, arm=arm)


def _enter(
    study: Study,
    person: Person,
    answers: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, int | None]],
    permissions: Collection[str],
    witness: str,
) -> Person:
    """Enter what somebody gave on paper, as far as it goes. Another request that enters the same may be ahead."""
    while person.state in ("screening", "consent", "baseline"):
        due = forms.due_before_enrolment(study, person)
        try:
            if due is not None:
                given = answers if due.measure == forms.SCREENING else scores.get(due.measure, {})
                forms.submit(study, person.code, due, given)
            elif person.state == "consent" and person.protocol.consent:
                statements = range(len(person.protocol.consent.statements))
                give_consent(study, person.code, statements=statements, permissions=permissions, witness=witness)
            elif study.person(person.code).state == person.state:
                break
        except NotDue:
            if study.person(person.code).state == person.state:
                raise
        person = study.person(person.code)
    return person


def _tests(write: Write) -> int:
    return int(write.value("SELECT count(*) FROM participant WHERE kind = 'test'"))


def _next(study: Study, write: Write, protocol: Protocol, scheme: int, stratum: str, levels: Mapping[str, str]) -> Slot:
    """The next place of a stratum, from what is enrolled by now."""
    plan = protocol.allocation
    seed = _seed(study, plan.seed, scheme)
    arms = [arm.name for arm in protocol.arms]
    ratios = [arm.ratio for arm in protocol.arms]
    position = _used(study, write, plan.method, scheme, stratum)
    if plan.method == "blocks":
        return next(islice(sequence(seed, stratum, arms, ratios, plan.block_sizes), position, None))
    if plan.method == "list" and study.rehearsal:
        return next(islice(sequence(seed, stratum, arms, ratios, [sum(ratios)]), position, None))
    if plan.method == "list":
        return listed(study, write, stratum, position, arms)
    before = [
        (row["arm"], json.loads(row["levels"]))
        for row in write.rows("SELECT arm, levels FROM participant WHERE kind = 'participant'")
    ]
    weights = {factor.name: factor.weight for factor in plan.strata}
    return minimise(seed, position, arms, ratios, before, levels, weights, plan.chance)


def _refuse_without_a_place(
    study: Study, answers: Mapping[str, Any], scores: Mapping[str, Mapping[str, int | None]]
) -> None:
    """Raises `StudyError` when an uploaded list has no place left for somebody with these answers, if they may come."""
    plan = study.protocol.allocation
    if plan.method != "list" or study.rehearsal:
        return
    known = dict(answers)
    for measure, items in scores.items():
        known |= forms.scores_of(study, measure, items)
    if excluded_by(study.protocol.eligibility, known):
        return
    stratum = stratum_of({factor.name: level(factor, known) for factor in plan.strata})
    latest = study.records.row("SELECT scheme FROM protocol ORDER BY version DESC LIMIT 1") or {"scheme": 0}
    position = _used(study, study.records, plan.method, latest["scheme"], stratum)
    listed(study, study.records, stratum, position, [arm.name for arm in study.protocol.arms])


def _used(study: Study, write: Write | Records, method: str, scheme: int, stratum: str) -> int:
    """How many places of a stratum are used up: those of its scheme, and of one list those of every scheme that had it.

    Whoever came before the protocol was edited for the last time is on an earlier scheme, and the list is the same.
    """
    rows = write.rows("SELECT scheme, count(*) AS n FROM participant WHERE stratum = ? GROUP BY scheme", stratum)
    schemes = {scheme}
    if method == "list":
        versions = write.rows("SELECT version, scheme FROM protocol")
        schemes |= {row["scheme"] for row in versions if study.version(row["version"]).allocation.method == "list"}
    return int(sum(row["n"] for row in rows if row["scheme"] in schemes))


def _seed(study: Study, public: int, scheme: int) -> str:
    """The seed of the sequence. A rehearsal has one of its own, so that it never shows the study's."""
    name = f"{public}/{scheme}" if scheme else str(public)
    return f"rehearsal {name}" if study.rehearsal else study.key.allocation_seed(name)


def may_record(study: Study, participant: Participant) -> bool:
    """Whether a robot may keep the sound of this participant's answers.

    The study must want it, and where its consent asks for the permission `record_speech`, have been given it.
    """
    consent = participant.protocol.consent
    if not participant.protocol.robot.record_speech:
        return False
    if consent is None or all(permission.name != "record_speech" for permission in consent.permissions):
        return True
    row = study.records.row("SELECT permissions FROM consent WHERE person = ? ORDER BY id DESC", participant.code)
    return row is not None and json.loads(row["permissions"]).get("record_speech", False) is True
