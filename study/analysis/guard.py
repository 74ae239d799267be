"""No sentence calls arms different unless a contrast between them does.

That a change is significant in one arm and not in another is no difference between the arms (Gelman and Stern 2006, Am
Stat 60:328); it is how the finding that this platform exists to check was reported. So whatever a section says of a
difference is held against its own tables of contrasts.
"""

import re

from study.analysis.results import Section

__all__ = ["unfounded"]

_CLAIM = re.compile(r"\bdiffer\b|\bdiffers\b|\bdifferent\b|\bmore effective\b|\bworks better\b|\bthe arms differ\b")

_NO_CLAIM = re.compile(r"\bno(t| itself a|thing)?\b|\bwhether\b|\bonly\b|\bcannot\b", re.IGNORECASE)

_DISCORDANT = re.compile(r"significant(ly)? in .+(\band|\bbut) not in|significant(ly)? .+ but not", re.IGNORECASE)


def unfounded(section: Section, alpha: float) -> list[str]:
    """The sentences of a section that call two arms different without a contrast that is significant at `alpha`.

    A sentence counts as a claim when it says of two arms that they differ. One that sets "significant in A and not in
    B" must say itself that this is no difference.
    """
    shown = set()
    arms: set[str] = set()
    for table in section.tables:
        names = [column.name for column in table.columns]
        if not {"arm", "compared_with", "p_adjusted"} <= set(names):
            continue
        for row in table.rows:
            cells = dict(zip(names, row, strict=True))
            pair = frozenset((str(cells["arm"]), str(cells["compared_with"])))
            arms |= pair
            p = cells["p_adjusted"]
            if isinstance(p, int | float) and p < alpha:
                shown.add(pair)
    wrong = []
    for paragraph in section.text:
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", paragraph)
        for sentence in [*sentences, *(clause for one in sentences for clause in one.split("; "))]:
            if (
                _DISCORDANT.search(sentence)
                and "not itself a difference" not in sentence
                and "no difference" not in sentence
            ):
                wrong.append(paragraph)
                break
            named = frozenset(arm for arm in arms if re.search(rf"(?<![\w-]){re.escape(arm)}(?![\w-])", sentence))
            if _CLAIM.search(sentence) and not _NO_CLAIM.search(sentence) and len(named) == 2 and named not in shown:
                wrong.append(paragraph)
                break
    return wrong
