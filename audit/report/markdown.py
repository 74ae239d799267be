"""The report in short, as Markdown: the three numbers and the headlines of every suite.

For a repository or a supplement that shows Markdown and no page of HTML. It says nothing that the page does not say.
"""

from collections.abc import Sequence

from audit.report.page import Content
from study.report.figure import Figure
from study.report.tables import Shown, typographic

__all__ = ["NAME", "markdown"]

NAME = "README.md"
"""What a folder in a repository is opened with."""


def markdown(content: Content) -> str:
    """The text of the file; the same content gives the same bytes."""
    three = content.three
    quotes = ", with the worst transcripts" if content.worst else ""
    blocks = [
        f"# {content.material.title}",
        f"[audit.html](audit.html) is the whole report{quotes}; [tables](tables) has every figure as CSV.",
        f"```\n{content.command}\n```",
        "## Three numbers, never one",
        *([_picture(three.figure)] if three.figure else []),
        *_list(three.sentences),
        *([_table(three.sheet.shown), three.sheet.note] if three.sheet else []),
        *(["To be careful with:", *_list(content.material.warnings)] if content.material.warnings else []),
    ]
    for suite in content.suites:
        blocks += [f"## {suite.title}", f"*{suite.question}*", *suite.text, *_list(suite.warnings)]
        blocks += [_picture(figure) for figure in suite.figures]
        blocks += [_table(sheet.shown) for sheet in suite.headlines]
    blocks.append(f"Rows {content.material.sha256}, Bedside {content.material.version}.")
    return "\n\n".join(typographic(one) if not one.startswith("```") else one for one in blocks) + "\n"


def _list(sentences: tuple[str, ...]) -> list[str]:
    return ["\n".join(f"- {one}" for one in sentences)] if sentences else []


def _picture(figure: Figure) -> str:
    return f"![{figure.title}](figures/{figure.name}.svg)"


def _table(shown: Shown) -> str:
    lines = [_row([title for title, _ in shown.heads]), _row(["--:" if number else "---" for _, number in shown.heads])]
    for group in shown.groups:
        if group.heading:
            lines.append(_row([f"**{group.heading}**", *[""] * (len(shown.heads) - 1)]))
        lines += [_row(row) for row in group.rows]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
