"""The templates are whole protocols, and what they say of their source is so."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bedside.assembly import check
from bedside.cli import main
from study.errors import StudyError
from study.study import create, template_names


@pytest.mark.parametrize("name", template_names())
def test_every_template_is_right(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(main, ["init", str(tmp_path), "--template", name])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "distress before and after" in done.output
    assert (tmp_path / "study.schema.json").exists()


def test_kian2024_is_fifteen_days_and_three_arms_of_which_one_has_no_model(tmp_path: Path) -> None:
    create(tmp_path, "kian2024")
    protocol = check(tmp_path)
    assert protocol.days == 15
    assert [arm.medium for arm in protocol.arms] == ["robot", "chat", "worksheet"]
    assert [protocol.engine_of(arm) is None for arm in protocol.arms] == [False, False, True]
    assert len({protocol.engine_of(arm) for arm in protocol.arms[:2]}) == 1
    assert set(protocol.exercises.rota) == {"cognitive_restructuring", "coping_strategies"}
    assert protocol.screening
    assert protocol.consent
    assert protocol.follow_ups
    assert protocol.analysis


def test_factorial_crosses_media_with_personas(tmp_path: Path) -> None:
    create(tmp_path, "factorial")
    protocol = check(tmp_path)
    crossed = {(arm.medium, arm.persona) for arm in protocol.arms}
    assert crossed == {(medium, persona) for medium in ("robot", "chat") for persona in ("neutral", "warm_trait")}
    assert len({protocol.engine_of(arm) for arm in protocol.arms}) == 1


def test_gaps_that_are_still_to_be_filled_are_named_by_their_keys(tmp_path: Path) -> None:
    create(tmp_path, "kian2024")
    done = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert (
        "Note: texts in <angle brackets> are still to be filled in: contacts[1].name, contacts[1].reach, "
        "contacts[2].name, contacts[2].reach, consent.text, safety.contacts[3].name, safety.contacts[3].reach.\n"
    ) in done.output


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="choose one of factorial, kian2024, start"):
        create(tmp_path, "other")
