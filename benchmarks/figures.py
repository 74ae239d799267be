"""Puts what benchmarks measured into the documents, so that no figure is typed by hand.

A benchmark that is given `--json benchmarks/results/NAME.json` keeps its figures there with the table it printed. In
docs/performance.md the lines between `<!-- NAME -->` and `<!-- end -->` are that table.

    python benchmarks/figures.py [--check]
"""

import json
import re
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]

PAGE = ROOT / "docs" / "performance.md"

RESULTS = ROOT / "benchmarks" / "results"

PLACE = re.compile(r"<!-- (?P<name>[a-z_]+) -->\n(?P<table>.*?)<!-- end -->", re.DOTALL)


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when the page says something else.")
def main(check: bool) -> None:
    """Write the tables that were measured into docs/performance.md."""
    page = PAGE.read_text()
    filled = fill(page, RESULTS)
    if check and filled != page:
        raise click.ClickException(f"{PAGE.relative_to(ROOT)} says something else than was measured.")
    if not check:
        PAGE.write_text(filled)


def fill(page: str, results: Path) -> str:
    """The page with every table that is in `results`; a place whose benchmark has not run stays as it is."""

    def table(place: re.Match[str]) -> str:
        file = results / f"{place['name']}.json"
        if not file.is_file():
            return place[0]
        return f"<!-- {place['name']} -->\n{json.loads(file.read_text())['table']}\n<!-- end -->"

    return PLACE.sub(table, page)


if __name__ == "__main__":
    main()
