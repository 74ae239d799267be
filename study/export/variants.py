"""The variants of an export: for a blinded role, de-identified, with test participants: which columns each has.

A blinded export has no column, table or word that could tell an arm: masked labels, no exercise turns, no robots, no
places in the allocation, no free text. A de-identified one has new random codes, minutes since the person came in place
of times, and neither dates, staff, time zones nor free text.
"""

from dataclasses import dataclass, replace

from study.blinding import Role
from study.export.dictionary import Column, Table, dictionary

__all__ = ["Variant", "expression", "minutes", "tables"]


@dataclass(frozen=True, slots=True)
class Variant:
    role: Role | None = None
    """For whom the export is made; None for whoever may see everything."""
    blinded: bool = False
    """Whether the role is not to know the arms: until a recorded unblinding it is not."""
    deidentified: bool = False
    with_tests: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is masked or left out for privacy."""
        return not (self.blinded or self.deidentified)


def tables(variant: Variant) -> list[Table]:
    """The tables that the variant has, with the columns it has of them and the type each column gets."""
    found = []
    for table in dictionary():
        if not _kept(variant, table.flags):
            continue
        columns = tuple(_as(variant, column) for column in table.columns if _has(variant, column))
        if columns:
            found.append(replace(table, columns=columns))
    return found


def _kept(variant: Variant, flags: frozenset[str]) -> bool:
    return not (variant.blinded and "unblinds" in flags) and not (variant.deidentified and "identifies" in flags)


def _has(variant: Variant, column: Column) -> bool:
    if not variant.whole and column.type == "free text":
        return False
    if variant.deidentified and column.type in ("key", "date"):
        return False
    return _kept(variant, column.flags)


def _as(variant: Variant, column: Column) -> Column:
    if variant.deidentified and column.type == "time":
        said = f"{column.description} In whole minutes since the person came."
        return replace(column, type="minute", description=said)
    return column


def minutes(column: str) -> str:
    """SQL: the whole minutes from when the person `p` came until `column`."""
    return f"(CAST(strftime('%s', {column}) AS INTEGER) - CAST(strftime('%s', p.came_at) AS INTEGER)) / 60"


_TARGET = (
    "CASE t.scope WHEN 'participant' THEN p.new WHEN 'arm' THEN (SELECT shown FROM arms WHERE arm = t.target)"
    " ELSE t.target END"
)

_SCREEN = "CASE WHEN t.source IN ('participant', 'therapist', 'draft') THEN 'screen' ELSE t.source END"

_BLINDED = {
    ("safety_event", "source"): _SCREEN,
    # What the screen finds in a therapist's words is named differently, and not every arm has a therapist who speaks.
    ("safety_event", "category"): "CASE WHEN t.source = 'therapist' THEN 'screen' ELSE t.category END",
}


def expression(variant: Variant, column: Column) -> str:
    """SQL for the column: of the table `t`, its person `p`, its visit `v` and its form `f`, as `reading` joins them."""
    if (column.table, column.name) == ("participant", "arm"):
        return "p.arm"
    if (column.table, column.name) == ("halt", "target"):
        return _TARGET
    if variant.blinded and (column.table, column.name) in _BLINDED:
        return _BLINDED[column.table, column.name]
    match column.type:
        case "code":
            return "p.new"
        case "visit":
            return "v.new"
        case "form":
            return "f.new"
        case "minute":
            return minutes(f"t.{column.name}")
        case _:
            return f"t.{column.name}"
