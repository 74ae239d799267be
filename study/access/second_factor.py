"""The second factor: six digits of an app (RFC 6238), and recovery codes for the day on which the telephone is lost."""

import base64
import hashlib
import secrets
from datetime import datetime, timedelta

import pyotp
import segno
from cryptography.fernet import Fernet, InvalidToken

from study.access.store import AccessWrite
from study.errors import StudyError
from study.keys import StudyKey

__all__ = ["address", "drawing", "new_recovery_codes", "sealed", "secret_of", "take", "take_first"]

STEP_S = 30
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstvwxyz23456789"


def secret_of(key: StudyKey, token: str) -> str:
    """The secret that the holder of a one-time link is offered: the same at each look, and at no other link."""
    return base64.b32encode(key.secret(f"second factor of {token}")[:20]).decode()


def address(secret: str, name: str, title: str) -> str:
    """What the app reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=title.replace(":", " "))


def drawing(address: str) -> str:
    """The address as a QR code: an SVG element without a style of its own."""
    code = segno.make(address, error="m")
    return str(code.svg_inline(border=3, dark="#000", light="#fff", title="QR code for the app", omitsize=True))


def sealed(key: StudyKey, secret: str) -> str:
    """The secret as it is kept."""
    return _fernet(key).encrypt(secret.encode()).decode()


def take_first(secret: str, code: str, now: datetime) -> int | None:
    """The half minute whose code this is, when the app shows the right ones; else None."""
    return _step(secret, code, now, 0)


def take(write: AccessWrite, key: StudyKey, name: str, code: str, now: datetime) -> str | None:
    """Use up a code of the app or a recovery code: which of the two it was, or None when it is neither.

    The code of a half minute is taken once, and none that is older than the last one taken.
    """
    row = write.row("SELECT factor, factor_step FROM account WHERE name = ?", name)
    if row is None or row["factor"] is None:
        return None
    step = _step(_opened(key, row["factor"]), code, now, row["factor_step"] or 0)
    if step is not None:
        write.execute("UPDATE account SET factor_step = ? WHERE name = ?", step, name)
        return "code"
    if write.execute("DELETE FROM recovery_code WHERE code_sha256 = ? AND account = ?", _hash(name, code), name):
        return "recovery code"
    return None


def new_recovery_codes(write: AccessWrite, name: str) -> list[str]:
    """Ten codes of 78 bits, each good once, in place of those there were."""
    write.execute("DELETE FROM recovery_code WHERE account = ?", name)
    codes = []
    for _ in range(RECOVERY_CODES):
        letters = "".join(secrets.choice(_LETTERS) for _ in range(16))
        codes.append("-".join(letters[at : at + 4] for at in range(0, 16, 4)))
        write.execute("INSERT INTO recovery_code VALUES (?, ?)", _hash(name, codes[-1]), name)
    return codes


def _step(secret: str, code: str, now: datetime, after: int) -> int | None:
    """The half minute, of the last, this and the next one, whose code this is, when it comes after `after`."""
    digits = "".join(code.split())
    app = pyotp.TOTP(secret)
    found = None
    for moment in (now - timedelta(seconds=STEP_S), now, now + timedelta(seconds=STEP_S)):
        step = int(moment.timestamp()) // STEP_S
        if secrets.compare_digest(app.at(moment).encode(), digits.encode()) and step > after:
            found = step
    return found


def _hash(name: str, code: str) -> str:
    plain = "".join(code.lower().replace("-", " ").split())
    return hashlib.sha256(f"{name.casefold()}\0{plain}".encode()).hexdigest()


def _fernet(key: StudyKey) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key.secret("second factors")))


def _opened(key: StudyKey, kept: str) -> str:
    try:
        return _fernet(key).decrypt(kept).decode()
    except InvalidToken:
        raise StudyError(
            "access.sqlite was made with another study.key; put back the files that belong together."
        ) from None
