"""Train the language model on text, speech, both interleaved, and parallel pairs."""

from functools import partial

from torch import Tensor, nn

from spiritlm_cli.nn.device import seed_torch
from spiritlm_cli.training.attention import check_device, set_attention
from spiritlm_cli.training.evaluator import Evaluator
from spiritlm_cli.training.lanes import LaneStream, RowFormat, State, merge_states
from spiritlm_cli.training.language_model_loss import LossFunction
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.left_out import notify_unused_options
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.metrics import Value
from spiritlm_cli.training.mixture import read_corpus, sources
from spiritlm_cli.training.optimizer import new_optimizer
from spiritlm_cli.training.preference import train_on_pairs
from spiritlm_cli.training.report import WeightedMean
from spiritlm_cli.training.rows import Rows
from spiritlm_cli.training.run_file import check_run
from spiritlm_cli.training.samples import Samples, read_prompts
from spiritlm_cli.training.schedule import learning_rate
from spiritlm_cli.training.sharding import ShardedNetwork, ShardedOptimizer, whole_weights
from spiritlm_cli.training.starting_model import starting_model, weights_file
from spiritlm_cli.training.stateful import Stateful
from spiritlm_cli.training.validation import Validation, read_held_out


def train(options: LanguageModelOptions) -> None:
    """Train and write a Hugging Face folder: `options.output` with `options.base`, otherwise in it, in a checkpoint.

    Raises ManifestError if there is nothing to train on, CheckpointError for a run that can't be resumed.
    """
    if options.dpo:
        train_on_pairs(options)
        return
    check_run(options, "lm", weights_file(options))
    loop = Loop(options, "lm", options.steps)
    check_device(options, loop.device)
    with loop.main_first():
        corpus = read_corpus(options)
        mixture = sources(options, corpus)
        model = starting_model(options, corpus.all_texts(), is_main=loop.is_main)
    corpus.highest.check(model.vocabulary)
    notify_unused_options(options, loop.processes)
    evaluator = Evaluator(options, model, loop)
    validation = Validation(options, evaluator, read_held_out(options)) if options.validates else None
    prompts = read_prompts(options.sample_prompts) if options.sample_prompts else []
    samples = Samples(options, evaluator, prompts) if prompts else None
    vocabulary, network = model.vocabulary, model.network
    set_attention(network, options, loop.device)
    network.train()
    if options.checkpointing:
        model.checkpoint_activations()
    wrapped = loop.prepare(network, options.fsdp)
    optimizer = new_optimizer(network, options)
    loss_function = LossFunction(wrapped, mixture, vocabulary, options)
    batches = _MicroBatches(
        loop,
        RowFormat(mixture, vocabulary, options.context + 1, options.loss, options.replaced),
        options,
        loss_function,
    )

    def step(number: int) -> dict[str, WeightedMean]:
        rows = next(batches)
        seed_torch(int(loop.rng(number).integers(1 << 31)), loop.device)
        attention = options.attention * (1 - number / options.steps)
        loss, report = loss_function(rows, attention, batches.weight)
        rate = learning_rate(
            options.schedule, number, options.steps, options.peak_learning_rate, options.warmup_steps
        )
        loop.update(optimizer, wrapped, loss, rate, options.clip)
        return report

    parts: dict[str, Stateful] = {"network": model.trained(), "optimizer": optimizer, "data": batches}
    weights: dict[str, Tensor] = {}
    if loop.is_sharded:
        parts |= {"network": ShardedNetwork(network), "optimizer": ShardedOptimizer(optimizer)}
    if validation:
        parts["validation"] = validation
    gather = partial(_gather, network, weights) if loop.is_sharded else lambda: None

    def after(done: int) -> dict[str, Value]:
        return {
            name: value for one in (validation, samples) if one for name, value in one.after(done).items()
        }

    loop.run(parts, step, partial(model.save, weights), gather, after)


def _gather(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put the weights of a network that is split among processes into `weights` of the first process."""
    weights.clear()
    weights.update(whole_weights(network))


class _MicroBatches:
    """The micro-batches of this process, from its lanes.

    weight: sum of the weights of all losses of the step, in all processes, divided by the number of micro-batches.
    """

    weight: Tensor
    _rows: Rows

    def __init__(
        self, loop: Loop, form: RowFormat, options: LanguageModelOptions, loss_function: LossFunction
    ) -> None:
        self._loop, self._batch, self._loss_function = loop, options.batch, loss_function
        own = options.batch * options.accumulate
        lanes = range(loop.process * own, (loop.process + 1) * own)
        self._parts = loop.processes * options.accumulate
        self._stream = LaneStream(form, options.seed, loop.processes * own, lanes, options.workers)

    def __next__(self) -> Rows:
        """Return the rows of the loop's present micro-batch."""
        if self._loop.micro_batch == 0:
            self._rows = next(self._stream).to(self._loop.device)
            self.weight = self._loop.sum(self._loss_function.weights(self._rows).sum()) / self._parts
        return self._rows[self._loop.micro_batch * self._batch :][: self._batch]

    def state_dict(self) -> State:
        """The state after the last step, of the lanes of all processes."""
        return merge_states(self._loop.gather_objects(self._stream.state_dict()))

    def load_state_dict(self, state: State) -> None:
        """Continue after the step of a state. Raises CheckpointError if it has another number of lanes."""
        self._stream.load_state_dict(state)
