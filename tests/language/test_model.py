import json
import shutil
import subprocess
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from random_lm import random_lm
from text_tokenizers import token_line

from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.console import log
from spiritlm_cli.errors import CheckpointError, SpiritLMError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.hypothesis import Hypothesis
from spiritlm_cli.language.kv_cache import KVCache
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import EncodedPrompt, Prompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Line, Sequence

GREEDY = Sampling(greedy=True, max_new_tokens=40)
TEXT = parse_sequence("[TEXT]the cat sat on")


@pytest.fixture
def folder(release_tree: Path, tmp_path: Path) -> Path:
    """A copy of the base model's folder, to break."""
    shutil.copytree(release_tree / "spiritlm_model" / "spirit-lm-base-7b", tmp_path / "lm")
    return tmp_path / "lm"


def test_greedy_tokens_are_the_published(
    models: dict[str, LanguageModel], published: list[dict[str, Any]], same_tokenizers: bool
) -> None:
    """Compare up to the first published token that the grammar excludes.

    The published code generates ids that only pad the embedding and, with output "any", units without a marker.
    """
    compared = 0
    for case in published:
        lm = models[case["model"]]
        expected = case["greedy_ids"]
        prompt = EncodedPrompt(case["prompt_ids"])
        length = _allowed_prefix(lm.start_encoded(prompt, case["output"], GREEDY), expected)
        hypothesis = lm.start_encoded(prompt, case["output"], GREEDY)
        list(lm.stream(hypothesis))
        assert hypothesis.new_ids[:length] == expected[:length]
        assert case["output"] == "any" or length == 40 or expected[length] >= lm.vocabulary.size
        compared += length
        if same_tokenizers:
            generation = lm.generate(parse_sequence(case["prompt"]), case["output"], GREEDY)
            assert list(generation.ids) == hypothesis.new_ids
    assert compared > 200


def _allowed_prefix(hypothesis: Hypothesis, tokens: list[int]) -> int:
    """Append tokens as long as they are allowed; return their number."""
    for length, token in enumerate(tokens):
        if not hypothesis.allowed[token]:
            return length
        hypothesis.append(token)
    return len(tokens)


@pytest.mark.parametrize(
    ("model", "text_tokenizer"),
    [("sims-llama", "text-llama"), ("sims-qwen", "text-qwen"), ("slam-qwen", None)],
)
def test_slamkits_models_answer_as_slamkit(
    open_language_models: Path, data: Path, model: str, text_tokenizer: str | None
) -> None:
    text = open_language_models / text_tokenizer if text_tokenizer else None
    lm = LanguageModel.read(open_language_models / model, "cpu", text_tokenizer=text)
    sampling = Sampling(greedy=True, max_new_tokens=30)
    for case in json.loads((data / "open_models.json").read_text())["language_models"]:
        if case["model"] != model:
            continue
        line = parse_line(token_line(case["prompt"]))
        generation = lm.generate(line, case["output"], sampling)
        ended = [1] if generation.finish_reason == "end" else []
        assert [*generation.ids, *ended] == case["greedy_ids"]
        assert lm.vocabulary.decode(generation.ids) == generation.sequence
        score = lm.score_ids(case["prompt_ids"])
        assert score.tokens == case["tokens_scored"]
        assert score.log_likelihood == pytest.approx(case["log_likelihood"], abs=1e-3)
        if line.opens is None:
            assert lm.score(line.sequence) == score


def test_load_takes_a_text_tokenizer(open_language_models: Path) -> None:
    model, text = str(open_language_models / "sims-qwen"), str(open_language_models / "text-qwen")
    lm = LanguageModel.load(model, False, "cpu", text_tokenizer=text)
    assert lm.generate(TEXT, "speech", GREEDY).sequence.speech
    with pytest.raises(CheckpointError, match="sims-qwen: has no text tokenizer; add --text-tokenizer"):
        LanguageModel.load(model, False, "cpu")


def test_next_tokens_after_published_tokens_are_the_published(
    models: dict[str, LanguageModel], published: list[dict[str, Any]]
) -> None:
    """Also after tokens that the grammar excludes, and among the tokens that the published code chooses from."""
    for case in published:
        lm = models[case["model"]]
        vocabulary = lm.vocabulary
        choices = {"text": vocabulary.text_ids, "speech": list(vocabulary.unit_ids.values())}
        allowed = torch.zeros(lm.network.config.vocab_size, dtype=torch.bool)
        allowed[choices.get(case["output"], range(3, vocabulary.size))] = True
        ids = case["prompt_ids"] + case["greedy_ids"]
        with torch.inference_mode():
            (hidden,) = lm.network.hidden_states([torch.tensor(ids[:-1])])
            logits = lm.network.last_logits(
                [hidden[:end] for end in range(len(case["prompt_ids"]), len(ids))]
            )
        for row, token in zip(logits, case["greedy_ids"], strict=True):
            if token < vocabulary.size:
                assert int(row.masked_fill(~allowed, -torch.inf).argmax()) == token


def test_read_safetensors_shards_and_dtype(folder: Path) -> None:
    whole = LanguageModel.read(folder, "cpu").score(TEXT)
    tensors = read_tensors(folder / "pytorch_model.bin").tensors
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for shard, held in shards.items():
        write_tensors(folder / shard, {name: tensors[name] for name in held})
    weight_map = {name: shard for shard, held in shards.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )
    (folder / "pytorch_model.bin").unlink()
    assert LanguageModel.read(folder, "cpu").score(TEXT) == whole

    (folder / "model.safetensors.index.json").unlink()
    write_tensors(folder / "model.safetensors", tensors)
    assert LanguageModel.read(folder, "cpu").score(TEXT) == whole
    half = LanguageModel.read(folder, "cpu", "bfloat16")
    assert half.network.dtype == torch.bfloat16
    assert torch.get_default_dtype() == torch.float32
    assert half.score(TEXT).log_likelihood == pytest.approx(whole.log_likelihood, rel=0.02)
    assert half.generate(TEXT, "speech", GREEDY).sequence.speech


