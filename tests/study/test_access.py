"""Accounts as the study keeps them: passwords, roles, one-time links, and what stands in the files."""

import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from study.access import accounts, passwords, second_factor, signing, store
from study.access.roles import PERMISSIONS, ROLES, allowed_together, permissions_of
from study.errors import RecordError, RecordFull, StudyError, WrongToken
from study.study import Study
from study.verify import verify
from tests.conftest import HandClock

PASSWORD = "four quiet lamps beside a harbour"


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "a  b  c  d",
        "password1234",
        "Passw0rd!2026",
        "P@$$w0rd1234!!",
        "qwertyuiop[]",
        "abcdefghijklmnop",
        "0987654321098",
        "aaaaaaaaaaaaaaaa",
        "ababababababab",
        "imaniokafor2026",
        "Okafor-Imani-1!",
        "threewaysexercise",
        "letmein-letmein1",
        "iloveyou-monkey-1",
        "1q2w3e4r5t6y",
        "Summer2026!!!",
        "x" * 129,
    ],
)
def test_a_password_that_is_easily_guessed_is_not_taken(password: str) -> None:
    with pytest.raises(StudyError, match="password"):
        passwords.check(password, "Imani Okafor", "Three ways to do one exercise")


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "a long enough password",
        "correct-donkey.cell",
        "kv8#q!mzr2@w",
        "только слова и пробелы",
        "🐢🌊🪁🥣🎻🧭🍐🪵🦉🌵🧂🪡",
        "x7" + "y" * 50 + "zw2kq" + "b" * 71,
    ],
)
def test_any_other_is_taken_whatever_its_characters(password: str) -> None:
    passwords.check(password, "Imani Okafor", "Three ways to do one exercise")
    assert passwords.is_right(password, passwords.hashed(password))


def test_a_password_is_kept_as_argon2_with_a_salt_of_its_own() -> None:
    first, second = passwords.hashed(PASSWORD), passwords.hashed(PASSWORD)
    assert first != second
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not passwords.is_right(PASSWORD + "x", first)
    assert not passwords.is_right("", None)


def test_whoever_is_blinded_has_no_other_role() -> None:
    for role in ROLES:
        assert allowed_together(frozenset({role})) == {role}
        if role != "analyst":
            with pytest.raises(StudyError, match="blinded"):
                allowed_together(frozenset({"analyst", role}))
    for none in (frozenset[str](), frozenset({"root"}), frozenset({"researcher", "root"})):
        with pytest.raises(StudyError, match="at least one role"):
            allowed_together(none)
    assert "see arms" not in PERMISSIONS["analyst"]
    assert "see arms" in permissions_of(frozenset({"coordinator", "administrator"}))


def made(study: Study, name: str = "Dr Okafor", *roles: str) -> str:
    """The link of a new account."""
    return accounts.add(study, name, roles or ["researcher"], by="test")


def test_a_link_is_good_once_and_for_a_day(study: Study, clock: HandClock) -> None:
    token = made(study)
    clock.forward(hours=23, minutes=59)
    assert accounts.invitation(study, token).name == "Dr Okafor"
    accounts.accept(study, token, PASSWORD, None)
    with pytest.raises(WrongToken):
        accounts.accept(study, token, PASSWORD, None)
    again = accounts.reset(study, "dr okafor", by="test")
    clock.forward(hours=24, seconds=1)
    with pytest.raises(WrongToken):
        accounts.invitation(study, again)
    with pytest.raises(WrongToken):
        accounts.invitation(study, "x")


def test_the_first_link_makes_one_administrator_and_an_earlier_one_is_good_no_more(study: Study) -> None:
    first, second = accounts.invite_first(study), accounts.invite_first(study)
    assert first
    assert second
    with pytest.raises(WrongToken):
        accounts.invitation(study, first)
    name, codes = accounts.accept(study, second, PASSWORD, None, name=" Dr   Okafor ")
    assert (name, codes) == ("Dr Okafor", [])
    assert accounts.find(study, name).roles == {"administrator"}
    assert accounts.invite_first(study) is None


def test_accounts_that_were_made_before_take_no_link_from_the_first_administrator(study: Study) -> None:
    theirs = accounts.add(study, "Nurse Joy", {"coordinator"}, by="Dr Okafor")
    first = accounts.invite_first(study)
    assert first
    accounts.accept(study, theirs, PASSWORD, None)
    assert accounts.accept(study, first, PASSWORD, None, name="Dr Okafor")[0] == "Dr Okafor"
    assert accounts.find(study, "Dr Okafor").roles == {"administrator"}
    assert accounts.invite_first(study) is None


