"""Measure one figure of docs/nano.md on clips and texts that nano was not trained on. Prints one JSON object.

    python benchmarks/nano/measure.py resynthesis --set real --speech SPEECH --asr WHISPER_TINY_EN
    python benchmarks/nano/measure.py f0 --speech SPEECH
    python benchmarks/nano/measure.py dnsmos --speech SPEECH
    python benchmarks/nano/measure.py durations --set real --speech SPEECH
    python benchmarks/nano/measure.py asr
    python benchmarks/nano/measure.py tts --asr WHISPER_TINY_EN
    python benchmarks/nano/measure.py likelihood
    python benchmarks/nano/measure.py stories
    python benchmarks/nano/measure.py size

SPEECH: see clip_sets.py. `--model FOLDER` measures another checkpoint than nano. `dnsmos` needs the package speechmos.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from clip_sets import FOLDER, held_out, new_sentences

from spiritlm_cli import __version__
from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.evaluation import resynthesis_result
from spiritlm_cli.evaluation.judges.asr import load_asr
from spiritlm_cli.evaluation.pair_scoring import MARKER_GIVEN
from spiritlm_cli.evaluation.records import Record, RunDescription
from spiritlm_cli.evaluation.resynthesis import ResynthesisMeter
from spiritlm_cli.evaluation.resynthesizer import Resynthesizer
from spiritlm_cli.evaluation.speech_quality import QualityEstimator
from spiritlm_cli.evaluation.unit_counts import codebook_facts
from spiritlm_cli.inspection.codebooks import model_codebooks
from spiritlm_cli.interleaving.interleave import Utterance
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.speech.f0 import load_tracker
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.sequence import Sequence, TextSpan
from spiritlm_cli.training.aligned_units import AlignedUnits

Figures = dict[str, Any]
Measure = Callable[[Iterable[Clip]], Iterable[tuple[Clip, Outcome[Record]]]]
# Changed sentences of each kind that a sentence is compared with.
VARIANTS = 3


def resynthesis(arguments: argparse.Namespace) -> Figures:
    """Word and character error rates of the originals, and after tokenizing and decoding."""
    meter = ResynthesisMeter(asr=load_asr(arguments.asr), normalizer=arguments.normalizer)
    return _resynthesized(arguments, meter, "same" if arguments.set == "main" else None)


def durations(arguments: argparse.Namespace) -> Figures:
    """Length of the speech decoded from tokens without repeats, relative to the original's."""
    return _resynthesized(arguments, ResynthesisMeter())


def f0(arguments: argparse.Namespace) -> Figures:
    """F0 errors, and the correlation of F0 before and after; durations are kept."""
    return _resynthesized(arguments, ResynthesisMeter(tracker=load_tracker("fcpe")), "same")


def dnsmos(arguments: argparse.Namespace) -> Figures:
    """DNSMOS (P.835) of the originals and of the speech decoded from their tokens."""
    return _resynthesized(arguments, ResynthesisMeter(quality=QualityEstimator()))


def _resynthesized(
    arguments: argparse.Namespace, meter: ResynthesisMeter, speaker: str | None = None
) -> Figures:
    """What `spiritlm evaluate resynthesis` prints of the clips, and the ratio of their lengths."""
    resynthesizer = Resynthesizer.load(arguments.model, speaker=speaker, timed=meter.tracker is not None)
    records = [
        {"id": clip.id, **meter.measure(clip, outcome.result())}
        for clip, outcome in resynthesizer(_clips(arguments))
    ]
    facts = {"F0": "fcpe"} | codebook_facts(dict(model_codebooks(arguments.model)))
    description = RunDescription("resynthesis", __version__, str(arguments.model), facts=facts)
    lengths = {name: sum(record[name] for record in records) for name in ("seconds", "resynthesis_seconds")}
    return resynthesis_result.result(description, records).to_json() | {
        "seconds_out_over_in": lengths["resynthesis_seconds"] / lengths["seconds"]
    }


def _run(task: str, arguments: argparse.Namespace) -> RunDescription:
    return RunDescription(task, __version__, str(arguments.model))


def asr(arguments: argparse.Namespace) -> Figures:
    """Word error rate of the language model's text after the speech of new sentences, without examples."""
    from spiritlm_cli.evaluation.asr import SpeechToText, result

    task = SpeechToText.load(arguments.model, normalizer=arguments.normalizer)
    return result(_run("asr", arguments), _records(task.measure, arguments)).to_json()


def tts(arguments: argparse.Namespace) -> Figures:
    """Character error rate of the transcript of the language model's speech for new sentences, without examples."""
    from spiritlm_cli.evaluation.tts import TextToSpeech, result

    task = TextToSpeech.load(arguments.model, recognizer=arguments.asr, normalizer=arguments.normalizer)
    return result(_run("tts", arguments), _records(task.measure, arguments)).to_json()


