"""Open language models from loading to continuations and scores, on stand-ins."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from causal_lm import write_causal_lm
from open_models import SLAMKIT_TEXT, write_language_model, write_text_tokenizer
from safetensors.torch import load_file
from text_tokenizers import add_tokens, byte_level, token_line
from tokenizers import Tokenizer

from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.network import load_network
from spiritlm_cli.language.prompt import Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.transformers_network import TransformersNetwork
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.third_party import hide_broken_torchaudio
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Line, Sequence

with hide_broken_torchaudio():
    from transformers import AutoConfig, AutoModelForCausalLM

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def models(open_language_models: Path) -> dict[str, LanguageModel]:
    """slamkit's models, with their text tokenizers."""
    root = open_language_models
    return {
        name: LanguageModel(
            load_network(root / name, [CPU], torch.float32),
            load_vocabulary(root / name, root / tokenizer if tokenizer else None),
        )
        for name, tokenizer in SLAMKIT_TEXT.items()
    }


def assert_batches_are_exact(lm: LanguageModel, prompts: list[Prompt], to: Any) -> None:
    def request(item: tuple[int, Prompt]) -> GenerationRequest:
        index, prompt = item
        greedy = Sampling(greedy=True, max_new_tokens=index % 4 + 1)
        drawn = Sampling(temperature=0.9, top_p=0.9, max_new_tokens=index % 5 + 1)
        return GenerationRequest(prompt, to, drawn if index % 2 else greedy, str(index))

    items = list(enumerate(prompts))
    batches = lm.generate_stream(items, request, batch_size=4)
    alone = lm.generate_stream(items, request, batch_size=1)
    for (_, together), (_, single) in zip(batches, alone, strict=True):
        assert together.result() == single.result()
    sequences = [prompt.line.sequence for prompt in prompts]
    for sequence, (_, score) in zip(sequences, lm.score_stream(sequences, lambda one: one), strict=True):
        assert score.result() == lm.score(sequence)


def test_batches_do_not_change_results(models: dict[str, LanguageModel]) -> None:
    speech = [f"[SPEECH]{''.join(f'[Hu{k * n % 500}]' for k in range(1, 3 + n))}" for n in range(1, 5)]
    mixed = [f"[TEXT]{'the old man ' * n}[SPEECH][Hu{n}][Hu7]" for n in range(1, 5)]
    example = parse_sequence("[SPEECH][Hu1][Hu2][TEXT] a girl")
    for name, lm in models.items():
        lines = [
            Prompt(Line(parse_sequence(line))) for line in speech + (mixed if name != "slam-qwen" else [])
        ]
        if name != "slam-qwen":
            lines += [Prompt(prompt.line, (example, example)) for prompt in lines[3:6]]
        assert_batches_are_exact(lm, lines, "speech" if name == "slam-qwen" else "any")


