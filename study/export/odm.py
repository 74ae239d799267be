"""The study as CDISC ODM 1.3.2: what was to be asked (metadata), and what was answered (clinical data).

Visits are study events, measures are forms, items are items. A study day is the repeating event `SE.day`; the repeat
key of a form is the occasion on which it was given. An item that was left out is there with `IsNull`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from study.export.dictionary import Table
from study.export.instruments import Field, Instrument
from study.export.long import Observation, Subject
from study.export.reading import Reading
from study.export.variants import tables
from study.records import stamp

__all__ = ["OdmFile"]

NAMESPACE = "http://www.cdisc.org/ns/odm/v1.3"

_RECORD = ("participant", "visit", "safety_event")
"""Tables of the record that are forms of their own."""

_DATA_TYPES = {
    "integer": "integer",
    "visit": "integer",
    "minute": "integer",
    "number": "float",
    "time": "datetime",
    "date": "date",
}


@dataclass(frozen=True, slots=True)
class _Event:
    oid: str
    name: str
    type: str
    repeating: bool
    forms: tuple[str, ...]


class OdmFile:
    """One ODM file, written subject by subject."""

    def __init__(
        self, path: Path, reading: Reading, instruments: Sequence[Instrument], title: str, now: datetime
    ) -> None:
        self._reading = reading
        self._instruments = list(instruments)
        self._tables = {table.name: _odm_table(table) for table in tables(reading.variant) if table.name in _RECORD}
        self._given_at = "integer" if reading.variant.deidentified else "datetime"
        self.subjects = 0
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._file.writelines(self._head(title, now))

    def add(self, subject: Subject, observed: Sequence[Observation]) -> None:
        """Write the clinical data of one person."""
        self.subjects += 1
        self._file.write(f"<SubjectData SubjectKey={_quoted(subject.code)}>\n")
        for oid, key, forms in self._events_of(subject, observed):
            repeat = f" StudyEventRepeatKey={_quoted(key)}" if key else ""
            self._file.write(f'<StudyEventData StudyEventOID="{oid}"{repeat}>\n{"".join(forms)}</StudyEventData>\n')
        self._file.write("</SubjectData>\n")

    def close(self) -> None:
        self._file.write("</ClinicalData>\n</ODM>\n")
        self._file.close()

    # The clinical data

    def _events_of(self, subject: Subject, observed: Sequence[Observation]) -> Iterator[tuple[str, str, list[str]]]:
        rows = {name: self._rows(name, subject) for name in self._tables}
        if rows["participant"]:
            yield "SE.participant", "", [_record_form("participant", row) for row in rows["participant"]]
        for stage in ("screening", "baseline"):
            forms = [self._form(one) for one in observed if one.day is None and one.occasion == stage]
            if forms:
                yield f"SE.{stage}", "", forms
        by_visit: dict[int | None, list[str]] = {}
        for one in observed:
            if one.day is not None:
                by_visit.setdefault(one.visit, []).append(self._form(one))
        for row in sorted(rows["visit"], key=lambda row: int(row["day"])):
            oid, key = ("SE.day", str(row["day"])) if row["follow_up"] is None else (_follow_up(row["follow_up"]), "")
            yield oid, key, [_record_form("visit", row), *by_visit.get(row["id"], [])]
        for number, row in enumerate(rows["safety_event"], 1):
            yield "SE.safety", str(number), [_record_form("safety_event", row)]

    def _rows(self, name: str, subject: Subject) -> list[dict[str, Any]]:
        table = self._tables[name]
        columns = [column.name for column in table.columns]
        return [dict(zip(columns, row, strict=True)) for row in self._reading.select(table, subject.own)]

    def _form(self, one: Observation) -> str:
        oid = _name(one.measure)
        items = "".join(
            _item(f"I.{oid}.{_name(item)}", value, one.corrected.get(item, 0)) for item, value, _ in one.answers
        )
        scores = "".join(_item(f"I.{oid}.score.{_name(scale)}", score) for scale, score in one.scores.items())
        given = _item("I.form.given_at", one.given_at) + _item("I.form.version", one.version)
        return (
            f'<FormData FormOID="F.{oid}" FormRepeatKey={_quoted(one.occasion)}>'
            f'<ItemGroupData ItemGroupOID="IG.form">{given}{_item("I.form.language", one.language)}</ItemGroupData>'
            f'<ItemGroupData ItemGroupOID="IG.{oid}">{items}</ItemGroupData>'
            + (f'<ItemGroupData ItemGroupOID="IG.{oid}.score">{scores}</ItemGroupData>' if scores else "")
            + "</FormData>\n"
        )

    # The metadata

    def _head(self, title: str, now: datetime) -> Iterator[str]:
        study = "S.bedside"
        yield '<?xml version="1.0" encoding="UTF-8"?>\n'
        yield (
            f'<ODM xmlns="{NAMESPACE}" ODMVersion="1.3.2" FileType="Snapshot" Granularity="All"'
            f' FileOID="bedside.{stamp(now)}" CreationDateTime="{stamp(now)}" SourceSystem="Bedside">\n'
        )
        yield f'<Study OID="{study}">\n<GlobalVariables><StudyName>{_text(title)}</StudyName>'
        yield f"<StudyDescription>{_text(title)}</StudyDescription><ProtocolName>{_text(title)}</ProtocolName>"
        yield "</GlobalVariables>\n"
        version = len(self._reading.protocols)
        yield f'<MetaDataVersion OID="V.{version}" Name="Version {version} of the protocol">\n'
        events = self._events()
        yield "<Protocol>\n"
        for number, event in enumerate(events, 1):
            yield f'<StudyEventRef StudyEventOID="{event.oid}" OrderNumber="{number}" Mandatory="No"/>\n'
        yield "</Protocol>\n"
        for event in events:
            name, repeating = _quoted(event.name), "Yes" if event.repeating else "No"
            yield (
                f'<StudyEventDef OID="{event.oid}" Name={name} Repeating="{repeating}" Type="{event.type}">'
                + "".join(f'<FormRef FormOID="F.{form}" Mandatory="No"/>' for form in event.forms)
                + "</StudyEventDef>\n"
            )
        yield from self._forms()
        yield from self._item_groups()
        yield from self._items()
        yield from self._code_lists()
        yield f'</MetaDataVersion>\n</Study>\n<ClinicalData StudyOID="{study}" MetaDataVersionOID="V.{version}">\n'

    def _events(self) -> list[_Event]:
        follow_ups = dict.fromkeys(one.name for protocol in self._reading.protocols for one in protocol.follow_ups)
        daily = [
            one for one in self._instruments if any(re.match(r"before$|after$|day \d", at) for at in one.occasions)
        ]
        return [
            _Event("SE.participant", "Enrolment", "Common", False, ("participant",)),
            _Event("SE.screening", "Screening", "Scheduled", False, self._due("screening")),
            _Event("SE.baseline", "Baseline", "Scheduled", False, self._due("baseline")),
            _Event("SE.day", "Study day", "Scheduled", True, ("visit", *(_name(one.name) for one in daily))),
            *(_Event(_follow_up(at), at, "Scheduled", False, ("visit", *self._due(at))) for at in follow_ups),
            _Event("SE.safety", "Safety event", "Unscheduled", True, ("safety_event",)),
        ]

    def _due(self, occasion: str) -> tuple[str, ...]:
        return tuple(_name(one.name) for one in self._instruments if occasion in one.occasions)

    def _forms(self) -> Iterator[str]:
        for name, table in self._tables.items():
            yield f'<FormDef OID="F.{name}" Name={_quoted(table.about)} Repeating="No">'
            yield f'<ItemGroupRef ItemGroupOID="IG.{name}" Mandatory="Yes"/></FormDef>\n'
        for one in self._instruments:
            oid = _name(one.name)
            yield f'<FormDef OID="F.{oid}" Name={_quoted(one.title)} Repeating="Yes">'
            for group in ["form", oid, *([f"{oid}.score"] if one.scores else [])]:
                yield f'<ItemGroupRef ItemGroupOID="IG.{group}" Mandatory="No"/>'
            yield "</FormDef>\n"

    def _item_groups(self) -> Iterator[str]:
        yield _group(
            "form", "How the form was given", [f"I.form.{name}" for name in ("given_at", "version", "language")]
        )
        for name, table in self._tables.items():
            yield _group(name, table.about, [f"I.{name}.{column.name}" for column in table.columns])
        for one in self._instruments:
            oid = _name(one.name)
            yield _group(oid, one.title, [f"I.{oid}.{_name(field.id)}" for field in one.fields])
            if one.scores:
                scores = [f"I.{oid}.score.{_name(score.id)}" for score in one.scores]
                yield _group(f"{oid}.score", f"{one.title}: scores", scores)

    def _items(self) -> Iterator[str]:
        yield _item_def("I.form.given_at", "When it was given", self._given_at)
        yield _item_def("I.form.version", "Version of the measure", "text")
        yield _item_def("I.form.language", "Language", "text")
        for name, table in self._tables.items():
            for column in table.columns:
                arm = '<CodeListRef CodeListOID="CL.arm"/>' if (name, column.name) == ("participant", "arm") else ""
                kind = _DATA_TYPES.get(column.type, "text")
                yield _item_def(f"I.{name}.{column.name}", column.name, kind, column.description, inside=arm)
        for one in self._instruments:
            for field in one.fields:
                yield self._field(one, field)
            for score in one.scores:
                inside = _range(score.low, score.high)
                oid = f"I.{_name(one.name)}.score.{_name(score.id)}"
                yield _item_def(oid, f"{one.name} {score.id}", "double", score.title, inside=inside)

    def _field(self, one: Instrument, field: Field) -> str:
        oid = f"{_name(one.name)}.{_name(field.id)}"
        question = ""
        if field.question:
            question = f"<Question>{_translated(field.question, one.language)}</Question>"
        inside = question + _range(field.low, field.high)
        if field.options:
            inside += f'<CodeListRef CodeListOID="CL.{oid}"/>'
        return _item_def(f"I.{oid}", f"{one.name} {field.id}", "integer", inside=inside)

    def _code_lists(self) -> Iterator[str]:
        arms = "".join(_coded(arm, arm, "en") for arm in sorted(set(self._reading.arms.values())))
        yield f'<CodeList OID="CL.arm" Name="Arm" DataType="text">{arms}</CodeList>\n'
        for one in self._instruments:
            for field in one.fields:
                if field.options:
                    oid = f"CL.{_name(one.name)}.{_name(field.id)}"
                    coded = "".join(_coded(str(value), label, one.language) for value, label in field.options)
                    name = _quoted(f"{one.name} {field.id}")
                    yield f'<CodeList OID="{oid}" Name={name} DataType="integer">{coded}</CodeList>\n'


def _odm_table(table: Table) -> Table:
    """The columns of a table of the record that are items: neither whom it is about nor anybody's words."""
    columns = tuple(column for column in table.columns if column.type not in ("code", "key", "free text"))
    return replace(table, columns=columns)


