"""Continuations of prompts by a language model in training, and their sound, at each of its checkpoints."""

from pathlib import Path

import torch

from spiritlm_cli.audio.writing import write_audio
from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.console import notify
from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.files import write_text
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.text_files import bounded_lines, read_errors
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.tokens.writer import format_line
from spiritlm_cli.training.evaluator import Evaluator
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.metrics import Value, samples_folder
from spiritlm_cli.vocoder.vocoder import Vocoder


def read_prompts(path: Path) -> list[Line]:
    """Read token lines to continue. Raises ManifestError if there are none, TokenError for an invalid line."""
    prompts = []
    with read_errors(str(path)), path.open("rb") as stream:
        for line in read_lines(bounded_lines(stream)):
            if isinstance(line, BadLine):
                raise TokenError(f"{path}: {line.error}")
            if isinstance(line, Line) and (line.sequence.spans or line.opens):
                prompts.append(line)
    if not prompts:
        raise ManifestError(f"{path}: there are no tokens")
    return prompts


def load_vocoder(model: str | None, vocabulary: Vocabulary, device: torch.device) -> Vocoder:
    """Load the vocoder of a checkpoint: of the two the one for the units of a vocabulary. Raises CheckpointError."""
    checkpoint = find_checkpoint(model)
    expressive = checkpoint.is_expressive and vocabulary.unit_counts[Kind.PITCH] > 0
    return Vocoder.load(checkpoint, expressive, str(device))


class Samples:
    """Continues prompts at checkpoints, with the same random numbers each time."""

    def __init__(self, options: LanguageModelOptions, evaluator: Evaluator, prompts: list[Line]) -> None:
        """Raises TokenError for a unit or a modality that the model does not have, CheckpointError for the vocoder."""
        self._options, self._evaluator, self._prompts = options, evaluator, prompts
        vocabulary, name = evaluator.model.vocabulary, options.sample_vocoder
        for line in prompts:
            vocabulary.encode(line.sequence, line.opens)
        decodes = name is not None and evaluator.is_main
        self._vocoder = load_vocoder(name, vocabulary, evaluator.device) if decodes else None

    def after(self, step: int) -> dict[str, Value]:
        """Write the continuations after `step` steps, if the weights are saved then.

        Returns the samples as texts and sounds, by name, in the first process.
        """
        if step % self._options.save_every and step != self._options.steps:
            return {}
        samples = self._evaluator.merge(self._continue())
        if not self._evaluator.is_main:
            return {}
        path = samples_folder(self._options, "lm") / f"{step}.txt"
        lines = [format_line(sample) for sample in samples]
        write_text(path, "".join(line + "\n" for line in lines))
        notify(f"lm: step {step}, {len(samples)} samples in {path}")
        values: dict[str, Value] = {f"samples/{number:02}": line for number, line in enumerate(lines, 1)}
        if self._vocoder:
            values |= decode_samples(self._vocoder, samples, path.with_suffix(""))
        return values

    def _continue(self) -> list[Line]:
        """The prompts of this process with their continuations."""
        sampling = Sampling(seed=self._options.seed)
        with self._evaluator.mode():
            stream = self._evaluator.language_model().generate_stream(
                self._evaluator.own(list(enumerate(self._prompts, 1))),
                lambda item: GenerationRequest(item[1], "any", sampling, str(item[0]), overflow="cut"),
            )
            samples = []
            for (_, line), outcome in stream:
                added = outcome.result().sequence.spans
                whole = Sequence.of((*line.sequence.spans, *added))
                samples.append(Line(whole, line.id, prompt=line.sequence))
        return samples


def decode_samples(vocoder: Vocoder, samples: list[Line], folder: Path) -> dict[str, Waveform]:
    """Write the sound of each sample whose continuation has speech to `folder`, as NN.wav; say which have none.

    Returns the sounds by name. Each is what `decode` makes of the line: the speech of the prompt and its continuation.
    """
    sounds: dict[str, Waveform] = {}
    for number, sample in enumerate(samples, 1):
        added = sample.split()[1].speech
        if not any(unit.kind is Kind.HUBERT for span in added for unit in span.units):
            notify(f"lm: sample {number} has no sound: there is no speech in its continuation")
            continue
        try:
            waveform = vocoder.decode(sample.sequence)
        except TokenError as error:
            notify(f"lm: sample {number} has no sound: {error}")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        write_audio(folder / f"{number:02}.wav", waveform)
        sounds[f"sounds/{number:02}"] = waveform
    return sounds