def test_read_a_tied_model_without_a_head(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"tie_word_embeddings": True}
    tensors = read_tensors(folder / "pytorch_model.bin").tensors
    del tensors["lm_head.weight"]
    write_tensors(folder / "model.safetensors", tensors)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: missing tensor lm_head\.weight"):
        LanguageModel.read(folder, "cpu")
    (folder / "config.json").write_text(json.dumps(config))
    assert LanguageModel.read(folder, "cpu").generate(TEXT, "speech", GREEDY).sequence.speech


@pytest.mark.parametrize("name", ["config.json", "tokenizer.model", "pytorch_model.bin"])
def test_read_names_a_broken_file(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=name):
        LanguageModel.read(folder, "cpu")
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=rf"{name}.*missing|missing.*{name}"):
        LanguageModel.read(folder, "cpu")


def test_read_refuses_the_tokenizer_of_another_model(folder: Path, release_tree: Path) -> None:
    shutil.copy(release_tree / "spiritlm_model" / "spirit-lm-expressive-7b" / "tokenizer.model", folder)
    with pytest.raises(CheckpointError, match=r"tokenizer has 32667 ids.*32512"):
        LanguageModel.read(folder, "cpu")


def test_read_names_an_unknown_device(folder: Path) -> None:
    with pytest.raises(SpiritLMError, match="device nonsense"):
        LanguageModel.read(folder, "nonsense")


def test_prompts_with_shared_examples_generate_as_they_do_alone(lm: LanguageModel) -> None:
    examples = tuple(parse_sequence(f"[SPEECH][Hu{n}][Hu9][TEXT]word {n}") for n in range(5))
    questions = [parse_sequence(f"[SPEECH][Hu{n}]" + "[Hu3]" * n + "[TEXT]a") for n in range(6)]
    prompts = [Prompt(Line(question), examples) for question in questions]
    prompts[3] = Prompt(Line(questions[3]), examples[1:])
    prompts.append(Prompt(Line(questions[0])))
    sampling = Sampling(greedy=True, max_new_tokens=8)
    alone = [lm.generate(prompt, sampling=sampling) for prompt in prompts]
    for batch_size in (1, 3, 16):
        stream = lm.generate_stream(
            prompts, lambda prompt: GenerationRequest(prompt, sampling=sampling), batch_size=batch_size
        )
        assert [outcome.result() for _, outcome in stream] == alone
    # equal to reading the prompt in one piece
    for prompt, generation in zip(prompts, alone, strict=True):
        whole = lm.start_encoded(EncodedPrompt(prompt.encode(lm.vocabulary).ids), "text", sampling)
        assert not whole.shared_prefix
        assert Sequence.of(lm.stream(whole)) == generation.sequence


@pytest.mark.parametrize("arguments", ["--max-new-tokens 2", "--score"])
def test_generate_does_not_import_transformers(programs: Path, arguments: str) -> None:
    code = (
        "import sys\n"
        "from spiritlm_cli.cli.main import main\n"
        f"sys.argv[1:] = ['generate', '--prompt', '[TEXT]Once upon a time', *{arguments.split()!r}]\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted({'torch', 'transformers'} & set(sys.modules)), file=sys.stderr)"
    )
    command = [str(programs / "python"), "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout
    assert result.stderr.splitlines()[-1] == "['torch']"


class SmallMemory(PackedLlama):
    """Has room for the caches of `room` sequences; memory is exhausted when a pass is nearly done."""

    room = 3
    caches: tuple[weakref.ref[KVCache], ...] = ()

    def new_cache(self) -> KVCache:
        cache = super().new_cache()
        self.caches = *(one for one in self.caches if one()), weakref.ref(cache)
        return cache

    def last_logits(self, hidden: list[torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
        if sum(one() is not None for one in self.caches) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return super().last_logits(hidden)


def test_generate_stream_goes_on_with_smaller_batches_if_memory_is_short(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caches of hypotheses that wait are dropped, and their tokens are read again."""
    lm = random_lm(3)
    prompts = [parse_sequence(f"[TEXT]{'so ' * n}[SPEECH][Hu{n}]") for n in range(1, 12)]

    def tokens(batch_size: int) -> list[tuple[int, ...]]:
        sampling = Sampling(max_new_tokens=12, seed=1)
        stream = lm.generate_stream(
            prompts, lambda prompt: GenerationRequest(prompt, "any", sampling), batch_size=batch_size
        )
        return [outcome.result().ids for _, outcome in stream]

    expected = tokens(8)
    monkeypatch.setattr(lm.network, "__class__", SmallMemory)
    monkeypatch.setattr(log, "propagate", True)
    assert tokens(8) == expected
    assert caplog.messages == [
        f"there is too little memory for a batch of {n}; going on with {n // 2}" for n in (8, 4)
    ]
    assert tokens(1) == expected
    monkeypatch.setattr(SmallMemory, "room", 0)
    with pytest.raises(SpiritLMError, match="too little memory; lower --batch-size"):
        tokens(8)


def test_generate_refuses_numbers_that_overflow() -> None:
    lm = random_lm(4)
    lm.network._norm[:] = 1e38
    prompt = parse_sequence("[TEXT]a")
    with pytest.raises(SpiritLMError, match="--dtype float32"):
        lm.generate(prompt, "text", GREEDY)
    with pytest.raises(SpiritLMError, match="infinite or not a number"):
        lm.score(prompt)
    random_lm.cache_clear()
