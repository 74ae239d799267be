"""Passwords: which ones are taken, and how they are kept.

The rules are those of NIST SP 800-63B, 5.1.1.2: long enough, not one that others guess first, and nothing about which
characters have to stand in it.
"""

import re
import threading
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from study.errors import StudyError

__all__ = ["LONGEST", "SHORTEST", "check", "hashed", "is_right"]

SHORTEST = 12
LONGEST = 128

_OF_ITS_OWN = 6
"""So many different characters have to be left of a password without what everybody guesses."""

_hasher = PasswordHasher()

_at_a_time = threading.BoundedSemaphore(2)
"""argon2 takes 64 MiB and a core each time, and anybody may make us work by trying to sign in."""

_RUNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")

_LEET = str.maketrans("@4301!|5$7+8", "aaeoiiissttb")


def check(password: str, *known: str) -> None:
    """Raises `StudyError` for a password that is too short, too long, or easily guessed by who knows `known`.

    `known` is what stands around: the person's name, the study's title.
    """
    if len(password) < SHORTEST:
        raise StudyError(f"A password has at least {SHORTEST} characters. Four or five words are easy to keep.")
    if len(password) > LONGEST:
        raise StudyError(f"A password has at most {LONGEST} characters.")
    if len(set(_rest(password, known))) < _OF_ITS_OWN:
        raise StudyError(
            "This password is easily guessed: it is made of common passwords, of your name or the study's, or of "
            "characters in a row. Please choose another, for example four or five words that have nothing to do with "
            "each other."
        )


def hashed(password: str) -> str:
    """The password as it is kept."""
    with _at_a_time:
        return _hasher.hash(_normal(password))


def is_right(password: str, kept: str | None) -> bool:
    """Whether this is the password. Takes as long when there is none."""
    try:
        with _at_a_time:
            _hasher.verify(kept or _of_nobody(), _normal(password)[: LONGEST * 4])
    except (VerifyMismatchError, InvalidHashError):
        return False
    return kept is not None


@cache
def _of_nobody() -> str:
    return _hasher.hash("the password of nobody")


def _normal(password: str) -> str:
    """The same characters on every keyboard are the same password."""
    return unicodedata.normalize("NFKC", password)


def _rest(password: str, known: tuple[str, ...]) -> str:
    """What is left of a password without what everybody guesses first."""
    plain = _normal(password).casefold()
    words = {part for text in known for part in re.findall(r"\w{4,}", text.casefold())}
    for text in (plain, plain.translate(_LEET)):
        rest = text
        for word in sorted(words | _common(), key=len, reverse=True):
            rest = rest.replace(word, "\n")
        for run in _RUNS:
            rest = _without_runs(rest, run)
        rest = re.sub(r"\n|(?<!\d)(19|20)\d\d(?!\d)", "", rest)
        if len(set(rest)) < _OF_ITS_OWN:
            return rest
    return rest


def _without_runs(text: str, run: str) -> str:
    """Without pieces of `run`, forwards or backwards, of at least four characters."""
    for length in range(len(run), 3, -1):
        for start in range(len(run) - length + 1):
            piece = run[start : start + length]
            text = text.replace(piece, "\n").replace(piece[::-1], "\n")
    return text


@cache
def _common() -> frozenset[str]:
    text = files("study").joinpath("access", "common.toml").read_text(encoding="utf-8")
    return frozenset(tomllib.loads(text)["words"])
