"""`bedside replay`: a study's answers are written again from its record, and what differs is shown."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bedside.cli import main
from portal.conversations import conversation_of
from study import visits
from study.enrolment import take_in
from study.study import Study
from study.turns import TurnKeeper
from study.visits import Visit
from therapist.engines import open_engine
from therapist.engines.eliza import ElizaEngine

WORDS = (
    "I failed the maths exam yesterday and went home early.",
    "I thought that I am stupid.",
    "I felt sad, about 70.",
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)], env={"COLUMNS": "160"})


def come(study: Study, medium: str, *words: str) -> Visit:
    """A new participant's first visit in an arm of this medium, in which these words were said and answered."""
    participant = next(one for one in iter(lambda: take_in(study), None) if one.arm.medium == medium)
    visit = visits.today(study, participant)
    assert visit is not None
    visits.rate(study, visit, "before", 60)
    conversation = conversation_of(study, visit, open_engine("eliza"), TurnKeeper(study, visit))
    conversation.open()
    for number, said in enumerate(words):
        step = conversation.exercise.steps[number].id if medium == "worksheet" else None
        conversation.hear(said, f"t{number}", step)
        list(conversation.reply())
    return visits.find(study, visit.id)


@pytest.fixture
def chat(study: Study) -> Visit:
    return come(study, "chat", *WORDS)


@pytest.fixture
def otherwise(chat: Visit, monkeypatch: pytest.MonkeyPatch) -> Visit:
    """A visit, since which the rules of 1966 say something else than they did."""
    begun: Callable[..., Any] = ElizaEngine.generate

    def generate(self: ElizaEngine, prompt: Any, **more: Any) -> Any:
        written = begun(self, prompt, **more)
        return _Otherwise(written)

    monkeypatch.setattr(ElizaEngine, "generate", generate)
    return chat


class _Otherwise:
    place = 0

    def __init__(self, written: Any) -> None:
        self.usage = written.usage
        self._written = written

    def __iter__(self) -> Any:
        for piece in self._written:
            yield "Elsewhere\x1b[2J " + piece

    def close(self) -> None:
        self._written.close()


def test_a_study_says_the_same_again_in_every_arm(folder: Path, study: Study) -> None:
    for medium in ("robot", "chat", "worksheet"):
        come(study, medium, *WORDS)
    done = run(folder)
    assert done.exit_code == 0, done.output
    assert "9 answers were written again: 9 the same, 0 different." in done.output
    assert "3 not compared: the script's own words; no engine was asked." in done.output
    assert not [line for line in done.output.splitlines() if line.startswith("Visit")]  # nothing differs


def test_a_visit_is_listed_turn_by_turn_and_nothing_is_recorded(folder: Path, study: Study, chat: Visit) -> None:
    before = study.records.row("SELECT count(*) AS n, max(hash) AS last FROM event")
    done = run(folder, "--visit", chat.id)
    assert done.exit_code == 0, done.output
    assert f"Visit {chat.id}: {chat.participant}, day 1" in done.output
    assert len(re.findall(r"^\s*\d+ .* model .* same", done.output, re.MULTILINE)) == 3
    assert "not compared" in done.output
    for words in WORDS:
        assert words not in done.output  # only what differs is shown
    assert study.records.row("SELECT count(*) AS n, max(hash) AS last FROM event") == before


def test_what_differs_is_shown_with_its_words_and_the_exit_status_is_1(folder: Path, otherwise: Visit) -> None:
    done = run(folder, "--participant", otherwise.participant.lower())
    assert done.exit_code == 1, done.output
    assert "0 the same, 3 different." in done.output
    assert "what the engine wrote, from character 1:" in done.output
    assert "{+Elsewhere\N{REPLACEMENT CHARACTER}[2J+}" in done.output  # what a model writes clears nobody's screen
    assert "the exercise and the screen are the same as then" in done.output


@pytest.mark.usefixtures("otherwise")
def test_the_json_has_every_turn_with_what_it_was_compared_on(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "replay.json"
    assert run(folder, "--json", file).exit_code == 1
    told = json.loads(file.read_text())
    assert told["summary"]["differs"] == 3
    assert [turn["result"] for turn in told["turns"]] == ["not compared", "differs", "differs", "differs"]
    answer = told["turns"][1]
    assert answer["differences"][0]["part"] == "raw"
    assert answer["differences"][0]["now"].startswith("Elsewhere\x1b[2J ")
    screen = answer["compared_on"]["screen_sha256"]
    assert screen["then"] == screen["now"]
    assert len(screen["then"]) == 64
    done = run(folder, "--json", "-")
    assert json.loads(done.stdout) == told
    assert "3 different" in done.stderr


@pytest.mark.usefixtures("chat")
def test_a_file_that_changed_since_is_named_with_whether_it_is_why(folder: Path, study: Study) -> None:
    _tamper(study, "screen_sha256", "0" * 64)
    done = run(folder, "--all")
    assert done.exit_code == 0
    assert "the screen is another one now (000000000000, now " in done.output
    assert "and nothing came out differently" in done.output


@pytest.mark.usefixtures("chat")
def test_other_conversations_beside_change_nothing(folder: Path) -> None:
    done = run(folder, "--beside", "3")
    assert done.exit_code == 0, done.output
    assert re.search(r"3 other conversations were written beside each: [\d,]+ pieces", done.output)


@pytest.mark.usefixtures("chat")
def test_another_engine_shows_what_it_would_have_said_and_no_difference_is_a_fault(folder: Path, study: Study) -> None:
    _tamper(study, "engine", "openai")
    done = run(folder, "--engine", "eliza", "--all")
    assert done.exit_code == 0, done.output
    assert "the engine is another one now (openai, now eliza)" in done.output
    assert "differences are what was asked for" in done.output
    assert "does not say where it is" in _refused(folder)


@pytest.mark.usefixtures("chat")
def test_an_engine_that_cannot_write_is_exit_status_2(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(self: ElizaEngine, prompt: Any, **more: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(ElizaEngine, "generate", generate)
    done = run(folder)
    assert done.exit_code == 2
    assert "3 could not be written again." in done.output


def test_wrong_uses_say_what_to_do(folder: Path, study: Study) -> None:
    assert "Nothing has been said yet" in run(folder).output
    assert "no such visit" in _refused(folder, "--visit", 9)
    assert "no participant with this code" in _refused(folder, "--participant", "XXXXXX")
    assert "not both" in _refused(folder, "--visit", 9, "--participant", "XXXXXX")
    assert "belong to --engine" in _refused(folder, "--model", "x")
    assert "needs base_url" in _refused(folder, "--engine", "openai")


def _refused(*arguments: object) -> str:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    [line] = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    return line


def _tamper(study: Study, key: str, value: str) -> None:
    """As if another version of Bedside had written the record."""
    with sqlite3.connect(study.folder / "study.sqlite") as connection:
        connection.execute("DROP TRIGGER turn_is_never_changed")
        connection.execute(
            "UPDATE turn SET provenance = json_set(provenance, ?, ?) WHERE provenance IS NOT NULL AND reply_to > 0",
            (f"$.{key}", value),
        )
