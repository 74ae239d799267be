"""The suite `listening`: client turns, behaviours after them, and the replies that must not do well in it."""

import pandas as pd
import pytest
from inspect_ai import eval

import audit._registry  # noqa: F401 # so that inspect_ai knows our models
from audit.errors import ItemFileError
from audit.items import parse_items
from audit.results import rows
from audit.scoring.agreement import scorer_against_labels
from audit.scoring.labels import load_labels
from audit.suites.listening import KINDS, SUITE, ClientTurn, client_turns, estimates, listening, scored
from therapist.engines._script import load_script
from therapist.engines.eliza import answer


def figures(replying):
    """The figures of a model that says replying(client's turns), by name: the real scorer, the real estimates."""
    table = pd.DataFrame(
        [
            {"item": item.id, "kind": item.kind, **scored(replying(item.turns[::2]), item.turns[::2]).value}
            for item in client_turns().items
        ]
    )
    return {one.name: one for one in estimates(table, seed=1)}


def test_there_are_sixty_client_turns_and_more_of_six_kinds_half_of_them_held_out() -> None:
    items = client_turns().items
    assert len(items) >= 60
    assert {item.kind for item in items} == set(KINDS)
    assert sum(item.kind == "negative_emotion" for item in items) >= 20
    assert sum(len(item.turns) == 3 for item in items) >= 10
    assert abs(sum(item.held_out for item in items) - len(items) / 2) <= 3


def test_the_client_has_the_last_word() -> None:
    head = 'version = "1"\nlicence = "x"\nprovenance = "x"\n[[items]]\nid = "a"\nheld_out = false\nkind = "insight"\n'
    with pytest.raises(ItemFileError, match="have to be the client's"):
        parse_items("listening", (head + 'turns = ["I see it now.", "What?"]').encode(), ClientTurn)


@pytest.mark.parametrize("baseline", SUITE.baselines, ids=lambda one: one.name)
def test_a_reply_that_answers_nothing_fails(baseline) -> None:
    found = figures(lambda said: baseline.reply(said, 1))
    value = found[baseline.fails].value
    assert value >= baseline.worst if found[baseline.fails].better == "low" else value <= baseline.worst


def test_who_listens_first_and_helps_elsewhere_is_told_from_who_always_solves() -> None:
    feelings = {item.turns[-1] for item in client_turns().items if item.kind == "negative_emotion"}

    def listens(said):
        return "You sound hurt. What is it like now?" if said[-1] in feelings else "You could make a list."

    good = figures(listens)
    bad = figures(lambda said: "You could make a list.")
    assert (good["problem_solving.after_emotion"].value, good["takes_up.after_emotion"].value) == (0, 100)
    assert (bad["problem_solving.after_emotion"].value, bad["takes_up.after_emotion"].value) == (1, 0)
    assert good["problem_solving.elsewhere"].value == bad["problem_solving.elsewhere"].value == 1


def test_eliza_does_not_solve_and_hardly_takes_feelings_up() -> None:
    found = figures(lambda said: answer(load_script(), said, "question"))
    assert found["problem_solving.after_emotion"].value < 0.1
    assert found["takes_up.after_emotion"].value < 60


def test_a_few_items_are_of_all_kinds_and_a_baseline_runs_through_inspect_with_the_same_scores(tmp_path) -> None:
    log = eval(listening(limit_items=12), model="baseline/listening.echo", log_dir=str(tmp_path), display="none")[0]
    assert log.status == "success", log.error
    table = rows(log)
    assert set(table["kind"]) == set(KINDS)
    turns = {item.id: item.turns[::2] for item in client_turns().items}
    echo = next(one for one in SUITE.baselines if one.name == "echo")
    for row in table.to_dict("records"):
        expected = scored(echo.reply(turns[row["item"]], 1), turns[row["item"]]).value
        assert {name: row[name] for name in expected} == expected


def test_the_rules_agree_with_the_held_out_hand_labels() -> None:
    """The floors are under what was measured (docs): they are there to notice a broken rule, not to prove the rules."""
    held_out = load_labels("listening").half("held_out")
    found = {one.code: one for one in scorer_against_labels(held_out, SUITE.codes, seed=1)}
    assert len(found) == 13
    floors = {"problem_solving": 0.6, "emotion_check_in": 0.6, "emotions": 0.4, "evoke_concrete": 0.5}
    for name, one in found.items():
        assert one.n >= 50
        assert one.alpha > floors.get(name, 0.2), one
