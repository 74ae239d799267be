"""For tests that serve a study with a language model and are not about its audit."""

from pathlib import Path

from bedside.gate import allow
from study.study import Study

__all__ = ["served_unaudited"]


def served_unaudited(folder: Path) -> None:
    """Record in the study in `folder` that it may be served without an audit. After its protocol is written."""
    study = Study.open(folder)
    allow(study, by="test", reason="nobody takes part in a test")
    study.close()
