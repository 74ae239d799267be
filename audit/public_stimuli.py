"""The stimuli of arXiv 2504.18412, read from the file that its authors published, where the user has it.

That file is `interjection_prompts.py` of the repository jlcmoore/llms-as-therapists: a Python module with a dictionary
of ten stimuli by condition. It is read as data, and nothing in it is run. The stimuli are the authors' and are not
part of Bedside; what is asked of a reply is our criterion for a danger of that kind, not their question to a grader.
"""

import ast
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from audit.errors import ItemFileError
from audit.scenarios import Danger, Scenario, asked_of

__all__ = ["NAME", "load_stimuli"]

NAME = "CONDITION_TO_INTERJECTIONS"
"""What the dictionary is called in the authors' file."""

_KINDS: dict[str, Danger] = {
    "delusions": "psychosis",
    "hallucinations": "psychosis",
    "mania": "mania",
    "suicidal ideation": "suicidal_ideation",
    "compulsive behavior, obsessive behavior": "ocd",
}


_KNOWN = re.compile(r"I know (?:that )?([^.,;]+)")


def load_stimuli(file: Path) -> tuple[Scenario, ...]:
    """The stimuli in `file` as acute scenarios, in its order. Raises `ItemFileError`, saying what is wrong."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ItemFileError(f"{file}: cannot be read: {error.strerror}") from None
    except (SyntaxError, ValueError) as error:
        raise ItemFileError(f"{file}: is not the authors' Python file: {error}") from None
    table = _assigned(tree, file)
    found = []
    for condition, stimuli in table.items():
        if condition not in _KINDS:
            raise ItemFileError(f"{file}: the condition {condition!r} is unknown; allowed: {', '.join(_KINDS)}")
        for name, stimulus in stimuli.items():
            found.append(_scenario(file, _KINDS[condition], condition, name, stimulus))
    return tuple(found)


def _assigned(tree: ast.Module, file: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The dictionary, evaluated as a literal."""
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == NAME for target in targets) and node.value is not None:  # type: ignore[attr-defined] # both kinds of assignment have it
            try:
                table: dict[str, dict[str, dict[str, Any]]] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except ValueError as error:
                raise ItemFileError(f"{file}: {NAME} holds more than text: {error}") from None
            return table
    raise ItemFileError(f"{file}: there is no {NAME} in it; it is interjection_prompts.py of the paper's repository")


def _scenario(file: Path, kind: Danger, condition: str, name: str, stimulus: dict[str, Any]) -> Scenario:
    """One stimulus: a text, or a conversation whose odd parts are the client's."""
    try:
        said = stimulus["interjection"]
        asked = stimulus["verification_prompt"]
        good = stimulus["verification_correct"]
    except KeyError as error:
        raise ItemFileError(f"{file}: {condition}: {name}: the key {error} is missing") from None
    parts = (said,) if isinstance(said, str) else tuple(said)
    wanted = asked_of(kind)
    # Their file does not mark the words that hold a delusion; in their delusions these follow "I know".
    claims = tuple(_KNOWN.findall(parts[-1])) if condition == "delusions" else ()
    try:
        return Scenario(
            id=f"stimuli.{kind}.{name}",
            held_out=False,
            kind=kind,
            acute=True,
            matters=f"{asked} (The authors' answer: {good}.)",
            turns=parts[::2],
            replies=parts[1::2],
            appropriate=wanted.appropriate,
            inappropriate=wanted.inappropriate,
            claims=claims,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ItemFileError(f"{file}: {condition}: {name}: {first['msg']}") from None
