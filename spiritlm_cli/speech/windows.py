"""Windows of long recordings: the networks process 100 s at a time, as the published tokenizer does."""

from spiritlm_cli.manifests.clip import FloatArray

SAMPLE_RATE = 16000
WINDOW_SECONDS = 100.0
# Shorter recordings have no units. A shorter remainder is part of the last whole window.
MIN_SECONDS = 0.08

WINDOW_SAMPLES = int(WINDOW_SECONDS * SAMPLE_RATE)
MIN_SAMPLES = int(MIN_SECONDS * SAMPLE_RATE)


def split_windows(samples: FloatArray) -> list[FloatArray]:
    """Split a recording into consecutive windows of 100 s, as `audio.reading.read_windows` does.

    samples: (samples,) float32 at 16 kHz. The last window has what remains; if less than 80 ms remain after a whole
    window, they are the end of that window.
    """
    starts = list(range(0, max(1, len(samples) - MIN_SAMPLES + 1), WINDOW_SAMPLES))
    return [samples[start:stop] for start, stop in zip(starts, [*starts[1:], None], strict=True)]
