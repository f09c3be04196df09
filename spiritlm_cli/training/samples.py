"""Continuations of prompts by a language model in training, at each of its checkpoints."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from spiritlm_cli.console import notify
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.files import write_text
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.transformers_network import TransformersNetwork
from spiritlm_cli.text_files import bounded_lines, read_errors
from spiritlm_cli.tokens.reader import BadLine, read_lines
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.tokens.writer import format_line
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.starting_model import StartingModel


@contextmanager
def evaluation_mode(model: StartingModel, options: LanguageModelOptions) -> Iterator[None]:
    """Compute without dropout in the block, and in bfloat16 where training does."""
    device = model.network.get_input_embeddings().weight.device
    model.network.eval()
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bf16):
            yield
    finally:
        model.network.train()


def as_language_model(model: StartingModel, options: LanguageModelOptions) -> LanguageModel:
    """The network and the vocabulary of a training, for generation in `evaluation_mode`."""
    context = getattr(model.network.config, "max_position_embeddings", options.context)
    return LanguageModel(TransformersNetwork(model.network, context), model.vocabulary)


def read_prompts(path: Path) -> list[Line]:
    """Read token lines to continue. Raises ManifestError if there are none, TokenError for an invalid line."""
    prompts = []
    with read_errors(str(path)), path.open("rb") as stream:
        for line in read_lines(bounded_lines(stream)):
            if isinstance(line, BadLine):
                raise line.error
            if isinstance(line, Line) and (line.sequence.spans or line.opens):
                prompts.append(line)
    if not prompts:
        raise ManifestError(f"{path}: there are no tokens")
    return prompts


class Samples:
    """Continues prompts at checkpoints, with the same random numbers each time."""

    def __init__(self, options: LanguageModelOptions, model: StartingModel, prompts: list[Line]) -> None:
        """Raises TokenError for a unit or a modality that the model does not have."""
        self._options, self._model, self._prompts = options, model, prompts
        for line in prompts:
            model.vocabulary.encode(line.sequence, line.opens)

    def after(self, step: int) -> dict[str, float]:
        """Write the continuations after `step` steps, if the weights are saved then. Returns no values."""
        if step % self._options.save_every and step != self._options.steps:
            return {}
        sampling = Sampling(seed=self._options.seed)
        with evaluation_mode(self._model, self._options):
            stream = as_language_model(self._model, self._options).generate_stream(
                enumerate(self._prompts, 1),
                lambda item: GenerationRequest(item[1], "any", sampling, str(item[0]), overflow="cut"),
            )
            lines = []
            for (_, line), outcome in stream:
                added = outcome.result().sequence.spans
                whole = Sequence.of((*line.sequence.spans, *added))
                lines.append(format_line(Line(whole, line.id, prompt=line.sequence)) + "\n")
        path = self._options.output / "training" / "samples" / f"{step}.txt"
        write_text(path, "".join(lines))
        notify(f"lm: step {step}, {len(lines)} samples in {path}")
        return {}
