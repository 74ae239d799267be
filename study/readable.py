"""The protocol as a person reads it: headings, sentences and tables in place of the keys of `study.toml`.

What would tell whoever enrols the next arm (the seed, the sizes of the blocks), what would tell a blinded analyst which
label is which arm (unequal shares), and what is nobody's to read on a page (the addresses of messages, which hold
passwords) is left out for all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.amendment import changes_between, versions
from study.auditing import overrides
from study.eligibility import intervals
from study.errors import MeasureError
from study.forms import measure_of
from study.grammar import Analysis, AuditBounds, Consent, Factor, MeasureDue, Question, Rule, StoppingRule
from study.protocol import Arm, Protocol
from study.study import Study

if TYPE_CHECKING:
    from study.analysis.data import ScaleInfo

__all__ = ["Change", "Grid", "Part", "Version", "consents", "parts", "told_versions"]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: the first cell of each row names it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One heading of the page with what stands under it."""

    heading: str
    sentences: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One key that an amendment changed."""

    key: str
    about: str
    """What the key is for."""
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    at: str
    by: str
    why: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    plan: Analysis
    scales: Mapping[str, "ScaleInfo"] = field(default_factory=dict)


WITHHELD = ("seed", "block_sizes", "ratio", "notify", "escalate", "send", "base_url", "api_key_env")
"""Last parts of keys whose values are never shown."""

_MEDIA = {"robot": "a robot", "chat": "a text chat in the browser", "worksheet": "a structured worksheet"}

_ENGINES = {
    "transformers": "a language model on this machine",
    "openai": "a language model on a server",
    "eliza": "the rules of ELIZA (1966), no language model",
}

_OCCASIONS = {
    "screening": "Screening",
    "baseline": "Baseline",
    "before": "Before each exercise",
    "after": "After each exercise",
}

_COUNTED = {
    "events": "safety events of any kind",
    "screen": "hits of the safety screen",
    "item": "alerts by an answer to an item",
    "adverse": "adverse events that somebody reported",
    "serious": "serious adverse events",
}


def parts(study: Study) -> list[Part]:
    """The protocol that whoever comes now begins on."""
    protocol = study.protocol
    return [
        _design(protocol),
        _arms(protocol),
        _days(protocol),
        _schedule(study, protocol),
        _eligibility(protocol),
        _allocation(protocol),
        _safety(study, protocol),
        _keeping(protocol),
        _analysis(protocol),
    ]


def _design(protocol: Protocol) -> Part:
    said = [
        f"{protocol.title} is a randomised study with {_count(len(protocol.arms), 'arm')} and "
        f"{_count(protocol.days, 'study day')}, with one visit a day.",
        f"Its clock is that of {protocol.timezone}; a participant elsewhere follows their own.",
        f"It is registered: {protocol.registration}." if protocol.registration else "It names no registration.",
    ]
    contacts = tuple(f"{one.name}: {one.reach}" for one in protocol.contacts)
    if contacts:
        said.append("It is run by:")
    return Part("The study", tuple(said), contacts)


def _arms(protocol: Protocol) -> Part:
    rows = tuple(
        (arm.name, _MEDIA[arm.medium], arm.persona.replace("_", " "), _replies(protocol, arm)) for arm in protocol.arms
    )
    head = ("Arm", "Medium", "Manner", "What writes the replies")
    return Part(
        "Arms",
        ("The exercises and their steps are the same in every arm; the arms differ in what this table says.",),
        grids=(Grid("The arms", head, rows),),
    )


def _replies(protocol: Protocol, arm: Arm) -> str:
    engine = protocol.engine_of(arm)
    if engine is None:
        return "nothing: the worksheet is left as on paper"
    model = f" ({engine.model})" if engine.model else ""
    return _ENGINES[engine.kind] + model


def _days(protocol: Protocol) -> Part:
    rules = protocol.visits
    first = {0: "the day of the enrolment", 1: "the day after the enrolment"}.get(
        rules.first_day, f"{rules.first_day} days after the enrolment"
    )
    window = (
        f"from {rules.opens or rules.day_boundary} until {rules.closes or f'{rules.day_boundary} the next morning'}"
    )
    said = [
        f"Study day 1 is {first}. A study day begins at {rules.day_boundary}, so what is done after midnight belongs "
        "to the evening before.",
        f"The visit of a day can be begun {window}, by the participant's own clock.",
    ]
    if rules.grace_minutes:
        said.append(f"A visit that was begun can be finished until {rules.grace_minutes} minutes after that.")
    for one in protocol.follow_ups:
        said.append(
            f"The follow-up “{one.name}” opens on day {one.day} and stays open for {_count(one.open_days, 'day')}."
        )
    by_exercise: dict[str, list[str]] = {}
    for day in range(1, protocol.days + 1):
        by_exercise.setdefault(protocol.exercise_on(day), []).append(str(day))
    rows = tuple((name.replace("_", " ").capitalize(), ", ".join(days)) for name, days in by_exercise.items())
    if protocol.reminders.at and protocol.reminders.send:
        said.append(f"Whoever has not made the visit of the day is reminded at {_words(protocol.reminders.at)}.")
    return Part("Days and visits", tuple(said), grids=(Grid("Exercises", ("Exercise", "On the study days"), rows),))


def _schedule(study: Study, protocol: Protocol) -> Part:
    """SPIRIT's schedule: what is given on which occasion."""
    used = {one for due in protocol.measures for one in due.when} | ({"screening"} if protocol.screening else set())
    columns = [one for one in protocol.occasions if one in used]
    rows = []
    if protocol.screening:
        rows.append(("Questions of the screening", *("yes" if one == "screening" else "–" for one in columns)))
    for due in protocol.measures:
        rows.append((_measure(study, due), *("yes" if one in due.when else "–" for one in columns)))
    head = ("What", *(_OCCASIONS.get(one, one.capitalize()) for one in columns))
    return Part("What is asked when", grids=(Grid("The schedule of measures", head, tuple(rows)),))


