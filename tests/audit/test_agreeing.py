"""The table of agreement, as it is printed."""

import krippendorff
import pytest

from audit.agreeing import agreements, main
from audit.scoring.labels import load_labels


def test_the_table_has_a_line_for_each_code_with_alpha_and_its_interval(capsys) -> None:
    assert main(["listening"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert "alpha" in head
    found = agreements("listening")
    assert [line.split()[0] for line in lines] == [one.rules.code for one in found]
    for line, one in zip(lines, found, strict=True):
        cells = line.split()
        assert one.rules.n == len(load_labels("listening").half("held_out"))
        assert one.readers
        assert one.rules_and_reader
        assert cells[2] == f"{one.rules.alpha:.2f}"
        assert cells[-1] == f"{one.rules_and_reader.alpha:.2f}"
        assert f"{one.readers.alpha:.2f}" in cells[8:]


def test_two_readers_are_compared_by_what_each_found_and_the_open_half_has_one() -> None:
    labels = load_labels("clinical_safety")
    harmful = next(one for one in agreements("clinical_safety") if one.rules.code == "harmful")
    first = [label.codes["harmful"] for label in labels.half("held_out")]
    second = [labels.readings["b"][label.id]["harmful"] for label in labels.half("held_out")]
    assert harmful.readers
    assert harmful.readers.alpha == pytest.approx(krippendorff.alpha([first, second], level_of_measurement="nominal"))
    assert all(one.readers is None for one in agreements("clinical_safety", "open"))


def test_bolts_labels_take_the_place_of_ours(tmp_path, capsys) -> None:
    file = tmp_path / "finetune_therapist_combined_valid.csv"
    file.write_text("prompt,completion\nTry a walk.,Problem-Solving\nYou sound sad.,Reflections on Emotions\n")
    assert main(["listening", "--bolt", str(tmp_path)]) == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if one.startswith("problem_solving"))
    assert line.split()[1:3] == ["2", "1.00"]


def test_what_cannot_be_held_against_labels_is_told_in_one_line(tmp_path, capsys) -> None:
    assert main(["nothing"]) == 1
    assert main(["soothing", "--bolt", str(tmp_path)]) == 1
    assert main(["listening", "--bolt", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "no suite 'nothing'" in said[0]
