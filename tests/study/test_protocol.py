"""study.toml: what is right, and how each kind of mistake is named."""

import tomllib
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.errors import ProtocolError
from study.protocol import Protocol, load, parse, understood

TEMPLATE = files("study").joinpath("templates", "start.toml").read_text()


def test_the_protocol_that_init_writes_is_right() -> None:
    protocol = parse(TEMPLATE)
    assert [arm.medium for arm in protocol.arms] == ["robot", "chat", "worksheet"]
    assert protocol.days == 15
    assert [protocol.exercise_on(day) for day in (1, 2, 3)] == [
        "cognitive_restructuring",
        "coping_strategies",
        "cognitive_restructuring",
    ]


def test_a_study_that_was_locked_before_robots_had_a_table_keeps_its_hash() -> None:
    before, _, after = TEMPLATE.partition("[robot]\n")
    older = before + after.partition("\n")[2]
    assert "record_speech" not in older
    assert parse(older).sha256 == parse(TEMPLATE).sha256
    assert parse(TEMPLATE.replace("record_speech = false", "record_speech = true")).sha256 != parse(TEMPLATE).sha256


MISTAKES = [
    ("broken TOML", "days = 15 ", "days = = 15 ", "not valid TOML"),
    ("a missing key", 'timezone = "Europe/London"', "", "timezone is missing; write an IANA time zone"),
    ("a misspelt key", "block_sizes", "block_size", "allocation.block_size is not a key of the protocol; did you mean"),
    ("a value of the wrong kind", "days = 15 ", 'days = "15" ', "days is '15', which is not a valid integer"),
    ("a number out of range", "days = 15 ", "days = 0 ", "days is 0; should be greater than or equal to 1"),
    (
        "an unknown medium",
        'medium = "chat"',
        'medium = "tablet"',
        "arms[2].medium is 'tablet'; allowed: 'robot', 'chat', 'worksheet'",
    ),
    (
        "an unknown engine",
        'kind = "transformers"',
        'kind = "gpt"',
        "engine.kind is 'gpt'; allowed: 'transformers', 'openai', 'eliza'",
    ),
    ("a server without address", 'kind = "transformers"\nmodel = "smollm2"', 'kind = "openai"', "needs base_url"),
    ("an unknown time zone", "Europe/London", "Europe/Londn", "did you mean Europe/London?"),
    ("an impossible time", '"04:00"', '"26:00"', "visits.day_boundary is '26:00'; write the time of day, HH:MM"),
    ("a zone that is the machine's", "Europe/London", "localtime", "'localtime', which is no IANA time zone"),
    (
        "a window that is empty",
        'day_boundary = "04:00"',
        'day_boundary = "04:00"\ncloses = "04:00"',
        "closes (04:00) is when the day begins",
    ),
    ("two arms of one name", 'name = "chat"\nmedium', 'name = "robot"\nmedium', "two are called 'robot'"),
    ("a block no arm fits", "[3, 6]", "[4]", "4 is no multiple of 3, the sum of the arms' ratios; allowed: 3, 6, 9"),
    (
        "an arm's name with a space",
        'name = "chat"\n',
        'name = "my chat"\n',
        "arms[2].name is 'my chat'; write a short name",
    ),
    (
        "assist on a chat",
        'name = "chat"\nmedium',
        'name = "chat"\nassist = false\nmedium',
        "assist = false belongs to a worksheet",
    ),
    ("no exercise", 'rota = ["cognitive_restructuring", "coping_strategies"]', "rota = []", "exercises.rota is empty"),
    ("a missing table", TEMPLATE[TEMPLATE.index("[safety]") :], "", "safety is missing; add [safety]"),
]


@pytest.mark.parametrize(("kind", "right", "wrong", "said"), MISTAKES, ids=[kind for kind, *_ in MISTAKES])
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(kind: str, right: str, wrong: str, said: str) -> None:
    assert right in TEMPLATE
    with pytest.raises(ProtocolError) as caught:
        parse(TEMPLATE.replace(right, wrong, 1))
    assert said in str(caught.value)
    assert str(caught.value).startswith("study.toml: ")
    assert "\n" not in str(caught.value)