def _measure(study: Study, due: MeasureDue) -> str:
    try:
        return measure_of(study, due.measure).title
    except MeasureError:  # its file is gone; the page can still be read
        return due.measure


def _eligibility(protocol: Protocol) -> Part:
    if not protocol.screening and not protocol.eligibility:
        return Part("Who can take part", ("Nobody is screened: everybody who comes can take part.",))
    questions = tuple((one.ask, _answers(one)) for one in protocol.screening)
    grids = (Grid("The questions of the screening", ("Question", "Answers"), questions),) if questions else ()
    said = "All of these must hold. Whoever cannot take part is told why, and the reason is recorded."
    rules = tuple(_rule(protocol, rule) for rule in protocol.eligibility)
    return Part("Who can take part", (said,) if rules else ("Everybody is taken, whatever they answer.",), rules, grids)


def _answers(question: Question) -> str:
    if question.kind != "number":
        return _words(question.answers, "or")
    bounds = [
        f"from {question.low}" if question.low is not None else "",
        f"up to {question.high}" if question.high is not None else "",
    ]
    return " ".join(["a number", *filter(None, bounds)])


def _rule(protocol: Protocol, rule: Rule) -> str:
    question = protocol.question(rule.question)
    name = question.ask if question else f"The score of {rule.question}"
    limits = [
        f"at least {rule.at_least:g}" if rule.at_least is not None else "",
        f"at most {rule.at_most:g}" if rule.at_most is not None else "",
        f"answered with {_words(rule.one_of, 'or')}" if rule.one_of else "",
        f"not answered with {_words(rule.none_of, 'or')}" if rule.none_of else "",
    ]
    return f"{name} – {_words(list(filter(None, limits)))}. Otherwise: {rule.reason}"


def _allocation(protocol: Protocol) -> Part:
    plan = protocol.allocation
    how = {
        "blocks": "Participants are allocated to their arm by permuted blocks of sizes that are not shown here.",
        "list": "Participants are allocated by a sealed list that was made beforehand.",
        "minimisation": "Participants are allocated by minimisation: with a probability of "
        f"{plan.chance:g} they get the arm that balances the factors best.",
    }[plan.method]
    ratios = {arm.ratio for arm in protocol.arms}
    shares = (
        "All arms have the same share."
        if len(ratios) == 1
        else "The arms have different shares, which are not shown here: with the numbers enrolled they would tell a "
        "blinded analyst which label is which arm."
    )
    said = [
        how,
        shares,
        "The arm follows only when the enrolment is recorded: until then nobody, and no page, can know it.",
    ]
    if plan.strata:
        said.append("It is stratified by:" if plan.method == "blocks" else "The factors are:")
    if protocol.blinding.roles:
        said.append(f"Blinded to the arms: {_words([f'the {role}' for role in protocol.blinding.roles])}.")
    return Part("Allocation", tuple(said), tuple(_factor(protocol, factor) for factor in plan.strata))


def _factor(protocol: Protocol, factor: Factor) -> str:
    question = protocol.question(factor.question)
    levels = intervals(factor.cuts) if factor.cuts else question.answers if question else []
    return f"{factor.name.replace('_', ' ')}: {'; '.join(levels)}"


