"""The study's secret, and the links and tokens made from it.

`study.key` holds 32 random bytes. Every token is an HMAC of what it opens, so none is stored: a stolen database
opens no participant's page, and a lost link can be printed again. Whoever holds the key holds the study; it is
created readable by its owner alone.
"""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
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
            if not path.exists():
                _make(path)
            secret = bytes.fromhex(path.read_text().strip())
        except ValueError:
            secret = b""
        except OSError as error:
            raise StudyError(f"{path} cannot be used as the study's key: {error.strerror}.") from None
        if len(secret) != 32:
            raise StudyError(f"{path} is not a study key; put back the file that belongs to this study.")
        return cls(secret)

    @property
    def fingerprint(self) -> str:
        """By which the record knows its key again; it opens nothing."""
        return self.token("fingerprint", "study")

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

    def secret(self, purpose: str) -> bytes:
        """32 bytes for encrypting what is kept for `purpose`."""
        return self._digest("secret", purpose)

    def _digest(self, purpose: str, subject: str) -> bytes:
        return hmac.digest(self._secret, f"{purpose}\0{subject}".encode(), hashlib.sha256)


def _make(path: Path) -> None:
    """Put a new key into `path`, whole and on the disk, unless another process was faster."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".study-key-")  # readable by its owner alone
    draft = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