def test_every_mistake_gets_a_line_of_its_own() -> None:
    text = TEMPLATE.replace("days = 15 ", "days = 0 ").replace('medium = "chat"', 'medium = "tablet"')
    with pytest.raises(ProtocolError) as caught:
        parse(text)
    assert len(caught.value.mistakes) == 2
    assert "1 more" in str(caught.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ProtocolError, match="does not exist; `bedside init"):
        load(tmp_path / "study.toml")
    (tmp_path / "study.toml").write_bytes(b"title = '\xff\xfe'")
    with pytest.raises(ProtocolError, match="not UTF-8"):
        load(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("days = " + "9" * 5000, "study.toml: a number in it is too long."),
        ("days = 0x" + "f" * 5000, "study.toml: days is a very long number; should be less than or equal to"),
        ("days = " + "[" * 5000 + "]" * 5000, "study.toml: brackets in it are nested too deeply."),
        ('days = "' + "x" * 5000 + '"', "study.toml: days is 'xxx"),
        ("days = 1\ndays = 2", "study.toml: not valid TOML: Cannot overwrite a value"),
        ("\0", "study.toml: not valid TOML:"),
    ],
    ids=["long number", "long number in another base", "deep", "long text", "twice", "NUL"],
)
def test_whatever_toml_can_be_made_of_gets_lines_of_a_readable_length(text: str, said: str) -> None:
    with pytest.raises(ProtocolError) as error:
        parse(text)
    assert any(line.startswith(said) for line in error.value.mistakes)
    assert all(len(line) < 300 and "\n" not in line for line in error.value.mistakes)


def test_comments_do_not_change_what_is_locked() -> None:
    assert parse(TEMPLATE).sha256 == parse(TEMPLATE + "\n# a later thought\n").sha256
    assert parse(TEMPLATE).sha256 != parse(TEMPLATE.replace("days = 15 ", "days = 14 ")).sha256


def test_a_worksheet_without_assistance_has_no_engine() -> None:
    protocol = parse(TEMPLATE.replace("assist = true ", "assist = false "))
    assert protocol.engine_of(protocol.arm("worksheet")) is None
    assert protocol.engine_of(protocol.arm("chat")) == protocol.engine


def test_every_key_says_what_it_is_for() -> None:
    for table in (Protocol, *(field.annotation for field in Protocol.model_fields.values())):
        for model in (table, *getattr(table, "__args__", ())):
            for name, field in getattr(model, "model_fields", {}).items():
                inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
                assert field.description or any(hasattr(one, "model_fields") for one in inner), name


WHOLE = files("study").joinpath("templates", "kian2024.toml").read_text()

