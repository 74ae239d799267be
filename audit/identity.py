"""What exactly was measured: of which model, with which persona, by which version of which items."""

import hashlib
from typing import TYPE_CHECKING, Any

from audit._datafiles import read
from therapist.persona import load_persona

if TYPE_CHECKING:
    from audit.suite import Suite

__all__ = ["data_sha256", "provenance"]


def provenance(suite: "Suite", persona: str, language: str = "en") -> dict[str, Any]:
    """What a task writes into its log: `Task(version=SUITE.version, metadata=provenance(SUITE, persona))`.

    The keys: `suite`, `suite_version`, `persona`, `persona_sha256`, and `data`, the SHA-256 of each of the suite's
    files. Which model answered stands beside each reply, for the models of `bedside/` with the hash of its weights.
    """
    return {
        "suite": suite.name,
        "suite_version": suite.version,
        "persona": persona,
        "persona_sha256": load_persona(persona, language).sha256,
        "data": {name: data_sha256(name) for name in suite.data},
    }


def data_sha256(name: str) -> str:
    """SHA-256 of the file `audit/data/<name>.toml`. Raises `ItemFileError` when there is none."""
    return hashlib.sha256(read(name)).hexdigest()
