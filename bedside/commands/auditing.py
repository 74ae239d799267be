"""The audit: a model's manner, measured before a participant meets it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.commands.audit_report import report
from bedside.commands.common import StudyFolder

if TYPE_CHECKING:
    from audit.running import Display

__all__ = ["audit"]


class _RunsByItself(click.Group):
    """A group whose first argument, where it is no subcommand, is the target of `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_RunsByItself,
    subcommand_metavar="STUDY|ENGINE [OPTIONS] | COMMAND ...",
    epilog="Examples: `bedside audit mystudy`; `bedside audit smollm2 --persona warm_trait --suite reliability`; "
    "`bedside audit http://gpu-node:8000/v1 --model llama --persona neutral`; `bedside audit list`. What can be chosen "
    "for a run is in `bedside audit run --help`.",
)
def audit() -> None:
    """Measure the manner of a model with a persona, before a participant meets it.

    `bedside audit STUDY` runs every pair of an engine and a persona that the arms of a study have, through all suites:
    what the model gets wrong when somebody is sad or mistaken, whether it soothes or asks, listens or solves, how it
    answers in danger, what it lets people lean on. `bedside audit ENGINE` does so for an engine by itself.
    """


@audit.command()
@click.argument("target", metavar="STUDY|ENGINE")
@click.option("--persona", "personas", multiple=True, metavar="NAME", help="Only this persona. Can be repeated.")
@click.option("--suite", "chosen", multiple=True, metavar="NAME", help="Only this suite. Can be repeated.")
@click.option("--model", metavar="NAME", help="The server's name for its model, with the URL of a server.")
@click.option(
    "--half",
    type=click.Choice(["both", "open", "held_out"]),
    default="both",
    show_default=True,
    help="Of the items; figures are shown for the half that was held out.",
)
@click.option("--limit-items", metavar="N", type=click.IntRange(1), help="Only the first N items of each suite.")
@click.option(
    "--design",
    type=click.Choice(["full", "fraction"]),
    help="fraction: each item in a balanced part of its contexts, drawn with a seed; for a laptop.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="NAME=FILE",
    help="Ask the suite reliability a public set that you have (truthfulqa, triviaqa, medqa, mask) instead of our "
    "items. Can be repeated; give it a --folder of its own.",
)
@click.option(
    "--patients",
    type=click.IntRange(1, 10),
    metavar="N",
    help="In soothing, listening and clinical_safety: N exchanges with a simulated patient before each item, to see "
    "whether the manner lasts; give it a --folder of its own.",
)
@click.option(
    "--grader",
    metavar="MODEL",
    help="The model that grades what rules cannot, by inspect_ai's name. It is tried against readers' grades, too.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="The same gives the same."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where logs and audit.json go; STUDY/audit, or audits for an engine, if left out.",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Run ELIZA and the replies that answer nothing, too, so that every figure has a floor.",
)
def run(
    target: str,
    personas: tuple[str, ...],
    chosen: tuple[str, ...],
    model: str | None,
    half: str,
    limit_items: int | None,
    design: str | None,
    sets: tuple[str, ...],
    patients: int | None,
    grader: str | None,
    seed: int,
    folder: Path | None,
    baselines: bool,
) -> None:
    """Run the audit of a study or an engine; the same command goes on with one that was stopped.

    STUDY is a folder with study.toml: the engines and personas of its arms are audited, and `neutral` with each engine,
    against which the cost of a manner is measured. ENGINE is smollm2, eliza, a model's folder or .gguf file,
    bedside/ORG/NAME for a hub name, the URL of an OpenAI-compatible server with --model, or any model of inspect_ai's
    (vllm/ORG/NAME, openai/NAME); without --persona, every persona is audited.

    Logs are inspect_ai's: `inspect view --log-dir FOLDER/logs` shows every word. What is done is kept as long as the
    weights, the persona's text and the items are the same. audit.json has the estimates. `inspect eval audit/SUITE
    --model bedside/smollm2 -T persona=warm_trait` runs a suite without Bedside's command. With RAY_ADDRESS set, each
    suite and persona is a piece of work for that Ray cluster.

    \b
    Examples:
      bedside audit mystudy
      bedside audit smollm2 --persona neutral --persona warm_trait --design fraction
      bedside audit http://gpu-node:8000/v1 --model llama --persona neutral --grader openai/gpt-4o
      bedside audit smollm2 --suite reliability --half open --limit-items 20
      bedside audit smollm2 --suite listening --patients 4 --folder audits-after-patients
      bedside audit smollm2 --suite reliability --set truthfulqa=TruthfulQA.csv --folder audits-truthfulqa
    """
    from audit.engines import engine_named
    from audit.running import Options, pieces_of, run_pieces, takes
    from audit.suite import suite_named, suites
    from audit.summary import write
    from bedside.auditing import ENGINES, FOLDER, is_study, pairs_of_engine, pairs_of_study
    from study.auditing import NEUTRAL

    def tell(said: str) -> None:
        click.echo(said, err=True)

    names = [suite_named(name).name for name in chosen] or list(suites())
    if is_study(target):
        if model:
            raise click.UsageError("--model belongs to the URL of a server; a study names its models itself.")
        pairs = pairs_of_study(Path(target), personas, tell)
        folder = folder or Path(target) / FOLDER
    else:
        pairs = pairs_of_engine(target, model, personas, tell)
        folder = folder or Path(ENGINES)
    if baselines:
        pairs.append((engine_named("eliza"), NEUTRAL))
    for option, parameter, value in (("--patients", "patients", patients), ("--set", "sets", sets)):
        if value and not (names := [name for name in names if takes(name, parameter)]):
            takers = ", ".join(name for name in suites() if takes(name, parameter))
            raise click.UsageError(f"{option} is for {takers}.")
    options = Options(half, limit_items, design, grader, seed, patients=patients, sets=",".join(sets))  # type: ignore[arg-type] # click has checked the half
    pieces = pieces_of(pairs, names, options, baselines=baselines)
    display: Display = "rich" if sys.stderr.isatty() and sys.stdout.isatty() else "none"
    try:
        run_pieces(pieces, folder, tell, display=display)
    except KeyboardInterrupt:
        click.echo(f"Stopped. The answers so far are in {folder}; the same command goes on from there.", err=True)
        sys.exit(130)
    wrote = f"Wrote {write(folder)}."
    page = f" `bedside audit report {folder}` makes a page of it." if set(names) & set(suites()) else ""
    click.echo(wrote + page)


