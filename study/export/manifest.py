"""The manifest: every file of an export with its rows, its size and its hash; and the check of a folder against it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from study.hashing import file_sha256

__all__ = ["MANIFEST", "check_manifest", "write_manifest"]

MANIFEST = "manifest.json"


def write_manifest(folder: Path, rows: dict[str, int], about: dict[str, Any]) -> None:
    """`rows` has the number of rows (lines, fields, records) of those files that have any, by their path."""
    files = []
    paths = _files(folder)
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(file_sha256, paths))
    for path, sha256 in zip(paths, hashes, strict=True):
        name = path.relative_to(folder).as_posix()
        entry: dict[str, Any] = {"path": name, "bytes": path.stat().st_size, "sha256": sha256}
        if name in rows:
            entry["rows"] = rows[name]
        files.append(entry)
    text = json.dumps({**about, "files": files}, ensure_ascii=False, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def check_manifest(folder: Path) -> list[str]:
    """One line for each file that is missing, added or altered since the export; none when all is as it was."""
    said = {entry["path"]: entry for entry in json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]}
    there = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    mistakes = [f"{name} is missing." for name in said if name not in there]
    mistakes += [f"{name} was added." for name in there if name not in said]
    return mistakes + [
        f"{name} was altered." for name in said if name in there and file_sha256(there[name]) != said[name]["sha256"]
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
