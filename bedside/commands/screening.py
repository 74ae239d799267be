"""The screen for crises, tried on a site's own utterances."""

import json
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from audit.screening import Kind
    from therapist.engine import Speaker

__all__ = ["screen"]


@click.command(
    epilog="Examples: `bedside screen utterances.txt`; `bedside screen saetze.jsonl --language de`; "
    '`echo "I want to die" | bedside screen -`.'
)
@click.argument("file", type=click.File("rb"))
@click.option("--language", default="en", show_default=True, help="The language of the study.")
@click.option(
    "--speaker",
    type=click.Choice(["participant", "therapist"]),
    default="participant",
    show_default=True,
    help="Whose words they are: there are other rules for what the model says.",
)
@click.option("--with-text", is_flag=True, help="Repeat the words in each verdict; otherwise they stay in FILE.")
@click.option(
    "--expect",
    type=click.File("rb"),
    help="A file with what each utterance is: explicit, veiled, mentioned or none, one a line.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "jsonl"]),
    help='One utterance a line, or objects with "text"; otherwise told by the file.',
)
def screen(
    file: IO[bytes],
    language: str,
    speaker: "Speaker",
    with_text: bool,
    expect: IO[bytes] | None,
    kind: "Kind | None",
) -> None:
    """Try the screen for crises on the utterances in FILE (- is the standard input), and print a verdict for each.

    FILE is UTF-8: one utterance a line, or JSON Lines with "text" and, if you like, "risk". Empty lines are passed
    over. Each verdict is a line of JSON: the line it is about, whether something was found, its category and rule, the
    span (first character, and the one after the last), and the hash of the rules. The words are not repeated.

    Where the risk of the utterances is given, as "risk" or by --expect, the shares that were found are printed on the
    standard error with exact 95 % intervals: recall of explicit and of veiled risk, and false alarms.

    The exit status is 0 whatever is found, and 2 when something cannot be read.
    """
    from audit.screening import Tally, expected, read, verdict
    from therapist.screen import Screen

    rules = Screen.load(language)
    utterances = read(file, _name(file), kind)
    if expect is not None:
        utterances = expected(utterances, expect, _name(expect))
    tally = Tally()
    for said in utterances:
        decided = verdict(said, rules, speaker, language, with_text)
        click.echo(json.dumps(decided))
        if said.risk is not None:
            tally.add(said.risk, decided["found"])
    for line in tally.lines():
        click.echo(line, err=True)


def _name(file: IO[bytes]) -> str:
    name = str(getattr(file, "name", "<stdin>"))
    return "The standard input" if name == "<stdin>" else name
