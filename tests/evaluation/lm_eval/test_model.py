"""The language model in EleutherAI's harness, beside the harness's own model `hf` on the same folder."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from causal_lm import causal_lm
from safetensors.torch import load_file, save_file
from text_tokenizers import add_tokens, byte_level

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.scoring import ScoredIds
from spiritlm_cli.third_party import hide_broken_torchaudio

# The harness is imported by the functions that need it: it takes seconds, and every process collects this module.
if TYPE_CHECKING:
    from spiritlm_cli.evaluation.lm_eval.model import SpiritLM

TEXT_IDS, UNITS, CONTEXT = 700, 20, 64
LONG = "the cat sat on the mat. " * 30


def write_model(folder: Path, kind: str, tokenizer: str = "text-qwen", **changes: Any) -> Path:
    """Write a network and a tokenizer with units and markers, which the network does not generate."""
    added = [*(f"[Hu{n}]" for n in range(UNITS)), "[Speech]", "[Text]"]
    content = add_tokens(byte_level(tokenizer), added)
    size = content["added_tokens"][-1]["id"] + 1
    network = causal_lm(kind, vocab_size=size, bos_token_id=None, eos_token_id=1, **changes)
    network.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    head = tensors.get("lm_head.weight", tensors["model.embed_tokens.weight"])
    head[size - len(added) :] = head[0] = 0
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "tokenizer.json").write_text(json.dumps(content))
    names = {"eos_token": "<|endoftext|>", "pad_token": "<|pad|>"}
    if tokenizer == "text-llama":
        names["bos_token"] = "<|begin_of_text|>"
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names})
    )
    return folder


@pytest.fixture(scope="module", autouse=True)
def _harness() -> None:
    pytest.importorskip("lm_eval", reason="the harness is an extra: lm-eval")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of Mistral's form, which `PackedLlama` runs."""
    return write_model(tmp_path_factory.mktemp("packed"), "mistral", sliding_window=None)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a start token."""
    return write_model(tmp_path_factory.mktemp("started"), "mistral", "text-llama", sliding_window=None)


def load(folder: Path | str, **options: Any) -> "SpiritLM":
    from spiritlm_cli.evaluation.lm_eval.model import SpiritLM

    return SpiritLM(pretrained=str(folder), device="cpu", **options)


def requests(kind: str, arguments: Iterable[tuple[Any, ...]]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, one, 0) for one in arguments]


TASKS = {
    "choice": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{text}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    },
    "perplexity": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": "bits_per_byte"}],
    },
    "continuation": {
        "output_type": "generate_until",
        "doc_to_text": "{{text}}",
        "doc_to_target": "{{choices[0]}}",
        "generation_kwargs": {"until": ["e", "\n\n"], "max_gen_toks": 12, "do_sample": False},
        "metric_list": [{"metric": "exact_match"}],
    },
}
DOCUMENTS = [
    {"text": "The old man walked to the", "choices": ["sea", "little boat", "a"], "answer": 0},
    {"text": "Once upon a time there was ", "choices": ["a", "b", "c", "d"], "answer": 1},
    {"text": "Text that spells [Hu3", "choices": ["end", "begin"], "answer": 0},
    {"text": LONG, "choices": ["the cat", "a"], "answer": 1},
]


def evaluate(
    model: Any, folder: Path, tasks: list[str], report: bool = False
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Run the harness on local tasks. Returns the metrics of each task, and the model's answers.

    report: as the command does, which also reports on the tokenizer and, for a second, on the packages installed.
    """
    from lm_eval import evaluator
    from lm_eval.tasks import TaskManager

    data = folder / "documents.jsonl"
    data.write_text("".join(json.dumps(document) + "\n" for document in DOCUMENTS))
    for name, values in TASKS.items():
        files = {"data_files": {"test": str(data)}, "cache_dir": str(folder / "cache")}
        task = {"task": name, "dataset_path": "json", "dataset_kwargs": files, "test_split": "test", **values}
        # JSON is YAML
        (folder / f"{name}.yaml").write_text(json.dumps(task))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    if report:
        results = evaluator.simple_evaluate(model, tasks=tasks, task_manager=manager, bootstrap_iters=0)
    else:
        results = evaluator.evaluate(model, manager.load(tasks), bootstrap_iters=0)
    answers = {name: [sample["resps"] for sample in results["samples"][name]] for name in tasks}
    return results["results"], answers


