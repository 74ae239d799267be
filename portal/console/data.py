"""The data: exports for whoever may have them, as far as they may, and the report of the analysis."""

import json
from typing import Any

from flask import Blueprint, Response, abort, current_app, g, jsonify, redirect, render_template, request, send_file
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as BaseResponse

from portal.console.guard import needs, part
from portal.console.masking import sees_arms
from portal.exporting import Choice, Exports, Job
from portal.looking import sessions
from study.export import FORMATS, Format

__all__ = ["blueprint"]

blueprint: Blueprint = part("data", "/data")

_ABOUT: dict[Format, str] = {
    "csv": "Tables as CSV, and one long table of all values",
    "parquet": "The same tables as Parquet, with types",
    "redcap": "A data dictionary for REDCap",
    "odm": "CDISC ODM 1.3.2",
    "psych-ds": "A Psych-DS folder",
    "transcripts": "What was said in the exercises, one visit a line",
}


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    state.app.extensions["exports"] = Exports(state.app.extensions["bedside"].study)


def _exports() -> Exports:
    found: Exports = current_app.extensions["exports"]
    return found


def _whole() -> bool:
    """Whether whoever asks may have everything: the arms, and what participants said."""
    return bool(g.account.may("see arms") and g.account.may("read"))


def _formats() -> list[Format]:
    return [one for one in FORMATS if one != "transcripts" or _whole()]


@blueprint.get("/")
@needs("export")
def page(mistake: str = "") -> str:
    study = sessions().study
    return render_template(
        "console/data.html",
        mistake=mistake,
        formats={name: _ABOUT[name] for name in _formats()},
        whole=_whole(),
        masked=not sees_arms(),
        jobs=_exports().of(g.account.name),
        made=_made(),
        report=[path.name for path in _report_files()],
        rehearsal=study.rehearsal,
    )


@blueprint.post("/")
@needs("export")
def start() -> BaseResponse | tuple[str, int]:
    chosen = tuple(one for one in _formats() if one in request.form.getlist("format"))
    if not chosen:
        return page("Choose at least one format."), 422
    choice = Choice(
        role=None if _whole() else "analyst",
        formats=chosen,
        deidentified="deidentified" in request.form,
        with_tests=_whole() and "tests" in request.form,  # a test participant's arm is chosen, and so known
    )
    job = _exports().start(g.account.name, choice)
    return redirect(f"/console/data/{job.id}/", 303)


def _job(number: str) -> Job:
    job = _exports().find(number, g.account.name)
    if job is None or (job.choice.role is None) != _whole():
        abort(404)
    return job


@blueprint.get("/<number>/")
@needs("export")
def progress(number: str) -> str:
    return render_template("console/export.html", job=_job(number), about=_ABOUT)


@blueprint.get("/<number>/state")
@needs("export")
def state(number: str) -> Response:
    job = _job(number)
    return jsonify(state=job.state, what=job.what, done=job.done, of=job.of)


@blueprint.get("/<number>/file")
@needs("export")
def file(number: str) -> BaseResponse:
    job = _job(number)
    pieces = _exports().fetch(job)
    if pieces is None:
        return redirect(f"/console/data/{job.id}/", 303)
    answer = Response(pieces, mimetype="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="{job.choice.name}-{job.asked_at:%Y-%m-%d}.zip"'
    answer.content_length = job.size
    return answer


@blueprint.get("/report/<name>")
@needs("export")
def report(name: str) -> BaseResponse:
    """The report that `bedside report` wrote last, for whoever sees arms; the blinded one for who does not."""
    found = next((path for path in _report_files() if path.name == name), None)
    if found is None:
        abort(404)
    return send_file(found, as_attachment=True)


def _report_files() -> list[Any]:
    folder = sessions().study.folder / ("report" if _whole() else "report-analyst")
    return [folder / name for name in ("report.html", "report.pdf") if (folder / name).is_file()]


def _made() -> list[dict[str, Any]]:
    """The exports that were made from here, by anybody, the newest first."""
    rows = sessions().study.records.rows(
        "SELECT at, actor, subject, detail FROM event WHERE what = 'exported' ORDER BY id DESC LIMIT 50"
    )
    return [row | json.loads(row["detail"]) for row in rows]
