"""Time nano's stages on a device: phonetic units of speech, generation, and decoding. Prints one JSON object.

    python benchmarks/gpu/timings.py [--device cuda] [--seconds 120] [--batch 32]

Each stage runs once to warm up and then three times; the median counts. Pitch and style are left out, since the F0
tracker's package is too large for a machine that only a small file can be copied to.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import soundfile

import spiritlm_cli
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.profiling.hardware import synchronize
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.vocoder.vocoder import Vocoder

RECORDING = Path(spiritlm_cli.__file__).parent / "assets" / "7143-88743-0029.flac"
NEW_TOKENS = 100


def median_seconds(run: Callable[[], object], device: str) -> float:
    """Median of three runs after one that warms up."""
    times = []
    for _ in range(4):
        begun = time.perf_counter()
        run()
        synchronize(find_device(device))
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="speech to tokenize and to decode (default 120)"
    )
    parser.add_argument("--batch", type=int, default=32, help="continuations at once (default 32)")
    arguments = parser.parse_args()
    device = str(find_device(arguments.device))

    samples, rate = soundfile.read(RECORDING, dtype="float32")
    recording = Waveform(samples, rate)
    clips = [recording] * max(1, round(arguments.seconds / recording.seconds))
    total = len(clips) * recording.seconds
    tokenizer = SpeechTokenizer.load("nano", expressive=False, device=device)
    tokenize = median_seconds(lambda: tokenizer.encode_batch(clips), device)

    model = LanguageModel.load("nano", device=device)
    prompt = Sequence.of([TextSpan("Once upon a time, there was a little dog.")])
    sampling = Sampling(max_new_tokens=NEW_TOKENS, min_seconds=60.0)
    requests = [GenerationRequest(prompt, "speech", sampling, str(i)) for i in range(arguments.batch)]

    def generate() -> None:
        for _, outcome in model.generate_stream(
            requests, lambda request: request, batch_size=arguments.batch
        ):
            outcome.result()

    generation = median_seconds(generate, device)

    units = [Unit(Kind.STYLE, 3), Unit(Kind.PITCH, 5), *(Unit(Kind.HUBERT, i * 7 % 500) for i in range(220))]
    sequences = [Sequence.of([SpeechSpan(tuple(units))])] * len(clips)
    vocoder = Vocoder.load("nano", device=device)
    spoken = sum(waveform.seconds for waveform in vocoder.decode_batch(sequences))
    decode = median_seconds(lambda: vocoder.decode_batch(sequences), device)

    print(json.dumps({
        "device": device,
        "phonetic units, seconds of speech per second": round(total / tokenize, 1),
        "generation, tokens per second": round(arguments.batch * NEW_TOKENS / generation, 1),
        "decoding, seconds of speech per second": round(spoken / decode, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