def test_when_two_open_the_first_link_one_becomes_the_administrator(folder: Path, study: Study) -> None:
    token = accounts.invite_first(study)
    assert token
    done: list[object] = []

    def accept(name: str) -> None:
        own = Study.open(folder, clock=study.clock)
        try:
            done.append(accounts.accept(own, token, PASSWORD, None, name=name))
        except WrongToken as error:
            done.append(error)
        own.close()

    threads = [threading.Thread(target=accept, args=(f"name {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, tuple) for one in done) == 1
    assert len(accounts.everybody(study)) == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb\x00", "Bedside"])
def test_a_name_is_a_name(study: Study, name: str) -> None:
    with pytest.raises(StudyError):
        made(study, name)


def test_a_name_is_taken_however_it_is_written(study: Study) -> None:
    made(study, "Zoe\u0301 Okafor")
    with pytest.raises(StudyError, match="already"):
        made(study, "Zo\u00e9  okafor")


def test_somebody_stays_the_administrator(study: Study) -> None:
    made(study, "one", "administrator")
    for change in (
        lambda: accounts.disable(study, "one", by="test"),
        lambda: accounts.set_roles(study, "one", ["researcher"], by="test"),
    ):
        with pytest.raises(StudyError, match="administrator"):
            change()
    made(study, "two", "administrator")
    accounts.disable(study, "one", by="test")
    assert accounts.find(study, "one").state == "disabled"
    with pytest.raises(StudyError, match="no account three"):
        accounts.disable(study, "three", by="test")


def test_disabling_and_resetting_end_it_at_once(study: Study) -> None:
    for act in (accounts.disable, accounts.reset):
        name = act.__name__
        accounts.accept(study, made(study, name), PASSWORD, None)
        made(study, f"{name} admin", "administrator")
        token = signing.begin(study, name)
        assert signing.signed_in(study, token)
        act(study, name, by="test")
        assert signing.signed_in(study, token) is None
        with pytest.raises(WrongToken):
            signing.sign_in(study, name, PASSWORD, "", address="", factor=False)


def test_whoever_is_enabled_again_has_the_password_they_had(study: Study) -> None:
    made(study, "admin", "administrator")
    accounts.accept(study, made(study), PASSWORD, None)
    accounts.disable(study, "Dr Okafor", by="test")
    accounts.enable(study, "Dr Okafor", by="test")
    assert signing.sign_in(study, "Dr Okafor", PASSWORD, "", address="", factor=False)


def test_roles_that_are_changed_hold_at_once(study: Study) -> None:
    made(study, "admin", "administrator")
    made(study)
    token = signing.begin(study, "Dr Okafor")
    accounts.set_roles(study, "Dr Okafor", ["analyst"], by="admin")
    account = signing.signed_in(study, token)
    assert account
    assert account.roles == {"analyst"}
    [event] = study.records.rows("SELECT * FROM event WHERE what = 'roles changed'")
    assert (event["actor"], event["subject"]) == ("admin", "Dr Okafor")


def test_what_is_kept_opens_nothing(study: Study, folder: Path, clock: HandClock) -> None:
    """Neither access.sqlite nor the record holds a password, a token, a code or the second factor's secret."""
    token = made(study)
    secret = accounts.invitation(study, token).secret
    app = pyotp.TOTP(secret)
    _, codes = accounts.accept(study, token, PASSWORD, app.at(clock.now()))
    clock.forward(minutes=1)
    cookie = signing.sign_in(study, "Dr Okafor", PASSWORD, app.at(clock.now()), address="192.0.2.7")
    link = made(study, "Nurse Joy")
    kept = b"".join(path.read_bytes() for path in folder.iterdir() if path.name.startswith(("access", "study.sqlite")))
    for hidden in (token, secret, PASSWORD, cookie, link, *codes):
        assert hidden.encode() not in kept
    assert (folder / "access.sqlite").stat().st_mode & 0o077 == 0
    assert verify(study.records).mistakes == []


def test_another_study_key_cannot_read_the_second_factors(study: Study, folder: Path, clock: HandClock) -> None:
    token = made(study)
    app = pyotp.TOTP(accounts.invitation(study, token).secret)
    accounts.accept(study, token, PASSWORD, app.at(clock.now()))
    study.close()
    (folder / "study.key").write_text("00" * 32 + "\n")
    other = Study.open(folder, clock=clock)
    clock.forward(minutes=1)
    with pytest.raises(StudyError, match=r"another study\.key"):
        signing.sign_in(other, "Dr Okafor", PASSWORD, "000000", address="")
    other.close()


def test_a_code_counts_for_its_half_minute_and_the_ones_beside_it(clock: HandClock) -> None:
    app = pyotp.TOTP(pyotp.random_base32())
    now = clock.now()
    good = [second_factor.take_first(app.secret, app.at(now, counter_offset=step), now) for step in range(-3, 4)]
    assert [step is not None for step in good] == [False, False, True, True, True, False, False]
    for wrong in ("", "12345", "1234567", "abcdef", "１２３４５６"):
        assert second_factor.take_first(app.secret, wrong, now) is None


def test_the_picture_holds_the_whole_address_without_style() -> None:
    drawing = second_factor.drawing(
        second_factor.address("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "Dr Okafor", "Warmth: a study")
    )
    assert "viewBox" in drawing
    assert "style=" not in drawing
    assert "<script" not in drawing


def test_twenty_codes_at_once_of_which_one_is_right_let_one_in(study: Study, folder: Path, clock: HandClock) -> None:
    token = made(study)
    app = pyotp.TOTP(accounts.invitation(study, token).secret)
    accounts.accept(study, token, PASSWORD, app.at(clock.now()))
    clock.forward(minutes=1)
    code = app.at(clock.now())
    with store.writing(study) as write:
        used = [second_factor.take(write, study.key, "Dr Okafor", code, clock.now()) for _ in range(20)]
    assert used == ["code", *[None] * 19]


def test_a_burst_of_guesses_is_counted_whole(study: Study, folder: Path) -> None:
    """Guesses at the same moment: none is looked at before it is counted."""
    accounts.accept(study, made(study), PASSWORD, None)
    said: list[str] = []

    def guess(number: int) -> None:
        try:
            signing.sign_in(study, "Dr Okafor", f"guess number {number}", "", address="", factor=False)
        except (WrongToken, signing.TooManyFailures) as error:
            said.append(type(error).__name__)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count("WrongToken") == 5
    assert said.count("TooManyFailures") == 7


def test_failures_are_forgotten_after_a_day(study: Study, clock: HandClock) -> None:
    accounts.accept(study, made(study), PASSWORD, None)
    for _ in range(4):
        with pytest.raises(WrongToken):
            signing.sign_in(study, "Dr Okafor", "no", "", address="", factor=False)
    clock.forward(hours=24, seconds=1)
    for _ in range(4):
        with pytest.raises(WrongToken):
            signing.sign_in(study, "Dr Okafor", "no", "", address="", factor=False)
    assert signing.sign_in(study, "Dr Okafor", PASSWORD, "", address="", factor=False)


def test_seen_is_written_once_a_minute(study: Study, clock: HandClock) -> None:
    made(study)
    token = signing.begin(study, "Dr Okafor")
    with store.reading(study) as read:
        before = read.connection.total_changes
        for _ in range(59):
            clock.forward(seconds=1)
            assert signing.signed_in(study, token)
        assert read.connection.total_changes == before
        clock.forward(seconds=1)
        assert signing.signed_in(study, token)
        assert read.connection.total_changes == before + 1
    [place] = signing.places(study, "Dr Okafor", token)
    assert place.seen_at - place.began_at == timedelta(minutes=1)


def test_a_file_that_is_damaged_or_of_another_version_is_said_in_one_line(folder: Path, clock: HandClock) -> None:
    (folder / "access.sqlite").write_bytes(b"no database at all" * 100)
    study = Study.open(folder, clock=clock)
    with pytest.raises(RecordError, match="damaged; restore"):
        accounts.everybody(study)
    (folder / "access.sqlite").unlink()
    with sqlite3.connect(folder / "access.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RecordError, match="another version"):
        accounts.everybody(study)
    study.close()


def test_a_full_disk_leaves_everything_as_it_was(study: Study) -> None:
    made(study)
    with store.reading(study) as read:
        pages = read.connection.execute("PRAGMA page_count").fetchone()[0]
        read.connection.execute(f"PRAGMA max_page_count = {pages}")

    def make_many() -> None:
        for number in range(500):
            made(study, f"{number} " + "x" * 90)

    with pytest.raises(RecordFull, match="is full"):
        make_many()
    names = {one.name for one in accounts.everybody(study)}
    logged = {row["subject"] for row in study.records.rows("SELECT subject FROM event WHERE what = 'account made'")}
    assert names == logged


def test_when_the_record_cannot_be_written_the_account_is_not_changed(study: Study) -> None:
    made(study)
    study.records.db.conn.execute("PRAGMA query_only = ON")
    with pytest.raises(RecordError):
        accounts.disable(study, "Dr Okafor", by="test")
    with pytest.raises(RecordError):
        made(study, "Nurse Joy")
    assert [(one.name, one.state) for one in accounts.everybody(study)] == [("Dr Okafor", "invited")]
