"""Small studies to find the power of. For the tests of power."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from study.protocol import Protocol, understood

KIAN = files("study").joinpath("templates", "kian2024.toml").read_text(encoding="utf-8")


def kian(**analysis: Any) -> Protocol:
    """The kian2024 design; `analysis` are other keys of its plan."""
    data = tomllib.loads(KIAN)
    data["analysis"] |= analysis
    return understood(data)


def two_arms(**analysis: Any) -> Protocol:
    """Robot and chatbot, in blocks of two without strata; one value for each participant, compared by ancova."""
    data = tomllib.loads(KIAN)
    data["arms"] = data["arms"][:2]
    data["allocation"] = {"method": "blocks", "seed": 1, "block_sizes": [2]}
    data["analysis"] |= {"primary": {"measure": "gad7", "when": "day 15"}, "covariates": [], "contrasts": []} | analysis
    return understood(data)


def quick(folder: Path) -> Path:
    """The folder of a study of the kian2024 design that is analysed fast: by ancova on the last day."""
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(KIAN.replace('\nmodel = "mixed"', '\nmodel = "ancova"'), encoding="utf-8")
    return folder
