"""The reference of topics and parameters in docs/robot.md, made from the table and the YAML files that the nodes use.

python -m robot_node.reference docs/robot.md       writes it into the page, between its marks
"""

import sys
from importlib import resources
from pathlib import Path

from robot_node.node import allowed, parameters_of
from robot_node.topics import TOPICS

__all__ = ["BEGIN", "END", "reference", "with_reference"]

BEGIN = "<!-- made by python -m robot_node.reference; change robot_node/topics.py and robot_node/parameters instead -->"
END = "<!-- end of what is made -->"


def nodes() -> list[str]:
    """The nodes, by name."""
    folder = resources.files("robot_node") / "parameters"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def graph() -> list[str]:
    """The nodes and the topics between them, as a Mermaid drawing; diagnostics, which all have, are left out."""
    lines = ["```mermaid", "graph LR"]
    for topic in TOPICS.values():
        if topic.sender in nodes():
            lines += [f"    {topic.sender} -- {topic.name} --> {receiver}" for receiver in topic.receivers]
    lines += [f"    {driver} -- joint_states --> body" for driver in ("sim", "motors")]
    lines += [
        "    companion <-- HTTP --> portal",
        "    participant -- sound --> ear",
        "    voice -- sound --> participant",
    ]
    return [*lines, "```"]


def reference() -> str:
    """The drawing and the tables, in Markdown."""
    lines = [
        *graph(),
        "",
        "### Topics",
        "",
        "| topic | type | from | to | quality | what it carries |",
        "|---|---|---|---|---|---|",
    ]
    for topic in TOPICS.values():
        receivers = ", ".join(f"`{name}`" for name in topic.receivers) or "whoever wants it"
        sender = f"`{topic.sender}`" if topic.sender in nodes() else topic.sender
        lines.append(
            f"| `{topic.name}` | {topic.type} | {sender} | {receivers} | {topic.quality.name} | {topic.text} |"
        )
    lines += ["", "| quality | reliability | durability | depth | why |", "|---|---|---|---|---|"]
    for quality in {topic.quality.name: topic.quality for topic in TOPICS.values()}.values():
        profile = quality.profile
        reliability = profile.reliability.name.lower().replace("_", " ")
        durability = profile.durability.name.lower().replace("_", " ")
        lines.append(f"| {quality.name} | {reliability} | {durability} | {profile.depth} | {quality.reason} |")
    for node in nodes():
        lines += [
            "",
            f"### Parameters of `{node}`",
            "",
            "| parameter | default | allowed | what it is |",
            "|---|---|---|---|",
        ]
        for name, rules in parameters_of(node).items():
            default = rules["default_value"]
            shown = f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else ""
            lines.append(f"| `{name}` | {shown} | {allowed(rules)} | {rules['description']} |")
    return "\n".join(lines)


def with_reference(page: str) -> str:
    """The page with the reference as it is now. Raises ValueError when the page has no place for it."""
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError("the page lacks the marks between which the reference stands")
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_reference(path.read_text(encoding="utf-8")), encoding="utf-8")
