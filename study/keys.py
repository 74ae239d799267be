"""The study's secret, and the links and tokens made from it.

`study.key` holds 32 random bytes. Every token is an HMAC of what it opens, so none is stored: a stolen database
opens no participant's page, and a lost link can be printed again. Whoever holds the key holds the study; it is
created readable by its owner alone.
"""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from study.errors import StudyError

__all__ = ["StudyKey"]


class StudyKey:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def open(cls, path: Path) -> "StudyKey":
        """The key in `path`, made at first use. Raises `StudyError` when the file is not a key."""
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
                file.flush()
                os.fsync(file.fileno())
        try:
            secret = bytes.fromhex(path.read_text().strip())
        except (ValueError, UnicodeDecodeError):
            secret = b""
        if len(secret) != 32:
            raise StudyError(f"{path} is not a study key; put back the file that belongs to this study.")
        return cls(secret)

    def token(self, purpose: str, subject: str) -> str:
        """26 letters and digits that open `subject` for `purpose`: 128 bits, safe in a web address."""
        return base64.b32encode(self._digest(purpose, subject)[:16]).decode().rstrip("=").lower()

    def fits(self, token: str, purpose: str, subject: str) -> bool:
        """Whether `token` opens `subject`, in a time that does not depend on how much of it is right."""
        return hmac.compare_digest(token.encode(), self.token(purpose, subject).encode())

    def allocation_seed(self, public_seed: str) -> str:
        """The seed of the study's own sequence: the protocol's seed mixed with the secret.

        `study.toml` is read by many; were its seed alone enough, anyone could compute the next allocation.
        """
        return self._digest("allocation", public_seed).hex()

    def _digest(self, purpose: str, subject: str) -> bytes:
        return hmac.digest(self._secret, f"{purpose}\0{subject}".encode(), hashlib.sha256)
