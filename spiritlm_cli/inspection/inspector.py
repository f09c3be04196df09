"""Clips and token lines to what `inspect` shows of them."""

from dataclasses import dataclass, field
from functools import cached_property, partial

from spiritlm_cli.audio.resampling import Resampler
from spiritlm_cli.checkpoints import Checkpoint, find_checkpoint
from spiritlm_cli.console import warn_once
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.inspection.inspected import Inspected, Sound, rebuild_f0
from spiritlm_cli.inspection.timeline import Timeline, sequence_timeline, units_timeline
from spiritlm_cli.manifests.clip import Transcript, Waveform
from spiritlm_cli.nn.device import find_device
from spiritlm_cli.speech.f0 import F0Method, F0Tracker, load_tracker
from spiritlm_cli.speech.pitch import PitchVqVae
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.speech.windows import MIN_SAMPLES, SAMPLE_RATE
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.vocoder.config import HifiGanConfig
from spiritlm_cli.vocoder.durations import DurationPredictor
from spiritlm_cli.vocoder.vocoder import Vocoder
from spiritlm_cli.vocoder.windows import Durations, check_units

_NO_TRANSCRIPT = Transcript(None, None)


@dataclass(frozen=True, kw_only=True)
class Inspector:
    """Makes `Inspected` of clips and token lines. Each part of the checkpoint is loaded when it is first needed.

    model, expressive, device, f0, dtype: see `SpeechTokenizer.load`. speaker: see `Vocoder.decode`. keep_repeats:
    whether the sequences of clips keep runs of equal units. sounds: resynthesize, and track F0.
    Raises CheckpointError if a part of the checkpoint can't be used.
    """

    model: str | Checkpoint | None = "nano"
    expressive: bool = True
    device: str = "auto"
    f0: F0Method = "fcpe"
    dtype: str = "float32"
    speaker: str | None = None
    keep_repeats: bool = False
    sounds: bool = False
    _vocoders: dict[bool, Vocoder] = field(default_factory=dict, init=False, repr=False)
    _configs: dict[bool, HifiGanConfig] = field(default_factory=dict, init=False, repr=False)
    _predictors: dict[bool, DurationPredictor] = field(default_factory=dict, init=False, repr=False)

    def inspect_waveform(
        self,
        waveform: Waveform,
        id: str,  # noqa: A002
        source: str,
        transcript: Transcript = _NO_TRANSCRIPT,
    ) -> Inspected:
        """Tokenize a clip.

        waveform: at 16 kHz. The resynthesis keeps the durations of the units, so that it can be compared with the
        original at any time. Raises AudioError as `SpeechTokenizer.encode` does.
        """
        units = self.tokenizer.encode(waveform)
        timeline = units_timeline(units)
        f0 = resynthesis = rebuilt = None
        if self.sounds:
            f0 = self._tracker(waveform.samples)
            if self._can_synthesize(self.expressive):
                speech = merge_streams(units, keep_repeats=True)
                resynthesis = self._resynthesize(speech, self.expressive, "keep")
            rebuilt = rebuild_f0(timeline, self._pitch, f0) if self.expressive else None
        return Inspected(
            id=id,
            source=source,
            sequence=Sequence.of([merge_streams(units, self.keep_repeats)]),
            timeline=timeline,
            original=Sound(waveform, f0),
            resynthesis=resynthesis,
            rebuilt_f0=rebuilt,
            words=transcript.alignment.words if transcript.alignment else (),
            text=transcript.text,
            model=self._name,
        )

    def inspect_sequence(self, sequence: Sequence, id: str, source: str) -> Inspected:  # noqa: A002
        """Find out when the units of a token line sound, and synthesize its speech if sounds are asked for.

        A line without pitch units is for the vocoder of phonetic units. If the checkpoint has none, the duration
        predictor of the other vocoder times the line, and there is no resynthesis.
        Raises TokenError for units that the vocoder does not have, and CheckpointError for a line without repeats if
        the checkpoint has no vocoder.
        """
        expressive = self._is_expressive(sequence)
        if self._has_vocoder(expressive):
            units = (unit for span in sequence.speech for unit in span.units)
            check_units(units, self._vocoder_config(expressive))
        timeline = sequence_timeline(sequence, partial(self._predictor, expressive))
        resynthesis = rebuilt = None
        if self.sounds and timeline.seconds and self._can_synthesize(expressive):
            resynthesis = self._resynthesize(sequence, expressive, _durations(timeline))
            rebuilt = rebuild_f0(timeline, self._pitch, None) if expressive else None
        return Inspected(
            id, source, sequence, timeline, resynthesis=resynthesis, rebuilt_f0=rebuilt, model=self._name
        )

    def synthesize(self, line: Inspected) -> Waveform | None:
        """Return the speech of a token line at 16 kHz, with the times of its timeline; None if there is no vocoder.

        Raises TokenError for a line without speech.
        """
        expressive = self._is_expressive(line.sequence)
        if not self._can_synthesize(expressive):
            return None
        return self._decode(line.sequence, expressive, _durations(line.timeline))

    def _is_expressive(self, sequence: Sequence) -> bool:
        """Whether a line is for the vocoder of phonetic, pitch and style units."""
        return self.expressive and any(
            unit.kind is Kind.PITCH for span in sequence.speech for unit in span.units
        )

    def _resynthesize(self, speech: Sequence | SpeechSpan, expressive: bool, durations: Durations) -> Sound:
        waveform = self._decode(speech, expressive, durations)
        track = self._tracker(waveform.samples) if len(waveform.samples) >= MIN_SAMPLES else None
        return Sound(waveform, track)

    def _decode(self, speech: Sequence | SpeechSpan, expressive: bool, durations: Durations) -> Waveform:
        decoded = self._vocoder(expressive).decode(speech, self.speaker, durations=durations)
        return Waveform(Resampler(decoded.rate, SAMPLE_RATE).feed(decoded.samples, last=True), SAMPLE_RATE)

    @cached_property
    def tokenizer(self) -> SpeechTokenizer:
        """The tokenizer."""
        return SpeechTokenizer.load(self.model, self.expressive, self.f0, self.device, self.dtype)

    @cached_property
    def _name(self) -> str:
        return find_checkpoint(self.model).name

    @cached_property
    def _tracker(self) -> F0Tracker:
        return load_tracker(self.f0, find_device(self.device))

    @cached_property
    def _pitch(self) -> PitchVqVae:
        checkpoint = find_checkpoint(self.model)
        return PitchVqVae.load(checkpoint.pitch, checkpoint.pitch_config)

    def _vocoder(self, expressive: bool) -> Vocoder:
        if expressive not in self._vocoders:
            self._vocoders[expressive] = Vocoder.load(self.model, expressive, self.device)
        return self._vocoders[expressive]

    def _vocoder_config(self, expressive: bool) -> HifiGanConfig:
        if expressive not in self._configs:
            path = find_checkpoint(self.model).vocoder_config(expressive)
            self._configs[expressive] = HifiGanConfig.read(path)
        return self._configs[expressive]

    def _predictor(self, expressive: bool) -> DurationPredictor:
        expressive = expressive if self._has_vocoder(expressive) else not expressive
        if expressive not in self._predictors:
            self._predictors[expressive] = DurationPredictor.load(find_checkpoint(self.model), expressive)
        return self._predictors[expressive]

    def _can_synthesize(self, expressive: bool) -> bool:
        """Whether there is a vocoder for these streams. Warns if there is none."""
        found = self._has_vocoder(expressive)
        if not found:
            streams = "phonetic, pitch and style units" if expressive else "phonetic units without pitch"
            warn_once(f"{self._name} has no vocoder for {streams}: they are shown without resynthesis")
        return found

    def _has_vocoder(self, expressive: bool) -> bool:
        try:
            find_checkpoint(self.model).vocoder_config(expressive)
        except CheckpointError:
            return False
        return True


def _durations(timeline: Timeline) -> Durations:
    """How a vocoder gives the units of a line the durations that they have in its timeline."""
    return "predict" if timeline.predicted else "keep"
