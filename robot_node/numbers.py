"""Numbers, codes and yes or no in what somebody said or typed. Pure.

Numbers are misheard easily, so nothing here guesses: what is not clear is None, and the robot asks again. Where a
number is expected, a recogniser's "for" and "to" are taken for four and two only if nothing else was said but numbers.

German words are put into the English ones that they stand for, numbers into figures; none of them is an English word of
this kind, so nobody has to say which language is spoken.
"""

import re
from itertools import product

__all__ = ["code_in", "is_plain", "rating_in", "yes_in"]

_UNITS = {
    "zero": 0, "nought": 0, "none": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_SOUND_ALIKE = {"for": "four", "fore": "four", "to": "two", "too": "two", "won": "one", "ate": "eight"}
"""What recognisers write for a single digit."""
_FILLERS = {
    "a", "about", "around", "code", "er", "erm", "hm", "i", "i'd", "is", "it", "it's", "like", "maybe", "my", "say",
    "so", "the", "think", "uh", "um", "well", "would",
}  # fmt: skip
"""Words around a number that say nothing."""
_CORRECTING = {"no", "sorry", "actually", "rather", "wait", "correction"}
_PLAIN_YES = {"yes", "yeah", "yep", "yup", "y"}
_YES = {*_PLAIN_YES, "correct", "right", "exactly", "sure", "true", "ok", "okay"}
_PLAIN_NO = {"no", "nope", "nah", "n"}
_WRONG = {"wrong", "incorrect", "false"}
_UNSURE = {"maybe", "perhaps", "know"}
"""Who says one of these has not decided: "I don't know"."""

_NOTHING_ELSE = _YES | _PLAIN_NO | _WRONG | _CORRECTING | _UNSURE | {"hundred", "thousand", "of", "out", "not", "don't"}
"""With numbers and fillers, all that an answer to a question for a number, or for yes or no, may consist of."""

_GERMAN_UNITS = (
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf",
    "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
)  # fmt: skip
_GERMAN_TENS = ("zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_GERMAN: dict[str, str] = {
    **{word: str(value) for value, word in enumerate(_GERMAN_UNITS)},
    **{word: str(10 * value) for value, word in enumerate(_GERMAN_TENS, 2)},
    **{
        f"{'ein' if unit == 1 else _GERMAN_UNITS[unit]}und{word}": str(10 * value + unit)
        for value, word in enumerate(_GERMAN_TENS, 2)
        for unit in range(1, 10)
    },
    "zwo": "2", "hundert": "100", "einhundert": "100", "ja": "yes", "jawohl": "yes", "genau": "exactly",
    "stimmt": "right", "richtig": "right", "nein": "no", "nee": "no", "nicht": "not", "falsch": "wrong",
    "vielleicht": "maybe",
    "weiß": "know", "sicher": "sure", "von": "of", "etwa": "about", "ungefähr": "about", "ich": "i", "sage": "say",
    "quatsch": "sorry", "und": "and", "das": "it", "ist": "is", "mein": "my", "meine": "my", "code": "code",
}  # fmt: skip
_TYPED = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}
_GERMAN |= {"".join(_TYPED.get(letter, letter) for letter in word): meant for word, meant in _GERMAN.items()}


def _english(words: str) -> str:
    """The words with German ones put into English."""
    return re.sub(r"[^\W\d_]+", lambda found: _GERMAN.get(found[0], found[0]), words.lower())


def rating_in(words: str) -> int | None:
    """The rating from 0 to 100 in `words`, in digits or in English words; None when there is none or more than one.

    "Sixty, no, fifty" is fifty: what comes after a correction counts. "Seventy out of a hundred" is seventy.
    """
    said = _split(_english(words))
    for place in range(len(said) - 1, 0, -1):
        if said[place] in _CORRECTING:
            return rating_in(" ".join(said[place + 1 :]))
    text = re.sub(r"(\b(out of|of)|/) (a |one )?(hundred|100)\b", "", " ".join(said))
    found = _numbers(text.split())
    heard = [word for word in text.split() if word not in _FILLERS]
    if len(heard) > 1 and heard[-1] in _SOUND_ALIKE and _is_number(heard[-2]):
        return None  # "seventy to" is 72, or the beginning of "seventy to eighty"
    if not found:
        # A lone "for" is a four that was misheard.
        found = [_UNITS[_SOUND_ALIKE[heard[0]]]] if len(heard) == 1 and heard[0] in _SOUND_ALIKE else []
    if len(found) != 1 or not 0 <= found[0] <= 100:
        return None
    return found[0]


