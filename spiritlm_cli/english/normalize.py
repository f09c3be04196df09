"""The form in which English transcripts are compared: what was said, not how it was written."""

import re
import unicodedata

from spiritlm_cli.english.numbers import LARGEST, join_numbers, spell_digits, spell_ordinal

TITLES = {
    "mr": "mister", "mrs": "missus", "missis": "missus", "messrs": "messieurs", "dr": "doctor", "ok": "okay",
    "vs": "versus", "etc": "et cetera", "jr": "junior", "sr": "senior", "prof": "professor",
}  # fmt: skip
# words of their own unless a full stop marks them as short for something
DOTTED = {
    "st": "saint", "capt": "captain", "col": "colonel", "gen": "general", "lt": "lieutenant", "sgt":
    "sergeant", "rev": "reverend", "hon": "honorable", "gov": "governor", "mt": "mount", "co": "company",
}  # fmt: skip
APOSTROPHES = str.maketrans("’‘ʼ´`", "'" * 5)
CURRENCIES = {"$": "dollar", "£": "pound", "€": "euro"}

_PRONOUN = r"\b(i|you|he|she|it|we|they|that|this|there|here|who|what|where|when|how)"
# in this order: the special cases come before the endings that they share
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


def normalize(text: str) -> str:
    """English text as bare words, one space between: two ways to write the same speech give the same words.

    - Case, accents and punctuation go; hyphens and dashes part words ("well-known": "well known"),
      apostrophes and the stops inside initials join them ("John's": "johns", "U.S.": "us").
    - Numbers are words and are said one way (`numbers.spell_cardinal`): "500", "five hundred" and "a hundred
      and five" ("one hundred five"); years ("1905": "nineteen oh five"), ranks ("22nd"), decades ("1890s"),
      decimals, times ("10:05": "ten oh five"), "$5 million", "50%".
    - Titles and short forms are written out: Mr., Mrs., Dr., St., Capt. and so on; "&" is "and", "ok" is
      "okay".
    - Contractions are undone where they have one reading ("don't", "we'll", "I've"); after a pronoun 's is
      "is" and 'd is "would".
    - Nothing that was said is dropped: fillers, bracketed words and repeated words count.
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(APOSTROPHES))
    text = "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()
    text = _spell_numbers(text)
    text = text.replace("&", " and ").replace("%", " percent ")
    text = re.sub(r"\bo\.k\b", "ok", text)
    text = re.sub(rf"\b({'|'.join(DOTTED)})\.", lambda match: f"{DOTTED[match[1]]} ", text)
    text = re.sub(r"(?<=\b[^\W\d_])\.(?=[^\W\d_]\b)", "", text)
    for pattern, replacement in CONTRACTIONS:
        text = re.sub(pattern, replacement, text)
    words = re.sub(r"[\W_]+", " ", text.replace("'", "")).split()
    written_out = " ".join(TITLES.get(word, word) for word in words).split()
    return " ".join(join_numbers(written_out))


def _spell_numbers(text: str) -> str:
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(
        r"([$£€])\s?(\d+(?:\.\d+)?)((?: (?:hundred|thousand|million|billion))*)", _spell_money, text
    )
    text = re.sub(r"(\d+)(?:st|nd|rd|th)\b", lambda match: f" {_spell(match[1], rank=True)} ", text)
    text = re.sub(r"(\d+)'?s\b", lambda match: f" {_plural(spell_digits(match[1]))} ", text)
    text = re.sub(r"(?<=\d)\.(\d+)", lambda match: " point " + " ".join(match[1]) + " ", text)
    return re.sub(r"\d+", lambda match: f" {_spell(match[0])} ", text)


def _spell(digits: str, rank: bool = False) -> str:
    return spell_ordinal(int(digits)) if rank and int(digits) <= LARGEST else spell_digits(digits)


def _spell_money(match: re.Match[str]) -> str:
    name = CURRENCIES[match[1]]
    return f"{match[2]}{match[3]} {name if match[2] == '1' and not match[3] else name + 's'} "


def _plural(number: str) -> str:
    if number.endswith("y"):
        return f"{number[:-1]}ies"
    return f"{number}es" if number.endswith("x") else f"{number}s"