def test_results_equal_those_of_the_model_hf(packed: Path, tmp_path: Path) -> None:
    """Without the marker, which `hf` does not add.

    `hf` does not count the last token of a continuation to the length, which the network does not have to read.
    """
    pytest.importorskip("accelerate", reason="the model `hf` needs it")
    with hide_broken_torchaudio():
        from lm_eval.models.huggingface import HFLM

        hf = HFLM(pretrained=str(packed), device="cpu", dtype="float32", batch_size=4, max_length=CONTEXT - 1)
        expected, theirs = evaluate(hf, tmp_path, list(TASKS))
    scorer = load(packed, marker=False, max_length=CONTEXT)
    metrics, ours = evaluate(scorer, tmp_path, ["choice", "perplexity"], report=True)
    for document, one, other in zip(DOCUMENTS, ours["choice"], theirs["choice"], strict=True):
        assert len(one) == len(other) == len(document["choices"])  # type: ignore[arg-type]
        for ((likelihood, greedy),), ((value, flag),) in zip(one, other, strict=True):
            assert likelihood == pytest.approx(value, abs=1e-4)
            assert greedy == flag
    for ((one,),), ((other,),) in zip(ours["perplexity"], theirs["perplexity"], strict=True):
        assert one == pytest.approx(other, abs=1e-3)
    for name, metric in (("choice", "acc"), ("choice", "acc_norm"), ("perplexity", "bits_per_byte")):
        assert metrics[name][f"{metric},none"] == pytest.approx(expected[name][f"{metric},none"], abs=1e-6)
    generator = load(packed, marker=False, max_length=CONTEXT - 1, batch_size=4)
    assert evaluate(generator, tmp_path, ["continuation"])[1]["continuation"] == theirs["continuation"]


def test_batches_do_not_change_answers(packed: Path) -> None:
    pairs = [
        ("the old man", " walked to the sea"),
        ("a", "b"),
        ("", "a girl"),
        ("the old man", " sat"),
        ("a", "c"),
    ]
    options = {"until": ["\n"], "max_gen_toks": 8}
    contexts = [
        ("the old man", options),
        ("a", options),
        (LONG, options),
        ("once", options | {"max_gen_toks": 3}),
    ]
    one, four = load(packed, batch_size=1), load(packed, batch_size=4)
    scores = four.loglikelihood(requests("loglikelihood", pairs))
    assert scores[::-1] == four.loglikelihood(requests("loglikelihood", pairs[::-1]))
    assert scores == [one.loglikelihood(requests("loglikelihood", [pair]))[0] for pair in pairs]
    together = four.generate_until(requests("generate_until", contexts))
    assert together == one.generate_until(requests("generate_until", contexts))
    assert all(len(text) for text in together)


def test_text_follows_the_start_token_and_the_marker(started: Path) -> None:
    lm = LanguageModel.load(str(started), device="cpu")
    text = "the old man. [Hu3] is text"
    ids = [lm.vocabulary.bos_id, lm.vocabulary.marker_ids["text"], *lm.vocabulary.encode_text(text)]
    assert not set(lm.vocabulary.unit_ids.values()) & set(ids)

    def score(prefix: int, expected: list[int]) -> float:
        (score,) = (o.result() for _, o in lm.score_ids_stream([0], lambda _: ScoredIds(expected, prefix)))
        return score.log_likelihood

    for marker, given in ((True, ids), (False, [ids[0], *ids[2:]])):
        model = load(started, marker=marker)
        prefix = 2 if marker else 1
        whole = score(prefix, given)
        assert model.loglikelihood(requests("", [("", text)])) == [(whole, False)]
        assert model.loglikelihood_rolling(requests("", [(text,)])) == [whole]
        # spaces at the boundary are the continuation's
        before = prefix + len(lm.vocabulary.encode_text("the old"))
        answers = model.loglikelihood(requests("", [("the old", text[7:]), ("the old ", text[8:])]))
        assert answers == [(score(before, given), False)] * 2


