"""How fast continuations are made, against transformers' own `generate` in the same run.

    python benchmarks/generation.py [--model nano] [--new-tokens 100] [--prompts 16]
    python benchmarks/generation.py --hidden 4096 --layers 32 --dtype bfloat16 --new-tokens 8 --plain 2

Prints tokens a second of `LanguageModel.generate_stream`, greedy, for 1, 4 and 16 continuations at once, of
transformers' `LlamaForCausalLM.generate`, one prompt at a time, and the ratios; and whether the tokens are equal: in
any batch to those alone, and to transformers'. Prompts are of mixed lengths, text and speech. Of the
checkpoint, with the seconds from the start of the command to its first token; or, with --hidden, of a LLaMA of that
width and depth (4096 and 32 are the release's), with random weights and the same vocabulary. --plain: of how many
prompts the one-at-a-time side is measured, where all would take too long.
"""

import argparse
import random
import subprocess
import sys
import time

import torch

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.language.grammar import Grammar, State
from spiritlm_cli.language.loading import LlamaForCausalLM, load_network, new_network
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit

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
    """Text and speech in turns, of 3 to 40 words or units."""
    draw = random.Random(0)
    prompts = []
    for place in range(count):
        length = draw.randint(3, 40)
        if place % 2:
            units = tuple(Unit(Kind.HUBERT, draw.randrange(500)) for _ in range(length))
            prompts.append(Sequence((SpeechSpan(units),)))
        else:
            prompts.append(Sequence((TextSpan(" ".join(draw.choices(WORDS, k=length))),)))
    return prompts


def by_transformers(
    network: LlamaForCausalLM,
    prompts: list[list[int]],
    allowed: list[torch.Tensor],
    end: int,
    new_tokens: int,
) -> tuple[list[list[int]], float]:
    """Tokens of each prompt, and tokens a second; what is allowed is masked there too."""
    from transformers import LogitsProcessor

    class Mask(LogitsProcessor):  # type: ignore[misc]
        def __init__(self, mask: torch.Tensor) -> None:
            self.mask = mask

        def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            return scores.masked_fill(~self.mask, -torch.inf)

    found = []
    begun = time.perf_counter()
    for prompt, mask in zip(prompts, allowed, strict=True):
        ids = torch.tensor([prompt])
        out = network.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False, pad_token_id=end,
            eos_token_id=end, logits_processor=[Mask(mask)],
        )  # fmt: skip
        found.append(out[0, len(prompt) :].tolist())
    return found, sum(map(len, found)) / (time.perf_counter() - begun)


def measure(
    name: str, network: LlamaForCausalLM, vocabulary: Vocabulary, count: int, new_tokens: int, plainly: int
) -> None:
    parameters = sum(p.numel() for p in network.parameters())
    prompts = mixed_prompts(count)
    sampling = Sampling(greedy=True, max_new_tokens=new_tokens)
    encoded = [vocabulary.encode(prompt) for prompt in prompts]
    grammar = Grammar(vocabulary, network.config.vocab_size)
    masks = [grammar.allowed(State.SPEECH if place % 2 else State.TEXT) for place in range(count)]
    # one each to warm up
    by_transformers(network, encoded[:1], masks[:1], vocabulary.end, 5)
    theirs, plain = by_transformers(network, encoded[:plainly], masks[:plainly], vocabulary.end, new_tokens)
    print(
        f"{name}: {parameters / 1e6:.0f} M parameters in {network.dtype}, {count} prompts, "
        f"{new_tokens} tokens each at most"
    )
    print(f"  transformers, one at a time: {plain:.2f} tokens/s", flush=True)

    lm = LanguageModel(network, vocabulary)
    lm.generate(prompts[0], "same", Sampling(greedy=True, max_new_tokens=5))
    begun = time.perf_counter()
    lm.generate(prompts[0], "same", Sampling(greedy=True, max_new_tokens=1))
    first = time.perf_counter() - begun
    alone = None
    for batch in (1, 4, 16):
        begun = time.perf_counter()
        generations = [
            next(found)
            for _, found in lm.generate_stream(prompts, lambda p: p, "same", sampling, batch_size=batch)
        ]
        seconds = time.perf_counter() - begun
        tokens = [[*found.ids, *([vocabulary.end] if found.finished else [])] for found in generations]
        alone = alone or tokens
        speed = sum(map(len, tokens)) / seconds
        same = sum(ours == other for ours, other in zip(tokens, theirs, strict=False))
        equal = sum(ours == other for ours, other in zip(tokens, alone, strict=True))
        print(
            f"  {batch:2} at once: {speed:.2f} tokens/s, {speed / plain:.2f} × transformers; "
            f"equal to alone: {equal} of {count}, to transformers: {same} of {len(theirs)}",
            flush=True,
        )
    print(f"  from a prompt to its first token: {1000 * first:.1f} ms")


def from_the_start(model: str) -> float:
    """Seconds from the start of the command to its first token."""
    command = [sys.executable, "-m", "spiritlm_cli", "generate", "--model", model, "--stream"]
    begun = time.perf_counter()
    with subprocess.Popen([*command, "--prompt", "[Hu1][Hu2]"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        found = b""
        while found.count(b"[") < 2 and (block := process.stdout.read1(64)):
            found += block
        seconds = time.perf_counter() - begun
        process.kill()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--hidden", type=int)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--dtype", default="float32", help="of the LLaMA of that width")
    parser.add_argument("--new-tokens", type=int, default=100)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--plain", type=int)
    arguments = parser.parse_args()
    folder = find_checkpoint(arguments.model).language_model(True)
    vocabulary = Vocabulary.load(folder / "tokenizer.model")
    count, plainly = arguments.prompts, arguments.plain or arguments.prompts
    with torch.inference_mode():
        if not arguments.hidden:
            network = load_network(folder, torch.device("cpu"), torch.float32)
            measure(arguments.model, network, vocabulary, count, arguments.new_tokens, plainly)
            seconds = [from_the_start(arguments.model) for _ in range(3)]
            print(f"  from the start of the command to its first token: {min(seconds):.2f} s")
            return
        torch.manual_seed(0)
        torch.set_default_dtype(getattr(torch, arguments.dtype))
        network = new_network(
            vocab_size=-(-vocabulary.size // 64) * 64, hidden_size=arguments.hidden,
            intermediate_size=arguments.hidden * 43 // 16, num_hidden_layers=arguments.layers,
            num_attention_heads=arguments.hidden // 128, num_key_value_heads=arguments.hidden // 128,
            max_position_embeddings=4096, rms_norm_eps=1e-5,
        ).eval()  # fmt: skip
        torch.set_default_dtype(torch.float32)
        name = f"LLaMA of width {arguments.hidden}, {arguments.layers} layers"
        measure(name, network, vocabulary, count, arguments.new_tokens, plainly)


if __name__ == "__main__":
    main()