def _record_form(name: str, row: dict[str, Any]) -> str:
    items = "".join(_item(f"I.{name}.{column}", value) for column, value in row.items())
    return f'<FormData FormOID="F.{name}"><ItemGroupData ItemGroupOID="IG.{name}">{items}</ItemGroupData></FormData>\n'


def _item(oid: str, value: Any, corrected: int = 0) -> str:
    if value is None:
        said = 'IsNull="Yes"'
    elif isinstance(value, int | float):
        said = f'Value="{value!r}"'
    else:
        said = f"Value={_quoted(value)}"
    if not corrected:
        return f'<ItemData ItemOID="{oid}" {said}/>'
    note = '<Annotation SeqNum="1"><Comment>Corrected: see the table correction</Comment></Annotation>'
    return f'<ItemData ItemOID="{oid}" {said}>{note}</ItemData>'


def _group(oid: str, name: str, items: list[str]) -> str:
    refs = "".join(
        f'<ItemRef ItemOID="{item}" OrderNumber="{number}" Mandatory="No"/>' for number, item in enumerate(items, 1)
    )
    return f'<ItemGroupDef OID="IG.{oid}" Name={_quoted(name)} Repeating="No">{refs}</ItemGroupDef>\n'


def _item_def(oid: str, name: str, kind: str, description: str = "", *, inside: str = "") -> str:
    said = f"<Description>{_translated(description, 'en')}</Description>" if description else ""
    return f'<ItemDef OID="{oid}" Name={_quoted(name)} DataType="{kind}">{said}{inside}</ItemDef>\n'


