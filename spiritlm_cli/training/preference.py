"""Direct preference optimization of the language model (Rafailov et al. 2023, https://arxiv.org/abs/2305.18290).

The loss of a prompt x with continuations y_w, which is preferred, and y_l is
-log sigmoid(beta * (log p(y_w|x)/p_ref(y_w|x) - log p(y_l|x)/p_ref(y_l|x))), where the reference p_ref is the network
before the first step. trl's `DPOTrainer` computes it, and the log-likelihoods under the reference, once for each pair,
so that no second network stays in memory. The steps are those of `Loop`: the trainer's own loop would have states,
measurements and files of another form than the other trainings.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from torch import Tensor

from spiritlm_cli.console import notify
from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.nn.device import seed_torch
from spiritlm_cli.third_party import hide_broken_torchaudio, needs_extra, silence_transformers
from spiritlm_cli.training.corpus import list_files
from spiritlm_cli.training.evaluator import Evaluator
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.optimizer import new_optimizer
from spiritlm_cli.training.preference_pairs import PairOrder, PreferencePair, read_pairs
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.samples import Samples, read_prompts
from spiritlm_cli.training.schedule import learning_rate
from spiritlm_cli.training.starting_model import starting_model, weights_file
from spiritlm_cli.training.stateful import Stateful

# What a step reports, and its names in trl.
_REPORT = {
    "reward_margin": "rewards/margins",
    "reward_accuracy": "rewards/accuracies",
    "reward_chosen": "rewards/chosen",
    "reward_rejected": "rewards/rejected",
}


def train_on_pairs(options: LanguageModelOptions) -> None:
    """Train a model on the pairs of `options.dpo`, and write it to the Hugging Face folder `options.output`.

    Raises MissingPackageError without trl, ManifestError if there is no pair that can be used, and CheckpointError for
    a model that has no units or a run that can't be resumed.
    """
    check_run(options, "lm", weights_file(options))
    with needs_extra("trl", extra="dpo", purpose="--dpo"):
        import trl  # noqa: F401
    files = list_files(options.dpo)
    loop = Loop(options, "lm", options.steps)
    if loop.processes == 1 and loop.device.type == "cuda" and torch.cuda.device_count() > 1:
        raise SpiritLMError(
            "--dpo uses one GPU in each process: set CUDA_VISIBLE_DEVICES, or start it by torchrun"
        )
    with loop.main_first():
        model = starting_model(options, [])
        pairs = read_pairs(files, model.vocabulary, options.context)
        folder = options.output / "training" / "pairs"
        if loop.is_main:
            _write(pairs, folder)
    batches = options.accumulate * loop.processes
    epochs = options.steps * options.batch * batches / len(pairs)
    notify(
        f"lm: {len(pairs)} pairs, {epochs:.3g} epochs; their log-likelihoods under the model are computed first"
    )
    prompts = read_prompts(options.sample_prompts) if options.sample_prompts else []
    samples = Samples(options, Evaluator(options, model, loop), prompts) if prompts else None
    network = model.network
    loss_function = PreferenceLoss(options, network, folder, loop.device)
    network.train()
    if options.checkpointing:
        model.checkpoint_activations()
    wrapped = loop.prepare(network)
    optimizer = new_optimizer(network, options)
    order = PairOrder(len(pairs), options.seed, options.batch, batches)

    def step(number: int) -> dict[str, float]:
        seed_torch(int(loop.rng(number).integers(1 << 31)), loop.device)
        part = loop.process * options.accumulate + loop.micro_batch
        loss, report = loss_function(wrapped, order.indices(number, part))
        rate = learning_rate(
            options.schedule, number, options.steps, options.peak_learning_rate, options.warmup_steps
        )
        loop.update(optimizer, wrapped, loss, rate, options.clip)
        return report

    parts: dict[str, Stateful] = {"network": model.trained(), "optimizer": optimizer, "data": order}
    loop.run(parts, step, model.save, after=samples.after if samples else lambda _: {})


def _write(pairs: list[PreferencePair], folder: Path) -> None:
    """Write pairs as a folder of datasets, which all processes read, and in which trl keeps the reference."""
    from datasets import Dataset

    shutil.rmtree(folder, ignore_errors=True)
    columns = {
        f"{name}_ids": [getattr(pair, name) for pair in pairs] for name in ("prompt", "chosen", "rejected")
    }
    with _without_bars():
        Dataset.from_dict(columns).save_to_disk(str(folder))


class PreferenceLoss:
    """Computes the loss of pairs by trl, against the network as it is when this is created."""

    def __init__(
        self, options: LanguageModelOptions, network: Any, folder: Path, device: torch.device
    ) -> None:
        """folder: of the pairs; the reference's log-likelihoods of them are computed, and written beside them.

        network: moved to the device; its dropout is set to 0, and its `forward` can also compute log-likelihoods.
        """
        with hide_broken_torchaudio():
            from datasets import Dataset
            from transformers import PrinterCallback
            from trl import DPOConfig, DPOTrainer

        class Trainer(DPOTrainer):  # type: ignore[misc]
            def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
                # would convert texts to ids; here there are ids, by the rules of `Vocabulary`
                return dataset

        self._device, self._bf16 = device, options.bf16
        # trl reports each run to the Hub
        constants.HF_HUB_DISABLE_TELEMETRY = True
        with silence_transformers(), _without_bars(), self._precision(), _keep(network.config):
            settings = DPOConfig(
                output_dir=str(options.output / "training"), beta=options.beta, max_length=None,
                precompute_ref_log_probs=True, per_device_train_batch_size=options.batch, seed=options.seed,
                use_cpu=device.type == "cpu", bf16=False, gradient_checkpointing=False, report_to="none",
                save_strategy="no", disable_tqdm=True,
            )  # fmt: skip
            self._trainer = Trainer(
                network, args=settings, train_dataset=Dataset.load_from_disk(str(folder)),
                processing_class=_padding_tokenizer(), callbacks=[],
            )  # fmt: skip
        self._trainer.remove_callback(PrinterCallback)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16)

    def __call__(self, network: Any, indices: Iterator[int]) -> tuple[Tensor, dict[str, float]]:
        """Compute the mean loss of some of the pairs.

        network: that of the constructor, perhaps wrapped. Returns a scalar to minimize, and the values to report by
        name. The reward of a continuation is beta * log p/p_ref; `reward_accuracy` is the share of the pairs with a
        higher reward of the chosen one.
        """
        rows = self._trainer.train_dataset
        inputs = self._trainer.data_collator([rows[index] for index in indices])
        with self._precision():
            loss = self._trainer.compute_loss(network, {k: v.to(self._device) for k, v in inputs.items()})
        measured: dict[str, float] = {}
        self._trainer.log(measured)
        self._trainer.state.log_history.clear()
        return loss, {"loss": loss.item()} | {name: measured[theirs] for name, theirs in _REPORT.items()}


@contextmanager
def _without_bars() -> Iterator[None]:
    """Turn off the progress bars of trl and datasets in the block."""
    from datasets import disable_progress_bars

    disable_progress_bars()
    name = "TQDM_DISABLE"  # of trl's
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@contextmanager
def _keep(config: Any) -> Iterator[None]:
    """Restore a configuration after the block, which is written with the weights: trl sets a padding token."""
    before: Mapping[str, Any] = dict(vars(config))
    yield
    vars(config).clear()
    vars(config).update(before)


def _padding_tokenizer() -> Any:
    """A tokenizer of one token, for trl, which takes the id of padding from it: any id, as padding is masked."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    pad = "<pad>"
    words = WordLevel({pad: 0}, unk_token=pad)
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words), pad_token=pad, eos_token=pad)
