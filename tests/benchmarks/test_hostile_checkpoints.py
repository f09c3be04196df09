"""A sample of the changes that benchmarks/hostile_checkpoints.py makes."""

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from spiritlm_cli.errors import SpiritLMError

VOCODER = "speech_tokenizer/hifigan_spiritlm_expressive_w2v2"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.filterwarnings("ignore")  # torch warns of empty tensors
def test_a_changed_vocoder_works_or_is_refused(
    release_tree: Path, tmp_path: Path, script: Callable[[str], ModuleType], seed: int
) -> None:
    module = script("hostile_checkpoints.py")
    tree = tmp_path / "tree"
    shutil.copytree(release_tree / VOCODER, tree / VOCODER)
    changes = list(module.trials({"tree": tree}))
    assert {change.kind for change in changes} == {"configurations", "files", "tensors"}
    assert len({change.name for change in changes}) == len(changes) > 500
    refused = 0
    for change in random.Random(seed).sample(changes, 6):
        root = tmp_path / "nano"  # has an expressive vocoder only
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tree, root)
        (root / change.file).unlink()
        change.change(root / change.file)
        with suppress(SpiritLMError):
            refused += 1
            module.use_vocoder(root)
            refused -= 1
    assert refused > 1


def test_table(script: Callable[[str], ModuleType]) -> None:
    module = script("hostile_checkpoints.py")
    trial = module.Trial("files", "nano", "vocoder", "a/config.json", "empty", lambda path: None)
    results = [
        (trial, module.Result(outcome)) for outcome in ("works", "typed error", "typed error", "killed")
    ]
    assert module.table(results).splitlines()[2:] == ["| files | vocoder | 4 | 1 | 2 | 1 |"]