def _records(measure: Measure, arguments: argparse.Namespace) -> list[Record]:
    """The records of new sentences."""
    records = [outcome.result() for _, outcome in measure(new_sentences()[: arguments.limit])]
    if arguments.items:
        for record in records:
            print(f"{record['reference']}\n    {record['text']}", file=sys.stderr)
    return records


def likelihood(arguments: argparse.Namespace) -> Figures:
    """How often a new sentence is more likely per token than with its words shuffled, and with one wrong word.

    Spoken sentences are changed in units, cut at their words; the wrong word is one of another sentence in that voice.
    """
    tokenizer, model = SpeechTokenizer.load(arguments.model), LanguageModel.load(arguments.model)
    aligner = PocketsphinxAligner()
    rng = random.Random(0)
    clips = new_sentences()[: arguments.limit]
    spoken = {}
    for clip in clips:
        waveform = read_clip(clip)
        assert clip.text
        utterance = Utterance(
            clip.id, tokenizer.encode(waveform), clip.text, aligner.align(waveform, clip.text)
        )
        spoken[clip.id] = AlignedUnits.of(utterance)

    def speech_score(stretch: AlignedUnits) -> float:
        return model.score(Sequence.of([stretch.speech()[0]]), counted=MARKER_GIVEN).mean

    def text_score(stretch: AlignedUnits) -> float:
        return model.score(Sequence.of([TextSpan(stretch.text)]), counted=MARKER_GIVEN).mean

    wins: dict[str, list[float]] = {}
    for clip in clips:
        good = spoken[clip.id]
        others = [
            spoken[other.id] for other in clips if other.speaker == clip.speaker and other.id != clip.id
        ]
        for _ in range(VARIANTS):
            for name, bad in (
                ("shuffled", _shuffled(good, rng)),
                ("wrong word", _wrong_word(good, others, rng)),
            ):
                for kind, score in (("speech", speech_score), ("text", text_score)):
                    difference = score(good) - score(bad)
                    wins.setdefault(f"{name}, {kind}", []).append((np.sign(difference) + 1) / 2)
    return {"pairs": VARIANTS * len(clips)} | {name: float(np.mean(values)) for name, values in wins.items()}


def _shuffled(stretch: AlignedUnits, rng: random.Random) -> AlignedUnits:
    order = list(range(len(stretch)))
    rng.shuffle(order)
    return AlignedUnits.join(stretch.cut(i, i + 1) for i in order)


def _wrong_word(stretch: AlignedUnits, others: list[AlignedUnits], rng: random.Random) -> AlignedUnits:
    index = rng.randrange(len(stretch))
    other = rng.choice(others)
    word = rng.randrange(len(other))
    parts = [stretch.cut(i, i + 1) for i in range(len(stretch))]
    parts[index] = other.cut(word, word + 1)
    return AlignedUnits.join(parts)


def stories(arguments: argparse.Namespace) -> Figures:
    """Log-likelihood per token of stories that are in no training text."""
    model = LanguageModel.load(arguments.model)
    lines = (FOLDER / "stories.txt").read_text(encoding="utf-8").splitlines()
    scores = [model.score(Sequence.of([TextSpan(line)])) for line in lines]
    tokens = sum(score.tokens for score in scores)
    return {"stories": len(scores), "tokens": tokens, "mean": sum(s.log_likelihood for s in scores) / tokens}


def size(arguments: argparse.Namespace) -> Figures:
    """Bytes of all files of the checkpoint."""
    root = find_checkpoint(arguments.model).root
    files = [path for path in root.rglob("*") if path.is_file()]
    return {"files": len(files), "megabytes": sum(path.stat().st_size for path in files) / 1e6}


def _clips(arguments: argparse.Namespace) -> list[Clip]:
    return held_out(arguments.speech, arguments.set)[: arguments.limit]


FIGURES: dict[str, Callable[[argparse.Namespace], Figures]] = {
    f.__name__: f for f in (resynthesis, durations, f0, dnsmos, asr, tts, likelihood, stories, size)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--model", default="nano", help="checkpoint folder (default nano)")
    parser.add_argument("--speech", type=Path, help="folder of the corpus; see clip_sets.py")
    parser.add_argument(
        "--set", choices=("main", "others", "real"), default="main", help="held-out clips (default main)"
    )
    parser.add_argument("--asr", default="tiny.en", help="recognizer: name or folder (default tiny.en)")
    parser.add_argument(
        "--normalizer",
        choices=get_args(NormalizerName),
        default="spoken",
        help="normal form of texts in error rates (default spoken)",
    )
    parser.add_argument("--limit", type=int, help="only this many clips")
    parser.add_argument("--items", action="store_true", help="print each text and its transcript on stderr")
    arguments = parser.parse_args()
    if arguments.figure in ("resynthesis", "durations", "f0", "dnsmos") and not arguments.speech:
        parser.error(f"{arguments.figure} needs --speech")
    torch.manual_seed(0)
    print(
        json.dumps({"figure": arguments.figure, "set": arguments.set} | FIGURES[arguments.figure](arguments))
    )


if __name__ == "__main__":
    main()
