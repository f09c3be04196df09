import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError, SpiritLMError, TokenError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.hypothesis import Hypothesis
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.prompt import EncodedPrompt
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.transformers_llama import LlamaForCausalLM
from spiritlm_cli.tokens.reader import parse_line, parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan

GREEDY = Sampling(greedy=True, max_new_tokens=40)
TEXT = parse_sequence("[TEXT]the cat sat on")
SPEECH = parse_sequence("[SPEECH][St3][Pi8][Hu365][Hu186]")


@pytest.fixture(scope="module")
def model(models: dict[str, LanguageModel]) -> LanguageModel:
    return models["spirit-lm-expressive-7b"]


@pytest.fixture
def folder(release_tree: Path, tmp_path: Path) -> Path:
    """A copy of the base model's folder, to break."""
    shutil.copytree(release_tree / "spiritlm_model" / "spirit-lm-base-7b", tmp_path / "lm")
    return tmp_path / "lm"


def continued(model: LanguageModel, ids: list[int], to: str, sampling: Sampling) -> list[int]:
    continuation = model.start_encoded(EncodedPrompt(ids), to, sampling)  # type: ignore[arg-type]
    for _ in model.stream(continuation):
        pass
    return continuation.new_ids


def test_greedy_answers_are_the_published(
    models: dict[str, LanguageModel], published: list[dict[str, Any]], same_tokenizers: bool
) -> None:
    """Up to the first token that may not come here: published answers hold ids that pad the embedding, and where
    anything may come, units without a marker before them."""
    compared = 0
    for case in published:
        model = models[case["model"]]
        expected = case["greedy_ids"]
        continuation = model.start_encoded(EncodedPrompt(case["prompt_ids"]), case["output"], GREEDY)
        refused = next(
            (place for place, token in enumerate(expected) if not _takes(continuation, token)), len(expected)
        )
        tokens = continued(model, case["prompt_ids"], case["output"], GREEDY)
        assert tokens[:refused] == expected[:refused]
        assert case["output"] == "any" or refused == 40 or expected[refused] >= model.vocabulary.size
        compared += refused
        if same_tokenizers:
            generation = model.generate(parse_sequence(case["prompt"]), case["output"], GREEDY)
            assert list(generation.ids) == tokens
    assert compared > 200


def _takes(continuation: Hypothesis, token: int) -> bool:
    allowed = bool(continuation.allowed[token])
    if allowed:
        continuation.append(token)
    return allowed


def test_after_every_published_token_the_next_is_the_published(
    models: dict[str, LanguageModel], published: list[dict[str, Any]]
) -> None:
    """Also after those that this model can't produce; of those that the published code had to choose from."""
    for case in published:
        model = models[case["model"]]
        vocabulary = model.vocabulary
        chosen = {"text": vocabulary.text_ids, "speech": list(vocabulary.unit_ids.values())}
        allowed = torch.zeros(model.network.config.vocab_size, dtype=torch.bool)
        allowed[chosen.get(case["output"], range(3, vocabulary.size))] = True
        ids = case["prompt_ids"] + case["greedy_ids"]
        with torch.inference_mode():
            (hidden,) = model.network.hidden_states([torch.tensor(ids[:-1])])
            logits = model.network.last_logits(
                [hidden[:place] for place in range(len(case["prompt_ids"]), len(ids))]
            )
        for of_one, token in zip(logits, case["greedy_ids"], strict=True):
            if token < vocabulary.size:
                assert int(of_one.masked_fill(~allowed, -torch.inf).argmax()) == token


def test_log_likelihoods_are_the_published(
    models: dict[str, LanguageModel], published: list[dict[str, Any]]
) -> None:
    for case in published:
        score = models[case["model"]].score_ids(case["prompt_ids"])
        assert score.log_likelihood == pytest.approx(case["log_likelihood"], abs=1e-3)
        assert score.tokens == case["tokens_scored"]


def test_a_sequence_is_scored_by_its_ids(model: LanguageModel) -> None:
    assert model.score(SPEECH) == model.score_ids(model.vocabulary.encode(SPEECH))
    assert model.score(Sequence()).tokens == 0
    assert model.score(Sequence()).log_likelihood == 0


@pytest.mark.parametrize("prompt", [TEXT, SPEECH, Sequence()])
def test_a_continuation_is_made_of_what_was_asked_for(model: LanguageModel, prompt: Sequence) -> None:
    sampling = Sampling(max_new_tokens=10, temperature=3.0, top_p=1.0)
    for to, kind in (("text", TextSpan), ("speech", SpeechSpan)):
        assert {type(span) for span in model.generate(prompt, to, sampling).sequence.spans} <= {kind}  # type: ignore[arg-type]


