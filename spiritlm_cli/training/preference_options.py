"""Options of `spiritlm train lm --dpo`. No torch, so that `--help` is fast."""

from dataclasses import dataclass, fields
from pathlib import Path

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import flag_of, option

BETA = 0.1
# Options of `train lm` that can be given with --dpo.
_ALLOWED = frozenset(
    {
        "dpo", "beta", "base", "lora", "lora_alpha", "context", "steps", "batch", "accumulate", "learning_rate",
        "schedule", "warmup", "clip", "optimizer", "seed", "output", "resume", "overwrite", "save_every",
        "sample_prompts", "sample_vocoder", "tensorboard", "wandb", "device", "bf16", "checkpointing",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PreferenceOptions:
    """Pairs of continuations to learn preferences from."""

    dpo: tuple[Path, ...] = option(
        (),
        "With --from, instead of other data: JSONL of a prompt and two continuations, of which one is preferred "
        "(direct preference optimization), or a folder of such files; may be repeated, and gzipped.",
        metavar="FILE",
        group="input",
    )
    beta: float = option(
        BETA,
        "With --dpo: how strongly the model is kept near the one it starts from.",
        group="training",
        minimum=0,
        above=True,
    )


def check_pairs(options: PreferenceOptions, base: str | None) -> None:
    """Raise OptionError for options that can't be used with --dpo, and for --beta without it.

    options: all those of the training. base: of `--from`.
    """
    if not options.dpo:
        if options.beta != BETA:
            raise OptionError("is for pairs; give --dpo too", "--beta")
        return
    if not base:
        raise OptionError("is for a model that --from names", "--dpo")
    for field in fields(options):
        if field.name not in _ALLOWED and getattr(options, field.name) != field.default:
            raise OptionError("can't be used with --dpo", flag_of(field))
