"""Numbers in English text: the different ways to write or say one are brought to one spelling."""

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"billion": 10**9, "million": 10**6, "thousand": 10**3}
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
# beyond this nobody says the number as one: it is read digit by digit
LARGEST = 10**12 - 1

_ONES = {word: value for value, word in enumerate(ONES)}
_TENS = {word: 10 * value for value, word in enumerate(TENS) if word}
# a value, and the place of the first word after it
Reading = tuple[int, int]


def spell_cardinal(value: int) -> str:
    """A whole number from 0 to `LARGEST` in words, as short as it is said and with no "and".

    Four digits with hundreds among them are said in hundreds: 1500 is "fifteen hundred", 1905 "nineteen oh
    five", 2024 "two thousand twenty four".
    """
    if value < 20:
        return ONES[value]
    if value < 100:
        return TENS[value // 10] + (f" {ONES[value % 10]}" if value % 10 else "")
    if value < 1000 or (value < 10_000 and value // 100 % 10):
        hundreds, rest = divmod(value, 100)
        if not rest:
            return f"{spell_cardinal(hundreds)} hundred"
        if 10 < hundreds < 20:
            return f"{spell_cardinal(hundreds)} {'oh ' if rest < 10 else ''}{spell_cardinal(rest)}"
        return f"{spell_cardinal(hundreds)} hundred {spell_cardinal(rest)}"
    scale, size = next((word, size) for word, size in SCALES.items() if value >= size)
    head, rest = divmod(value, size)
    return f"{spell_cardinal(head)} {scale}" + (f" {spell_cardinal(rest)}" if rest else "")


def spell_ordinal(value: int) -> str:
    """Like `spell_cardinal`, as a rank: 22 is "twenty second"."""
    *head, last = spell_cardinal(value).split()
    ordinal = ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return " ".join([*head, ordinal])


def spell_digits(digits: str) -> str:
    """A run of digits in words: one by one after a leading zero ("007") and beyond `LARGEST`."""
    if digits == "0" or not (digits.startswith("0") or int(digits) > LARGEST):
        return spell_cardinal(int(digits))
    return " ".join("oh" if digit == "0" else ONES[int(digit)] for digit in digits)


def join_numbers(words: list[str]) -> list[str]:
    """Say every number among the words in the one way of `spell_cardinal`.

    So "one thousand nine hundred and five", "nineteen hundred five" and "nineteen oh five" become the same
    words.
    """
    said: list[str] = []
    at = 0
    while at < len(words):
        reading = _number(words, at)
        if reading is None:
            said.append(words[at])
            at += 1
        else:
            value, at = reading
            said += spell_cardinal(value).split()
    return said


def _word(words: list[str], at: int) -> str:
    return words[at] if at < len(words) else ""


def _after_and(words: list[str], at: int) -> int:
    return at + 1 if _word(words, at) == "and" else at


def _below_hundred(words: list[str], at: int) -> Reading | None:
    """The value of the words from `at` on and where they end: "seven", "twelve", "forty", "forty two"."""
    word = _word(words, at)
    if word in _TENS:
        unit = _ONES.get(_word(words, at + 1), 0)
        return (_TENS[word] + unit, at + 2) if 0 < unit < 10 else (_TENS[word], at + 1)
    return (_ONES[word], at + 1) if _ONES.get(word) else None


def _hundreds(words: list[str], at: int) -> Reading | None:
    """ "nine hundred and five", "nineteen hundred", and years: "nineteen oh five", "nineteen forty"."""
    if _word(words, at) == "a" and _word(words, at + 1) == "hundred":
        head, at = 1, at + 1
    else:
        reading = _below_hundred(words, at)
        if reading is None:
            return None
        head, at = reading
    if _word(words, at) == "hundred" and (head < 10 or head % 10):
        rest = _below_hundred(words, _after_and(words, at + 1))
        return (100 * head + rest[0], rest[1]) if rest else (100 * head, at + 1)
    if 10 < head <= 20:
        if _word(words, at) == "oh" and 0 < _ONES.get(_word(words, at + 1), 0) < 10:
            return 100 * head + _ONES[words[at + 1]], at + 2
        rest = _below_hundred(words, at)
        if rest and rest[0] >= 10:
            return 100 * head + rest[0], rest[1]
    return head, at


def _number(words: list[str], at: int) -> Reading | None:
    """The longest number that starts at `at`."""
    if _word(words, at) == "a" and _word(words, at + 1) in SCALES:
        reading: Reading | None = (1, at + 1)
    else:
        reading = _hundreds(words, at)
    if reading is None:
        return None
    value, at = reading
    total, largest = 0, LARGEST + 1
    while (size := SCALES.get(_word(words, at), largest)) < largest and value < 1000:
        total, largest = total + value * size, size
        at += 1
        rest = _hundreds(words, _after_and(words, at))
        if rest is None or rest[0] >= largest:
            return total, at
        value, at = rest
    return total + value, at