def test_same_is_what_the_prompt_ends_in(model: LanguageModel) -> None:
    assert model.generate(TEXT, "same", GREEDY) == model.generate(TEXT, "text", GREEDY)
    assert model.generate(SPEECH, "same", GREEDY) == model.generate(SPEECH, "speech", GREEDY)
    with pytest.raises(TokenError, match="prompt is empty"):
        model.generate(Sequence(), "same", GREEDY)


def test_the_end_is_taken(model: LanguageModel) -> None:
    sampling = Sampling(temperature=100.0, top_p=1.0, max_new_tokens=4000)
    generation = model.generate(SPEECH, "speech", sampling)  # one of 666 tokens is the end
    assert generation.finished
    assert model.vocabulary.eos_id not in generation.ids
    assert len(generation.ids) < 4000
    assert not model.generate(SPEECH, "speech", GREEDY).finished


def test_a_seed_and_key_give_the_same_again(model: LanguageModel) -> None:
    first = model.generate(TEXT, "speech", Sampling(seed=3), key="a")
    model.generate(SPEECH, "speech", Sampling(seed=3), key="b")
    assert model.generate(TEXT, "speech", Sampling(seed=3), key="a") == first
    assert model.generate(TEXT, "speech", Sampling(seed=3), key="b") != first
    assert model.generate(TEXT, "speech", Sampling(seed=4), key="a") != first


def test_a_prompt_must_fit_into_the_context(model: LanguageModel) -> None:
    units = SPEECH.speech[0].units * 1024
    with pytest.raises(TokenError, match=r"4098 tokens.*4096"):
        model.generate(Sequence((SpeechSpan(units),)), "speech", GREEDY)
    with pytest.raises(TokenError, match=r"4098 tokens.*4096"):
        model.score(Sequence((SpeechSpan(units),)))
    # <s>, [Speech], 4090 units: room for four more
    assert len(model.generate(Sequence((SpeechSpan(units[:4090]),)), "speech", GREEDY).ids) == 4


def test_safetensors_shards_and_dtype(folder: Path) -> None:
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


def test_a_tied_model_needs_no_head(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"tie_word_embeddings": True}
    tensors = read_tensors(folder / "pytorch_model.bin").tensors
    del tensors["lm_head.weight"]
    write_tensors(folder / "model.safetensors", tensors)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: missing tensor lm_head\.weight"):
        LanguageModel.read(folder, "cpu")
    (folder / "config.json").write_text(json.dumps(config))
    assert LanguageModel.read(folder, "cpu").generate(TEXT, "speech", GREEDY).sequence.speech


@pytest.mark.parametrize("name", ["config.json", "tokenizer.model", "pytorch_model.bin"])
def test_a_broken_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=name):
        LanguageModel.read(folder, "cpu")
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=rf"{name}.*missing|missing.*{name}"):
        LanguageModel.read(folder, "cpu")


def test_a_tokenizer_of_another_model_is_refused(folder: Path, release_tree: Path) -> None:
    shutil.copy(release_tree / "spiritlm_model" / "spirit-lm-expressive-7b" / "tokenizer.model", folder)
    with pytest.raises(CheckpointError, match=r"tokenizer has 32667 ids.*32512"):
        LanguageModel.read(folder, "cpu")


def test_a_device_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(SpiritLMError, match="device nonsense"):
        LanguageModel.read(folder, "nonsense")


def test_scores_do_not_depend_on_what_is_scored_beside(model: LanguageModel) -> None:
    lines = [
        TEXT, SPEECH, Sequence(), parse_sequence("[TEXT]a"), parse_sequence("[SPEECH][Hu3][TEXT]the mat [SPEECH][Hu7]"),
        Sequence((SpeechSpan(SPEECH.speech[0].units * 200),)), *[TEXT] * 5,
    ]  # fmt: skip
    alone = [model.score(line) for line in lines]
    for order in (lines, lines[::-1], lines[2:7]):
        found = list(model.score_stream(order, lambda line: line))
        assert [line for line, _ in found] == list(order)
        assert [score.result() for _, score in model.score_stream(order, lambda line: line)] == [
            alone[lines.index(line)] for line in order
        ]


def test_a_sequence_that_can_not_be_scored_costs_itself_alone(model: LanguageModel) -> None:
    lines = ["[TEXT]the cat", "[SPEECH][Hu501]", "[SPEECH]" + "[Hu1]" * 5000, "[Hu01]", "[TEXT]the cat"]
    found = []
    for line, score in model.score_stream(lines, parse_sequence):
        try:
            found.append((line, score.result().tokens))
        except TokenError as error:
            found.append((line, str(error)))
    assert [line for line, _ in found] == lines
    counts = [tokens for _, tokens in found]
    assert counts[0] == counts[4] == model.score(parse_sequence(lines[0])).tokens
    assert "[Hu0] to [Hu500]" in str(counts[1])
    assert "context" in str(counts[2])
    assert "not a unit" in str(counts[3])