def code_in(words: str) -> str | None:
    """The six digits in `words`, said one by one or together; None when there are not six, or six in two ways.

    "Forty eight fifteen sixteen" is 481516: of the ways to write that, one alone has six digits.
    """
    said = re.findall(r"\d+|[a-z']+", _english(words).replace("’", "'"))
    numbers = [place for place, word in enumerate(said) if _is_number(word)]
    if not numbers or any(not _plain(word) for word in said[numbers[0] : numbers[-1]]):
        return None  # what stands between the digits was a digit, too
    codes = _codes(said)
    if not codes and all(map(_plain, said)):
        codes = _codes([_SOUND_ALIKE.get(word, word) for word in said])
    return codes.pop() if len(codes) == 1 else None


def yes_in(words: str) -> bool | None:
    """True for yes, False for no, None when neither, both, or undecided: "I'm not sure"."""
    said = set(_split(re.sub(r"n['’]t\b", " not", _english(words))))
    if said & _UNSURE:
        return None
    if "not" in said:
        # "Not right" and "not really" are a no; "not wrong", "not sure" and "yes, why not" are nothing.
        return None if said & (_WRONG | _PLAIN_YES | {"sure"}) else False
    yes, no = bool(said & _YES), bool(said & (_PLAIN_NO | _WRONG))
    return yes if yes != no else None


def is_plain(words: str) -> bool:
    """Whether nothing was said but numbers, yes or no, and words around them that say nothing."""
    said = re.sub(r"[\s.,;:!?%/…–-]+", " ", _english(words).replace("’", "'")).split()
    return all(_plain(word) or word in _NOTHING_ELSE for word in said)


def _codes(said: list[str]) -> set[str]:
    """Every way to write the numbers in `said` one after the other that has six digits."""
    ways: list[set[str]] = []
    place = 0
    while place < len(said):
        word, following = said[place], said[place + 1] if place + 1 < len(said) else ""
        unit = _digit(following)
        if word.isdigit():
            ways.append({word})
        elif word in ("double", "triple") and unit:
            ways.append({unit * (2 if word == "double" else 3)})
            place += 1
        elif word in _TENS and unit:
            # Forty eight: 48, or 40 and 8.
            ways.append({str(_TENS[word] + int(unit)), str(_TENS[word]) + unit} if unit != "0" else {f"{_TENS[word]}0"})
            place += 1
        elif word in _TENS:
            ways.append({str(_TENS[word])})
        elif _digit(word):
            ways.append({_digit(word)})
        elif word in _UNITS and word != "none":
            ways.append({str(_UNITS[word])})
        elif word in ("hundred", "thousand"):
            return set()  # 481 or 400801: not clear enough
        place += 1
    if sum(min(map(len, way)) for way in ways) > 6:
        return set()
    return {code for code in map("".join, product(*ways)) if len(code) == 6}


def _digit(word: str) -> str:
    """The digit that `word` names; empty when it names none."""
    if word in ("o", "oh"):
        return "0"
    value = _UNITS.get(word, 10)
    return str(value) if value < 10 and word != "none" else ""


def _is_number(word: str) -> bool:
    return word.isdigit() or word in _UNITS or word in _TENS or bool(_digit(word)) or word in ("double", "triple")


def _plain(word: str) -> bool:
    """Whether a word is a number, may be one that was misheard, or says nothing."""
    return _is_number(word) or word in _SOUND_ALIKE or word in _FILLERS or word == "and"


def _split(words: str) -> list[str]:
    """Numbers and words, in lower case; a number with something stuck to it (`.5`, `9b`) in one piece."""
    return re.findall(r"-?\.?\d+(?:[.,]\d+)?[a-z]*|[a-z]+(?:'[a-z]+)?|/", words.lower().replace("’", "'"))


def _numbers(words: list[str]) -> list[int]:
    """The numbers that stand in `words`, with -1 for one that is no whole number."""
    found: list[int] = []
    place = 0
    while place < len(words):
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) else ""
        if re.fullmatch(r"\d+", word):
            found.append(int(word) if len(word) < 6 else -1)
        elif word[0] in "-.0123456789":
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
