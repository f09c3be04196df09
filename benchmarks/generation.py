"""Measure the speed of generation, and compare it with transformers' own `generate` in the same run.

    python benchmarks/generation.py [--model nano] [--new-tokens 100] [--prompts 16]
    python benchmarks/generation.py --hidden 4096 --layers 32 --dtype bfloat16 --new-tokens 8 --reference-prompts 2
    python benchmarks/generation.py --qwen2-layers 24 --new-tokens 50 [--reference-prompts 4]

Prints tokens per second of `LanguageModel.generate_stream`, greedy, with batches of 1, 4 and 16 (or --batch-sizes), and
of transformers' own `generate` with one prompt at a time, and their ratio. Prints whether the tokens are equal: those
of each batch to those of the first size, and to those of transformers. The prompts are speech and text of mixed
lengths.

Without --hidden, the network is the checkpoint's, and the seconds from the start of the command to its first token are
printed as well. With --hidden, it is a LLaMA of that width and of --layers layers (the release has 4096 and 32) with
random weights and the checkpoint's vocabulary. With --qwen2-layers, it is a Qwen 2 of 0.5 B parameters (24 layers), or
one with fewer layers, with as many token ids as slamkit's interleaved models of it. --reference-prompts limits the
prompts that transformers continues.
"""

import argparse
import random
import subprocess
import sys
import time

import torch

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.config import read_json
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.grammar import Grammar, State
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.loading import load_weights
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.language.transformers_llama import as_weights, new_network
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

with hide_broken_torchaudio():
    from transformers import LogitsProcessor, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

WORDS = [
    "once",
    "upon",
    "a",
    "time",
    "there",
    "was",
    "little",
    "girl",
    "who",
    "lived",
    "by",
    "the",
    "sea",
    "dog",
]


def mixed_prompts(count: int) -> list[Sequence]:
    """Alternate text and speech of 3 to 40 words or units."""
    rng = random.Random(0)
    prompts = []
    for index in range(count):
        length = rng.randint(3, 40)
        if index % 2:
            units = tuple(Unit(Kind.HUBERT, rng.randrange(500)) for _ in range(length))
            prompts.append(Sequence((SpeechSpan(units),)))
        else:
            prompts.append(Sequence((TextSpan(" ".join(rng.choices(WORDS, k=length))),)))
    return prompts


class AllowedTokens(LogitsProcessor):  # type: ignore[misc]
    """Masks the logits of tokens that may not follow. mask: (vocab_size,) bool."""

    def __init__(self, mask: torch.Tensor) -> None:
        self.mask = mask

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return scores.masked_fill(~self.mask, -torch.inf)


def generate_with_transformers(
    network: PreTrainedModel,
    prompts: list[list[int]],
    masks: list[torch.Tensor],
    eos_id: int,
    new_tokens: int,
) -> tuple[list[list[int]], float]:
    """Continue prompts one at a time. Returns the new tokens of each, and tokens per second."""
    results = []
    started = time.perf_counter()
    for prompt, mask in zip(prompts, masks, strict=True):
        ids = torch.tensor([prompt])
        out = network.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False, pad_token_id=eos_id,
            eos_token_id=eos_id, logits_processor=[AllowedTokens(mask)],
        )  # fmt: skip
        results.append(out[0, len(prompt) :].tolist())
    return results, sum(map(len, results)) / (time.perf_counter() - started)


def generate_with_spiritlm(
    lm: LanguageModel, prompts: list[Sequence], new_tokens: int, batch_size: int
) -> tuple[list[list[int]], float]:
    """Continue prompts in batches. Returns the new tokens of each, and tokens per second."""
    sampling = Sampling(greedy=True, max_new_tokens=new_tokens)
    started = time.perf_counter()
    stream = lm.generate_stream(
        prompts, lambda prompt: GenerationRequest(prompt, sampling=sampling), batch_size=batch_size
    )
    generations = [outcome.result() for _, outcome in stream]
    seconds = time.perf_counter() - started
    eos = [lm.vocabulary.eos_id]
    results = [[*one.ids, *(eos if one.finished else [])] for one in generations]
    return results, sum(map(len, results)) / seconds


