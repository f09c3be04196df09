"""Requests to vLLM, with its own classes, and its output on machines that can run a model."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from causal_lm import write_causal_lm

from spiritlm_cli.errors import CheckpointError, MissingPackageError, SpiritLMError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vllm import VllmGenerator, sampling_params
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence

needs_vllm = pytest.mark.skipif(not find_spec("vllm"), reason="vLLM is an extra: vllm")
PROMPTS = [
    parse_sequence(line)
    for line in (
        "[TEXT]Once upon a time",
        "[SPEECH][St19][Pi8][Hu279]",
        "[TEXT]Lily went to the sea. She saw",
    )
]


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return LanguageModel.load("nano", device="cpu")


@pytest.fixture(scope="module")
def engine() -> VllmGenerator:
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    try:
        generator = VllmGenerator.load("nano", dtype="float32")
    except SpiritLMError as error:
        pytest.skip(str(error))
    return generator


def test_load_without_vllm_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'spiritlm\[vllm\]'"):
        VllmGenerator.load("nano")


def test_load_names_the_remedy_for_slamkit(open_language_models: Path) -> None:
    with pytest.raises(CheckpointError, match="vLLM can't read the form of slamkit; spiritlm models convert"):
        VllmGenerator.load(str(open_language_models / "slam-qwen"), False)


@pytest.mark.parametrize(
    ("kind", "name"), [("opt", "opt, which"), ("qwen2 with a window", "qwen2 with a sliding window, which")]
)
def test_load_refuses_other_networks(tmp_path: Path, kind: str, name: str) -> None:
    write_causal_lm(tmp_path, kind)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match=f"this is {name} runs without --engine vllm"):
        VllmGenerator.load(str(tmp_path), False)


@needs_vllm
def test_sampling_params(lm: LanguageModel) -> None:
    drawn = Sampling(
        temperature=0.7, top_p=0.8, top_k=9, min_p=0.1, repetition_penalty=1.3, seed=4, max_new_tokens=30
    )
    hypothesis = lm.start(GenerationRequest(PROMPTS[0], "speech", drawn, "a"))
    params = sampling_params(hypothesis, hypothesis.allowed, [lm.vocabulary.eos_id])
    options = (
        params.temperature,
        params.top_p,
        params.top_k,
        params.min_p,
        params.repetition_penalty,
        params.max_tokens,
    )
    assert options == (0.7, 0.8, 9, 0.1, 1.3, 30)
    assert sorted(params.allowed_token_ids) == sorted(
        [*lm.vocabulary.unit_ids.values(), lm.vocabulary.eos_id]
    )
    other = lm.start(GenerationRequest(PROMPTS[0], "speech", drawn, "b"))
    assert params.seed != sampling_params(other, other.allowed, []).seed, "each line has its own seed"

    text = lm.start(GenerationRequest(PROMPTS[0], "text", Sampling(greedy=True)))
    params = sampling_params(text, text.allowed, [])
    assert params.temperature == 0
    # more tokens are allowed than vLLM accepts, so the others are forbidden
    assert set(params.logit_bias) == set((~text.allowed).nonzero()[:, 0].tolist())
    assert set(params.logit_bias.values()) == {float("-inf")}

    hot = lm.start(GenerationRequest(PROMPTS[0], "text", Sampling(temperature=3)))
    with pytest.raises(SpiritLMError, match="temperatures up to 2, not 3"):
        sampling_params(hot, hot.allowed, [])


@needs_vllm
@pytest.mark.parametrize("to", ["same", "any", "text", "speech"])
@pytest.mark.parametrize(
    "ends",
    [{}, {"stop": (" the",), "max_seconds": 1.0}, {"one_span": True}, {"min_seconds": 0.5, "sentence": True}],
)
def test_greedy_equals_the_language_model(
    lm: LanguageModel, engine: VllmGenerator, to: str, ends: dict[str, object]
) -> None:

    def request(prompt: Sequence) -> GenerationRequest:
        return GenerationRequest(prompt, to, Sampling(greedy=True, max_new_tokens=40, **ends))

    expected = [one.result() for _, one in lm.generate_stream(PROMPTS, request)]
    generated = [one.result() for _, one in engine.generate_stream(PROMPTS, request)]
    assert generated == expected


@needs_vllm
def test_draws_depend_on_seed_and_key(engine: VllmGenerator) -> None:
    def drawn(seed: int, size: int) -> list[tuple[int, ...]]:
        sampling = Sampling(seed=seed, max_new_tokens=20)
        stream = engine.generate_stream(
            PROMPTS,
            lambda prompt: GenerationRequest(prompt, "any", sampling, str(PROMPTS.index(prompt))),
            samples=2,
            batch_size=size,
        )
        return [one.ids for _, samples in stream for one in samples]

    assert drawn(1, 1) == drawn(1, 16)
    assert drawn(1, 16) != drawn(2, 16)
    assert len(set(drawn(1, 16))) > len(PROMPTS)


@needs_vllm
def test_stream_equals_generate(engine: VllmGenerator) -> None:
    sampling = Sampling(seed=3, max_new_tokens=30, stop=(" the",))
    pieces = engine.stream(engine.start(GenerationRequest(PROMPTS[0], "any", sampling)))
    assert Sequence.of(pieces) == engine.generate(PROMPTS[0], "any", sampling).sequence
