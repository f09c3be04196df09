"""The folders of slamkit's language models, and their conversion to Hugging Face folders of their base models.

Such a folder has the configuration of the base model in `base_config`, and the tensors of its network under names with
a prefix. Its vocabulary is that of a text tokenizer with units and markers appended, or units alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spiritlm_cli.checkpoints.conversion_steps import (
    Notify,
    Step,
    copy_step,
    json_step,
    language_model_steps,
    text_step,
)
from spiritlm_cli.checkpoints.lazy_tensors import weight_files
from spiritlm_cli.checkpoints.open_layouts import MAX_VOCABULARY_BYTES
from spiritlm_cli.config import read_json
from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import read_limited, write_text

SLAMKIT = "speech_language_model"
SLAMKIT_PREFIX = "lm."
SLAMKIT_UNITS = 500
# The tokens that are appended to those of the text tokenizer.
SLAMKIT_NAMES = (*(f"<Un{index}>" for index in range(SLAMKIT_UNITS)), "<speech>", "<text>")
# The whole vocabulary of a model of speech alone: a pad, the start and end, and the units.
SLAMKIT_SPEECH_NAMES = ("<PAD>", "<S>", *SLAMKIT_NAMES[:SLAMKIT_UNITS])

_TOKENIZER, _TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
_WEIGHTS, _INDICES = (".bin", ".pt", ".pth", ".safetensors"), (".bin.index.json", ".safetensors.index.json")
# transformers' classes of the networks that slamkit's models are made of.
_CLASSES = {
    "gemma": "GemmaForCausalLM",
    "gemma2": "Gemma2ForCausalLM",
    "gpt_neox": "GPTNeoXForCausalLM",
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "opt": "OPTForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def is_slamkit(folder: Path) -> bool:
    """Whether a folder is a language model of slamkit. Raises CheckpointError if its `config.json` can't be read."""
    path = folder / "config.json"
    return path.is_file() and read_json(path).get("model_type") == SLAMKIT


def read_values(path: Path) -> dict[str, Any]:
    """Read the values of a `config.json` that describe the network; those of slamkit's folders are in `base_config`.

    Raises CheckpointError.
    """
    values = read_json(path)
    if values.get("model_type") == SLAMKIT:
        base = values.get("base_config")
        if not isinstance(base, dict):
            raise CheckpointError(f"{path}: has no base_config, the configuration of the base model")
        # the vocabulary is the base model's with units, or units alone
        sizes = {"vocab_size": values["vocab_size"]} if values.get("vocab_size") is not None else {}
        values = base | sizes
    if not isinstance(values.get("model_type", "llama"), str):
        raise CheckpointError(f"{path}: model_type is {values['model_type']!r}, expected a name")
    return values


def lacks_text_tokenizer(folder: Path) -> bool:
    """Whether a folder is a slamkit model of speech and text without its text tokenizer. Raises CheckpointError."""
    if not is_slamkit(folder):
        return False
    config = read_json(folder / "config.json")
    return not _has_speech_alone(config) and not (folder / _TOKENIZER).exists()


def _has_speech_alone(config: Mapping[str, Any]) -> bool:
    return config.get("vocab_size") == len(SLAMKIT_SPEECH_NAMES)


def text_tokenizer_folder(
    folder: Path, config: Mapping[str, Any], text_tokenizer: Path | None
) -> Path | None:
    """Return the folder with the `tokenizer.json` of a slamkit model's text; None for a model of speech alone.

    folder, config: of the model. text_tokenizer: folder that is to be used in place of the model's own.
    Raises CheckpointError if there is none, or one for a model of speech alone.
    """
    if _has_speech_alone(config):
        if text_tokenizer is not None:
            raise CheckpointError(f"{folder}: has speech units alone; leave out --text-tokenizer")
        return None
    if text_tokenizer is None and not (folder / _TOKENIZER).exists():
        name = config.get("base_model_name")
        advice = f"--text-tokenizer with a folder that holds the tokenizer.json of {name or 'its base model'}"
        raise CheckpointError(f"{folder}: has no text tokenizer; add {advice}")
    return text_tokenizer or folder


def appended_names(tokenizer_json: bytes) -> tuple[str, ...]:
    """Return the tokens that a slamkit model has beside those of a `tokenizer.json`."""
    # a tokenizer that was saved with the model has the units already
    return () if b'"<Un0>"' in tokenizer_json else SLAMKIT_NAMES


