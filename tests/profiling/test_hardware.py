import numpy as np
import pytest
import torch

from spiritlm_cli.nn.layers import Conv, ConvTranspose, Linear, prepack_weights
from spiritlm_cli.nn.thread_pool import map_on_threads
from spiritlm_cli.profiling.hardware import count_operations, matrix_peak, peak_memory, reset_peak_memory
from spiritlm_cli.speech.encoder import attend

CPU = torch.device("cpu")


@pytest.mark.parametrize("packed", [False, True])
@torch.inference_mode()
def test_operations_are_counted_whichever_kernels_do_them(packed: bool) -> None:
    linear, conv = Linear(12, 16), Conv(12, 24, 5, padding=2, groups=4)
    if packed:
        prepack_weights(torch.nn.ModuleList([linear, conv]))
    x = torch.randn(2, 48, 12)  # as many rows as need no padding
    y, operations = count_operations(lambda: linear(x, "gelu"))
    assert (tuple(y.shape), operations) == ((2, 48, 16), 2 * 96 * 12 * 16)
    y, operations = count_operations(lambda: conv(x))
    assert operations == 2 * 96 * 24 * (12 // 4) * 5
    # a residual changes nothing
    assert count_operations(lambda: conv(x, residual=y))[1] == operations


@torch.inference_mode()
def test_operations_of_attention_and_transposed_convolution() -> None:
    query = torch.randn(30, 2, 8)
    # of each head a product for the scores, and one with the values
    assert count_operations(lambda: attend(query, query, query, [30]))[1] == 2 * 2 * 2 * 30 * 30 * 8
    up = ConvTranspose(6, 4, 8, stride=4, padding=2)
    assert count_operations(lambda: up(torch.randn(1, 10, 6)))[1] == 2 * 10 * 6 * 4 * 8


def test_operations_are_counted_whichever_threads_do_them() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    conv, x = Conv(6, 4, 3, padding=1), torch.randn(1, 10, 6)
    try:
        assert count_operations(lambda: map_on_threads(conv, [x, x, x]))[1] == 3 * 2 * 10 * 4 * 6 * 3
    finally:
        torch.set_num_threads(before)


def test_peak_memory_is_of_what_was_held_since_the_reset() -> None:
    reset_peak_memory(CPU)
    before = peak_memory(CPU)
    held = np.ones(20_000_000)
    size = held.nbytes
    assert peak_memory(CPU) - before > 0.9 * size
    del held
    assert peak_memory(CPU) - before > 0.9 * size


def test_peak() -> None:
    assert matrix_peak(CPU, tries=1) > 0
