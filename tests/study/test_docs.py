"""docs/protocol.md names every key of study.toml, with what Bedside itself says of it."""

from pathlib import Path

from study.schema import keys, markdown

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()


def test_every_key_of_the_protocol_is_documented() -> None:
    missing = [key for key, _, _ in keys() if f"| `{key}` |" not in TEXT]
    assert missing == []


def test_every_key_says_what_it_is_for() -> None:
    assert [key for key, says, _ in keys() if not says] == []


def test_the_page_says_what_the_code_says() -> None:
    """`python -m study.schema` prints the table."""
    assert markdown() in TEXT
