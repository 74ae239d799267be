"""`bedside screen`: a verdict a line, shares where the risk is known, and nothing of the words."""

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audit.screening import read
from bedside.cli import main
from therapist.screen import Screen


def run(*arguments: str, said: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["screen", *arguments], input=said)


def verdicts(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def refused(*arguments: str, said: bytes | None = None) -> str:
    result = run(*arguments, said=said)
    assert result.exit_code == 2, result.output
    return result.stderr.splitlines()[-1].removeprefix("Error: ")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "said.txt"
    path.write_text("I feel low today\n\n  well, I want to die.\nI am tired\n")
    return path


def test_there_is_a_verdict_for_each_utterance_with_its_line_and_the_span_of_its_line(file: Path) -> None:
    first, second, third = verdicts(run(str(file)))
    assert [first["line"], second["line"], third["line"]] == [1, 3, 4]
    assert [first["found"], second["found"], third["found"]] == [False, True, False]
    assert second["category"] == "suicide"
    start, end = second["span"]  # type: ignore[misc]
    assert "want to die" in "  well, I want to die."[start:end]
    assert (first["category"], first["rule"], first["span"]) == (None, None, None)
    assert {one["screen"] for one in (first, second, third)} == {Screen.load("en").sha256}
    assert (second["speaker"], second["language"]) == ("participant", "en")


def test_the_words_are_repeated_only_when_asked(file: Path) -> None:
    quiet = run(str(file))
    assert "low today" not in quiet.output
    assert "text" not in verdicts(quiet)[1]
    assert verdicts(run(str(file), "--with-text"))[1]["text"] == "  well, I want to die."


def test_another_language_and_the_other_speaker_have_rules_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "saetze.txt"
    path.write_text("Ich will mich umbringen.\n", encoding="utf-8-sig")
    assert verdicts(run(str(path), "--language", "de"))[0]["found"]
    assert verdicts(run(str(path)))[0]["rule"].startswith("de:")
    said = b"You should just kill yourself.\n"
    assert verdicts(run("-", "--speaker", "therapist", said=said))[0]["speaker"] == "therapist"
    assert verdicts(run("-", "--speaker", "therapist", said=said))[0]["category"] == "harmful_reply"
    assert "allowed: de, en" in refused(str(path), "--language", "xx")


def test_json_lines_are_read_and_their_risk_gives_the_shares_on_the_standard_error() -> None:
    rows = [("I want to die", "explicit"), ("I had a nice day", "explicit"), ("I am tired", "none"), ("Hello", None)]
    said = "\n".join(json.dumps({"text": text, "risk": risk, "who": 7}) for text, risk in rows).encode()
    result = run("-", said=said)
    assert [one["found"] for one in verdicts(result)] == [True, False, False, False]
    assert result.stderr.splitlines() == [
        "Recall of explicit risk: 1 of 2 found, 50.0 % (95 %: 1.3 to 98.7)",
        "False alarms on ordinary distress: 0 of 1 found, 0.0 % (95 %: 0.0 to 97.5)",
    ]


def test_what_is_expected_may_stand_in_a_file_of_its_own(file: Path, tmp_path: Path) -> None:
    expected = tmp_path / "expected.txt"
    expected.write_text("none\n\nveiled\nnone\n")
    result = run(str(file), "--expect", str(expected))
    assert result.stderr.splitlines()[0].startswith("Recall of veiled risk: 1 of 1 found, 100.0 %")
    expected.write_text("none\nveiled\n")
    assert "there are more utterances than risks" in refused(str(file), "--expect", str(expected))
    expected.write_text("none\n" * 4)
    assert "there are more risks than utterances" in refused(str(file), "--expect", str(expected))
    expected.write_text("none\nbad\nnone")
    said = refused(str(file), "--expect", str(expected))
    assert said.endswith("line 2: the risk 'bad' is not known; allowed: explicit, veiled, mentioned, none.")


def test_the_format_is_told_by_the_name_the_first_line_or_the_option(tmp_path: Path) -> None:
    row = json.dumps({"text": "I want to die"})
    named = tmp_path / "a.jsonl"
    named.write_text(f"\n{row}\n")
    assert verdicts(run(str(named)))[0]["span"] == [2, 13]
    plain = tmp_path / "a.txt"
    plain.write_text("{ I want to die }\n")
    assert verdicts(run(str(plain)))[0]["span"] == [4, 15]
    assert verdicts(run("-", "--format", "text", said=b"{ I want to die }"))[0]["span"] == [4, 15]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "The standard input has no utterance; write one a line."),
        (b"\n \n", "The standard input has no utterance; write one a line."),
        (b"fine\nI f\xfchle\n", "The standard input, line 2: byte 4 is not UTF-8; save it as UTF-8."),
        (b'{"text": "a"}\n{"text"}', "The standard input, line 2: not JSON: Expecting ':' delimiter."),
        (b'{"words": "a"}', 'The standard input, line 1: an object with a string "text" is needed, such as'),
        (b'{"text": " "}', 'The standard input, line 1: "text" is empty.'),
        (b'{"text": "a", "risk": ["none"]}', "The standard input, line 1: the risk ['none'] is not known; allowed:"),
        (b'{"text": ' + b"[" * 100_000, "The standard input, line 1: not JSON that can be read: too deep."),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(said: bytes, why: str) -> None:
    assert refused("-", said=said).startswith(why)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(str(tmp_path / "none.txt"))


def test_of_a_large_file_only_a_line_is_held() -> None:
    padding = b"and it goes on and on " * 100
    lines = (b"the exam went badly %d " % n + padding + b"\n" for n in range(20_000))  # 44 MB together
    tracemalloc.start()
    for said in read(lines, "first", "text"):  # noqa: B007
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said.line == 20_000
    assert peak < 100_000


def test_verdicts_come_while_the_input_is_still_being_written() -> None:
    command = [sys.executable, "-m", "bedside", "screen", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"I want to die\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["found"]
        process.stdin.write(b"I am tired\n")
        process.stdin.close()
        assert not json.loads(process.stdout.readline())["found"]
        assert process.wait() == 0
