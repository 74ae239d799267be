"""Messages through Apprise, to a real mail server and a real web address."""

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from study import identity, messages, safety
from study.study import Study
from study.tick import tick
from tests import trial
from tests.conftest import HandClock
from tests.trial import join


class Mail(socketserver.ThreadingTCPServer):
    """A mail server that takes everything (RFC 5321, as little of it as a client needs)."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.taken: list[tuple[str, str]] = []


class Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        to = ""
        while line := self.rfile.readline():
            command = line.strip().upper()
            if command.startswith(b"RCPT"):
                to = line.decode().strip()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.server.taken.append((to, text.decode()))  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
            if command == b"QUIT":
                return


@pytest.fixture
def mail() -> Iterator[Mail]:
    server = Mail()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def study_with(folder: Path, clock: HandClock, send: str) -> Study:
    rules = f'url = "https://study.example.org"\n[reminders]\nat = ["08:00"]\nsend = ["{send}"]\n'
    trial.write(folder)
    path = folder / "study.toml"
    path.write_text(rules.split("[")[0] + path.read_text() + "\n[" + rules.split("[", 1)[1])
    return Study.open(folder, clock=clock)


def test_a_reminder_reaches_the_participants_own_mailbox(folder: Path, clock: HandClock, mail: Mail) -> None:
    port = mail.server_address[1]
    study = study_with(folder, clock, f"mailto://127.0.0.1:{port}?from=study@example.org&to={{email}}&mode=insecure")
    person = join(study)
    identity.remember(study, person.code, by=person.code, name="Maya", email="maya@example.org")
    assert tick(study).reminded == 1
    [(to, text)] = mail.taken
    assert "maya@example.org" in to
    body = text.replace("=\r\n", "").replace("=3D", "=")
    assert "https://study.example.org" + study.participant_path(person.code) in body
    assert "until 04:00" in body


def test_who_gave_no_address_gets_no_reminder(folder: Path, clock: HandClock, mail: Mail) -> None:
    study = study_with(folder, clock, f"mailto://127.0.0.1:{mail.server_address[1]}?from=s@example.org&to={{email}}")
    person = join(study)
    identity.remember(study, person.code, by=person.code, phone="+46 70 1")
    tick(study)
    assert mail.taken == []


def test_a_server_that_is_away_is_no_reason_to_stop(folder: Path, clock: HandClock) -> None:
    study = study_with(folder, clock, "mailto://127.0.0.1:9?from=s@example.org&to={email}&mode=insecure")
    person = join(study)
    identity.remember(study, person.code, by=person.code, email="maya@example.org")
    assert tick(study).reminded == 0
    assert study.records.row("SELECT state FROM message") == {"state": "failed"}


def test_a_secret_comes_from_the_environment_and_is_never_logged(
    folder: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_with(folder, clock, "mailto://user:${MAIL_PASSWORD}@example.org?to={email}")
    person = join(study)
    identity.remember(study, person.code, by=person.code, email="maya+bedside@example.org")
    seen: list[str] = []

    def post(address: str, title: str, body: str) -> bool:
        seen.append(address)
        raise OSError(address)

    tick(study, post)
    assert seen == []  # the variable is not set: nothing is sent half
    said = capsys.readouterr()
    assert "The environment variable MAIL_PASSWORD, which an address in study.toml names, is not set." in said.out
    monkeypatch.setenv("MAIL_PASSWORD", "se/cr@t")
    clock.forward(minutes=11)
    tick(study, post)
    assert seen == ["mailto://user:se%2Fcr%40t@example.org?to=maya+bedside@example.org"]
    said = capsys.readouterr()
    assert "cr%40t" not in said.out + said.err
    assert "maya" not in said.out + said.err


def test_an_alarm_quotes_nobody(study: Study, folder: Path, clock: HandClock) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text() + '\nnotify = ["json://officer.example.org"]\n')
    told = Study.open(folder, clock=clock)
    from study.enrolment import take_in

    person = take_in(told)
    safety.report(told, person.code, by="nurse", description="the ladder fell on her foot")
    sent: list[str] = []

    def post(address: str, title: str, body: str) -> bool:
        sent.append(title + body)
        return True

    messages.claim_alarms(told)
    messages.deliver(told, post)
    [text] = sent
    assert person.code in text
    assert "ladder" not in text


def test_wrong_addresses_are_named_by_their_key_and_not_repeated() -> None:
    mistakes = messages.address_mistakes(
        "reminders.send", ["mailto://a:secret@example.org?to={email}", "nonsense:secret"]
    )
    assert mistakes == [
        "study.toml: reminders.send[2] is no address that Apprise knows; allowed: mailto://..., and others"
    ]


def test_variables_that_are_not_set_are_named_with_their_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERE", "x")
    monkeypatch.delenv("NOWHERE", raising=False)
    addresses = ["json://example.org", "mailto://${THERE}:${NOWHERE}@example.org?to=${NOWHERE}"]
    assert messages.unset_variables("safety.notify", addresses) == [
        "safety.notify[2] names the environment variable NOWHERE, which is not set"
    ]
