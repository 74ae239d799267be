"""Exercises and personas: the files that come with Bedside are whole, and a broken one is named."""

from hashlib import sha256
from importlib.resources import files

import pytest

from therapist._datafiles import SOURCE
from therapist.errors import DataFileError, UnknownStep
from therapist.exercise import exercise_names, load_exercise, parse_exercise
from therapist.persona import load_persona, parse_persona, persona_names
from therapist.rails import Rails, judge, split
from therapist.screen import Screen

LANGUAGES = SOURCE.languages()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", exercise_names())
def test_an_exercise_is_whole(name: str, language: str) -> None:
    exercise = load_exercise(name, language)
    assert 6 <= len(exercise.steps) <= 9
    for step in exercise.steps:
        assert len(split(step.ask)) == 1
        assert step.ask.endswith("?")
        assert step.follow_up.endswith("?")
        assert not any(said.endswith("?") for said in step.acknowledge)
        assert all(len(split(said)) == 1 for said in step.acknowledge)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", exercise_names())
def test_nothing_an_exercise_says_would_be_stopped_by_the_screen(name: str, language: str) -> None:
    exercise, screen = load_exercise(name, language), Screen.load(language)
    said = [exercise.opening, exercise.closing]
    for step in exercise.steps:
        said += [step.ask, step.follow_up, *step.acknowledge, step.example.therapist]
    for text in said:
        assert screen.check(text, "therapist") is None
        assert screen.put_down(text) is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", exercise_names())
def test_every_example_shown_to_a_model_keeps_the_rails_itself(name: str, language: str) -> None:
    """The tightest rails are for the small model in the package, which writes English alone."""
    screen = Screen.load(language)
    for step in load_exercise(name, language).steps:
        reason = judge(
            step.example.therapist,
            form="statement",
            rails=Rails(grounded=language == "en"),
            screen=screen,
            said=(),
            heard=step.example.participant,
            around=step.ask,
            begin=step.begin,
        )
        assert (step.id, reason) == (step.id, None)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", exercise_names())
def test_the_steps_own_words_are_said_once_in_a_visit(name: str, language: str) -> None:
    exercise = load_exercise(name, language)
    said = [words for step in exercise.steps for words in (step.ask, step.follow_up, *step.acknowledge)]
    assert len(set(said)) == len(said)


def test_a_step_is_done_by_enough_words_or_a_number_or_enough_turns() -> None:
    exercise = load_exercise("cognitive_restructuring")
    situation, feeling = exercise.step("situation"), exercise.step("feeling_now")
    words = Screen.load("en").words
    assert not situation.is_done(["An exam."], words)
    assert situation.is_done(["An exam.", "In maths."], words)  # two turns are the most
    assert situation.is_done(["I failed an exam in maths."], words)
    for number in ("45", "45%", "forty-five", "about fifty"):
        assert feeling.is_done([number], words)
    for none in ("a little", "weaker", "...", "no-one knows"):
        assert not feeling.is_done([none], words)


def test_a_german_number_in_words_is_a_number() -> None:
    feeling, words = load_exercise("cognitive_restructuring", "de").step("feeling_now"), Screen.load("de").words
    for number in ("45", "fünfundvierzig", "fuenfunddreissig", "vielleicht dreißig", "hundert", "null"):
        assert feeling.is_done([number], words), number
    for none in ("ein wenig", "schwächer", "einzig", "keine Ahnung"):
        assert not feeling.is_done([none], words), none


def test_another_language_has_the_same_steps_and_a_hash_of_its_own() -> None:
    english, german = load_exercise("coping_strategies"), load_exercise("coping_strategies", "de")
    assert [(step.id, step.done, step.turns, step.reflect) for step in english.steps] == [
        (step.id, step.done, step.turns, step.reflect) for step in german.steps
    ]
    assert german.opening.startswith("Hallo.")
    assert (
        english.sha256
        == sha256(files("therapist").joinpath("exercises", "coping_strategies.toml").read_bytes()).hexdigest()
    )
    assert german.sha256 != english.sha256
    assert load_persona("neutral", "de").sha256 != load_persona("neutral").sha256
    with pytest.raises(DataFileError, match="no language 'xx'; allowed: en, de"):
        load_exercise("coping_strategies", "xx")


def test_the_steps_follow_each_other_to_the_end() -> None:
    exercise = load_exercise("coping_strategies")
    names, step = [], exercise.steps[0]
    while step is not None:
        names.append(step.id)
        step = exercise.after(step.id)  # type: ignore[assignment]
    assert names == [one.id for one in exercise.steps]
    with pytest.raises(UnknownStep):
        exercise.step("no such step")


SOURCE = files("therapist").joinpath("exercises", "cognitive_restructuring.toml").read_text()


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ("goal = ", "gaol = ", "steps.0.goal"),
        ('version = "1"', "", "version"),
        ("turns = { min = 1, max = 2 }", "turns = { min = 3, max = 2 }", "steps.0.turns"),
        ('id = "thought"', 'id = "situation"', "two steps have the same id"),
        ("[[steps]]", "[[steps]", "not valid TOML"),
        ('begin = "You told me', 'begin = "It sounds', "steps.0: Value error, example.therapist does not begin"),
        ("reflect = true", "reflekt = true", "steps.1.reflekt: there is no such key; allowed: id, goal, ask"),
    ],
)
def test_a_broken_exercise_is_named_with_its_key(right: str, wrong: str, key: str) -> None:
    with pytest.raises(DataFileError, match=r"exercises/mine\.toml") as caught:
        parse_exercise("mine", SOURCE.replace(right, wrong, 1).encode())
    assert key in str(caught.value)


def test_an_unknown_exercise_or_persona_is_answered_with_those_there_are() -> None:
    with pytest.raises(DataFileError, match="cognitive_restructuring, coping_strategies"):
        load_exercise("yoga")
    with pytest.raises(DataFileError, match="neutral, secure_attachment, warm_behaviour, warm_trait"):
        load_persona("stern")


def test_personas_differ_in_manner_and_keep_the_same_bounds() -> None:
    assert persona_names() == ["neutral", "secure_attachment", "warm_behaviour", "warm_trait"]
    for name in persona_names():
        persona = load_persona(name)
        assert "not a therapist or a doctor" in persona.system
        assert "no diagnosis" in persona.system


HASHES = {
    "neutral": "d614d831174854dcd84a8d01bdd6de194ad07a50eaecfaaa47f472bb30c569cd",
    "warm_trait": "9d2715e905d6ccb8072e6c9c543ce87c99e02b91f74997a6d1f9385e3f8abd97",
}


@pytest.mark.parametrize("name", HASHES)
def test_a_persona_of_an_earlier_study_has_the_hash_it_had(name: str) -> None:
    assert load_persona(name).sha256 == HASHES[name]


def test_the_hash_of_a_persona_covers_its_acts_and_their_mistakes_are_named() -> None:
    data = files("therapist").joinpath("personas", "warm_behaviour.toml").read_bytes()
    changed = data.replace(b"thank the person", b"greet the person")
    assert parse_persona("mine", changed).sha256 != parse_persona("mine", data).sha256
    with pytest.raises(DataFileError, match=r"acts\.farewell: there is no such key; allowed: opening, feel"):
        parse_persona("mine", data.replace(b"closing =", b"farewell ="))
    german = load_persona("warm_behaviour", "de")
    assert german.act("opening").startswith("Danke der Person")
    assert german.act(None) == load_persona("neutral").act("opening") == ""
