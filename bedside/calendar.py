"""What a participant does on which day, as a table in the terminal."""

from rich.console import Console
from rich.table import Table

from study.protocol import DISTRESS, Protocol

__all__ = ["rows", "show"]


def rows(protocol: Protocol) -> list[tuple[str, str, str]]:
    """When, what is answered, which exercise; days that are alike stand in one row."""

    def measures(*occasions: str) -> str:
        return ", ".join(due.measure for due in protocol.due(*occasions) if due.measure != DISTRESS)

    found: list[tuple[str, str, str]] = []
    screening = [f"{len(protocol.screening)} questions"] if protocol.screening else []
    if screening or protocol.due("screening"):
        found.append(("screening", ", ".join(filter(None, [*screening, measures("screening")])), ""))
    if protocol.consent:
        found.append(("consent", f"version {protocol.consent.version}", ""))
    if protocol.due("baseline"):
        found.append(("baseline", ", ".join(due.measure for due in protocol.due("baseline")), ""))
    every = measures("before"), measures("after")
    around = " | ".join(filter(None, [every[0], f"{DISTRESS} before and after", every[1] and f"then {every[1]}"]))
    days: list[tuple[list[int], str, str]] = []
    for day in range(1, protocol.days + 1):
        asked = " | ".join(filter(None, [measures(f"day {day}"), around]))
        exercise = protocol.exercise_on(day)
        same = next((one for one in days if one[1:] == (asked, exercise)), None)
        if same:
            same[0].append(day)
        else:
            days.append(([day], asked, exercise))
    found += [(f"day {_ranges(numbers)}", asked, exercise) for numbers, asked, exercise in days]
    found += [
        (f"{one.name}, day {one.day} to {one.day + one.open_days - 1}", measures(one.name), "")
        for one in protocol.follow_ups
    ]
    return found


def show(protocol: Protocol) -> None:
    table = Table("when", "what is answered", box=None, padding=(0, 2))
    table.add_column("exercise", no_wrap=True)
    for row in rows(protocol):
        table.add_row(*row)
    console = Console(highlight=False)
    console.width = max(console.width, 100)
    console.print(table)


def _ranges(numbers: list[int]) -> str:
    """1, 2, 3, 5 as "1-3, 5"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
