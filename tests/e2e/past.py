"""A study with a week behind it, so that its screens show what a study under way shows. Nothing in it is a real person."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from bedside.simulated import Character
from bedside.visiting import Visitor
from portal.app import create_app
from portal.sessions import Sessions
from study import identity, safety, visits
from study.study import Participant, Study, create
from study.tick import tick
from tests.conftest import HandClock
from therapist.engines import open_engine

__all__ = ["DAYS", "study_with_a_past"]

DAYS = 7
"""Study days that are over. The next one is today."""

PEOPLE = 12


def study_with_a_past(folder: Path) -> Study:
    """The study of the template kian2024 in `folder`, with ELIZA's rules, a week after its participants came.

    It is one in the afternoon there, whatever the time is here, so that visits are open.
    """
    path = create(folder, "kian2024")
    now = datetime.now(UTC)
    ahead = (13 - now.hour + 11) % 24 - 11  # hours from UTC to where it is one in the afternoon
    text = path.read_text()
    for old, new in {
        'kind = "transformers" ': 'kind = "eliza" ',
        'model = "smollm2"\n': "",
        'timezone = "America/Los_Angeles"': f'timezone = "Etc/GMT{-ahead:+d}"',
        "<Principal investigator>": "Dr Ada Example, principal investigator",
        "<telephone and e-mail>": "020 7946 0000, ada@example.org",
        "<Ethics committee, number of the approval>": "Ethics committee, approval 2026-17",
        "<address>": "1 Example Square, London",
        "<Counselling service of the university>": "Counselling service of the university",
        "<telephone, hours>": "020 7946 0001, on weekdays from 9 to 17",
        "<Compensation. Where the data are kept, and under which law. Whom to complain to.>": "Each visit is paid with "
        "3 pounds. The data are kept at the university.",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)
    clock = HandClock(now - timedelta(days=DAYS + 1))
    study = Study.open(folder, clock=clock)
    app = create_app(study, {study.protocol.engine: open_engine("eliza")})
    visitor = _Guest(study, clock, app.extensions["bedside"])
    visitor.enter(app)
    people = _come(study, visitor)
    for day in range(1, DAYS + 1):
        for character, participant in people:
            clock.moment = now - timedelta(days=DAYS + 1 - day, minutes=random.Random(participant.code).randint(0, 90))
            if study.participant(participant.code).status == "active" and character.random.random() < 0.85:
                visitor.visit(study.participant_path(participant.code), character)
            _take_charge(study)
        tick(study)
    clock.moment = now
    tick(study)
    app.extensions["bedside"].close()
    return study


def _come(study: Study, visitor: "_Guest") -> list[tuple[Character, Participant]]:
    people = []
    for number in range(100):
        character = Character.draw(f"screens/{number}")
        path, participant = visitor.come(character)
        _take_charge(study)
        code = path.split("/")[2]
        if study.person(code).state == "baseline":
            identity.remember(study, code, by=code, name=f"Person {number}", email=f"person{number}@example.org")
            participant = visitor.go_on(path, character)
            _take_charge(study)
        if participant is not None:
            people.append((character, participant))
        if len(people) == PEOPLE:
            break
    return people


def _take_charge(study: Study) -> None:
    for event in safety.events(study, open_only=True):
        safety.acknowledge(study, event["id"], "Dr Ada Example")


class _Guest(Visitor):
    """A simulated participant who comes to a portal in this process, and whose robot does, too."""

    def __init__(self, study: Study, clock: HandClock, sessions: Sessions) -> None:
        super().__init__("http://127.0.0.1", study, lambda seconds: clock.forward(seconds=seconds))
        self._sessions = sessions

    def enter(self, app: object) -> None:
        self._http.close()
        transport = httpx2.WSGITransport(app=app)  # type: ignore[arg-type]
        self._http = httpx2.Client(base_url="http://127.0.0.1", transport=transport, follow_redirects=True)

    def _robot(self, page: str, character: Character) -> None:
        """What the robot's node would do, without its sound."""
        study = self._study
        code = "".join(filter(str.isdigit, page.split('class="code"')[1].split(">")[1]))
        visit = visits.claim(study, code, "robot-1")
        before = character.rate_before()
        visit = visits.rate(study, visit, "before", before)
        told: dict[str, int] = {}
        while visit.state == "exercise":
            conversation = self._sessions.enter(visit)[1]
            step = self._step_asked({"turns": [{"text": conversation.turns[-1].text}]})
            said = character.answer(step, told.get(step, 0))
            told[step] = told.get(step, 0) + 1
            self._pass_time(character.takes_s(said))
            turn = self._sessions.hear(visit, said, self._token(character))
            for _ in self._sessions.follow(visit, turn.number):
                pass
            visit = visits.find(study, visit.id)
        if visit.state == "after":
            visits.rate(study, visit, "after", character.rate_after(before))
