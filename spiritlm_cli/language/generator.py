"""Generation of tokens after prompts, independent of what computes them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from collections.abc import Sequence as TypingSequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from spiritlm_cli.batching import BatchScheduler, Outcome
from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.grammar import Grammar, OutputModality, RequestedModality
from spiritlm_cli.language.hypothesis import Generation, Hypothesis
from spiritlm_cli.language.prompt import EncodedPrompt, Prompt
from spiritlm_cli.language.sampling import Sampling, keyed_generator
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Line, Sequence, Span
from spiritlm_cli.vocoder.durations import DurationPredictor, DurationTracker

T = TypeVar("T")
Overflow = Literal["refuse", "cut"]

_DEFAULT_SAMPLING = Sampling()


@dataclass(frozen=True)
class GenerationRequest:
    """What to continue, and how.

    prompt: a line may end in a bare marker, which opens the span to fill; a `Prompt` may have examples.
    to: what the continuation contains: "speech", "text", "any" of both, or "same", the modality that the prompt ends
    in. The modality that the prompt ends in continues its last span; the other one opens a new span.
    key: name of this line in the random state. Lines with equal seeds and different keys draw different numbers.
    overflow: what happens to a prompt that leaves no room in the model's context. "refuse" raises TokenError. "cut"
    removes whole examples and then the beginning of the line, until `sampling.max_new_tokens` or half the context, if
    that is less, remains for the continuation.
    """

    prompt: Sequence | Line | Prompt
    to: RequestedModality = "same"
    sampling: Sampling = _DEFAULT_SAMPLING
    key: str = ""
    overflow: Overflow = "refuse"


class TokenGenerator(ABC):
    """A vocabulary, a grammar, and a model that draws tokens within it.

    context_length: maximum number of tokens of prompt and continuation together.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        vocab_size: int,
        context_length: int,
        load_durations: Callable[[], DurationPredictor] | None = None,
    ) -> None:
        """vocab_size: number of logits. load_durations: reads the duration predictor that limits in seconds need."""
        self.vocabulary = vocabulary
        self.grammar = Grammar(vocabulary, vocab_size)
        self.context_length = context_length
        self._load_durations = load_durations
        self._durations: DurationPredictor | None = None

    @abstractmethod
    def _advance(self, hypotheses: TypingSequence[Hypothesis]) -> list[Generation | None]:
        """Generate about one token for each hypothesis. Returns the result of each, None while it is incomplete."""

    def generate(
        self,
        prompt: Sequence | Line | Prompt,
        to: RequestedModality = "same",
        sampling: Sampling = _DEFAULT_SAMPLING,
        key: str = "",
        overflow: Overflow = "refuse",
    ) -> Generation:
        """Continue one prompt. The arguments are the fields of `GenerationRequest`; raises what `start` raises."""
        hypothesis = self.start(GenerationRequest(prompt, to, sampling, key, overflow))
        while (generation := hypothesis.result()) is None:
            self._advance([hypothesis])
        return generation

    def stream(self, hypothesis: Hypothesis) -> Iterator[Span]:
        """Continue what `start` returned; yield each unit or piece of text as soon as it can no longer change.

        `Sequence.of` joins the pieces into the sequence that `generate` returns.
        """
        emitted = 0
        while True:
            yield from hypothesis.spans[emitted:]
            emitted = len(hypothesis.spans)
            if hypothesis.finish_reason:
                return
            self._advance([hypothesis])

    def generate_stream(
        self,
        items: Iterable[T],
        request: Callable[[T], GenerationRequest],
        samples: int = 1,
        batch_size: int = 16,
    ) -> Generator[tuple[T, Outcome[Generation]], None, None]:
        """Continue prompts in batches. Yields (item, outcome) in order; on a CPU the same tokens as alone.

        The outcome yields `samples` generations and raises what `request` and `start` raise. Requests may differ in
        every field. Sample k draws as the key `key#k`. When a continuation ends, the next prompt takes its place in
        the batch.
        """
        yield from self.advance_stream(items, lambda item: self._samples(request(item), samples), batch_size)

    def advance_stream(
        self, items: Iterable[T], start: Callable[[T], Iterable[Hypothesis]], batch_size: int = 16
    ) -> Generator[tuple[T, Outcome[Generation]], None, None]:
        """Do the same for what `start_encoded` returned. start: the hypotheses of an item."""
        yield from BatchScheduler(
            items,
            start,
            self._advance,
            size=lambda _: 1.0,
            max_batch=batch_size,
            workers=0,
            release=_drop_cache,
            memory_advice="lower --batch-size or --max-new-tokens, take --dtype bfloat16, or end other programs",
        )

    def _samples(self, request: GenerationRequest, samples: int) -> Iterator[Hypothesis]:
        for sample in range(samples):
            hypothesis = self.start(replace(request, key=f"{request.key}#{sample}"))
            hypothesis.reuse_prompt = samples > 1
            yield hypothesis

    def start(self, request: GenerationRequest) -> Hypothesis:
        """Encode a prompt; nothing is generated yet.

        Raises TokenError for a unit or a modality that the model does not have, for a prompt that is too long, and for
        an empty prompt with `to="same"`, or with `to="any"` if the model has no start token; CheckpointError if seconds
        are limited and there is no duration predictor.
        """
        prompt = Prompt.of(request.prompt)
        output = prompt.ends_in if request.to == "same" else request.to
        if output is None:
            raise TokenError(
                "the prompt is empty, so the modality of the output must be given: text, speech or any"
            )
        encoded = prompt.encode(self.vocabulary, None if output == "any" else output)
        return self.start_encoded(
            encoded, output, request.sampling, request.key, request.overflow, prompt.trailing_hubert
        )

    def start_encoded(
        self,
        prompt: EncodedPrompt,
        output: OutputModality,
        sampling: Sampling,
        key: str = "",
        overflow: Overflow = "refuse",
        preceding: TypingSequence[int] = (),
    ) -> Hypothesis:
        """Do the same for a prompt's token ids.

        preceding: phonetic ids of the speech that the continuation follows; the durations of its first units depend
        on them.
        """
        if not prompt.ids:
            raise TokenError(
                "the prompt is empty and the language model has no start token: "
                "the modality of the output must be given, text or speech"
            )
        length, limit = len(prompt), sampling.token_limit(speech_only=output == "speech")
        measures_speech = sampling.limits_seconds and output != "text"
        tracker = DurationTracker(self._duration_predictor(), preceding) if measures_speech else None
        if length >= self.context_length and overflow == "cut":
            room = self.context_length - min(limit, self.context_length // 2)
            prompt = prompt.truncate(room, self.vocabulary)
        prompt.check_length(self.context_length)
        return Hypothesis(
            prompt.ids,
            # the grammar has to allow the marker that ends a single span
            "any" if sampling.one_span else output,
            min(limit, self.context_length - len(prompt)),
            sampling,
            keyed_generator(sampling.seed, key),
            self.vocabulary,
            self.grammar,
            tracker,
            truncated=length - len(prompt),
            shared_prefix=prompt.shared_prefix,
        )

    def _duration_predictor(self) -> DurationPredictor:
        if self._durations is None:
            if self._load_durations is None:
                raise CheckpointError(
                    "limits in seconds need the duration predictor of a checkpoint's vocoder, and there is none"
                )
            self._durations = self._load_durations()
        return self._durations


def _drop_cache(hypothesis: Hypothesis) -> None:
    """Free the memory of a hypothesis; its tokens so far are read again when it goes on."""
    hypothesis.kv_cache = None
