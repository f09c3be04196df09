"""Tables of abbreviations, symbols and letters, shared by `verbalize` and `normalize`."""

import re
import unicodedata

Words = tuple[str, ...]
# The alternative readings of one written form, the preferred reading first. Each reading is lowercase words.
Readings = tuple[Words, ...]

# Read as the full word with or without a full stop.
ABBREVIATIONS: dict[str, Readings] = {
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
# Read as the full word only with a full stop; without one they are words of their own ("no", "fig").
DOTTED: dict[str, Readings] = {
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
# Abbreviations that a number beside them makes unambiguous: "No. 5" (with a full stop), "5 ft".
BEFORE_NUMBER = {"no": "number", "vol": "volume", "fig": "figure"}
AFTER_NUMBER = {"ft": "feet"}
SYMBOLS = {
    "&": "and",
    "%": "percent",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "°": "degrees",
    "§": "section",
}
# Letters that Unicode does not decompose into a base letter and a mark.
LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "th", "þ": "th"})
APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ´`", "'"))

_VULGAR_FRACTION = re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])")


def fold(text: str) -> str:
    """Replace typographic characters by plain ones: accents are removed, "2½" becomes "2 1⁄2", "’" becomes "'".

    Case and the letters of `LETTERS` are kept.
    """
    # Without the space 2½ would become 21⁄2.
    text = _VULGAR_FRACTION.sub(" ", text.translate(APOSTROPHES))
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))
