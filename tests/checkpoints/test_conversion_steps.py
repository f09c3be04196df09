"""The plan of a conversion; what conversions write is tested with `convert`."""

from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.checkpoints.conversion_steps import json_config, plan_shards, plan_steps
from spiritlm_cli.checkpoints.tensors import TensorFile


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(1, 30))
def test_plan_shards_is_in_order_and_within_the_size(sizes: list[int], shard_size: int) -> None:
    shards = plan_shards(sizes, shard_size)
    assert [index for shard in shards for index in shard] == list(range(len(sizes)))
    totals = [sum(sizes[index] for index in shard) for shard in shards]
    assert all(total <= shard_size or len(shard) == 1 for total, shard in zip(totals, shards, strict=True))
    assert all(
        total + sizes[after.start] > shard_size for total, after in zip(totals, shards[1:], strict=False)
    )


def test_json_config_leaves_out_what_json_has_no_form_for() -> None:
    messages: list[str] = []
    file = TensorFile(Path("a.pt"), {}, {"step": 3, "optimizer": torch.ones(1)})
    assert json_config(file, messages.append) == {"step": 3}
    assert messages == ["left out: a.pt: optimizer: not plain values"]


def test_plan_steps_tells_copies_from_conversions(release_tree: Path) -> None:
    folder = release_tree / "speech_tokenizer" / "hubert_25hz"
    names = {"speech_tokenizer/hubert_25hz/" + path.name: path for path in sorted(folder.iterdir())}
    names["README.md"] = Path(__file__)
    steps = list(plan_steps(release_tree, names, 1 << 30, lambda message: None))
    assert {Path(step.name).suffix for step in steps if step.converts} == {".safetensors"}
    assert [step.name for step in steps if not step.converts] == ["README.md"]