def measure(
    name: str,
    network: PreTrainedModel,
    vocabulary: SentencePieceVocabulary,
    count: int,
    new_tokens: int,
    reference_count: int,
    batch_sizes: list[int],
) -> None:
    """Print the speeds of one network. reference_count: number of prompts that transformers continues."""
    parameters = sum(p.numel() for p in network.parameters())
    prompts = mixed_prompts(count)
    encoded = [vocabulary.encode(prompt) for prompt in prompts][:reference_count]
    grammar = Grammar(vocabulary, network.config.vocab_size)
    masks = [grammar.allowed(State.SPEECH if index % 2 else State.TEXT) for index in range(reference_count)]
    # one prompt to warm up
    generate_with_transformers(network, encoded[:1], masks[:1], vocabulary.eos_id, 5)
    expected, reference_speed = generate_with_transformers(
        network, encoded, masks, vocabulary.eos_id, new_tokens
    )
    print(
        f"{name}: {parameters / 1e6:.0f} M parameters in {network.dtype}, {count} prompts, "
        f"at most {new_tokens} tokens each"
    )
    print(f"  transformers, one prompt at a time: {reference_speed:.2f} tokens/s", flush=True)

    lm = LanguageModel(PackedLlama(as_weights(network)), vocabulary)
    generate_with_spiritlm(lm, prompts[:1], 5, 1)
    started = time.perf_counter()
    generate_with_spiritlm(lm, prompts[:1], 1, 1)
    first_token = time.perf_counter() - started
    alone: list[list[int]] = []
    for batch_size in batch_sizes:
        tokens, speed = generate_with_spiritlm(lm, prompts, new_tokens, batch_size)
        alone = alone or tokens
        as_reference = sum(ours == theirs for ours, theirs in zip(tokens, expected, strict=False))
        as_alone = sum(ours == other for ours, other in zip(tokens, alone, strict=True))
        print(
            f"  batches of {batch_size:2}: {speed:.2f} tokens/s, {speed / reference_speed:.2f} × transformers; equal "
            f"to batches of {batch_sizes[0]}: {as_alone} of {count}, "
            f"to transformers: {as_reference} of {len(expected)}",
            flush=True,
        )
    print(f"  from a prompt to its first token: {1000 * first_token:.1f} ms")


def qwen2(layers: int) -> Qwen2ForCausalLM:
    """A Qwen 2 of the shape of the one with 0.5 B parameters, with random weights and 502 ids more."""
    config = Qwen2Config(
        vocab_size=151936 + 502, hidden_size=896, intermediate_size=4864, num_hidden_layers=layers,
        num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=32768,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )  # fmt: skip
    return Qwen2ForCausalLM(config).eval()


def command_to_first_token(model: str) -> float:
    """Seconds from the start of the command to its first token."""
    command = [sys.executable, "-m", "spiritlm_cli", "generate", "--model", model, "--stream"]
    started = time.perf_counter()
    with subprocess.Popen([*command, "--prompt", "[Hu1][Hu2]"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        content = b""
        while content.count(b"[") < 2 and (block := process.stdout.read1(64)):
            content += block
        seconds = time.perf_counter() - started
        process.kill()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--hidden", type=int, help="width of a LLaMA with random weights")
    parser.add_argument("--layers", type=int, default=12, help="its layers")
    parser.add_argument("--qwen2-layers", type=int, help="layers of a Qwen 2 with random weights")
    parser.add_argument("--dtype", default="float32", help="its dtype")
    parser.add_argument("--new-tokens", type=int, default=100)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--reference-prompts", type=int, help="prompts for transformers  [default: all]")
    arguments = parser.parse_args()
    folder = find_checkpoint(arguments.model).language_model(True)
    vocabulary = SentencePieceVocabulary.load(folder / "tokenizer.model")
    reference_count = arguments.reference_prompts or arguments.prompts
    counts = arguments.prompts, arguments.new_tokens, reference_count, arguments.batch_sizes
    with torch.inference_mode():
        if not arguments.hidden and not arguments.qwen2_layers:
            network = new_network(**read_json(folder / "config.json")).eval()
            weights = load_weights(folder, torch.device("cpu"), torch.float32)
            network.load_state_dict(weights.state_dict())
            measure(arguments.model, network, vocabulary, *counts)
            seconds = [command_to_first_token(arguments.model) for _ in range(3)]
            print(f"  from the start of the command to its first token: {min(seconds):.2f} s")
            return
        torch.manual_seed(0)
        torch.set_default_dtype(getattr(torch, arguments.dtype))
        if arguments.qwen2_layers:
            network = qwen2(arguments.qwen2_layers)
            torch.set_default_dtype(torch.float32)
            measure(f"Qwen 2 of width 896, {arguments.qwen2_layers} layers", network, vocabulary, *counts)
            return
        network = new_network(
            vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=arguments.hidden,
            intermediate_size=arguments.hidden * 43 // 16, num_hidden_layers=arguments.layers,
            num_attention_heads=arguments.hidden // 128, num_key_value_heads=arguments.hidden // 128,
            max_position_embeddings=4096, rms_norm_eps=1e-5,
        ).eval()  # fmt: skip
        torch.set_default_dtype(torch.float32)
        measure(f"LLaMA of width {arguments.hidden}, {arguments.layers} layers", network, vocabulary, *counts)


if __name__ == "__main__":
    main()