def test_tokens_of_context_and_continuation_are_those_of_the_whole_text(packed: Path) -> None:
    """Unless all of them are the context's: then the continuation is encoded by itself."""
    model = load(packed)
    encode = LanguageModel.load(str(packed), device="cpu").vocabulary.encode_text
    assert model._encode_pair("the cat", " sat").ids[1:] == encode("the cat sat")
    assert encode("the cat") != encode("the c") + encode("at")
    assert model._encode_pair("the c", "at").ids[1:] == encode("the c") + encode("at")
    assert model.loglikelihood(requests("", [("the cat", "")])) == [(0.0, True)]


def test_windows_score_each_token_of_a_long_text_once(started: Path) -> None:
    model = load(started, max_length=20)
    ids = LanguageModel.load(str(started), device="cpu").vocabulary.encode_text(LONG)
    windows = list(model._windows(ids))
    assert [token for window in windows for token in window.ids[window.context :]] == ids
    assert {tuple(window.ids[:2]) for window in windows} == {tuple(model._prefix)}
    assert max(len(window.ids) for window in windows) == 20
    assert model.loglikelihood_rolling(requests("", [("",), ("a",)]))[0] == 0


def test_long_contexts_are_cut_with_a_warning(started: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = load(started)
    pairs = [(LONG, " the cat"), ("a", " b"), ("a" + LONG, " the cat")]
    with caplog.at_level(logging.WARNING, "spiritlm_cli"):
        scores = model.loglikelihood(requests("", pairs))
    assert scores[0] == scores[2]
    assert [record.getMessage() for record in caplog.records] == [
        "2 of 3 texts are longer than the context, 64 tokens: their beginning was cut off"
    ]
    with pytest.raises(SpiritLMError, match=r"a continuation has \d+ tokens; the model's context is 64"):
        model.loglikelihood(requests("", [("a", LONG)]))
    caplog.clear()
    with caplog.at_level(logging.WARNING, "spiritlm_cli"):
        model.generate_until(requests("", [(LONG, {"max_gen_toks": 50, "until": ["e"]}), ("a", {})]))
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 2 texts are longer than the context, 64 tokens, less that of the continuation: "
        "their beginning was cut off",
        "2 of 2 continuations may be longer than half the context: at most 32 tokens are generated",
    ]


def test_samples_depend_on_the_seed_alone(packed: Path) -> None:
    options = {"do_sample": True, "temperature": 0.9, "top_p": 0.95, "until": [], "max_gen_toks": 8}
    twice = requests("", [("the old man", options)] * 2)
    first = load(packed).generate_until(twice)
    assert first[0] != first[1]
    assert load(packed, batch_size=1).generate_until(twice) == first
    assert load(packed, seed=1).generate_until(twice) != first
    greedy = load(packed).generate_until(requests("", [("the old man", options | {"temperature": 0.0})] * 2))
    assert greedy[0] == greedy[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"typical_p": 0.5}, "not supported: typical_p"),
        ({"do_sample": True, "top_p": 2.0}, "top_p must be above 0"),
        ({"num_beams": 4}, "not supported: num_beams"),
    ],
)
def test_generation_options_are_checked(packed: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpiritLMError, match=message):
        load(packed).generate_until(requests("", [("a", options)]))
    assert load(packed).generate_until(requests("", [("a", {"num_beams": 1, "max_gen_toks": 1})]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"marker": "no"}, "marker must be True or False, not no"),
        ({"units": "all"}, "units must be base or expressive"),
        ({"max_length": 2}, "max_length must be from 3 to 64, not 2"),
        ({"max_length": 65}, "max_length must be from 3 to 64, not 65"),
        ({"folder": "no-such-folder"}, "no-such-folder"),
    ],
)
def test_model_arguments_are_checked(packed: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpiritLMError, match=message):
        load(**({"folder": packed} | options))


def test_batch_size_auto(packed: Path) -> None:
    """It is `auto:N` too, where the harness's own models measure N times."""
    sizes = ("auto", "auto:4", 3)
    assert [load(packed, batch_size=size).batch_size for size in sizes] == [16, 16, 3]


def test_models_without_text_are_refused(open_language_models: Path) -> None:
    for marker in (True, False):
        with pytest.raises(SpiritLMError, match="speech units alone"):
            load(open_language_models / "slam-qwen", marker=marker)


def test_chat_templates_are_refused(packed: Path) -> None:
    model = load(packed)
    for call in (model.chat_template, lambda: model.apply_chat_template([{"role": "user", "content": "a"}])):
        with pytest.raises(SpiritLMError, match="--apply_chat_template"):
            call()
