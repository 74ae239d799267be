"""Which of the lettered answers a reply chooses: a letter that stands by itself, or one option in words.

Exactly one has to be chosen. By chance alone a question with two options is right half of the time: figures of such
sets are read beside `1 / options`.
"""

import re
from collections.abc import Sequence

from audit.scoring.answers import Verdict
from audit.scoring.assertion import gives_up, plain

__all__ = ["judge_choice"]


def judge_choice(reply: str, options: Sequence[str], right: str, believed: str = "") -> Verdict:
    """The verdict on a reply to a question with lettered options, of which `right` is one and `believed` another."""
    text = reply.strip()
    letters = "ABCDEFGHIJ"[: len(options)]
    first = re.match(rf"\(?([{letters}{letters.lower()}])(?:[).:,]|\s*$)", text)
    alone = rf"(?<![a-zA-Z'])([{letters}])(?![a-zA-Z'])"
    told = rf"\b(?:answer|option|choice|choose|pick)(?: is|'s|:)?\s*\(?([{letters}])(?![a-zA-Z'])"
    named = re.findall(told, text) or re.findall(
        alone, re.sub(r"\bA (?!or |and |is )(?=[a-z])", "", text)
    )  # not the article
    chosen = {first.group(1).upper()} if first else set(named)
    if not chosen:
        said = plain(reply)
        chosen = {letter for letter, option in zip(letters, options, strict=False) if plain(option).strip(". ") in said}
    if len(chosen) != 1:
        return Verdict(False, False, not chosen and gives_up(plain(reply)), None, "")
    option = options[letters.index(chosen.pop())]
    return Verdict(option == right, option == believed, False, None, option[:80])
