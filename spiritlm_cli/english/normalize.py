"""Normal form of English transcripts for word error rates: equal speech gives equal words, however it is written."""

import re

from spiritlm_cli.english.abbreviations import (
    ABBREVIATIONS,
    AFTER_NUMBER,
    BEFORE_NUMBER,
    DOTTED,
    LETTERS,
    SYMBOLS,
    fold,
)
from spiritlm_cli.english.numbers import ONES, TENS, canonical_numbers, cardinal, ordinal
from spiritlm_cli.english.verbalize import CURRENCIES, NUMBER, number_match_readings

SPELLINGS = {"missis": "missus", "ok": "okay"}
_PRONOUN = r"\b(i|you|he|she|it|we|they|that|this|there|here|who|what|where|when|how)"
# Applied in this order: special cases before the endings that they share.
CONTRACTIONS = [
    (r"\b(can't|cannot)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\bshan't\b", "shall not"),
    (r"\blet's\b", "let us"),
    (r"\b(?!ai)(\w+)n't\b", r"\1 not"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"\bi'm\b", "i am"),
    (_PRONOUN + r"'s\b", r"\1 is"),
    (_PRONOUN + r"'d\b", r"\1 would"),
]
_DIGITS = frozenset(ONES[:10]) | {"oh"}
_FRACTION_NAMES = frozenset(["half", "quarter", *(ordinal(cardinal(value))[-1] for value in range(3, 21))])
_NUMBER_WORD = rf"(?:{'|'.join([*ONES, *TENS[2:], 'hundred', 'thousand', 'oh'])})"
_UNITS = "|".join(name for names in CURRENCIES.values() for name in names[:2])
_HUNDREDTHS = "|".join(name for names in CURRENCIES.values() for name in names[2:])


def normalize(text: str) -> str:
    """English text as lowercase words with one space between; different spellings of the same speech become equal.

    - Case, accents and punctuation are removed. Hyphens and dashes separate words ("well-known": "well known");
      apostrophes and the full stops of initials join them ("John's": "johns", "U.S.": "us").
    - Digits and number words become `numbers.canonical`, without "and": "101", "a hundred and one" and "one hundred
      one" are equal, and so are "1066", "ten sixty-six" and "one thousand and sixty-six". Likewise ordinals ("22nd"),
      decades ("1890s") and decimals. After or before a digit "zero" becomes "oh": "007", "zero zero seven".
    - Fractions: "2½", "2 1/2", "two and one half" become "two and a half"; "one fourth" becomes "a quarter". A slash is
      a fraction only in 1/2, 1/4 and 3/4; "half" alone stays.
    - Money: "$5.50" and "five dollars and fifty cents" become "five dollars fifty cents". "Five fifty" stays.
    - Times: "10:05" becomes "ten oh five", "10:00" "ten oclock" ("14:00": "fourteen hundred"); "10:00 AM", "10 a.m.",
      "ten o'clock AM" and "ten a m" become "ten am".
    - Abbreviations and symbols become words: the first reading in `abbreviations`, except that "No. 5" is "number
      five" and "5 ft" "five feet".
    - Contractions with one reading are expanded ("don't", "we'll", "I've"); after a pronoun, 's is "is" and 'd "would".
    - Fillers, words in brackets and repeated words are kept.
    """
    text = fold(text).casefold().translate(LETTERS)
    text = _expand_abbreviations(_expand_numbers(text))
    for pattern, replacement in CONTRACTIONS:
        text = re.sub(pattern, replacement, text)
    words = re.sub(r"[\W_]+", " ", text.replace("'", "")).split()
    words = [part for word in words for part in _expand_word(word)]
    words = canonical_numbers(_canonical_fractions(_canonical_zeros(words)))
    return _canonical_phrases(" ".join(words))


def _expand_numbers(text: str) -> str:
    text = re.sub(
        rf"\b({'|'.join(BEFORE_NUMBER)})\.(?=\s*\d)", lambda match: BEFORE_NUMBER[match[1]] + " ", text
    )
    text = re.sub(
        rf"(?<=\d)\s?({'|'.join(AFTER_NUMBER)})\b", lambda match: f" {AFTER_NUMBER[match[1]]}", text
    )
    return NUMBER.sub(lambda match: f" {_first_reading(match)} ", text)


def _first_reading(match: re.Match[str]) -> str:
    return " ".join(word for readings in number_match_readings(match) for word in readings[0])


def _expand_abbreviations(text: str) -> str:
    for symbol, word in SYMBOLS.items():
        text = text.replace(symbol, f" {word} ")
    text = re.sub(r"\bo\.k\b", "ok", text)
    text = re.sub(rf"\b({'|'.join(DOTTED)})\.", lambda match: " ".join(DOTTED[match[1]][0]) + " ", text)
    # The full stops within initials.
    return re.sub(r"(?<=\b[^\W\d_])\.(?=[^\W\d_]\b)", "", text)


def _expand_word(word: str) -> tuple[str, ...]:
    return ABBREVIATIONS[word][0] if word in ABBREVIATIONS else (SPELLINGS.get(word, word),)


def _canonical_zeros(words: list[str]) -> list[str]:
    """Replace "zero" by "oh" beside another digit and after "point"."""
    result = []
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        spelled = word == "zero" and (before in _DIGITS or before == "point" or after in _DIGITS)
        result.append("oh" if spelled else word)
    return result


def _canonical_fractions(words: list[str]) -> list[str]:
    """Replace "one half" by "a half", "one fourth" by "a quarter", and "fourths" by "quarters"."""
    result: list[str] = []
    for word in words:
        one = result[-1:] == ["one"] and result[-2:-1] not in ([ten] for ten in TENS[2:])
        name = "quarter" if word == "fourth" and one else "quarters" if word == "fourths" else word
        if one and name in _FRACTION_NAMES:
            result[-1] = "a"
        result.append(name)
    return result


def _canonical_phrases(text: str) -> str:
    """Drop "and" before hundredths of a currency, and "oclock" before am and pm; join the letters "a m"."""
    text = re.sub(rf"\b({_UNITS}) and ((?:{_NUMBER_WORD} )+(?:{_HUNDREDTHS}))\b", r"\1 \2", text)
    return re.sub(rf"\b({_NUMBER_WORD}) (?:oclock )?([ap]) ?m\b", r"\1 \2m", text)
