"""Options of `spiritlm train lm`. No torch, so that `--help` is fast."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from spiritlm_cli.errors import OptionError
from spiritlm_cli.options import flag_of, option
from spiritlm_cli.training.mix import ANSWERED, wanted_shares
from spiritlm_cli.training.options import LoopOptions, check_heads
from spiritlm_cli.training.preference_options import PreferenceOptions, check_pairs
from spiritlm_cli.training.prepare_options import CorpusOptions
from spiritlm_cli.training.schedule import default_warmup
from spiritlm_cli.training.validation_options import ValidationOptions

AttnImplementation = Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3"]
# The tokens that are trained on; see `LanguageModelOptions.loss`.
Loss = Literal["balanced", "all", "text", "answer"]
# Options of a new model, and of one whose vocabulary is extended.
_OF_NEW = frozenset({"vocabulary", "dim", "layers", "heads", "ffn"})
_OF_EXTENDED = frozenset({"add_units", "init"})


def is_flash(implementation: str | None) -> bool:
    """Whether an implementation of attention in transformers is flash attention, of the package or of the Hub."""
    return "flash" in (implementation or "")


@dataclass(frozen=True, kw_only=True)
class LanguageModelOptions(CorpusOptions, PreferenceOptions, ValidationOptions, LoopOptions):
    """Train the language model on texts, token lines, and clips with their units and words."""

    data: tuple[Path, ...] = option(
        (), "Folder that `train prepare` wrote; may be repeated.", metavar="FOLDER", group="input"
    )
    base: str | None = option(
        None,
        "Model to start from, instead of random weights: nano, a folder or a Hugging Face repository, of any causal "
        "language model. Units and markers that its vocabulary lacks are added. --output is then a Hugging Face "
        "folder.",
        "--from",
        metavar="MODEL",
        group="input",
    )
    add_units: Literal["base", "expressive"] = option(
        "expressive",
        "With --from: units to add to its vocabulary: base (phonetic) or expressive (phonetic, pitch and style).",
        group="network",
    )
    init: Literal["random", "mean"] = option(
        "random",
        "With --from: how the embeddings of added tokens begin: random, or around the mean of those of text.",
        group="network",
    )
    rope_theta: float | None = option(
        None,
        "Base of the rotary position embedding (default: as the model has it; 10000 for a new one). "
        "Spirit LM was trained with 100000.",
        group="network",
        metavar="NUMBER",
        minimum=1,
        above=True,
    )
    lora: int | None = option(
        None,
        "With --from: train an adapter of this rank on the frozen model (LoRA). --output is then the folder of an "
        "adapter; `models merge` makes a model of it.",
        group="network",
        metavar="RANK",
        minimum=1,
    )
    lora_alpha: float | None = option(
        None,
        "With --lora: the adapter's part is multiplied by this number / RANK (default: 2 × RANK).",
        group="network",
        metavar="NUMBER",
        minimum=0,
        above=True,
    )
    save_every: int = option(100, "Steps between two saves of weights and state.", group="output", minimum=1)
    vocabulary: int = option(2048, "Number of text pieces in a new vocabulary.", group="network", minimum=1)
    dim: int = option(256, "Hidden size.", group="network", minimum=1)
    layers: int = option(8, "Number of layers.", group="network", minimum=1)
    heads: int = option(4, "Attention heads.", group="network", minimum=1)
    ffn: int = option(768, "Hidden size of the feed-forward layers.", group="network", minimum=1)
    mix: str | None = option(
        None,
        "Shares of the tokens, of kinds of training sequences: text, speech, interleaved, asr and tts (pairs of speech "
        "and text), words (each word as speech and as text), examples (of the task asr), lines (token lines), task "
        "(--task). Default: nano's, or the task alone.",
        metavar="NAME=SHARE,…",
        group="training",
    )
    loss: Loss = option(
        "balanced",
        "Tokens to train on: all; text, and what ends it; answer, of pairs and tasks; or balanced: all, except that in "
        "asr and examples speech has weight 0, and text weight 4.",
        group="training",
    )
    task: str | None = option(
        None,
        "Train on solved examples of a task, as generate --task puts them: asr, tts, or the file of a template.",
        metavar="TASK",
        group="training",
    )
    shots: int = option(
        0, "With --task: largest number of examples before the last one.", group="training", minimum=0
    )
    tokenizer: str | None = option(
        None,
        "With --task: model whose speech tokenizer converts the sounds of the template, such as that of tts.",
        metavar="MODEL",
        group="model",
    )
    words: int = option(
        40, "Largest number of words in a parallel pair of speech and text.", group="training", minimum=1
    )
    phones: Path | None = option(
        None,
        "JSONL of the clips' aligned phones; written first if it does not exist. Parallel pairs for --text are then "
        "made by unit selection.",
        group="input",
    )
    selected: float = option(
        0.75,
        "With --phones: share of the parallel pairs that are made by unit selection.",
        group="training",
        minimum=0,
        maximum=1,
    )
    random_words: float = option(
        0.0,
        "With --phones: largest share of the words of a text that are replaced by random words of --text before unit "
        "selection, so that they can't be guessed.",
        group="training",
        minimum=0,
        maximum=1,
    )
    phonetic: float = option(
        0.0,
        "Share of the parallel pairs without pitch and style units.",
        group="training",
        minimum=0,
        maximum=1,
    )
    replaced: float = option(
        0.2,
        "Largest share of a row's phonetic units that are replaced at random in the inputs, against overfitting.",
        group="training",
        minimum=0,
        maximum=1,
    )
    attention: float = option(
        0.0,
        "Initial weight of the loss on attention to the same word in the other modality; it decreases linearly to 0.",
        group="training",
        minimum=0,
    )
    workers: int = option(
        0,
        "Processes that prepare batches in advance (0: the training process prepares them).",
        group="execution",
        minimum=0,
    )
    checkpointing: bool = option(
        False,
        "Keep the inputs of the layers only, and compute the rest again in the backward pass (gradient "
        "checkpointing): takes less memory, and a third more time.",
        group="execution",
    )
    attn_implementation: AttnImplementation | None = option(
        None,
        "Attention of transformers: eager (plain), sdpa (fused, of PyTorch) or flash_attention_2 or _3 (a package of "
        "its own, GPU only), which skips other sequences of a row. Default: sdpa; eager for short rows on a CPU and "
        "with --attention.",
        group="execution",
    )
    fsdp: bool = option(
        False,
        "With several processes: split the weights and the state of the optimizer among them (FSDP).",
        group="execution",
    )
    compile: bool = option(
        False,
        "Compile the network: takes up to two minutes, then each step takes a quarter less time.",
        group="execution",
    )
    context: int = option(
        512, "Tokens in a row, into which training sequences are packed.", group="training", minimum=4
    )
    steps: int = option(1500, "Training steps.", group="training", minimum=1)
    batch: int = option(8, "Rows in a batch.", group="training", minimum=1)
    learning_rate: float | None = option(
        None,
        "Peak learning rate (default: 1.5e-3; with --dpo 1e-6, and with --dpo and --lora 1e-5).",
        group="training",
        metavar="NUMBER",
        minimum=0,
        above=True,
    )
    schedule: Literal["cosine", "constant", "wsd"] = option(
        "cosine",
        "Learning rate after the warm-up: cosine decay to a fiftieth, constant, or constant with linear decay to a "
        "fiftieth in the last fifth of the steps (wsd).",
        group="training",
    )
    warmup: int | None = option(
        None,
        "Steps of linear warm-up of the learning rate (default: a fifth of the steps, up to 200).",
        group="training",
        minimum=0,
    )
    clip: float = option(1.0, "Largest norm of the gradient.", group="training", minimum=0, above=True)
    optimizer: Literal["adamw", "adamw-8bit", "muon"] = option(
        "adamw",
        "Optimizer: adamw; adamw-8bit, with moments of 8 bits, a fourth of the memory (needs bitsandbytes, a GPU); or "
        "muon, Muon for the matrices of the layers and adamw for the rest.",
        group="training",
    )

    def check(self) -> None:
        """Raise OptionError for sizes that make no network, for an invalid mix, and for options that need another."""
        super().check()
        check_pairs(self, self.base)
        self.check_clips()
        self._check_base()
        if self.phones and not self.manifest:
            raise OptionError("needs --manifest, whose clips it is of", "--phones")
        if self.random_words and not self.phones:
            raise OptionError("is for unit selection; give --phones too", "--random-words")
        if self.base and Path(self.base).expanduser().resolve() == self.output.resolve():
            raise OptionError("is the model that --from names, which would be replaced", "--output")
        if self.lora and not self.base:
            raise OptionError("is for a model that --from names", "--lora")
        if self.lora_alpha and not self.lora:
            raise OptionError("is for an adapter; give --lora RANK too", "--lora-alpha")
        if is_flash(self.attn_implementation) and (self.attention or not self.bf16):
            raise OptionError(
                f"{self.attn_implementation} computes in bfloat16, and returns no attention weights: leave out "
                "--no-bf16 and --attention",
                "--attn-implementation",
            )
        if self.optimizer == "muon" and self.fsdp:
            raise OptionError(
                "is muon, whose update of a matrix needs all of it: leave out --fsdp", "--optimizer"
            )
        self.check_held_out()
        check_heads(self.dim, self.heads)
        self._check_mix()
        if self.dim // self.heads % 2:
            raise OptionError(
                f"makes heads of a width of {self.dim // self.heads}, which must be even", "--heads"
            )

    def _check_base(self) -> None:
        """Raise OptionError for an option of a new model with --from, or one of an extended model without it."""
        unused = _OF_NEW if self.base else _OF_EXTENDED
        for field in fields(self):
            if field.name in unused and getattr(self, field.name) != field.default:
                raise OptionError(
                    f"is for {'a new model, not with' if self.base else 'a model that is named by'} --from",
                    flag_of(field),
                )

    @property
    def peak_learning_rate(self) -> float:
        """`learning_rate`, or its default."""
        if self.learning_rate is not None:
            return self.learning_rate
        # for pairs that of trl, and ten times that for an adapter
        return (1e-5 if self.lora else 1e-6) if self.dpo else 1.5e-3

    @property
    def warmup_steps(self) -> int:
        """`warmup`, or its default."""
        return default_warmup(self.steps) if self.warmup is None else self.warmup

    def _check_mix(self) -> None:
        shares = wanted_shares(self.mix, self.task)
        if self.task and "task" not in shares:
            raise OptionError("has no task, but --task is given: add task=SHARE", "--mix")
        if not self.task and ("task" in shares or self.shots or self.tokenizer):
            raise OptionError("is needed for its share in --mix, --shots and --tokenizer", "--task")
        unanswered = shares.keys() - ANSWERED
        if self.loss == "answer" and unanswered:
            raise OptionError(
                f"is answer, and there are no answers in {', '.join(sorted(unanswered))}; give --task, or a --mix of "
                f"{', '.join(sorted(ANSWERED))}",
                "--loss",
            )
        if self.loss == "text" and not shares.keys() - {"speech"}:
            raise OptionError("is text, and --mix has speech alone", "--loss")
