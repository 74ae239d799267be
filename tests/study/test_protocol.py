"""study.toml: what is right, and how each kind of mistake is named."""

from importlib.resources import files

import pytest

from study.errors import ProtocolError
from study.protocol import Protocol, load, parse

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
