"""The tokens of a TextGrid.

The syntax is that of "TextGrid file formats" in Praat's manual: numbers, strings and flags that are surrounded by white
space are data, everything else is ignored.
"""

import re
from bisect import bisect_right

from spiritlm_cli.errors import ManifestError

_TOKEN = re.compile(
    r"""(?<!\S)(?:
        !(?P<comment>[^\r\n]*)
      | "(?P<string>[^"]*(?:""[^"]*)*)"(?!\S)
      | (?P<quote>"\S*)
      | (?P<number>[-+]?[0-9]\S*)
      | (?P<flag><\S*)
    )""",
    re.VERBOSE,
)
# Praat reads "0.5s" as a number too.
_NUMBER = re.compile(r"([-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)s?")
_LINE_END = re.compile(r"\r\n?|\n")


class Tokens:
    """Iterates over the tokens of a TextGrid. The methods raise ManifestError if the next token is of another kind.

    where: file and line of the last token, for errors.
    """

    def __init__(self, text: str, name: str) -> None:
        self._matches = (match for match in _TOKEN.finditer(text) if match.lastgroup != "comment")
        self._peeked: re.Match[str] | None = next(self._matches, None)
        self._line_ends = [match.end() for match in _LINE_END.finditer(text)]
        self._length = len(text)
        self._name = name
        self.where = f"{name}: line 1"

    @property
    def next_kind(self) -> str | None:
        """The kind of the next token, None at the end of the file."""
        return self._peeked.lastgroup if self._peeked else None

    def number(self) -> float:
        token = self._next("number", "a number")
        match = _NUMBER.fullmatch(token)
        if not match:
            raise ManifestError(f"{self.where}: {token[:40]!r} is not a number")
        return float(match[1])

    def count(self) -> int:
        number = self.number()
        if not (number.is_integer() and number >= 0):
            raise ManifestError(f"{self.where}: {number:g} is not a count")
        return int(number)

    def string(self) -> str:
        return self._next("string", "a text in quotes").replace('""', '"')

    def flag(self) -> str:
        return self._next("flag", "<exists>")

    def _next(self, kind: str, expected: str) -> str:
        match, self._peeked = self._peeked, next(self._matches, None)
        position = match.start() if match else self._length
        self.where = f"{self._name}: line {bisect_right(self._line_ends, position) + 1}"
        if match is None:
            raise ManifestError(
                f"{self.where}: the file ends where {expected} is expected; it may be cut off"
            )
        if match.lastgroup == "quote":
            raise ManifestError(
                f"{self.where}: a quote is not closed, or a quote within a text is not doubled"
            )
        if match.lastgroup != kind:
            raise ManifestError(f"{self.where}: expected {expected}, not {match[0][:40]!r}")
        return match[kind]