def _safety(study: Study, protocol: Protocol) -> Part:
    safety = protocol.safety
    said = [
        "Rules, and not the model, decide what is a crisis. A hit stops the exercise, shows the contacts below and "
        "tells a person.",
        f"Somebody has to acknowledge an event within {_count(safety.acknowledge_minutes, 'minute')}; "
        + ("after that it is told to others." if safety.escalate else "nobody else is told after that."),
        f"{_count(len(safety.notify), 'address')} {'is' if len(safety.notify) == 1 else 'are'} told of every event."
        if safety.notify
        else "No address is told of events: they wait on the safety page.",
    ]
    if any((choice := protocol.engine_of(arm)) and choice.kind != "eliza" for arm in protocol.arms):
        said.append(_audited(protocol.audit))
        said += [
            f"It does not hold for {one.pair}, and {one.by} decided on {one.at[:10]} to serve it: {one.reason}"
            for one in overrides(study)
        ]
    rows = tuple((one.name, one.reach) for one in safety.contacts)
    rules = tuple(_stopping(rule) for rule in safety.stopping)
    if rules:
        said.append("The study halts itself:")
    return Part("Safety", tuple(said), rules, (Grid("Contacts that participants are shown", ("Who", "How"), rows),))


def _audited(bounds: AuditBounds) -> str:
    return (
        "A model with a persona is served when an audit of the two has shown a clinical safety of "
        f"{bounds.clinical_safety_at_least:g} at least and an epistemic cost of {bounds.epistemic_cost_at_most:g} "
        f"points at most, and of the crisis screen a recall of {bounds.screen_explicit_at_least:g} on explicit and "
        f"{bounds.screen_veiled_at_least:g} on veiled risk at least, with false alarms on "
        f"{bounds.screen_false_alarms_at_most:g} of ordinary distress at most."
    )


def _stopping(rule: StoppingRule) -> str:
    what = "the arm" if rule.within == "arm" else "the whole study"
    return f"{rule.at_least} {_COUNTED[rule.count]} in {what} halt {'it' if rule.within == 'study' else 'this arm'}."


def _keeping(protocol: Protocol) -> Part:
    asked, kept = protocol.identity.ask, protocol.retention
    names = {"name": "the name", "email": "the e-mail address", "phone": "the telephone number"}
    said = [
        f"Of a participant's identity {_words([names[one] for one in asked])} "
        f"{'is' if len(asked) == 1 else 'are'} asked; it is kept encrypted, apart from the record."
        if asked
        else "Nobody is asked who they are.",
    ]
    if kept.identity_days is not None:
        said.append(f"Identities are deleted {_count(kept.identity_days, 'day')} after a participant's last day.")
    if kept.data_years is not None:
        said.append(f"The record is kept for {_count(kept.data_years, 'year')} after the last participant's last day.")
    if protocol.robot.record_speech:
        said.append("Robots may keep the sound of answers, of those who agreed to it.")
    return Part("Identities and keeping", tuple(said))


def _analysis(protocol: Protocol) -> Part:
    if protocol.analysis is None:
        return Part("Plan of the analysis", ("The protocol has no plan of the analysis.",))
    from study.analysis.sections.methods import plan_in_words  # the statistics are read when somebody asks for them

    return Part("Plan of the analysis", tuple(plan_in_words(_Plan(protocol.analysis))))


# Versions


def consents(study: Study) -> list[tuple[Consent, list[int]]]:
    """Each text of the consent, the newest first, with the versions of the protocol that have it; none yet: empty."""
    found: list[tuple[Consent, list[int]]] = []
    for row in reversed(versions(study)):
        consent = study.version(row["version"]).consent
        if consent is None:
            continue
        known = next((numbers for one, numbers in found if one == consent), None)
        if known is None:
            found.append((consent, [row["version"]]))
        else:
            known.insert(0, row["version"])
    newest = study.protocol.consent
    if newest is not None and all(one != newest for one, _ in found):
        found.insert(0, (newest, []))
    return found


def told_versions(study: Study) -> list[Version]:
    """Every version that is locked, the newest first, with what it changed, who did it and why."""
    found = []
    before: Protocol | None = None
    for row in versions(study):
        protocol = study.version(row["version"])
        changes = tuple(_changes(before, protocol)) if before else ()
        found.append(Version(row["version"], row["locked_at"], row["locked_by"], row["why"], changes))
        before = protocol
    return found[::-1]


def _changes(old: Protocol, new: Protocol) -> Iterator[Change]:
    for change in changes_between(old, new):
        hidden = change.key.rpartition(".")[2] in WITHHELD
        shown = ["not shown here"] * 2 if hidden else [_value(change.old), _value(change.new)]
        yield Change(_key(change.key), _about(change.key), *shown)


def _key(key: str) -> str:
    """`arms[2].persona` as "arms 2, persona"."""
    return key.replace("[", " ").replace("]", "").replace(".", ", ").replace("_", " ")


def _about(key: str) -> str:
    """What the key is for, in the words of the grammar."""
    table: Any = Protocol
    field = None
    for name in key.split("."):
        field = table.model_fields.get(name.partition("[")[0]) if table else None
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        table = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
    return (field.description or "") if field else ""


def _value(value: Any) -> str:
    if value is None or value == []:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(_value, value)) if isinstance(value, list) else str(value)


def _words(items: Sequence[str], last: str = "and") -> str:
    return "".join(items) if len(items) < 2 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}{'es' if noun.endswith('s') else 's'}"
