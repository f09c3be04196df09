"""Measure the speed and memory of reading and writing token lines.

    python benchmarks/tokens.py [LINES]

Generates lines (1,000,000 by default, each with a text span of six words and a speech span of thirty units), parses
them as a stream, formats each again, and prints lines per second and the peak memory.
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


def random_lines(count: int) -> Iterator[bytes]:
    """Yield `count` lines, cycling through a thousand different ones."""
    generator = random.Random(0)
    lines = []
    for index in range(min(count, 1000)):
        units = [f"[St{generator.randrange(100)}]", f"[Pi{generator.randrange(64)}]"]
        while len(units) < 30:
            units.append(
                f"[Hu{generator.randrange(501)}]"
                if generator.random() < 0.75
                else f"[Pi{generator.randrange(64)}]"
            )
        text = " ".join(generator.choices(WORDS, k=6))
        lines.append(f"clip-{index}\t[TEXT]{text} [SPEECH]{''.join(units)}\n".encode())
    for index in range(count):
        yield lines[index % len(lines)]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    size = 0
    start, used = time.perf_counter(), time.process_time()
    for line in read_lines(random_lines(count)):
        if isinstance(line, Header | BadLine):
            raise SystemExit(f"not a line: {line}")
        size += len(format_line(line).encode()) + 1
    seconds, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count} lines, {size / 1e6:.0f} MB, read and written in {seconds:.1f} s, {used:.1f} s of CPU time"
    )
    print(f"{count / seconds:.0f} lines per second, peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
