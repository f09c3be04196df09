"""What continues prompts, whatever computes the tokens."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from typing import Literal, TypeVar

from spiritlm_cli.batching import BatchScheduler, Outcome
from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.grammar import Grammar, To
from spiritlm_cli.language.hypothesis import Generation, Hypothesis
from spiritlm_cli.language.prompt import EncodedPrompt, Prompt
from spiritlm_cli.language.sampling import Sampling, line_generator
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Line, Modality, Sequence, Span
from spiritlm_cli.vocoder.durations import DurationPredictor, DurationTracker

T = TypeVar("T")
Overflow = Literal["refuse", "cut"]

_DEFAULT = Sampling()


class Engine(ABC):
    """A vocabulary, which tokens may follow, and what draws them.

    context: how many tokens the model can see, prompt and continuation together.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        logits: int,
        context: int,
        timing: Callable[[], DurationPredictor] | None = None,
    ) -> None:
        """logits: how many the network gives. timing: gives the checkpoint's, where seconds of speech matter."""
        self.vocabulary = vocabulary
        self.grammar = Grammar(vocabulary, logits)
        self.context = context
        self._load_timing = timing
        self._timing: DurationPredictor | None = None

    @abstractmethod
    def _advance(self, rows: TypingSequence[Hypothesis]) -> list[Generation | None]:
        """Go on a little, a token as a rule, with each; of those that are over then, what has become of them."""

    def generate(
        self,
        prompt: Sequence | Line | Prompt,
        to: To = "same",
        sampling: Sampling = _DEFAULT,
        key: str = "",
        overflow: Overflow = "refuse",
    ) -> Generation:
        """Continue a prompt.

        prompt: a line may end in a bare marker, which opens the span that is to be filled; `Prompt` has examples too.
        to: what the continuation is made of: "speech", "text", "any", or "same" as the prompt ends in. In the
        kind that the prompt ends in, its last span goes on; the other kind opens a new span.
        key: sets this line's random numbers apart from those of other lines with the same seed.
        overflow: what becomes of a prompt that, with one token more, is longer than the context: "refuse" it, or "cut"
        off as much of its beginning as makes room for `sampling.max_new_tokens`, or for half the context if that is
        less; examples go first, and whole.
        Raises TokenError for a unit that the model doesn't have, a prompt that is too long, or an empty
        one with "same".
        """
        continuation = self.begin(prompt, to, sampling, key, overflow)
        while (found := continuation.result()) is None:
            self._advance([continuation])
        return found

    def grow(self, continuation: Hypothesis) -> Iterator[Span]:
        """Go on with what `begin` gave until it is over.

        Gives what is added in pieces, each as soon as nothing can take it back: units one by one. `Sequence.of` makes
        one sequence of them, that which `generate` gives.
        """
        given = 0
        while True:
            yield from continuation.spans[given:]
            given = len(continuation.spans)
            if continuation.reason:
                return
            self._advance([continuation])

    def generate_stream(
        self,
        items: Iterable[T],
        prompt: Callable[[T], Sequence | Line | Prompt],
        to: To = "same",
        sampling: Sampling = _DEFAULT,
        key: Callable[[T], str] = lambda _: "",
        samples: int = 1,
        batch_size: int = 16,
        overflow: Overflow = "refuse",
    ) -> Generator[tuple[T, Outcome[Generation]], None, None]:
        """Continue prompts in batches. Yields (item, outcome) in order; on a CPU the same tokens as alone.

        The outcome yields `samples` generations and raises what `prompt` and `generate` raise.
        key: the item's name in the random state; sample k has `key#k`.
        batch_size: how many go on together; where one is over another begins.
        """
        yield from BatchScheduler(
            items,
            lambda item: self._samples(prompt(item), to, sampling, key(item), samples, overflow),
            self._advance,
            size=lambda _: 1.0,
            max_batch=batch_size,
            workers=0,
        )

    def _samples(
        self,
        prompt: Sequence | Line | Prompt,
        to: To,
        sampling: Sampling,
        key: str,
        samples: int,
        overflow: Overflow,
    ) -> Iterator[Hypothesis]:
        for sample in range(samples):
            continuation = self.begin(prompt, to, sampling, f"{key}#{sample}", overflow)
            continuation.repeated = samples > 1
            yield continuation

    def begin(
        self,
        prompt: Sequence | Line | Prompt,
        to: To = "same",
        sampling: Sampling = _DEFAULT,
        key: str = "",
        overflow: Overflow = "refuse",
    ) -> Hypothesis:
        """A prompt to which nothing has been added yet; arguments and errors are those of `generate`."""
        prompt = Prompt.of(prompt)
        kind = prompt.ends_in if to == "same" else to
        if kind is None:
            raise TokenError("the prompt is empty, so what is to follow must be said: text, speech or any")
        encoded = prompt.encode(self.vocabulary, None if kind == "any" else kind)
        return self.begin_encoded(encoded, kind, sampling, key, overflow, prompt.heard)

    def begin_encoded(
        self,
        prompt: EncodedPrompt,
        to: Modality | Literal["any"],
        sampling: Sampling,
        key: str = "",
        overflow: Overflow = "refuse",
        heard: TypingSequence[int] = (),
    ) -> Hypothesis:
        """The same of a prompt's tokens. heard: the phonetic units that it ends in; how long the next ones last depends
        on them too.
        """
        whole, most = len(prompt), sampling.most_tokens(speech_alone=to == "speech")
        clock = DurationTracker(self._find_timing(), heard) if sampling.timed and to != "text" else None
        if whole >= self.context and overflow == "cut":
            room = self.context - min(most, self.context // 2)
            prompt = prompt.cut(room, self.vocabulary)
        ids = prompt.checked(self.context).tokens
        if sampling.one_span:
            # the marker that ends it must be allowed
            to = "any"
        limit = min(most, self.context - len(ids))
        state = self.grammar.start(to, *self.vocabulary.last_span(ids))
        return Hypothesis(
            ids, to, state, limit, sampling, line_generator(sampling.seed, key), self.vocabulary, self.grammar,
            clock, cut=whole - len(ids), shared=prompt.shared,
        )  # fmt: skip

    def _find_timing(self) -> DurationPredictor:
        if self._timing is None:
            if self._load_timing is None:
                raise CheckpointError(
                    "seconds of speech are known to a checkpoint's vocoder, and there is none"
                )
            self._timing = self._load_timing()
        return self._timing


def checkpoint_timing(checkpoint: Checkpoint, expressive: bool) -> Callable[[], DurationPredictor]:
    """Return a function that reads the duration predictor of a checkpoint's vocoder; it raises CheckpointError."""
    return lambda: DurationPredictor.load(checkpoint, expressive)
