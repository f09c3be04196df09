"""From written tokens to the words that are said: numbers, abbreviations, symbols, initials."""

import re
import unicodedata
from itertools import pairwise

# the ways to say one thing, each a tuple of lower-case words; an aligner takes the way that fits the sound
Ways = tuple[tuple[str, ...], ...]

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
ONES += ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"]
ONES += ["nineteen"]
TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"))
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
# said for the abbreviation with or without its full stop
ABBREVIATIONS: dict[str, Ways] = {
    "mr": (("mister",),),
    "mrs": (("missus",), ("misses",)),
    "ms": (("miz",),),
    "messrs": (("messieurs",),),
    "dr": (("doctor",), ("drive",)),
    "drs": (("doctors",),),
    "prof": (("professor",),),
    "capt": (("captain",),),
    "col": (("colonel",),),
    "lieut": (("lieutenant",),),
    "lt": (("lieutenant",),),
    "sgt": (("sergeant",),),
    "rev": (("reverend",),),
    "hon": (("honorable",),),
    "jr": (("junior",),),
    "sr": (("senior",),),
    "esq": (("esquire",),),
    "etc": (("et", "cetera"),),
    "vs": (("versus",),),
    "ft": (("fort",), ("feet",)),
    "mt": (("mount",),),
    "ave": (("avenue",),),
    "dept": (("department",),),
    "ltd": (("limited",),),
    "inc": (("incorporated",),),
}
# those that are words, or something else, without the full stop
DOTTED: dict[str, Ways] = {
    "no": (("no",), ("number",)),
    "st": (("saint",), ("street",)),
    "gen": (("general",),),
    "gov": (("governor",),),
    "sen": (("senator",),),
    "rep": (("representative",),),
    "co": (("company",),),
    "vol": (("volume",),),
    "fig": (("figure",),),
    "jan": (("january",),),
    "feb": (("february",),),
    "aug": (("august",),),
    "sept": (("september",),),
    "oct": (("october",),),
    "nov": (("november",),),
    "dec": (("december",),),
}
SYMBOLS = {
    "&": "and",
    "%": "percent",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "°": "degrees",
    "§": "section",
}
# digits of a number that is said as one; those of a longer one are said one by one
LONGEST = 15
# one of it, several, and a hundredth
CURRENCIES = {
    "$": ("dollar", "dollars", "cents"),
    "£": ("pound", "pounds", "pence"),
    "€": ("euro", "euros", "cents"),
}
FRACTIONS = {
    "1/2": (("half",), ("a", "half"), ("one", "half"), ("and", "a", "half")),
    "1/4": (("a", "quarter"), ("one", "quarter"), ("and", "a", "quarter"), ("one", "fourth")),
    "3/4": (("three", "quarters"), ("and", "three", "quarters"), ("three", "fourths")),
}
# letters that have no decomposition into a base letter and a mark
LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "th", "þ": "th"})
QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})

PIECE = re.compile(
    r"(?<![\d/])(?P<fraction>1/2|[13]/4)(?![\d/])|"
    r"(?P<currency>[$£€])?(?P<number>\d+(?:,\d{3})+|\d+)(?P<decimals>\.\d+)?(?P<ending>st|nd|rd|th|'?s)?(?![^\W\d_])"
    r"|(?P<digits>\d)"  # of a mixture such as 3B, each by itself
    r"|(?P<word>'?[^\W\d_]+(?:'[^\W\d_]+)*'?)"
    rf"|(?P<symbol>[{re.escape(''.join(SYMBOLS))}])"
)
INITIALS = re.compile(r"(?:[a-z]\.)+[a-z]?(?:'s)?")
SPELT = re.compile(r"[A-Z]{1,3}(?:&[A-Z]{1,3})+")  # AT&T
ROMAN = re.compile(r"(?=[IVXLC])C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")


def verbalize(token: str) -> list[Ways]:
    """What is said for one whitespace-separated token of a transcript, part after part.

    `Mr.` gives mister; `twenty-five` twenty, five; `1832` one part with the ways eighteen thirty-two and one
    thousand eight hundred (and) thirty-two; `--` nothing, an empty list.
    """
    # 2½ would become 21⁄2
    apart = re.sub(r"(?<=\d)(?=[½¼¾])", " ", token)
    plain = unicodedata.normalize("NFKD", apart.translate(QUOTES)).replace("\N{FRACTION SLASH}", "/")
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    cased = plain.strip("\"“”«»()[]{}<>.,;:!?…-–—*_'")
    core = cased.lower().translate(LETTERS)
    dotted = f"{core}." in plain.lower()
    if core in ABBREVIATIONS:
        return [ABBREVIATIONS[core]]
    if dotted and core in DOTTED:
        return [DOTTED[core]]
    if dotted and len(core) > 1 and INITIALS.fullmatch(core):
        return [((letter,),) for letter in re.findall(r"[a-z](?:'s)?", core)]
    if SPELT.fullmatch(cased):
        return [((SYMBOLS.get(letter, letter.lower()),),) for letter in cased]
    if len(cased) > 1 and ROMAN.fullmatch(cased):
        number = roman_value(cased)
        return [((core,), tuple(core), cardinal(number), ordinal(cardinal(number)))]
    # apostrophes belong to words such as 'tis, so the pieces are looked for in the whole token
    pieces = PIECE.finditer(plain.lower().translate(LETTERS))
    return [part for piece in pieces for part in piece_parts(piece)]