def test_scores_are_those_of_transformers(
    model: LanguageModel, release_tree: Path, load_reference: Callable[[Path], LlamaForCausalLM]
) -> None:
    folder = release_tree / "spiritlm_model" / "spirit-lm-expressive-7b"
    network = load_reference(folder)
    for line in (TEXT, SPEECH, parse_sequence("[SPEECH][Hu3][TEXT]the mat [SPEECH][Hu7]")):
        ids = torch.tensor([model.vocabulary.encode(line)])
        with torch.inference_mode():
            logits = network(input_ids=ids).logits[0, :-1]
        expected = logits.log_softmax(-1).gather(1, ids[0, 1:, None]).sum().item()
        score = model.score(line)
        assert score.log_likelihood == pytest.approx(expected, abs=1e-4)
        assert score.mean == score.log_likelihood / score.tokens


def test_what_is_given_is_not_counted(model: LanguageModel) -> None:
    whole = parse_sequence("[TEXT]the cat [SPEECH][Hu3][Hu7][Hu200]")
    given, rest = Sequence(whole.spans[:1]), Sequence(whole.spans[1:])
    after = model.score(rest, given)
    assert after.tokens == 4  # the marker and three units
    assert after.log_likelihood == pytest.approx(
        model.score(whole).log_likelihood - model.score(given).log_likelihood, abs=1e-4
    )
    # units that go on from units have no marker
    units = parse_sequence("[SPEECH][Hu3]"), parse_sequence("[SPEECH][Hu7][Hu200]")
    assert model.score(units[1], units[0]).tokens == 2
    both = model.score(parse_sequence("[SPEECH][Hu3][Hu7][Hu200]"))
    assert both.log_likelihood == pytest.approx(
        model.score(units[0]).log_likelihood + model.score(units[1], units[0]).log_likelihood, abs=1e-4
    )
    assert model.score(Sequence(), whole).tokens == 0
    # a marker at the end of what is given is given too, where it is the rest's
    opened = model.score(rest, parse_line("[TEXT]the cat [SPEECH]"))
    assert opened.tokens == 3
    marker = model.score_ids(model.vocabulary.encode(given, "speech")).log_likelihood
    assert opened.log_likelihood == pytest.approx(
        after.log_likelihood - marker + model.score(given).log_likelihood, abs=1e-4
    )
    assert model.score(given, parse_line("[SPEECH]")) == model.score(given)
    found = [
        score.result()
        for _, score in model.score_stream([1, 2], lambda _: rest, lambda n: given if n == 1 else None)
    ]
    assert found == [after, model.score(rest)]


PROMPTS = [
    TEXT, SPEECH, parse_sequence("[TEXT]a"), parse_sequence("[SPEECH][Hu3][TEXT]the mat [SPEECH][Hu7]"),
    Sequence((SpeechSpan(SPEECH.speech[0].units * 60),)), *(parse_sequence(f"[TEXT]{'so ' * n}") for n in range(1, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("to", "batch_size"), [("same", 16), ("any", 3), ("text", 1), ("speech", 5)])
def test_a_continuation_is_the_same_in_any_batch(model: LanguageModel, to: str, batch_size: int) -> None:
    drawn = Sampling(max_new_tokens=12, temperature=2.0, repetition_penalty=1.2, seed=4)
    for sampling in (Sampling(greedy=True, max_new_tokens=12), drawn):
        found = model.generate_stream(
            enumerate(PROMPTS),
            lambda item, sampling=sampling: GenerationRequest(item[1], to, sampling, str(item[0])),  # type: ignore[arg-type,misc]
            samples=3,
            batch_size=batch_size,
        )
        for (place, prompt), generation in found:
            assert list(generation) == [
                model.generate(prompt, to, sampling, f"{place}#{sample}")
                for sample in (0, 1, 2)  # type: ignore[arg-type]
            ]


def test_a_prompt_that_can_not_be_continued_costs_itself_alone(model: LanguageModel) -> None:
    lines = ["[TEXT]the cat", "[SPEECH][Hu501]", "", "[SPEECH]" + "[Hu1]" * 5000, "[TEXT]the cat"]
    found: list[object] = []
    requests = model.generate_stream(
        lines, lambda line: GenerationRequest(parse_sequence(line), sampling=GREEDY)
    )
    for _, generation in requests:
        try:
            found.append(generation.result())
        except TokenError as error:
            found.append(str(error))
    assert found[0] == found[4] == model.generate(parse_sequence(lines[0]), "same", GREEDY)
    assert "[Hu0] to [Hu500]" in str(found[1])
    assert "prompt is empty" in str(found[2])
    assert "context" in str(found[3])
