"""The `bedside` command. Its subcommands are in `bedside.commands`."""

import errno

import click

from audit.errors import AuditError
from bedside import __version__, logs
from bedside.commands import (
    account,
    allocation,
    analysis,
    auditing,
    correcting,
    data,
    device,
    engine,
    keeping,
    languages,
    people,
    power,
    protocol,
    replaying,
    report,
    running,
    safety,
    screening,
    time,
)
from portal.errors import PortalError
from robot_node.errors import RobotError
from study.errors import StudyError
from therapist.errors import TherapistError

__all__ = ["main"]

EXPECTED = (StudyError, TherapistError, PortalError, RobotError, AuditError)
"""What a user can put right: one line and exit status 2, never a traceback."""

DISK = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EIO,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
"""What a disk or a folder may refuse, wherever a command comes upon it: one line as well."""


class _Commands(click.Group):
    """Words expected errors in one line, and lists commands in the order a study needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for argument in args:
            try:
                argument.encode()
            except UnicodeEncodeError:
                raise click.UsageError(f"{argument!a} is no text in UTF-8, which this terminal has to send.") from None
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except EXPECTED as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno not in DISK:
                raise
            raise click.ClickException(f"{error.filename or 'The disk'} cannot be used: {error.strerror}.") from error
        except OverflowError as error:
            if "SQLite" not in str(error):
                raise
            raise click.ClickException("The record has no number as large as that.") from error


click.ClickException.exit_code = 2


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Run randomised studies of therapy delivered by a robot, a text chat or a worksheet.

    A study is a folder. To see one run, type `bedside demo`. To make your own:

    \b
      bedside init mystudy        writes mystudy/study.toml; edit it
      bedside check mystudy       says whether it is right
      bedside simulate mystudy --participants 12
                                  rehearses all its days with simulated participants
      bedside serve mystudy       serves the participants' pages and the researchers' console
      bedside audit mystudy       measures the manner of its models, with their personas
      bedside enrol mystudy       enrols one participant and prints their link
      bedside export mystudy out  writes the data in every format
      bedside analyze mystudy     runs the analysis that study.toml plans
      bedside report mystudy      compares the arms, as a page and a PDF
    """
    logs.set_up()


for command in (
    running.demo,
    protocol.init,
    protocol.check,
    protocol.amend,
    protocol.versions,
    protocol.schema,
    languages.languages,
    engine.engine,
    auditing.audit,
    running.simulate,
    running.serve,
    account.account,
    allocation.allocation,
    power.power,
    people.enrol,
    people.invite,
    people.links,
    device.device,
    running.robot,
    safety.safety,
    safety.adverse,
    safety.assess,
    safety.halt,
    safety.lift,
    screening.screen,
    time.tick,
    time.move,
    correcting.correct,
    data.export,
    data.unblind,
    analysis.analyze,
    report.report,
    replaying.replay,
    keeping.verify,
    keeping.backup,
    keeping.restore,
    keeping.withdraw,
    keeping.retention,
    keeping.identity,
):
    main.add_command(command)
