import torch

from spiritlm_cli.language.kv_cache import KVCache


def append_steps(cache: KVCache, keys: torch.Tensor, values: torch.Tensor, steps: list[int]) -> None:
    """Append (layers, heads, tokens, dim) keys and values, some tokens at a time, and check what is returned."""
    for step in steps:
        start, end = cache.length, cache.length + step
        for layer in range(len(keys)):
            new = torch.stack([keys[layer, :, start:end], values[layer, :, start:end]])
            all_keys, all_values = cache.append(layer, new)
            assert torch.equal(all_keys, keys[layer, :, :end])
            assert torch.equal(all_values, values[layer, :, :end])
        cache.length = end


def test_append_returns_all_tokens_while_memory_grows() -> None:
    rng = torch.Generator().manual_seed(0)
    keys, values = torch.randn(2, 3, 4, 700, 8, generator=rng)
    cache = KVCache(3)
    append_steps(cache, keys, values, [1, 63, 1, 100, 535])
    assert cache.length == 700
    assert cache.devices == [torch.device("cpu")] * 3


def test_copy_is_independent() -> None:
    rng = torch.Generator().manual_seed(0)
    keys, values = torch.randn(2, 2, 4, 20, 8, generator=rng)
    cache = KVCache(2)
    append_steps(cache, keys, values, [10])
    copy = cache.copy()
    assert copy.length == 10
    other_keys, other_values = keys.clone(), values.clone()
    other_keys[:, :, 10:] += 1
    append_steps(copy, other_keys, other_values, [10])
    append_steps(cache, keys, values, [5, 5])


def test_copy_of_an_empty_cache_is_empty() -> None:
    copy = KVCache(2).copy()
    assert (copy.length, copy.devices) == (0, [])
