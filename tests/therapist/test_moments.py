"""The moments at which a persona acts: a feeling that is told, the first reply, the last."""

import pytest

from therapist.errors import DataFileError
from therapist.moments import moment_of, tells_feeling

TELL = {
    "en": [
        "Mostly ashamed, about 70.",
        "Lonely and angry, 65",
        "My sister shouted at me on the phone and I cried all evening.",
        "I felt so small and really sad.",
        "It made me furious.",
        "I am worried about the exam.",
        "It was a heavy feeling in my stomach, 75.",
        "I've been feeling anxious all week",
        "I'm proud of it.",
    ],
    "de": [
        "Vor allem beschämt, etwa 70.",
        "Ich habe den ganzen Abend geweint.",
        "Ich hatte große Angst vor morgen.",
        "Das macht mich wuetend.",
        "Ich fühle mich allein.",
        "Da war ein schweres Gefühl im Bauch.",
    ],
}
TELL_NONE = {
    "en": [
        "I got my maths exam back yesterday.",
        "He was angry with me.",
        "I was not sad at all.",
        "Hard to say.",
        "About 35",
        "I went down to the shop.",
        "I am alone in the house this week.",
        "On Sunday after breakfast I will talk to her.",
        "I would love to go there.",
    ],
    "de": [
        "Gestern kam die Prüfung zurück.",
        "Meine Schwester war wütend.",
        "Ich bin nicht traurig.",
        "Etwa 35",
        "Ich bin fertig mit dem Aufsatz.",
        "Schwer zu sagen.",
    ],
}


@pytest.mark.parametrize(("language", "words"), [(name, words) for name, list_ in TELL.items() for words in list_])
def test_a_feeling_of_ones_own_is_known(language: str, words: str) -> None:
    assert tells_feeling(words, language)


@pytest.mark.parametrize(("language", "words"), [(name, words) for name, list_ in TELL_NONE.items() for words in list_])
def test_what_only_looks_like_one_is_not(language: str, words: str) -> None:
    assert not tells_feeling(words, language)


def test_a_reply_has_one_moment_at_most_and_a_feeling_comes_before_all_else() -> None:
    assert moment_of("I felt sad.", "en", first=True, last=True) == "feeling"
    assert moment_of("About 35", "en", first=True, last=True) == "closing"
    assert moment_of("The rent went up.", "en", first=True, last=False) == "opening"
    assert moment_of("The rent went up.", "en", first=False, last=False) is None


def test_a_language_without_rules_is_named_with_those_there_are() -> None:
    with pytest.raises(DataFileError, match="allowed: de, en"):
        tells_feeling("Je suis triste.", "fr")
