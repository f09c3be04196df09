"""Placement of layers on devices."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spiritlm_cli.errors import SpiritLMError
from spiritlm_cli.language.llama import PackedLlama
from spiritlm_cli.language.loading import load_weights
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.placement import find_devices, layer_counts, place_layers, torch_dtype
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.tokens.reader import parse_sequence

GB = 10**9


@pytest.mark.parametrize(
    ("layers", "free", "ends", "counts"),
    [
        ([1] * 32, [24], (1, 1), [32]),
        ([1] * 32, [24, 24], (0, 0), [16, 16]),
        ([1] * 10, [5, 5, 5, 5], (0, 0), [2, 3, 2, 3]),
        ([1] * 32, [24, 8], (0, 0), [24, 8]),
        ([1] * 32, [8, 24], (0, 0), [8, 24]),
        # modules before and after the layers take their share
        ([1] * 32, [24, 24], (8, 0), [12, 20]),
        ([1] * 32, [24, 24], (0, 8), [20, 12]),
        ([1] * 32, [0, 24, 0], (1, 1), [0, 32, 0]),
        ([1, 1, 1, 9], [10, 10], (0, 0), [3, 1]),
        # no free memory known
        ([1] * 4, [0, 0], (0, 0), [0, 4]),
        ([], [1, 1], (1, 1), [0, 0]),
        # LLaMA 7B in bfloat16 on two GPUs, of which one shows a desktop
        ([404_766_720] * 32, [22 * GB, 25 * GB], (262_144_000, 262_152_192), [15, 17]),
    ],
)
def test_layer_counts_are_in_proportion_to_free_memory(
    layers: list[int], free: list[int], ends: tuple[int, int], counts: list[int]
) -> None:
    assert layer_counts(layers, free, *ends) == counts


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=40),
    st.lists(st.integers(1, 1000), min_size=1, max_size=6),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_layer_counts_differ_from_the_exact_share_by_one_border_layer(
    layers: list[int], free: list[int], first: int, last: int
) -> None:
    counts = layer_counts(layers, free, first, last)
    assert sum(counts) == len(layers)
    total = first + sum(layers) + last
    # a layer crosses a border by half its size at most; the ends have fixed devices
    slack = max(layers) / 2 + max(first, last)
    done, share = first, 0.0
    for device in range(len(counts) - 1):
        done += sum(layers[sum(counts[:device]) : sum(counts[: device + 1])])
        share += total * free[device] / sum(free)
        assert abs(done - share) <= slack + 1e-6


def test_place_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        layers = [nn.Linear(1000, 1000, bias=False) for _ in range(6)]
        ends = [nn.Linear(1000, 1000, bias=False)]
    one, two = torch.device("cuda", 0), torch.device("cuda", 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (GB if device == one else 3 * GB, 4 * GB))
    assert place_layers(layers, ends, ends, [one, two]) == [one] + [two] * 5
    assert place_layers(layers, ends, ends, [two, one]) == [two] * 5 + [one]
    assert place_layers(layers, ends, ends, [one]) == [one] * 6
    # the free memory of a host is not used
    cpu, other = torch.device("cpu"), torch.device("meta")
    assert place_layers(layers, ends, ends, [cpu, other]) == [cpu] * 3 + [other] * 3
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**6, GB))
    with pytest.raises(SpiritLMError, match=r"takes 0\.0 GB; 2 GPUs have 0\.0 GB free"):
        place_layers(layers, ends, ends, [one, two])


def test_find_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert find_devices("cpu", "auto") == find_devices("cpu") == [cpu]
    with pytest.raises(SpiritLMError, match="device nonsense can't be used"):
        find_devices("nonsense", "auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch, "empty", lambda size, device: SimpleNamespace(device=torch.device(device)))
    assert find_devices("auto") == [torch.device("cuda")]
    assert find_devices("auto", "auto") == [torch.device("cuda", index) for index in range(3)]
    assert find_devices("cuda", "auto") == find_devices("auto", "auto")
    assert find_devices("cuda:1", "auto") == [torch.device("cuda", 1)]


def test_a_model_on_two_devices_computes_the_same(small_release: Path) -> None:
    prompt = parse_sequence("[SPEECH][St3][Pi8][Hu365][Hu186]")
    folder = small_release / "spiritlm_model" / "spirit-lm-expressive-7b"
    one = LanguageModel.read(folder, "cpu", device_map="auto")
    weights = load_weights(folder, [torch.device("cpu")] * 2, torch.float32)
    two = LanguageModel(PackedLlama(weights), one.vocabulary)
    sampling = Sampling(max_new_tokens=20)
    assert two.generate(prompt, "same", sampling) == one.generate(prompt, "same", sampling)
    assert two.score(prompt) == one.score(prompt)


def test_torch_dtype() -> None:
    cpu = torch.device("cpu")
    assert torch_dtype(None, cpu) is torch.float32
    assert torch_dtype(None, torch.device("cuda")) is torch.bfloat16
    assert torch_dtype("float16", cpu) is torch_dtype(torch.float16, cpu) is torch.float16
    for dtype in ("int8", "seed", "many"):
        with pytest.raises(ValueError, match="dtype must be"):
            torch_dtype(dtype, cpu)
