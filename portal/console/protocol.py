"""The protocol as it is read by a person; to be printed as well."""

from flask import render_template

from portal.console.guard import needs, part
from portal.looking import sessions
from study import readable

__all__ = ["blueprint"]

blueprint = part("protocol", "/protocol")


@blueprint.get("/")
@needs("protocol")
def page() -> str:
    study = sessions().study
    return render_template(
        "console/protocol.html",
        parts=readable.parts(study),
        consents=readable.consents(study),
        versions=readable.told_versions(study),
        locked=study.records.row("SELECT 1 FROM participant WHERE kind = 'participant'") is not None,
    )
