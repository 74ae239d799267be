"""Numbers, codes and yes or no in what somebody said or typed. Pure.

Numbers are misheard easily, so nothing here guesses: what is not clear is None, and the robot asks again.
"""

import re

__all__ = ["code_in", "rating_in", "yes_in"]

_UNITS = {
    "zero": 0, "nought": 0, "none": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_CORRECTING = {"no", "sorry", "actually", "rather", "wait", "correction"}
_YES = {"yes", "yeah", "yep", "yup", "correct", "right", "exactly", "sure", "y", "true", "ok", "okay"}
_NO = {"no", "nope", "nah", "wrong", "incorrect", "n", "false", "not"}


def rating_in(words: str) -> int | None:
    """The rating from 0 to 100 in `words`, in digits or in English words; None when there is none or more than one.

    "Sixty, no, fifty" is fifty: what comes after a correction counts. "Seventy out of a hundred" is seventy.
    """
    said = _split(words)
    for place in range(len(said) - 1, 0, -1):
        if said[place] in _CORRECTING:
            return rating_in(" ".join(said[place + 1 :]))
    text = re.sub(r"(\b(out of|of)|/) (a |one )?(hundred|100)\b", "", " ".join(said))
    found = _numbers(text.split())
    if len(found) != 1 or not 0 <= found[0] <= 100:
        return None
    return found[0]


def code_in(words: str) -> str | None:
    """The six digits in `words`, said one by one or together; None when there are not six."""
    digits = ""
    for word in _split(words):
        if word.isdigit():
            digits += word
        elif word in ("o", "oh"):
            digits += "0"
        elif _UNITS.get(word, 10) < 10:
            digits += str(_UNITS[word])
    return digits if len(digits) == 6 else None


def yes_in(words: str) -> bool | None:
    """True for yes, False for no, None when neither or both."""
    said = set(_split(words))
    yes, no = bool(said & _YES), bool(said & _NO)
    if "not" in said and yes:
        return False
    return yes if yes != no else None


def _split(words: str) -> list[str]:
    return re.findall(r"-?\d+(?:[.,]\d+)?|[a-z]+|/", words.lower().replace("’", ""))


def _numbers(words: list[str]) -> list[int]:
    """The numbers that stand in `words`, with -1 for one that is no whole number."""
    found: list[int] = []
    place = 0
    while place < len(words):
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) else ""
        if re.fullmatch(r"\d+", word):
            found.append(int(word) if len(word) < 6 else -1)
        elif word[0].isdigit() or word.startswith("-"):
            found.append(-1)
        elif word in _TENS:
            unit = _UNITS.get(following, 0)
            if 1 <= unit <= 9:
                place += 1
                found.append(_TENS[word] + unit)
            else:
                found.append(_TENS[word])
        elif word == "hundred":
            found.append(100)
        elif word in ("a", "one") and following == "hundred":
            place += 1
            found.append(100)
        elif word in _UNITS:
            found.append(_UNITS[word])
        place += 1
    return found
