"""How fast token lines are read and written, and in how much memory.

    python benchmarks/tokens.py [LINES]

Makes its own lines (a text span of six words and a speech span of thirty units each; 1,000,000 of them unless
told otherwise), reads them as a stream, writes each again, and prints lines a second and the peak memory.
"""

import random
import resource
import sys
import time
from collections.abc import Iterator

from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Header
from spiritlm_cli.tokens.writer import format_line

WORDS = [
    "the",
    "old",
    "man",
    "walked",
    "to",
    "sea",
    "and",
    "saw",
    "a",
    "little",
    "boat",
    "with",
    "red",
    "sails",
]


def made_lines(count: int) -> Iterator[bytes]:
    """`count` lines, of a thousand different ones in turn."""
    draw = random.Random(0)
    lines = []
    for number in range(min(count, 1000)):
        units = [f"[St{draw.randrange(100)}]", f"[Pi{draw.randrange(64)}]"]
        while len(units) < 30:
            units.append(
                f"[Hu{draw.randrange(501)}]" if draw.random() < 0.75 else f"[Pi{draw.randrange(64)}]"
            )
        text = " ".join(draw.choices(WORDS, k=6))
        lines.append(f"clip-{number}\t[TEXT]{text} [SPEECH]{''.join(units)}\n".encode())
    for number in range(count):
        yield lines[number % len(lines)]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    size = 0
    begun, used = time.perf_counter(), time.process_time()
    for line in read_lines(made_lines(count)):
        if isinstance(line, Header | BadLine):
            raise SystemExit(f"not a line: {line}")
        size += len(format_line(line).encode()) + 1
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count} lines, {size / 1e6:.0f} MB, read and written in {seconds:.1f} s, {used:.1f} s of a core")
    print(f"{count / seconds:.0f} lines a second, peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
