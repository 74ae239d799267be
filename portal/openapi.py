"""docs/api.md, made from the OpenAPI document, which is made from the calls.

python -m portal.openapi            prints the page
python -m portal.openapi FILE       writes it
"""

import json
import sys
from pathlib import Path
from typing import Any

from portal.api import CALLS, document
from portal.api.document import REFUSALS

__all__ = ["page"]

_HEAD = """\
# The API

For whoever connects a robot, or another program, to a study. This page is made from the code that answers: `python -m
portal.openapi docs/api.md`. A portal serves the same as an OpenAPI document at `/api/v1/openapi.json`.

A robot is a client of the portal, as a browser is. It claims the visit whose six digits the participant tells it,
asks for the rating, sends what the participant says, reads what to say, and asks for the rating again. The state of
the visit is in the study's record: a client that lost the connection, or was switched off, claims the visit again and
goes on.

## In a minute

```
make demo                                      # serves a study at http://127.0.0.1:8000; leave it running
bedside device demo-study robot-7              # prints a token
PORTAL=http://127.0.0.1:8000 TOKEN=robot-7.abc...
```

Open the robot participant's link for the six digits, put them in the place of 481516 in the first example below, and
the visit's number that it is answered with in the place of 12 in the others.

## Devices and tokens

A device has a name and one or more tokens; send one with every call as `Authorization: Bearer <token>`. `bedside
device` and the console's page of devices issue them. A token is shown once: only its SHA-256 is kept, beside the
record, and it is compared in constant time. A visit is held by a device, not by a token.

| to | type |
|---|---|
| issue a token | `bedside device mystudy robot-1` |
| issue another that can only read, for 15 days | `bedside device mystudy robot-1 --scope read --expires 15` |
| see all devices, and when each was seen | `bedside device mystudy list` |
| put a new token in the place of the old, which is good for 10 more minutes | `bedside device mystudy robot-1 rotate` |
| take them all back at once | `bedside device mystudy robot-1 revoke` |

Each token has scopes. A robot has all three.

| scope | what it is good for |
|---|---|
{scopes}

## What holds for every call

What is sent and answered is JSON; what is sent has the fields that are named and no others. What is wrong is answered
with `{{"error": "<one sentence>"}}` and one of these statuses; each call lists its own besides.

| status | when |
|---|---|
{general}

`/api/v1` stays as it is but for what is added: read past fields of an answer that you don't know. What would break a
client comes under another path, and a path that is none is answered with a sentence.

**A call whose answer was lost** is made again, with the same header `Idempotency-Key`, a text that the client makes
up for each call. The same key with the same call gets the same answer, for 24 hours, and nothing is done twice, also
when the portal was killed between doing it and answering; the key with another call is refused with 422. Two at once
wait for each other. A refused call changed nothing: it is looked at anew. Without the header the calls can be
repeated as well: the record takes one rating for each occasion, one turn for each `token`, one device for each visit.

## The reply, as it is written

The answer to a turn is a stream of server-sent events, each with an `id`, an `event` and its `data` in JSON:

```
id: 1
event: place
data: {{"reply_to": 2, "place": 3}}

id: 1.2.31.5a0c3f1e
event: sentence
data: {{"reply_to": 2, "index": 0, "text": "That sounds like a hard moment."}}

id: 1.2.62.b7e9d042
event: sentence
data: {{"reply_to": 2, "index": 1, "text": "What did you think just then?"}}

id: 3
event: turn
data: {{"number": 3, "reply_to": 2}}

id: 3
event: end
data: {{"visit": 12, "state": "exercise", "pending": false, ...}}
```

Say each sentence as it comes. `reply_to` is the number of the participant's turn that is answered, and null for the
opening. Every answer after turn `after` comes: those that are recorded in one `sentence` with `whole` true, then what
is being written. While the model writes for others, `place` says how many answers come before this one, each time that
changes and to whoever begins to read; it is no part of what is said, and an answer that has not to wait has none.
`turn` says that an answer is whole and recorded; `end`, with the visit, that nothing more comes. Lines that begin with
a colon are a sign of life, every second.

A stream that broke off before `end` is asked for again, with the id of the last event that came as `Last-Event-ID`:
what follows is the rest, without a sentence twice or left out. (Should the answer have become another one, because
the portal crashed while it wrote or the safety screen cut it short, it comes from its beginning.)

A token that is revoked ends the stream within a second.

## The calls
"""


def page(api: dict[str, Any]) -> str:
    """docs/api.md."""
    scheme = api["components"]["securitySchemes"]["device"]["description"]
    scopes = [one.partition(", ") for one in scheme.partition("Scopes: ")[2].rstrip(".").split("; ")]
    general = {(str(status), what) for status, what in REFUSALS.items()}
    head = _HEAD.format(
        scopes="\n".join(f"| {name} | {what} |" for name, _, what in scopes),
        general="\n".join(f"| {status} | {what} |" for status, what in sorted(general)),
    )
    operations = [
        _operation(path, method, operation, general)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = api["components"]["schemas"]
    return "\n".join([head, *operations, "## What is sent and answered\n", *(_schema(*one) for one in schemas.items())])


def _operation(path: str, method: str, operation: dict[str, Any], general: set[tuple[str, str]]) -> str:
    lines = [f"### {operation['summary']}", "", f"`{method.upper()} /api/v1{path}`", ""]
    if operation["description"]:
        lines += [operation["description"], ""]
    lines += ["```bash", _curl(path, method, operation), "```", ""]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    rows = [("scope", f"`{operation['security'][0]['device'][0]}`")]
    if body:
        rows.append(("body", _link(body["schema"])))
    rows += [(f"`{one['name']}`", one["description"]) for one in _own(operation)]
    for status, one in operation["responses"].items():
        if (status, one["description"]) in general:
            continue
        schema = one["content"].get("application/json", {}).get("schema", {}) if status < "400" else {}
        rows.append((status, _link(schema) if schema else one["description"]))
    lines += ["| | |", "|---|---|", *(f"| {name} | {what} |" for name, what in rows), ""]
    return "\n".join(lines)


def _own(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters that this call has and not every other."""
    return [one for one in operation["parameters"] if one["name"] not in ("visit_id", "Idempotency-Key")]


def _curl(path: str, method: str, operation: dict[str, Any]) -> str:
    where = path.replace("{visit_id}", "12")
    query = "".join(f"?{one['name']}=2" for one in operation["parameters"] if one["in"] == "query")
    options = "-fsSN" if query else "-fsS"  # a stream is shown as it comes
    lines = [f'curl {options} "$PORTAL/api/v1{where}{query}" -H "Authorization: Bearer $TOKEN"']
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        lines += [
            f'-H "Content-Type: application/json" -H "Idempotency-Key: {operation["operationId"]}-1"',
            f"-d '{json.dumps(example)}'",
        ]
    return " \\\n  ".join(lines)


def _schema(name: str, schema: dict[str, Any]) -> str:
    lines = [f"### {name}", ""]
    required = schema.get("required", [])
    lines += ["| field | type | |", "|---|---|---|"]
    for field, one in schema["properties"].items():
        optional = "" if field in required else " (optional)"
        lines.append(f"| `{field}` | {_type(one)}{optional} | {one.get('description', '')} |")
    return "\n".join([*lines, ""])


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return _link(schema)
    if schema["type"] == "array":
        return f"list of {_link(schema['items'])}"
    said = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    return said.get(schema["type"], str(schema["type"]))


def _link(schema: dict[str, Any]) -> str:
    name = schema["$ref"].rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def main() -> None:
    text = page(document(CALLS))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
