"""Integers and English number words, in both directions."""

from itertools import pairwise

from spiritlm_cli.english.abbreviations import Words

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"trillion": 10**12, "billion": 10**9, "million": 10**6, "thousand": 10**3}
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
# The largest number with a name; longer numbers are read digit by digit.
LARGEST = 10**15 - 1

_VALUES = {word: value for value, word in enumerate(ONES)} | {
    word: 10 * tens for tens, word in enumerate(TENS) if tens > 1
}
# A value, and the index of the first word after it.
_Parsed = tuple[int, int]


def cardinal(value: int, conjunction: Words = ()) -> Words:
    """An integer in words: 1832 is "one thousand eight hundred thirty two".

    conjunction: ("and",) puts it between hundreds or thousands and a rest below one hundred, as in "one thousand
    and five". A value above `LARGEST` is spelled digit by digit.
    """
    if value > LARGEST:
        return spell_digits(str(value))
    for name, size in SCALES.items():
        if value >= size:
            rest = value % size
            low = conjunction if rest < 100 else ()
            head = (*cardinal(value // size, conjunction), name)
            return (*head, *low, *cardinal(rest, conjunction)) if rest else head
    if value >= 100:
        rest = value % 100
        return (ONES[value // 100], "hundred", *((*conjunction, *cardinal(rest)) if rest else ()))
    if value >= 20:
        return (TENS[value // 10], *((ONES[value % 10],) if value % 10 else ()))
    return (ONES[value],)


def year(value: int) -> Words:
    """A four-digit number as a year: "eighteen thirty two", "nineteen oh five", "nineteen hundred"."""
    century, rest = divmod(value, 100)
    if century == 20 and rest < 10:
        return cardinal(value)
    if rest == 0:
        return (*cardinal(century), "hundred")
    return (*cardinal(century), *(("oh",) if rest < 10 else ()), *cardinal(rest))


def ordinal(words: Words) -> Words:
    """The ordinal of a cardinal in words: "twenty two" gives "twenty second"."""
    *head, last = words
    return (*head, f"{last[:-1]}ieth" if last.endswith("y") else ORDINALS.get(last, f"{last}th"))


def plural(words: Words) -> Words:
    """The plural of a number in words: "nineteen ninety" gives "nineteen nineties"."""
    *head, last = words
    if last.endswith("y"):
        return (*head, f"{last[:-1]}ies")
    return (*head, f"{last}es" if last.endswith("x") else f"{last}s")


def spell_digits(digits: str, zero: str = "zero") -> Words:
    """Each digit as a word. zero: the word for 0."""
    return tuple(ONES[int(digit)] if digit != "0" else zero for digit in digits)


def roman_value(numeral: str) -> int:
    """The value of a well-formed Roman numeral up to CCCXCIX, in capitals."""
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}[letter] for letter in numeral]
    return sum(-low if low < high else low for low, high in pairwise([*values, 0]))


def canonical(value: int) -> Words:
    """The shortest common reading of 0 to `LARGEST`, without "and": the form that `canonical_numbers` produces.

    1500 is "fifteen hundred", 1066 "ten sixty six", 1905 "nineteen oh five", 2024 "two thousand twenty four".
    """
    if 1000 < value < 2000:
        return year(value)
    if value < 1000:
        return cardinal(value)
    if value < 10_000 and value // 100 % 10:
        hundreds, rest = divmod(value, 100)
        return (*cardinal(hundreds), "hundred", *(cardinal(rest) if rest else ()))
    name, size = next((name, size) for name, size in SCALES.items() if value >= size)
    head, rest = divmod(value, size)
    return (*canonical(head), name, *(canonical(rest) if rest else ()))


def canonical_numbers(words: list[str]) -> list[str]:
    """Replace every number among lowercase words by its `canonical` reading; ordinals and plurals stay such.

    "one thousand nine hundred and five", "nineteen hundred five" and "nineteen oh five" become equal, and so do
    "a hundred and first" and "one hundred first".
    """
    result: list[str] = []
    segment: list[str] = []
    for word in words:
        segment.append(word)
        # An ordinal or a plural is the last word of its number.
        if word in _INFLECTED:
            result += _canonical_segment(segment)
            segment = []
    return result + _canonical_segment(segment)


def _canonical_segment(words: list[str]) -> list[str]:
    """`canonical_numbers` of words of which only the last may be an ordinal or a plural."""
    stem, inflect = _INFLECTED.get(words[-1] if words else "", ("", None))
    stems = [*words[:-1], stem] if inflect else words
    result: list[str] = []
    index = 0
    while index < len(words):
        number = _parse_number(stems, index)
        if number is None:
            result.append(words[index])
            index += 1
            continue
        value, index = number
        reading = canonical(value)
        result += inflect(reading) if inflect and index == len(words) else reading
    return result


def _word_at(words: list[str], index: int) -> str:
    return words[index] if index < len(words) else ""


def _skip_and(words: list[str], index: int) -> int:
    return index + 1 if _word_at(words, index) == "and" else index


def _parse_below_hundred(words: list[str], index: int) -> _Parsed | None:
    """Parse "seven", "twelve", "forty" or "forty two"."""
    value = _VALUES.get(_word_at(words, index), 0)
    if value >= 20:
        unit = _VALUES.get(_word_at(words, index + 1), 0)
        return (value + unit, index + 2) if 0 < unit < 10 else (value, index + 1)
    return (value, index + 1) if value else None


def _parse_hundreds(words: list[str], index: int) -> _Parsed | None:
    """Parse "nine hundred and five", "nineteen hundred", and years: "nineteen oh five", "nineteen forty"."""
    if _word_at(words, index) == "a" and _word_at(words, index + 1) == "hundred":
        head, index = 1, index + 1
    else:
        number = _parse_below_hundred(words, index)
        if number is None:
            return None
        head, index = number
    if _word_at(words, index) == "hundred" and (head < 10 or head % 10):
        rest = _parse_below_hundred(words, _skip_and(words, index + 1))
        return (100 * head + rest[0], rest[1]) if rest else (100 * head, index + 1)
    if 10 <= head <= 20:
        if _word_at(words, index) == "oh" and 0 < _VALUES.get(_word_at(words, index + 1), 0) < 10:
            return 100 * head + _VALUES[words[index + 1]], index + 2
        rest = _parse_below_hundred(words, index)
        if rest and rest[0] >= 10:
            return 100 * head + rest[0], rest[1]
    return head, index


def _parse_number(words: list[str], index: int) -> _Parsed | None:
    """Parse the longest number that starts at an index."""
    number: _Parsed | None
    if _word_at(words, index) == "a" and _word_at(words, index + 1) in SCALES:
        number = 1, index + 1
    else:
        number = _parse_hundreds(words, index)
    if number is None:
        return None
    value, index = number
    total, largest = 0, LARGEST + 1
    while (size := SCALES.get(_word_at(words, index), largest)) < largest and value < 1000:
        total, largest = total + value * size, size
        index += 1
        rest = _parse_hundreds(words, _skip_and(words, index))
        if rest is None or rest[0] >= largest:
            return total, index
        value, index = rest
    return total + value, index


_STEMS = (*ONES[1:], *TENS[2:], "hundred", *SCALES)
# Ordinals and plurals: the cardinal word each is formed from, and the function that forms it.
_INFLECTED = {inflect((stem,))[0]: (stem, inflect) for inflect in (ordinal, plural) for stem in _STEMS}
