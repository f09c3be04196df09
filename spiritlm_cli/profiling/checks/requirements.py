"""Requirements of the package, and whether a version meets them.

Not by the package `packaging`, which may be missing itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_REQUIREMENT = re.compile(
    r"([\w.-]+)\s*(?:\[([\w.,\s-]*)\])?\s*\(?([><=!~][^;()]*|)\)?\s*(?:;(.*))?", re.ASCII
)
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)["']""")
_VERSION = re.compile(r"v?(?:\d+!)?(\d+(?:\.\d+)*)[.-]?(a|b|c|rc|alpha|beta|pre|preview|dev)?", re.ASCII)


@dataclass(frozen=True)
class Requirement:
    """A requirement such as `ray[data]>=2.60; extra == "ray"`.

    name: of the distribution. extras: of that distribution. specifier: versions, such as `>=2.11,<2.15`, or empty.
    extra: of this package, which has the requirement; None if the package itself has it.
    """

    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    extra: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Requirement":
        """Read a requirement. Raises ValueError."""
        match = _REQUIREMENT.fullmatch(text.strip())
        if not match:
            raise ValueError(f"not a requirement: {text}")
        name, extras, specifier, marker = match.groups()
        extra = _EXTRA.search(marker or "")
        return cls(
            name,
            tuple(part.strip() for part in (extras or "").split(",") if part.strip()),
            ",".join(sorted((part.strip() for part in specifier.split(",")), reverse=True)),
            extra[1] if extra else None,
        )

    def __str__(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{self.specifier}"


def normalized(name: str) -> str:
    """The name of a distribution in the form in which names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(requirements: Iterable[Requirement], extra: str | None, package: str) -> list[Requirement]:
    """What an extra of a package requires (None: the package itself), with that of the extras which it includes."""
    all_of, found = list(requirements), []
    for one in all_of:
        if one.extra != extra:
            continue
        if normalized(one.name) == normalized(package):
            found += [deep for inner in one.extras for deep in required(all_of, inner, package)]
        else:
            found.append(one)
    return list({normalized(one.name): one for one in found}.values())


def satisfies(version: str, specifier: str) -> bool:
    """Return whether a version meets a specifier such as `>=2.11,<2.15`. Pre-releases come before their release.

    Raises ValueError for an operator other than >=, <=, >, <, == and !=, and for what is no version.
    """
    return all(_meets(_key(version), part.strip()) for part in specifier.split(",") if part.strip())


def _meets(key: tuple[tuple[int, ...], bool], part: str) -> bool:
    match = re.fullmatch(r"(>=|<=|==|!=|>|<)\s*([^\s=].*)", part)
    if not match:
        raise ValueError(f"can't be compared: {part}")
    other = _key(match[2])
    return {
        ">=": key >= other,
        "<=": key <= other,
        ">": key > other,
        "<": key < other,
        "==": key == other,
        "!=": key != other,
    }[match[1]]


def _key(version: str) -> tuple[tuple[int, ...], bool]:
    """The numbers of a version without trailing zeros, and whether it is no pre-release."""
    match = _VERSION.match(version)
    if not match:
        raise ValueError(f"not a version: {version}")
    numbers = [int(part) for part in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), match[2] is None
