"""How a long sound is cut: the networks hear 100 seconds at a time, as the release does."""

from spiritlm_cli.manifests.clip import FloatArray

RATE = 16000
WINDOW_SECONDS = 100.0
# A sound that is shorter has no units. So has a last window, which then comes with the one before it.
SHORTEST_SECONDS = 0.08

WINDOW = int(WINDOW_SECONDS * RATE)
SHORTEST = int(SHORTEST_SECONDS * RATE)


def cut(samples: FloatArray) -> list[FloatArray]:
    """samples: (samples,) at 16 kHz. Returns windows of 100 s one after another, as `read_windows` gives them.

    The last is shorter; it has up to 80 ms more where that is all that is left.
    """
    starts = list(range(0, max(1, len(samples) - SHORTEST + 1), WINDOW))
    return [samples[start:stop] for start, stop in zip(starts, [*starts[1:], None], strict=True)]