@pytest.fixture(scope="module", params=["gemma2", "opt", "mistral", "qwen2 with a window"])
def fallback(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A model whose network transformers runs, with the tokens of our format added to its tokenizer.

    All but OPT attend to 8 tokens in some layers, fewer than the prompts have.
    """
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = add_tokens(byte_level(), [f"[Hu{n}]" for n in range(20)] + ["[Speech]", "[Text]"])
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    write_causal_lm(folder, request.param, vocab_size=700 + 22, eos_token_id=1)
    return LanguageModel.read(folder, "cpu")


PROMPTS = [parse_sequence(f"[TEXT]{'a dog ' * n}[SPEECH][Hu{n}][Hu7]") for n in range(1, 5)]


def test_generation_of_other_networks(fallback: LanguageModel) -> None:
    """Greedy, in batches, with examples, and in a stream: the tokens that transformers computes without a cache."""
    assert isinstance(fallback.network, TransformersNetwork)
    vocabulary = fallback.vocabulary
    sampling = Sampling(greedy=True, max_new_tokens=5)
    example = parse_sequence("[TEXT]the sea[SPEECH][Hu3]")
    prompts = [Prompt(Line(line)) for line in PROMPTS]
    prompts += [Prompt(prompt.line, (example,)) for prompt in prompts]
    stream = fallback.generate_stream(
        prompts, lambda prompt: GenerationRequest(prompt, "speech", sampling), batch_size=4
    )
    for prompt, (_, outcome) in zip(prompts, stream, strict=True):
        generation = outcome.result()
        ids = prompt.encode(vocabulary, "speech").ids
        for token in generation.ids:
            with torch.inference_mode():
                logits = fallback.network._network(input_ids=torch.tensor([ids])).logits[0, -1]
            allowed = [*vocabulary.unit_ids.values(), *vocabulary.eos_ids]
            assert token == allowed[int(logits[allowed].argmax())]
            ids.append(token)
        assert generation.sequence == vocabulary.decode(generation.ids)
        streamed = fallback.stream(fallback.start(GenerationRequest(prompt, "speech", sampling)))
        assert Sequence.of(streamed) == generation.sequence


def test_scores_of_other_networks(fallback: LanguageModel) -> None:
    alone = [fallback.score(line) for line in PROMPTS]
    for score, (_, outcome) in zip(alone, fallback.score_stream(PROMPTS, lambda line: line), strict=True):
        assert outcome.result().tokens == score.tokens
        assert outcome.result().log_likelihood == pytest.approx(score.log_likelihood, abs=1e-3)
    ids = fallback.vocabulary.encode(PROMPTS[0])
    with torch.inference_mode():
        logits = fallback.network._network(input_ids=torch.tensor([ids])).logits[0]
    expected = logits[:-1].log_softmax(-1).gather(1, torch.tensor(ids)[1:, None]).sum().item()
    assert alone[0].log_likelihood == pytest.approx(expected, abs=1e-3)


def test_samples_of_other_networks(fallback: LanguageModel) -> None:
    """Several samples share the cache of their prompt."""
    request = GenerationRequest(PROMPTS[2], "any", Sampling(temperature=20, max_new_tokens=6, seed=3))
    stream = fallback.generate_stream(["line"], lambda _: request, samples=3, batch_size=3)
    (samples,) = [[sample.ids for sample in outcome] for _, outcome in stream]
    assert len(set(samples)) == 3


MIXED_PROMPTS = [
    ("<text>The old man walked to the sea.", "text"),
    ("<speech><Un469><Un109><Un381><Un340><text>", "text"),
    ("<speech><Un144><Un253><Un445><Un368>", "speech"),
    ("<text>Once upon a time<speech>", "speech"),
    ("<speech><Un3><Un7><text> a little girl <speech><Un499><Un0>", "speech"),
]
SPEECH_PROMPTS = [("<Un469><Un109><Un381><Un340>", "speech"), ("<Un0><Un499>", "speech")]


def reference_network(folder: Path) -> Any:
    """transformers' own network with the tensors of a slamkit folder."""
    config = json.loads((folder / "config.json").read_text())["base_config"]
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    tensors = load_file(folder / "model.safetensors")
    network.load_state_dict({name.removeprefix("lm."): one for name, one in tensors.items()}, strict=False)
    network.tie_weights()
    return network.eval()


def reference_ids(text_tokenizer: Path | None, prompt: str) -> list[int]:
    """The ids of a prompt in slamkit's spelling: by the base model's tokenizer with added tokens, or of units alone."""
    if text_tokenizer is None:
        return [1, *(int(unit) + 2 for unit in re.findall(r"<Un(\d+)>", prompt))]
    tokenizer = Tokenizer.from_file(str(text_tokenizer / "tokenizer.json"))
    tokenizer.add_tokens([*(f"<Un{unit}>" for unit in range(500)), "<speech>", "<text>"])
    ids: list[int] = tokenizer.encode(prompt).ids
    return ids


@torch.inference_mode()
def reference_greedy(network: Any, ids: list[int], allowed: list[int], end: int, count: int) -> list[int]:
    """The likeliest allowed tokens one after another, without a cache. end: not returned."""
    new: list[int] = []
    while len(new) < count:
        logits = network(input_ids=torch.tensor([[*ids, *new]])).logits[0, -1]
        token = allowed[int(logits[allowed].argmax())]
        if token == end:
            break
        new.append(token)
    return new


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", SLAMKIT_TEXT)
def test_slamkits_models_of_other_seeds(tmp_path: Path, name: str, seed: int) -> None:
    """Ids of prompts, greedy ids and log-likelihoods are those of transformers and tokenizers."""
    write_language_model(tmp_path, name, seed)
    text = SLAMKIT_TEXT[name] and tmp_path / SLAMKIT_TEXT[name]
    if text:
        write_text_tokenizer(tmp_path, text.name)
    check_against_transformers(tmp_path / name, text)


def check_against_transformers(folder: Path, text: Path | None, count: int = 5) -> float:
    """Compare ids and scores of the prompts. Returns the largest difference of a log-likelihood."""
    lm, reference = LanguageModel.read(folder, "cpu", text_tokenizer=text), reference_network(folder)
    units = lm.vocabulary.unit_ids.values()
    largest = 0.0
    for prompt, output in MIXED_PROMPTS if text else SPEECH_PROMPTS:
        ids = reference_ids(text, prompt)
        line = parse_line(token_line(prompt))
        encoded = Prompt(line).encode(lm.vocabulary, output)
        assert encoded.ids == ids
        # slamkit bans the other modality and the markers; ours the tokens that start or pad a text, too
        allowed = [1, *units] if output == "speech" else [one for one in range(700) if one not in (0, ids[0])]
        greedy = reference_greedy(reference, ids, allowed, 1, count)
        generation = lm.generate(line, output, Sampling(greedy=True, max_new_tokens=count))
        assert list(generation.ids) == greedy
        with torch.inference_mode():
            logits = reference(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        expected = logits.gather(1, torch.tensor(ids)[1:, None]).sum().item()
        largest = max(largest, abs(lm.score_ids(ids).log_likelihood - expected))
    assert largest <= 1e-3
    return largest
