"""The audit of a study: which engine and persona its arms have, and where the results are."""

from collections.abc import Callable, Sequence
from pathlib import Path

from audit.engines import AuditedEngine, engine_named, engine_of
from bedside.assembly import check
from study.auditing import NEUTRAL
from therapist.persona import load_persona, persona_names

__all__ = ["ENGINES", "FOLDER", "is_study", "pairs_of_engine", "pairs_of_study"]

FOLDER = "audit"
"""In a study's folder."""

ENGINES = "audits"
"""Under the working directory, where engines are audited that belong to no study yet."""


def is_study(target: str) -> bool:
    """Whether `target` is the folder of a study."""
    return (Path(target) / "study.toml").is_file()


def pairs_of_study(
    folder: Path, personas: Sequence[str], tell: Callable[[str], None]
) -> list[tuple[AuditedEngine, str]]:
    """The engine and persona of every arm that has an engine, each pair once, with `neutral` first.

    With an engine, `neutral` is always there: what a manner costs is measured against it. With `personas`, only the
    arms that have one of these. Raises `ProtocolError`, `EngineError`, `AuditError`.
    """
    protocol = check(folder)
    pairs: dict[tuple[AuditedEngine, str], None] = {}
    for arm in protocol.arms:
        choice = protocol.engine_of(arm)
        if choice is None or (personas and arm.persona not in personas):
            continue
        engine = engine_of(choice, tell)
        pairs[engine, NEUTRAL] = None
        if engine.hangs_on_persona:
            pairs[engine, arm.persona] = None
    return list(pairs)


def pairs_of_engine(
    name: str, model: str | None, personas: Sequence[str], tell: Callable[[str], None]
) -> list[tuple[AuditedEngine, str]]:
    """The engine called `name` with each of `personas`; with none, with every persona there is."""
    engine = engine_named(name, model, tell)
    for persona in personas:
        load_persona(persona)
    names = list(personas) or persona_names()
    return [(engine, persona) for persona in sorted(names, key=lambda one: (one != NEUTRAL, one))]