WHOLE_MISTAKES = [
    (
        "a rule on an unknown question",
        'question = "student"',
        'question = "studnet"',
        "eligibility[2].question is 'studnet'",
    ),
    (
        "an answer that is none",
        'one_of = ["no"]',
        'one_of = ["nein"]',
        "'nein' is no answer to therapy; allowed: yes, no",
    ),
    ("words for a number", "at_least = 18", 'one_of = ["18"]', "age is a number; write at_least or at_most"),
    ("no cuts for a number", ", cuts = [22]", "", "k10 is a number; write cuts"),
    ("cuts that fall", "cuts = [22]", "cuts = [22, 10]", "cuts must rise"),
    (
        "an occasion that is none",
        '"day 8", "day 15", "month"]    #',
        '"day 16", "month"]    #',
        "has 'day 16'; allowed",
    ),
    (
        "distress not after",
        '["baseline", "before", "after"]',
        '["before"]',
        "distress is due before and after every visit",
    ),
    (
        "a measure with the name of the questions",
        'measure = "k10"',
        'measure = "screening"',
        "'screening' is the name of the screening's own questions",
    ),
    ("a follow-up too early", "day = 45", "day = 12", "it comes after the last day, 15"),
    ("a window that is closed", 'closes = "23:59"', 'closes = "05:00"', "comes before opens"),
    ("a contrast with itself", '["robot", "chatbot"]', '["robot", "robot"]', "compares 'robot' with itself"),
    ("a contrast with nobody", '["robot", "chatbot"]', '["robot", "video"]', "has 'video'; allowed: robot, chatbot"),
    ("an unknown covariate", 'covariates = ["severity"]', 'covariates = ["age"]', "has 'age'; allowed: severity"),
    (
        "an outcome never measured",
        'measure = "distress", when',
        'measure = "nars", when',
        "analysis.primary.measure is 'nars'",
    ),
    ("an outcome at another time", 'when = "after", ch', 'when = "month", ch', "analysis.primary.when is 'month'"),
    (
        "two bounds of one model",
        'name = "chatbot"',
        'name = "chatbot"\nengine = { model = "smollm2", at_once = 4 }',
        "share one model",
    ),
    ("a reminder for nobody", "send = []", 'send = ["mailto://x@example.org"]', "whom shall it reach?"),
    ("a reminder nobody can get", "send = []", 'send = ["tel://{phone}"]', "which nobody is asked for"),
    ("a reminder without a link", "send = []", 'send = ["mailto://example.org?to={email}"]', "write url"),
    ("options for a number", 'kind = "number"\nlow = 0', 'kind = "number"\noptions = ["1"]', "options belong to"),
    ("a choice without options", 'kind = "yes-no"', 'kind = "choice"', "needs options"),
    ("blocks under minimisation", 'method = "blocks"', 'method = "minimisation"', "block_sizes belongs to"),
    ("a list with blocks", 'method = "blocks"', 'method = "list"', "block_sizes belongs to"),
    ("the same measure twice", 'measure = "gad7"', 'measure = "phq9"', "measures: two are called 'phq9'"),
    ("an unknown role", 'roles = ["analyst"]', 'roles = ["editor"]', "allowed: 'analyst', 'assessor'"),
    (
        "a stopping rule that counts nothing",
        "at_least = 1, within",
        "at_least = 0, within",
        "stopping[1].at_least is 0",
    ),
]


@pytest.mark.parametrize(("kind", "right", "wrong", "said"), WHOLE_MISTAKES, ids=[kind for kind, *_ in WHOLE_MISTAKES])
def test_a_mistake_in_a_whole_protocol_is_named(kind: str, right: str, wrong: str, said: str) -> None:
    assert right in WHOLE
    with pytest.raises(ProtocolError) as caught:
        parse(WHOLE.replace(right, wrong, 1))
    assert said in str(caught.value.mistakes)
    assert all("\n" not in line for line in caught.value.mistakes)


def test_every_mistake_of_how_tables_fit_together_has_a_line_of_its_own() -> None:
    wrong = WHOLE.replace("day = 45", "day = 12").replace('["robot", "chatbot"]', '["robot", "video"]')
    with pytest.raises(ProtocolError) as caught:
        parse(wrong)
    assert len(caught.value.mistakes) == 2


values = st.recursive(
    st.one_of(
        st.integers(-5, 2000), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text(max_size=8)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in places(part, (*path, key)))]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_stands_in_the_file_it_is_a_protocol_or_lines_that_name_the_mistakes(data: st.DataObject) -> None:
    whole = tomllib.loads(WHOLE)
    *path, last = data.draw(st.sampled_from([place for place in places(whole) if place]))
    place: Any = whole
    for part in path:
        place = place[part]
    if data.draw(st.booleans()):
        place[last] = data.draw(values)
    elif isinstance(place, dict):
        place[data.draw(st.text(min_size=1, max_size=8))] = place.pop(last)
    else:
        place.append(place[last])
    lines = mistakes_of(whole)
    assert all(line.startswith("study.toml: ") and "\n" not in line for line in lines)


def mistakes_of(data: dict[str, Any]) -> list[str]:
    try:
        understood(data)
    except ProtocolError as error:
        return error.mistakes or ["no line at all"]
    return []
