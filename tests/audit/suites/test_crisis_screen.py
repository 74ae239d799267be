"""The suite of the screen: figures counted by hand, baselines through the real scorer, and what it does not show."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pandas as pd
import pytest
from inspect_ai import eval
from inspect_ai.log import EvalLog

import audit.provider  # noqa: F401 - the baselines are models
from audit.suite import Baseline, Estimate
from audit.suites.crisis_screen import BARS, SUITE, _spread, _version, crisis_screen, estimates, judged, main
from audit.utterances import utterances
from therapist.screen import Screen


def _run(folder: Path, **asked: object) -> EvalLog:
    [log] = eval(crisis_screen(**asked), model="none", log_dir=str(folder), display="none", log_samples=True)  # type: ignore[arg-type]
    assert log.status == "success"
    return log


def _rows(log: EvalLog) -> pd.DataFrame:
    assert log.samples is not None
    return pd.DataFrame(
        [
            sample.metadata
            | sample.scores["found_or_passed"].value
            | {"answer": sample.scores["found_or_passed"].answer}  # type: ignore[index, operator]
            for sample in log.samples
        ]
    )


def _named(found: list[Estimate]) -> dict[str, Estimate]:
    return {one.name: one for one in found}


def _row(number: int, risk: str, found: int, form: str = "plain", category: str = "suicide") -> dict[str, object]:
    return {
        "item": f"i{number}",
        "language": "en",
        "category": "none" if risk == "none" else category,
        "risk": risk,
        "form": form,
        "found": float(found),
        "same_category": 1.0 if found and category == "suicide" else 0.0 if found else float("nan"),
    }


def test_the_figures_are_those_counted_by_hand() -> None:
    number = count()
    rows = [_row(next(number), "explicit", found) for found in (1, 1, 1, 0)]
    rows += [_row(next(number), "explicit", 1, form="slang", category="psychosis")]
    rows += [_row(next(number), "veiled", found) for found in (1, 0)]
    rows += [_row(next(number), "none", found, form="idiom") for found in (1, 0, 0, 0, 0)]
    rows += [_row(next(number), "mentioned", 0, form="negation"), _row(next(number), "mentioned", 1, form="quotation")]
    twice = pd.DataFrame(rows + rows)  # two epochs count once
    found = _named(estimates(twice, 1))
    assert (found["recall.explicit"].value, found["recall.explicit"].n) == (0.8, 5)
    assert (found["recall.explicit.category.psychosis"].value, found["recall.explicit.form.plain"].value) == (1.0, 0.75)
    assert found["recall.veiled"].value == 0.5
    assert (found["false_alarms"].value, found["false_alarms"].n, found["false_alarms.form.idiom"].value) == (
        0.2,
        5,
        0.2,
    )
    assert (found["found.denied"].value, found["found.mentioned"].value) == (0.0, 1.0)
    assert found["same_category"].value == pytest.approx(4 / 5)  # of the five found that are risk
    assert found["recall.explicit"].low < 0.8 < found["recall.explicit"].high  # type: ignore[operator]
    assert {one.name for one in found.values() if one.headline} == set(BARS)


def test_an_estimate_without_samples_has_no_value() -> None:
    found = _named(estimates(pd.DataFrame([_row(1, "none", 0)]), 1))
    assert (found["recall.explicit"].value, found["recall.explicit"].low, found["recall.explicit"].n) == (None, None, 0)


def test_the_task_gives_the_rows_that_judging_directly_gives(tmp_path: Path) -> None:
    log = _run(tmp_path, half="open", language="de", limit_items=24)
    direct = judged(_spread(utterances("open", "de"), 24))
    run = _rows(log).set_index("item").loc[direct["item"]].reset_index()
    pd.testing.assert_frame_equal(run[list(direct.columns)], direct)
    assert 0 < run["found"].sum() < 24


def test_a_limit_takes_utterances_of_every_risk_and_language() -> None:
    some = _spread(utterances("open"), 40)
    assert len({one.said.id for one in some}) == 40
    assert {(one.language, one.said.risk) for one in some} >= {
        (language, risk) for language in ("en", "de") for risk in ("explicit", "veiled", "none")
    }
    assert _spread(some, 41) == some


def test_no_model_is_asked_and_the_log_says_which_rules_judged(tmp_path: Path) -> None:
    log = _run(tmp_path, half="open", limit_items=3)  # the model `none` fails when it is asked
    assert log.eval.metadata is not None
    assert log.eval.metadata["screens"] == {language: Screen.load(language).sha256 for language in ("en", "de")}
    assert log.eval.metadata["suite_version"] == SUITE.version
    assert set(log.eval.metadata["data"]) == {"crisis_screen.en", "crisis_screen.de"}
    assert log.stats.model_usage == {}


@pytest.mark.parametrize("baseline", SUITE.baselines, ids=lambda baseline: baseline.name)
def test_a_baseline_fails_a_headline(baseline: Baseline, tmp_path: Path) -> None:
    model = f"baseline/crisis_screen.{baseline.name}"
    [log] = eval(crisis_screen(half="open", limit_items=40), model=model, log_dir=str(tmp_path), display="none")
    assert log.status == "success"
    found = _named(estimates(_rows(log), 0))
    failed = found[baseline.fails]
    assert failed.headline
    assert failed.value is not None
    assert failed.value >= baseline.worst if failed.better == "low" else failed.value <= baseline.worst
    reached = [name for name, bar in BARS.items() if _reaches(found[name], bar)]
    assert baseline.fails not in reached
    assert len(reached) < len(BARS)


def _reaches(estimate: Estimate, bar: float) -> bool:
    assert estimate.value is not None
    return estimate.value < bar if estimate.better == "low" else estimate.value >= bar


def test_of_the_held_out_half_neither_words_nor_ids_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--half", "both"])
    printed = capsys.readouterr().out
    assert "recall.veiled " in printed
    for one in utterances("held_out"):
        assert one.said.id not in printed
        assert len(one.said.text) < 12 or one.said.text not in printed


def test_of_the_open_half_what_is_missed_and_every_false_alarm_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Screen, "check", lambda self, text, speaker: None)
    main(["--half", "open", "--language", "de"])
    printed = capsys.readouterr().out
    risky = [one for one in utterances("open", "de") if one.said.right == "found"]
    assert printed.count("\nmissed  ") == len(risky)
    for one in risky:
        assert f"missed  {one.said.id}  {one.said.text}\n" in printed


def test_other_rules_make_another_version_so_that_nothing_old_is_kept_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _version() == SUITE.version
    load = Screen.load
    monkeypatch.setattr(Screen, "load", lambda language="en": replace(load(language), sha256="0" * 64))
    assert _version() != SUITE.version


def test_the_table_for_the_page_has_the_headlines_by_language_and_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--half", "open", "--table"])
    printed = capsys.readouterr().out
    found = {one.name: one for one in estimates(judged(utterances("open")))}
    for name in ("recall.explicit", "recall.veiled.language.de", "false_alarms", "found.denied", "same_category"):
        one = found[name]
        assert one.value is not None
        assert f"| {one.label} | {100 * one.value:.1f} % | " in printed
    assert "missed" not in printed
    assert len(printed.splitlines()) == 2 + 9 + 3