def plan_slamkit_steps(
    root: Path, sources: Mapping[str, Path], text_tokenizer: Path | None, shard_size: int, notify: Notify
) -> Iterator[Step]:
    """Yield the files of the Hugging Face folder of a slamkit model's base model, in order.

    sources: from names in `root` to its files. text_tokenizer: folder with the text tokenizer, if `root` has none.
    shard_size: most bytes of weights in one file. notify: is told which sources are left out, and why.
    """
    config = read_json(root / "config.json")
    tokenizer = text_tokenizer_folder(root, config, text_tokenizer)
    written = [_config_step(root / "config.json", config)]
    written += _speech_tokenizer_steps() if tokenizer is None else _tokenizer_steps(tokenizer)
    written += language_model_steps(root, root, shard_size, rename=_without_prefix)
    yield from written
    index, weights = weight_files(root)
    replaced = {root / step.name for step in written} | {index, *weights}
    if text_tokenizer is not None:
        replaced.add(root / _TOKENIZER_CONFIG)  # it is of another tokenizer than the one that is written
    for name, path in sources.items():
        if path in replaced:
            continue
        if path.suffix in _WEIGHTS or name.endswith(_INDICES):
            notify(f"left out: {name}: not the weights of the language model")
        else:
            yield copy_step(name, path)


def _without_prefix(name: str) -> str:
    return name.removeprefix(SLAMKIT_PREFIX)


def _config_step(path: Path, config: Mapping[str, Any]) -> Step:
    """The base model's `config.json`, with the number format of the whole, and without the names of code in it."""
    values = {key: value for key, value in read_values(path).items() if key != "auto_map"}
    if dtype := config.get("dtype") or config.get("torch_dtype"):
        values = {key: value for key, value in values.items() if key not in ("dtype", "torch_dtype")}
        values["torch_dtype"] = dtype
    network = _CLASSES.get(str(values.get("model_type")))
    if network and not values.get("architectures"):
        values = {"architectures": [network]} | values
    return json_step("config.json", values)


def _tokenizer_steps(folder: Path) -> list[Step]:
    """The tokenizer of a folder with units and markers appended, and its configuration."""
    content = read_limited(folder / _TOKENIZER, MAX_VOCABULARY_BYTES, CheckpointError)

    def write(path: Path) -> None:
        write_text(path, _append_tokens(content, folder / _TOKENIZER))

    config = folder / _TOKENIZER_CONFIG
    others = [copy_step(_TOKENIZER_CONFIG, config)] if config.is_file() else []
    return [Step(_TOKENIZER, 2 * len(content), write), *others]


def _append_tokens(content: bytes, path: Path) -> str:
    """Return a `tokenizer.json` with slamkit's tokens appended. Raises CheckpointError."""
    from tokenizers import AddedToken, Tokenizer

    names = appended_names(content)
    if not names:
        return content.decode()
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # Exception itself, or a PanicException of the package
        raise CheckpointError(f"{path}: cut off or not a tokenizer.json ({error})") from None
    before = tokenizer.get_vocab(with_added_tokens=True)
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in names])
    size = 1 + max(before.values(), default=-1)
    for name in names:
        expected = before.get(name, size)
        size = max(size, expected + 1)
        if tokenizer.token_to_id(name) != expected:
            raise CheckpointError(
                f"{path}: has ids that no token has, so that {name} would not get the id {expected}"
            )
    result: str = tokenizer.to_str(pretty=True)
    return result + "\n"


def _speech_tokenizer_steps() -> list[Step]:
    """A tokenizer of the names of units alone, which begins text with `<S>` as slamkit does."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from tokenizers.processors import TemplateProcessing

    ids = {name: index for index, name in enumerate(SLAMKIT_SPEECH_NAMES)}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="<unk>"))  # there is none: other text is an error
    tokenizer.pre_tokenizer = Split(Regex("<[^<>]*>"), "isolated")
    tokenizer.post_processor = TemplateProcessing(single="<S> $A", special_tokens=[("<S>", ids["<S>"])])
    text: str = tokenizer.to_str(pretty=True)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<S>",
        "eos_token": "<S>",
        "pad_token": "<PAD>",
    }
    return [text_step(_TOKENIZER, text + "\n"), json_step(_TOKENIZER_CONFIG, config)]
