"""Values that were given wrongly, put right with a reason."""

from pathlib import Path

import click

from bedside.commands.common import StudyFolder

__all__ = ["correct"]


@click.command()
@StudyFolder
@click.argument("code")
@click.argument("value", required=False)
@click.option("--was", help="The value as you see it now; nothing is done when it is another one by then.")
@click.option("--to", "new", help="The value that should have been given; '' for an item that was left out.")
@click.option("--by", help="Who corrects it.")
@click.option("--why", help="Why.")
def correct(
    folder: Path, code: str, value: str | None, was: str | None, new: str | None, by: str | None, why: str | None
) -> None:
    """Correct a rating or an answer that CODE gave wrongly in the study in DIR.

    Without VALUE it lists what CODE rated and answered, each with its name. With a name, --was, --to, --by and --why it
    puts another value in its place. What was given stays in the record, beside who corrected it, when and why; every
    page, export and analysis uses the corrected value, and says that it is one.

    What was decided on the value as it was given stays decided: whether somebody could take part, their stratum, their
    arm. An answer that should have raised an alarm raises it now.

    \b
    Examples:
      bedside correct mystudy K7QX2M
      bedside correct mystudy K7QX2M rating/12 --was 35 --to 53 --by "Dr Okafor" --why "paper form misread"
    """
    from study.correcting import correct as put_right
    from study.correcting import excluded_now, values
    from study.errors import StudyError
    from study.study import Study

    study = Study.open(folder)
    if value is None:
        for one in values(study, code):
            when = one.occasion if one.day is None else f"day {one.day}, {one.occasion}"
            what = one.measure if one.item == one.measure else f"{one.measure} {one.item}"
            click.echo(
                f"{one.name:12}  {when}: {what}  {one.shown or 'left out'}{' (corrected)' * bool(one.corrected)}"
            )
        return
    if was is None or new is None or not by or not why:
        raise StudyError("Say what it was, what it is to be, who you are and why: --was, --to, --by, --why.")
    given = put_right(study, code, value, new, was=was, by=by, why=why)
    click.echo(f"{value} of {code} is {given.shown or 'left out'} now; what was given stays in the record.")
    for reason in excluded_now(study, code):
        click.echo(f"By the corrected answers the rules would exclude {code}: {reason}")
