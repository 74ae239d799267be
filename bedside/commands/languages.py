"""Languages: which there are, what they lack, and their catalogues brought up to date with the English texts."""

import click

__all__ = ["languages"]


@click.command()
@click.option("--update", metavar="LANGUAGE", help="Write the language's catalogues anew, keeping what is translated.")
@click.option("--all", "everything", is_flag=True, help="Print every text that a language lacks, not the first three.")
def languages(update: str | None, everything: bool) -> None:
    """Say in which languages a study can be held, and what each of them lacks.

    The catalogues are gettext's .po files, which any translator's program opens: study/texts and therapist/texts.
    docs/languages.md says who has to review what.

    Example: bedside languages --update fr
    """
    from study import texts
    from therapist.languages import SOURCE, lacks

    if update:
        from babel import Locale, UnknownLocaleError

        try:
            Locale.parse(update, sep="-")
        except (ValueError, UnknownLocaleError):
            raise click.BadParameter(f"{update!r} is no language; allowed: codes such as fr or pt-BR") from None
        for source in (texts.SOURCE, SOURCE):
            click.echo(f"Wrote {source.update(update)}.")
    for language in sorted({*texts.SOURCE.languages(), *SOURCE.languages()}):
        lacking = [f"study/texts: {line}" for line in texts.SOURCE.mistakes(language)]
        lacking += [f"therapist: {line}" for line in lacks(language)]
        click.echo(f"{language}: {f'{len(lacking)} lacking' if lacking else 'complete'}")
        shown = lacking if everything else lacking[:3]
        for line in shown:
            click.echo(f"  {line}")
        if len(lacking) > len(shown):
            click.echo(f"  and {len(lacking) - len(shown)} more: --all prints them")