def piece_parts(piece: re.Match[str]) -> list[Ways]:
    """The parts of one match of `PIECE`."""
    if piece["fraction"]:
        return [FRACTIONS[piece["fraction"]]]
    if piece["currency"]:
        return [money_ways(piece["currency"], piece["number"], piece["decimals"] or "")]
    if piece["number"]:
        return [number_ways(piece["number"], piece["decimals"] or "", piece["ending"] or "")]
    if piece["digits"]:
        return [((ONES[int(piece["digits"])],),)]
    if piece["symbol"]:
        return [((SYMBOLS[piece["symbol"]],),)]
    return [((piece["word"],),)]


def number_ways(digits: str, decimals: str = "", ending: str = "") -> Ways:
    """The ways to say a number: as a cardinal, with or without "and", as a year, digit by digit.

    digits may have thousands separators; decimals: "" or ".5"; ending: "", st, nd, rd, th, or s as in 1990s.
    """
    plain = digits.replace(",", "")
    if len(plain) > LONGEST:
        return (tuple(ONES[int(digit)] for digit in plain),)
    value = int(plain)
    ways = [cardinal(value), cardinal(value, joint=("and",))]
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", digits):
        ways.insert(0, year(value))
    if (len(digits) > 4 and "," not in digits) or digits.startswith("0"):
        ways.append(tuple(ONES[int(digit)] for digit in digits))
    if decimals:
        ways = [(*way, "point", *(ONES[int(digit)] for digit in decimals[1:])) for way in ways]
    if ending in ("st", "nd", "rd", "th"):
        ways = [ordinal(way) for way in ways]
    elif ending:
        ways = [(*way[:-1], plural(way[-1])) for way in ways]
    return tuple(dict.fromkeys(ways))


def money_ways(currency: str, digits: str, decimals: str = "") -> Ways:
    """The ways to say a sum of money; one is the bare number, as of $5 in $5 million. decimals: "" or ".50"."""
    one, several, hundredths = CURRENCIES[currency]
    name = one if digits == "1" else several
    whole = number_ways(digits)
    ways = [(*way, name) for way in number_ways(digits, decimals)]
    if len(decimals) == 3:
        small = cardinal(int(decimals[1:]))
        for way in whole:
            ways += [(*way, name, *small), (*way, *small), (*way, name, "and", *small, hundredths)]
    return tuple(dict.fromkeys([*ways, *number_ways(digits, decimals)]))


def cardinal(value: int, joint: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A whole number in words; joint, such as "and", stands between hundreds and the rest."""
    if value >= 10**15:
        return tuple(ONES[int(digit)] for digit in str(value))
    for scale, name in SCALES:
        if value >= scale:
            rest = value % scale
            # one thousand and five
            low = joint if rest < 100 else ()
            return (*cardinal(value // scale, joint), name, *((*low, *cardinal(rest, joint)) if rest else ()))
    if value >= 100:
        rest = value % 100
        return (ONES[value // 100], "hundred", *((*joint, *cardinal(rest)) if rest else ()))
    if value >= 20:
        return (TENS[value // 10], *((ONES[value % 10],) if value % 10 else ()))
    return (ONES[value],)


def year(value: int) -> tuple[str, ...]:
    """A year of four digits: eighteen thirty-two, nineteen oh five, nineteen hundred."""
    century, rest = divmod(value, 100)
    if century == 20 and rest < 10:
        return cardinal(value)
    if rest == 0:
        return (*cardinal(century), "hundred")
    return (*cardinal(century), *(("oh",) if rest < 10 else ()), *cardinal(rest))


def ordinal(words: tuple[str, ...]) -> tuple[str, ...]:
    """The ordinal of a cardinal in words."""
    *before, last = words
    return (*before, f"{last[:-1]}ieth" if last.endswith("y") else ORDINALS.get(last, f"{last}th"))


def plural(word: str) -> str:
    """Of a number's word: fives, sixes, twenties."""
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith("x") else f"{word}s"


def roman_value(numeral: str) -> int:
    """Of a well-formed Roman numeral in capitals."""
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}[letter] for letter in numeral]
    return sum(-low if low < high else low for low, high in pairwise([*values, 0]))
