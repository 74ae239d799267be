"""The engine on this machine: what was measured of it."""

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

__all__ = ["engine"]


@click.group(epilog="Example: `bedside engine probe` says which precision this machine takes, and why.")
def engine() -> None:
    """Look at the language model on this machine."""


@engine.command(
    epilog="Examples: `bedside engine probe`; `bedside engine probe --model ./my-model --again`. A protocol that says "
    '`precision = "int8"` in [engine] takes that one whatever is fastest here.'
)
@click.option("--model", default="smollm2", show_default=True, help="smollm2, a folder, a .gguf file or a hub name.")
@click.option("--again", is_flag=True, help="Measure anew, and do not read what was measured before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
def probe(model: str, again: bool, as_json: bool) -> None:
    """Measure how fast this machine writes at each precision, and which one the portal takes.

    The portal measures this by itself when it loads a model for the first time on a machine, and keeps the result
    beside the unpacked model. Measure again with --again if the machine was busy then.

    Taken is what makes the fastest turns, for one conversation and for sixteen beside each other, of what is faithful.
    Tokens are pieces of words; a sentence has about twenty. "agrees" says at how many of a hundred places the likeliest
    next token is the one that float32 gives; below ninety a precision is not taken.
    """
    from therapist.engines import measure_engine

    quiet = Console(stderr=True, highlight=False)
    found = measure_engine(model, lambda said: quiet.print(said, style="dim"), again=again)
    if as_json:
        data = asdict(found)
        for row in data["rows"]:
            del row["likeliest"]
        click.echo(json.dumps(data, indent=1))
        return
    table = Table(title=f"{found.model} on {found.machine}", title_justify="left", title_style="bold")
    table.add_column("precision")
    for name in ("one reply", "sixteen together", "reading", "agrees", "weights", "loads in"):
        table.add_column(name, justify="right")
    for row in found.rows:
        if row.left_out is not None:
            table.add_row(row.precision, f"left out: {row.left_out}")
            continue
        table.add_row(
            f"{row.precision}{' (taken)' if row.precision == found.chosen else ''}",
            f"{row.alone:.1f} tokens/s",
            f"{row.many:.0f} tokens/s",
            f"{row.prompt:.0f} tokens/s",
            "" if row.agrees is None else f"{100 * row.agrees:.0f} %",
            f"{row.megabytes:.0f} MB",
            f"{row.load_s:.1f} s",
            style="bold" if row.precision == found.chosen else None,
        )
    Console(highlight=False, width=120).print(table)
