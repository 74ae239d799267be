"""The command that makes an audit again, from what its logs say it was given."""

from collections.abc import Iterable

from audit.report.material import Material, Run
from audit.suite import suites

__all__ = ["commands"]

DEFAULTS = {"half": "both", "seed": "1", "language": "en"}
"""What `bedside audit` takes where nothing is said."""


def commands(material: Material, study: str | None = None) -> str:
    """One line for each audited model and each way in which it was run; for a study the one line that runs it."""
    if study is not None:
        ways = dict.fromkeys(_options(run) for run in material.runs if not run.subject.floor)
        return "\n".join(" ".join(["bedside audit", study, *way]) for way in ways) or f"bedside audit {study}"
    found: dict[tuple[str, tuple[str, ...]], list[Run]] = {}
    runs = [run for run in material.runs if not run.subject.floor] or list(material.runs)
    for run in runs:
        found.setdefault((run.subject.model, _options(run)), []).append(run)
    ran = dict.fromkeys(run.suite for run in material.runs)
    return "\n".join(_line(model, options, runs, ran) for (model, options), runs in found.items())


def _line(model: str, options: tuple[str, ...], runs: list[Run], ran: Iterable[str]) -> str:
    personas = [f"--persona {name}" for name in dict.fromkeys(run.subject.persona for run in runs)]
    known = suites()
    names = dict.fromkeys(run.suite for run in runs)
    # What asks no model is run besides, once for all.
    names |= dict.fromkeys(name for name in ran if name in known and not known[name].model_matters)
    chosen = [] if names.keys() >= known.keys() else [f"--suite {name}" for name in names]
    return " ".join(["bedside audit", model.removeprefix("bedside/"), *personas, *chosen, *options])


def _options(run: Run) -> tuple[str, ...]:
    """The options that are not what they are by default, in the order of their names."""
    given = {"half": run.half, **run.options}
    found: list[str] = []
    for name, value in sorted(given.items()):
        if name == "sets":
            found += [f"--set {one}" for one in value.split(",") if one]
        elif value != DEFAULTS.get(name) and name != "language":
            found.append(f"--{name.replace('_', '-')} {value}")
    return tuple(found)
