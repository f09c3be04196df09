"""Options of the held-out data and the samples of `spiritlm train lm`. No torch, so that `--help` is fast."""

from dataclasses import dataclass
from pathlib import Path

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import option


@dataclass(frozen=True, kw_only=True)
class ValidationOptions:
    """How a language model in training is evaluated."""

    valid: Path | None = option(None, "Held-out token lines, for validation.", group="input")
    valid_manifest: Path | None = option(
        None,
        "Manifest of held-out clips with text, for validation; some of them are transcribed.",
        group="input",
    )
    valid_units: Path | None = option(
        None, "With --valid-manifest: JSONL of the clips' units, as --units.", group="input"
    )
    valid_every: int = option(
        200,
        "Steps between two validations. The weights with the least held-out loss are kept in OUTPUT/best.",
        group="training",
        minimum=1,
    )
    valid_clips: int = option(
        16,
        "With --valid-manifest: number of clips to transcribe, the first ones.",
        group="training",
        minimum=1,
    )
    sample_prompts: Path | None = option(
        None,
        "Token lines to continue at each save, to OUTPUT/training/samples/lm/STEP.txt.",
        group="input",
    )
    sample_vocoder: str | None = option(
        None,
        "With --sample-prompts: model whose vocoder decodes the samples, to OUTPUT/training/samples/lm/STEP/NN.wav. "
        "Its units must be those of the data.",
        metavar="MODEL",
        group="model",
    )

    @property
    def validates(self) -> bool:
        """Whether there are held-out data."""
        return bool(self.valid or self.valid_manifest)

    def check_held_out(self) -> None:
        """Raise OptionError for options that need another."""
        if bool(self.valid_manifest) != bool(self.valid_units):
            raise OptionError("needs --valid-units, and the other way round", "--valid-manifest")
        if self.sample_vocoder and not self.sample_prompts:
            raise OptionError("decodes samples; give --sample-prompts too", "--sample-vocoder")
