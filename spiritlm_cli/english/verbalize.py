"""Written tokens to spoken words: numbers, times, money, fractions, abbreviations, symbols, initials."""

import re

from spiritlm_cli.english.abbreviations import ABBREVIATIONS, DOTTED, LETTERS, SYMBOLS, Readings, Words, fold
from spiritlm_cli.english.numbers import (
    LARGEST,
    cardinal,
    ordinal,
    plural,
    roman_value,
    spell_digits,
    year,
)

# One unit, several units, one hundredth, several hundredths.
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}
# A slash makes a fraction only in these three, since 2/3 may be a date; the character ⅔ (2⁄3 after `fold`) always does.
_FRACTION = r"(?:1/2|[13]/4|\d{1,2}⁄\d{1,2})"
_INTEGER = r"\d+(?:,\d{3})+(?!\d)|\d+"
NUMBER = re.compile(
    rf"(?<![\d/.,])(?P<whole>\d+)[ -](?P<remainder>{_FRACTION})(?![\d/])"
    rf"|(?<![\d/])(?P<fraction>{_FRACTION})(?![\d/])"
    r"|(?<![\d:])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?![\d:])"
    rf"|(?P<currency>[$£€])\s?(?=\.?\d)(?P<amount>{_INTEGER}|)(?P<hundredths>\.\d+)?"
    r"(?P<scale>(?: (?:hundred|thousand|million|billion|trillion)\b)*)"
    rf"|(?P<number>{_INTEGER})(?P<decimals>\.\d+)?(?P<ending>(?:st|nd|rd|th|'?s)(?![^\W\d_]))?"
)
_PIECE = re.compile(
    rf"{NUMBER.pattern}"
    r"|(?P<word>'?[^\W\d_]+(?:'[^\W\d_]+)*'?)"
    rf"|(?P<symbol>[{re.escape(''.join(SYMBOLS))}])"
)
_INITIALS = re.compile(r"(?:[a-z]\.)+[a-z]?(?:'s)?")
_INITIALS_WITH_AND = re.compile(r"[A-Z]{1,3}(?:&[A-Z]{1,3})+")  # AT&T
_ROMAN = re.compile(r"(?=[IVXLC])C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_HALF_OF_DAY = re.compile(r"[ap]m")
_AFTER_TIME = re.compile(r"(?:\d|o'clock)\W*$", re.IGNORECASE)


def verbalize(token: str, previous: str = "") -> list[Readings]:
    """The spoken words of one whitespace-separated token: a list of parts, each with its alternative readings.

    `Mr.` gives one part, mister; `twenty-five` two, twenty and five; `1832` one with the readings eighteen thirty-two
    and one thousand eight hundred (and) thirty-two; `--` an empty list.

    previous: the token before, which decides whether AM is read as letters (`10:00 AM`).
    """
    plain = fold(token)
    cased = plain.strip("\"“”«»()[]{}<>.,;:!?…-–—*_'")
    core = cased.lower().translate(LETTERS)
    dotted = f"{core}." in plain.lower()
    if core in ABBREVIATIONS:
        return [ABBREVIATIONS[core]]
    if dotted and core in DOTTED:
        return [DOTTED[core]]
    if dotted and len(core) > 1 and _INITIALS.fullmatch(core):
        return [((letter,),) for letter in re.findall(r"[a-z](?:'s)?", core)]
    if _HALF_OF_DAY.fullmatch(core) and _AFTER_TIME.search(fold(previous)):
        return [(tuple(core),)]
    if _INITIALS_WITH_AND.fullmatch(cased):
        return [((SYMBOLS.get(letter, letter.lower()),),) for letter in cased]
    if len(cased) > 1 and _ROMAN.fullmatch(cased):
        value = cardinal(roman_value(cased))
        return [((core,), tuple(core), value, ordinal(value))]
    # Apostrophes belong to words such as 'tis, so the whole token is divided, not its core.
    pieces = _PIECE.finditer(plain.lower().translate(LETTERS))
    return [part for piece in pieces for part in _piece_readings(piece)]


def _piece_readings(piece: re.Match[str]) -> list[Readings]:
    if piece["symbol"]:
        return [((SYMBOLS[piece["symbol"]],),)]
    word = piece["word"]
    if not word:
        return number_match_readings(piece)
    if _HALF_OF_DAY.fullmatch(word) and piece.string[: piece.start()][-1:].isdigit():
        return [(tuple(word),)]
    return [((word,),)]


def number_match_readings(match: re.Match[str]) -> list[Readings]:
    """The readings of each part of a match of `NUMBER`."""
    if match["whole"]:
        return [number_readings(match["whole"]), fraction_readings(match["remainder"], after_whole=True)]
    if match["fraction"]:
        return [fraction_readings(match["fraction"])]
    if match["hour"]:
        return time_readings(match["hour"], match["minute"])
    if match["currency"]:
        amount, scale = match["amount"] or "0", tuple(match["scale"].split())
        return [money_readings(match["currency"], amount, match["hundredths"] or "", scale)]
    readings = number_readings(match["number"], match["decimals"] or "", match["ending"] or "")
    following = match.string[match.end() :]
    if following[:1].isalpha() and not _HALF_OF_DAY.match(following) and not match["decimals"]:
        readings = tuple(dict.fromkeys([*readings, spell_digits(match["number"].replace(",", ""))]))  # 12B
    return [readings]


def number_readings(digits: str, decimals: str = "", ending: str = "") -> Readings:
    """The readings of a number: as a year, as a cardinal with and without "and", digit by digit.

    digits may have thousands separators; decimals: "" or ".5"; ending: "", st, nd, rd, th, or s as in 1990s.
    """
    plain = digits.replace(",", "")
    if len(plain) > len(str(LARGEST)):
        return (spell_digits(plain),)
    value = int(plain)
    readings = [cardinal(value), cardinal(value, conjunction=("and",))]
    if re.fullmatch(r"1(?!000)\d{3}|20\d\d", digits):
        readings.insert(0, year(value))
    if plain.startswith("0") and value:
        readings = [spell_digits(plain, "oh"), spell_digits(plain), *readings]
    elif (len(digits) > 4 and "," not in digits) or plain.startswith("0"):
        readings.append(spell_digits(plain))
    if decimals:
        readings = [
            (*reading, "point", *spell_digits(decimals[1:], zero))
            for zero in ("zero", "oh")
            for reading in readings
        ]
    if ending in ("st", "nd", "rd", "th"):
        readings = [ordinal(reading) for reading in readings]
    elif ending:
        readings = [plural(reading) for reading in readings]
    return tuple(dict.fromkeys(readings))


def fraction_readings(fraction: str, after_whole: bool = False) -> Readings:
    """The readings of a fraction such as 3/4. after_whole: prefer those with "and", as in two and a half."""
    numerator, denominator = map(int, re.split("[/⁄]", fraction))
    names: Readings = {2: (("half",),), 4: (("quarter",), ("fourth",))}.get(
        denominator, (ordinal(cardinal(denominator)),)
    )
    if numerator == 1:
        readings = [(article, *name) for name in names for article in ("a", "one")]
        readings += [("half",)] if denominator == 2 else []
    else:
        plurals = [("halves",)] if denominator == 2 else [plural(name) for name in names]
        readings = [(*cardinal(numerator), *name) for name in plurals]
    with_and = [("and", *reading) for reading in readings]
    return tuple(with_and + readings if after_whole else readings + with_and)


def time_readings(hour: str, minute: str) -> list[Readings]:
    """The readings of a time of day: hour and minute as two parts, or one part for a full hour.

    A full hour is preferably "ten o'clock" up to 12, and "fourteen hundred" after that.
    """
    hours = [cardinal(int(hour))]
    if len(hour) > 1 and hour.startswith("0"):
        hours += [spell_digits(hour, "oh"), spell_digits(hour)]
    value = int(minute)
    if value >= 10:
        return [tuple(hours), (cardinal(value),)]
    if value:
        return [tuple(hours), (spell_digits(minute, "oh"), spell_digits(minute), cardinal(value))]
    endings: list[Words] = [("o'clock",), ("hundred",), ("hundred", "hours"), ()]
    if not 1 <= int(hour) <= 12:
        endings.sort(key=lambda ending: ending != ("hundred",))
    return [tuple((*reading, *ending) for ending in endings for reading in hours)]


def money_readings(currency: str, amount: str, hundredths: str = "", scale: Words = ()) -> Readings:
    """The readings of a sum of money; the last are the bare number, which is all of $5 in "$5" "million".

    hundredths: "" or ".50"; scale: the words after the number that belong to it, such as million.
    """
    one, several, one_hundredth, several_hundredths = CURRENCIES[currency]
    unit = one if amount == "1" and not scale else several
    readings: list[Words] = []
    if len(hundredths) == 3 and not scale:
        small = cardinal(int(hundredths[1:]))
        cents = (*small, one_hundredth if small == ("one",) else several_hundredths)
        for whole in number_readings(amount):
            if small == ("zero",):
                readings.append((*whole, unit))
                continue
            readings += [cents] if amount == "0" else []
            readings += [(*whole, unit, "and", *cents), (*whole, unit, *cents)]
            readings += [(*whole, unit, *small), (*whole, *small)]
    numbers = number_readings(amount, hundredths)
    readings += [(*number, *scale, several if hundredths else unit) for number in numbers]
    return tuple(dict.fromkeys([*readings, *((*number, *scale) for number in numbers)]))
