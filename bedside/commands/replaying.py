"""Replaying: whether the same engine says the same again."""

import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.commands.common import StudyFolder

if TYPE_CHECKING:
    from study.protocol import EngineChoice

__all__ = ["replay"]


@click.command()
@StudyFolder
@click.option("--visit", metavar="N", type=click.IntRange(1), help="Only this visit.")
@click.option("--participant", metavar="CODE", help="Only the visits of this participant.")
@click.option("--all", "every", is_flag=True, help="List every turn; otherwise, of several visits, what differs.")
@click.option(
    "--beside",
    metavar="N",
    type=click.IntRange(0, 256),
    default=0,
    help="While each answer is written, so many invented conversations are written beside it by the same engine.",
)
@click.option(
    "--engine",
    type=click.Choice(["transformers", "openai", "eliza"]),
    help="See what another engine would have said; differences are expected then.",
)
@click.option("--model", help="That engine's model.")
@click.option("--base-url", help="That engine's server, for openai.")
@click.option("--api-key-env", help="The environment variable with that server's key, for openai.")
@click.option(
    "--rehearsal", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A rehearsal's record instead."
)
@click.option(
    "--json",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write every turn into FILE as JSON, with all words; - for the standard output.",
)
def replay(
    folder: Path,
    visit: int | None,
    participant: str | None,
    every: bool,
    beside: int,
    engine: str | None,
    model: str | None,
    base_url: str | None,
    api_key_env: str | None,
    rehearsal: Path | None,
    file: Path | None,
) -> None:
    """Write the answers in the record of the study in DIR again, and show what differs.

    Each answer that an engine was asked for is asked for again: the same engine, model, words before it, seed and
    sampling. The prompt, what the engine wrote, what was refused of it and what was said are compared, and where they
    differ it says from which word on, and what has changed since. Nothing is written into the record. What no engine
    wrote (the script, the fixed message, a person) is counted and not compared.

    It shows what participants said where that differs: for those who may read transcripts. It names no arm.

    Exit status 0 when all is the same, 1 when something differs, 2 when something could not be written again.

    \b
    Examples:
      bedside replay mystudy                       the whole study
      bedside replay mystudy --visit 12            one visit, turn by turn
      bedside replay mystudy --beside 8            what else is being written changes nothing
      bedside replay mystudy --visit 12 --engine openai --base-url http://gpu-node:8000/v1
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from bedside import logs
    from bedside.replay_shown import AsJson, show_summary, show_visit
    from bedside.replaying import Count, Engines, chosen, replay_visit
    from study import visits
    from study.study import Study

    if visit is not None and participant is not None:
        raise click.UsageError("Give --visit or --participant, not both.")
    instead = _instead(engine, model, base_url, api_key_env)
    logs.set_up(logging.ERROR)  # what an engine was refused, or failed at, stands in what is shown
    study = Study.open(folder, rehearsal=rehearsal)
    ids, total = chosen(study, visit, participant.strip().upper() if participant else None)
    every = every or visit is not None
    to_stdout = file is not None and str(file) == "-"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    count = Count()
    console = Console(stderr=to_stdout, highlight=False, markup=False)
    aside = Console(stderr=True)
    bar = Progress(
        *columns,
        disable=not sys.stderr.isatty(),
        console=aside,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # a file gets its lines, whoever watches the bar
    )
    engines = Engines(lambda said: aside.print(said, style="dim", markup=False), instead)
    with ExitStack() as stack:
        stack.callback(study.close)
        stack.callback(engines.close)
        data = None
        if file is not None:
            data = stack.enter_context(AsJson(sys.stdout if to_stdout else file))
        stack.enter_context(bar)
        task = bar.add_task("answers", total=total)
        for one in ids:
            found = visits.find(study, one)
            shown = []
            for replayed in replay_visit(study, found, engines, beside):
                count.add(replayed)
                if data is not None:
                    data.add(found, replayed)
                if every or replayed.verdict in ("differs", "failed"):
                    shown.append(replayed)
                bar.advance(task)
            if shown and not to_stdout:
                show_visit(console, found, shown)
        if data is not None:
            data.end(count)
    show_summary(console, count, beside, engine)
    sys.exit(2 if count.verdicts["failed"] else 1 if count.verdicts["differs"] and instead is None else 0)


def _instead(
    engine: str | None, model: str | None, base_url: str | None, api_key_env: str | None
) -> "EngineChoice | None":
    """The engine that was named on the command line."""
    if engine is None:
        if model or base_url or api_key_env:
            raise click.UsageError("--model, --base-url and --api-key-env belong to --engine.")
        return None
    from pydantic import ValidationError

    from study.protocol import EngineChoice

    try:
        return EngineChoice.model_validate(
            {"kind": engine, "model": model, "base_url": base_url, "api_key_env": api_key_env}
        )
    except ValidationError as error:
        raise click.UsageError(error.errors()[0]["msg"].removeprefix("Value error, ").capitalize() + ".") from None
