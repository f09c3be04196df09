"""`evaluate resynthesis`: clips after tokenizing and decoding, or resynthesized by something else."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spiritlm_cli.audio.reading import read_clip
from spiritlm_cli.batching import Outcome
from spiritlm_cli.english.normalizers import describe_normalizer
from spiritlm_cli.evaluation.hypotheses import speech_finder
from spiritlm_cli.evaluation.judges.asr import describe_asr, load_asr
from spiritlm_cli.evaluation.judges.folders import describe_folder
from spiritlm_cli.evaluation.judges.speech_classifier import SpeechClassifier
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.resynthesis import ResynthesisMeter, Speech
from spiritlm_cli.evaluation.resynthesizer import Resynthesizer
from spiritlm_cli.evaluation.speaker_similarity import SpeakerEncoder, describe_speaker_encoder
from spiritlm_cli.evaluation.speech_quality import QualityEstimator, describe_quality
from spiritlm_cli.evaluation.style_labels import read_style_labels
from spiritlm_cli.evaluation.unit_counts import codebook_facts
from spiritlm_cli.inspection.codebooks import model_codebooks
from spiritlm_cli.jobs.evaluations.evaluation import BadItem, Evaluation, Measure, Part
from spiritlm_cli.jobs.evaluations.saved_audio import check_saved_audio, save_audio
from spiritlm_cli.jobs.options.evaluate_resynthesis import ResynthesisOptions
from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.transcribed import scan_transcribed
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.speech.f0 import load_tracker
from spiritlm_cli.tokens.units import Kind

Resynthesize = Callable[[Iterable[Clip]], Iterable[tuple[Clip, Outcome[Speech]]]]


@dataclass(frozen=True)
class ResynthesisEvaluation(Evaluation[ResynthesisOptions, Clip]):
    """Clips and their resynthesis."""

    what = "clips"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The tokenizer and the vocoder, unless there are resynthesized clips."""
        return () if self.options.hypotheses else ("tokenizer", "vocoder")

    def items(self) -> Sequence[Clip | BadItem]:
        """Read the clips.

        Raises OptionError for a folder to write to that has clips, which would be lost.
        """
        items = [
            BadItem(clip.id, clip.source, clip.error) if isinstance(clip, BadClip) else clip
            for clip in scan_transcribed(self.options.source, texts=False)
        ]
        if self.options.save_audio:
            check_saved_audio(self.options.save_audio, (item.source for item in items))
        return items

    def facts(self) -> dict[str, Any]:
        """The judges, and the sizes of the codebooks."""
        options = self.options
        facts: dict[str, Any] = {}
        if options.recognizes:
            facts |= {
                "recognizer": describe_asr(options.asr),
                "normalizer": describe_normalizer(options.normalizer),
            }
        if options.f0 != "none":
            facts["F0"] = options.f0
        if options.dnsmos:
            facts["DNSMOS of"] = describe_quality()
        if options.speaker_similarity:
            facts["speakers of"] = describe_speaker_encoder()
        if options.speech_classifier:
            facts["style classifier"] = describe_folder(options.speech_classifier, "speech classifier")
        if options.hypotheses:
            return facts | {"resynthesis of": options.hypotheses.resolve().name}
        facts["voice"] = options.speaker or "the default"
        sizes = model_codebooks(options.checkpoint)
        return facts | codebook_facts(
            {kind: size for kind, size in sizes.items() if kind is Kind.HUBERT or options.expressive}
        )

    @contextmanager
    def load(self) -> Iterator[Measure[Clip]]:
        """Load the models and the judges. Raises CheckpointError, and MissingPackageError for a judge's package."""
        options = self.options
        device = options.device
        meter = ResynthesisMeter(
            asr=load_asr(options.asr, device) if options.recognizes else None,
            normalizer=options.normalizer,
            tracker=None if options.f0 == "none" else load_tracker(options.f0, find_device(device)),
            quality=QualityEstimator() if options.dnsmos else None,
            speakers=SpeakerEncoder() if options.speaker_similarity else None,
            styles=read_style_labels(options.style_labels) if options.style_labels else None,
            style=SpeechClassifier.load(options.speech_classifier, device)
            if options.speech_classifier
            else None,
        )
        yield partial(_measure, self._resynthesize(), meter, options.save_audio)

    def _resynthesize(self) -> Resynthesize:
        options = self.options
        if options.hypotheses:
            return partial(_read_hypotheses, speech_finder(options.hypotheses))
        return Resynthesizer.load(
            options.checkpoint,
            expressive=options.expressive,
            device=options.device,
            speaker=options.speaker,
            timed=options.f0 != "none",
        )


def _measure(
    resynthesize: Resynthesize, meter: ResynthesisMeter, folder: Path | None, clips: Iterable[Clip]
) -> Iterator[tuple[Clip, Outcome[Record]]]:
    for clip, outcome in resynthesize(clips):
        yield clip, outcome.map(partial(_record, meter, folder, clip))


def _record(meter: ResynthesisMeter, folder: Path | None, clip: Clip, speech: Speech) -> Record:
    save_audio(folder, clip.id, speech.resynthesis)
    return meter.measure(clip, speech)


def _read_hypotheses(
    find: Callable[[str], Clip], clips: Iterable[Clip]
) -> Iterator[tuple[Clip, Outcome[Speech]]]:
    for clip in clips:
        yield clip, Outcome.of(partial(_read_pair, find, clip))


def _read_pair(find: Callable[[str], Clip], clip: Clip) -> Speech:
    return Speech(read_clip(clip), read_clip(find(clip.id)))