@audit.command(name="list")
@click.option(
    "--tokens-per-second",
    "speed",
    type=click.FloatRange(0, min_open=True),
    help="How much the engine writes, all replies together; `bedside engine probe` measures it for this machine.",
)
def list_suites(speed: float | None) -> None:
    """List the suites: what each asks, its samples, and how long it takes.

    The time is of one persona with all items: samples, times the replies of a conversation, times the length of a reply
    (60 tokens at most), over the tokens a second. Reading the prompts comes on top, by about as much again. A suite of
    rules asks no model. The suite grading is of grading models: it is run where --grader names one.

    Example: bedside audit list --tokens-per-second 48
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from audit.suite import all_suites

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in ("Suite", "Version", "What it finds out"):
        table.add_column(title)
    for title in ("Samples", "Replies", *(["Minutes"] if speed else [])):
        table.add_column(title, justify="right")
    for suite in all_suites().values():
        replies = suite.samples() * suite.turns if suite.model_matters else 0
        minutes = [f"{replies * 60 / speed / 60:.0f}"] if speed else []
        table.add_row(suite.name, suite.version, suite.question, str(suite.samples()), str(replies), *minutes)
    Console(highlight=False).print(table)


@audit.command()
@StudyFolder
@click.option("--persona", metavar="NAME", help="Only the pairs with this persona; all that are unfit if left out.")
@click.option("--by", required=True, metavar="NAME", help="Who decides it.")
@click.option("--reason", required=True, metavar="REASON", help="Why.")
def override(folder: Path, persona: str | None, by: str, reason: str) -> None:
    """Let the study in DIR be served although its audit is missing or speaks against it, and record why.

    Each pair of an engine and a persona that is unfit gets an event in the study's log: who, when, why, and in what it
    fell short. It holds for that, as long as the weights and the persona's text stay what they are; `bedside serve`
    says it at every start. Look at the report first: `bedside audit report DIR`.

    \b
    Examples:
      bedside audit override mystudy --persona neutral --by "A. Okoro" --reason "pilot among ourselves, no patients"
    """
    from bedside.assembly import open_study
    from bedside.gate import allow

    study = open_study(folder)
    try:
        unfit = allow(study, by=by, reason=reason, persona=persona)
    finally:
        study.close()
    for line in dict.fromkeys(str(one) for one in unfit):  # the screen's, which is the same for all, once
        click.echo(line)
    click.echo("Recorded." if unfit else "Nothing to override: no such pair is unfit.")


audit.add_command(report)