def _range(low: float | None, high: float | None) -> str:
    checks = [("GE", low), ("LE", high)]
    return "".join(
        f'<RangeCheck Comparator="{comparator}" SoftHard="Hard"><CheckValue>{value:g}</CheckValue></RangeCheck>'
        for comparator, value in checks
        if value is not None
    )


def _coded(value: str, label: str, language: str) -> str:
    return f"<CodeListItem CodedValue={_quoted(value)}><Decode>{_translated(label, language)}</Decode></CodeListItem>"


def _translated(text: str, language: str) -> str:
    return f"<TranslatedText xml:lang={_quoted(language or 'en')}>{_text(text)}</TranslatedText>"


def _follow_up(name: str) -> str:
    return f"SE.follow_up.{_name(name)}"


def _name(name: str) -> str:
    """A name as part of an identifier. Names of measures, items and follow-ups are short and simple already."""
    return name if _PLAIN.fullmatch(name) else escape(name, {'"': "&quot;"})


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

_PLAIN = re.compile(r"[\w .:+-]*", re.ASCII)
"""What can stand in XML as it is: nearly every value, so it is worth asking first."""


def _text(text: str) -> str:
    """Text for between tags; characters that XML can't hold become the replacement character."""
    return escape(_FORBIDDEN.sub("\ufffd", text))


def _quoted(text: str) -> str:
    """An attribute's value with its quotes."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))
