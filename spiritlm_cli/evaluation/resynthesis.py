"""`resynthesis`: what is lost when clips are tokenized and decoded, or by any other resynthesis of clips."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from spiritlm_cli.english.normalizers import NormalizerName
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.f0_errors import F0Errors
from spiritlm_cli.evaluation.judges.asr import Asr
from spiritlm_cli.evaluation.judges.speech_classifier import SpeechClassifier
from spiritlm_cli.evaluation.records import Record
from spiritlm_cli.evaluation.scored_text import ScoredText, reference_text
from spiritlm_cli.evaluation.speaker_similarity import SpeakerEncoder, similarity
from spiritlm_cli.evaluation.speech_quality import QualityEstimator
from spiritlm_cli.evaluation.unit_counts import units_to_json
from spiritlm_cli.manifests.clip import Clip, Waveform
from spiritlm_cli.manifests.librispeech import librispeech_set
from spiritlm_cli.speech.f0 import F0Tracker
from spiritlm_cli.speech.windows import SAMPLE_RATE, check_samples
from spiritlm_cli.tokens.units import Units

# The name of an utterance of LibriSpeech.
_LIBRISPEECH = re.compile(r"\d+-\d+-\d{4}")


@dataclass(frozen=True)
class Speech:
    """A clip and its resynthesis.

    timed: with the timing of the clip, so that their frames line up; None: `resynthesis` has it. units: None if they
    are unknown. voice: the vocoder's, None if it is its default or unknown.
    """

    original: Waveform
    resynthesis: Waveform
    timed: Waveform | None = None
    units: Units | None = None
    voice: str | None = None


@dataclass(frozen=True)
class ResynthesisMeter:
    """Measures resynthesized speech; None for what is not measured.

    asr: transcribes, for error rates; normalizer: of the texts. tracker: of F0. quality: DNSMOS. speakers: speaker
    similarity. style: a classifier, whose labels of both are compared; styles: the right label of each clip, by id.
    """

    asr: Asr | None = None
    normalizer: NormalizerName = "whisper"
    tracker: F0Tracker | None = None
    quality: QualityEstimator | None = None
    speakers: SpeakerEncoder | None = None
    style: SpeechClassifier | None = None
    styles: Mapping[str, str] | None = None

    def measure(self, clip: Clip, speech: Speech) -> Record:
        """Measure one clip; one without a text has no transcripts.

        Raises ManifestError for a clip without style, AudioError for speech that is too short.
        """
        both = {"original": speech.original, "resynthesis": speech.resynthesis}
        record: Record = {
            "reference": clip.text,
            "speaker": clip.speaker,
            "voice": speech.voice,
            "set": librispeech_set(clip),
            "corpus": "LibriSpeech" if _LIBRISPEECH.fullmatch(PurePath(clip.source).stem) else None,
            "seconds": speech.original.seconds,
            "resynthesis_seconds": speech.resynthesis.seconds,
        }
        if speech.units:
            record["units"] = units_to_json(speech.units)
        if self.asr and (reference := self._reference_text(clip)):
            record["transcripts"] = _each(both, self._transcribe(reference, self.asr))
        if self.tracker:
            record["f0"] = asdict(self._compare_f0(self.tracker, speech))
        if self.quality:
            quality = self.quality
            record["quality"] = _each(both, lambda waveform: asdict(quality(waveform)))
        if self.speakers:
            record["speaker_similarity"] = similarity(*map(self.speakers.embed, both.values()))
        if self.style:
            style = self.style
            record["style"] = _each(both, lambda waveform: style.classify(waveform).label)
            if self.styles is not None:
                record["style"]["reference"] = self._reference_style(clip, self.styles)
        return record

    @staticmethod
    def _reference_style(clip: Clip, styles: Mapping[str, str]) -> str:
        if clip.id not in styles:
            raise ManifestError(f"{clip.id}: has no style in --style-labels")
        return styles[clip.id]

    def _reference_text(self, clip: Clip) -> str | None:
        try:
            return reference_text(clip, self.normalizer)
        except ManifestError:
            return None

    def _transcribe(self, reference: str, asr: Asr) -> Callable[[Waveform], Any]:
        return lambda waveform: ScoredText.score(
            reference, asr.transcribe(waveform), self.normalizer
        ).to_json()

    @staticmethod
    def _compare_f0(tracker: F0Tracker, speech: Speech) -> F0Errors:
        both = (speech.original, speech.timed or speech.resynthesis)
        one, other = (tracker(check_samples(waveform, SAMPLE_RATE)) for waveform in both)
        return F0Errors.compare(one.f0 * one.voiced, other.f0 * other.voiced)


def _each(both: dict[str, Waveform], measure: Callable[[Waveform], Any]) -> dict[str, Any]:
    return {name: measure(waveform) for name, waveform in both.items()}
