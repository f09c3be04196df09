"""The encoder: batches without padding, and the attention that a GPU uses instead."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiritlm_cli.speech.encoder import EncoderConfig, SpeechEncoder, attend, attend_padded

CONFIG = EncoderConfig(
    conv=((8, 10, 5), (8, 3, 2), (8, 2, 2)),
    dim=16,
    ffn_dim=24,
    heads=2,
    layers=2,
    position_kernel=8,
    position_groups=4,
)
Change = Callable[[dict[str, object]], None]


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    torch.manual_seed(0)
    return SpeechEncoder(CONFIG).eval().requires_grad_(False)


def test_hop_and_receptive_field_are_those_of_the_convolutions(encoder: SpeechEncoder) -> None:
    assert CONFIG.hop == 5 * 2 * 2
    field = CONFIG.receptive_field
    with torch.inference_mode():
        for samples, frames in ((field, 1), (field + CONFIG.hop - 1, 1), (field + CONFIG.hop, 2)):
            assert len(encoder([torch.randn(samples)])[0]) == frames


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"conv": ()}, "there are no convolutions"), ({"heads": 3}, "3 heads don't divide a width of 16")],
)
def test_encoder_config_refuses(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EncoderConfig(**(vars(CONFIG) | changes))  # type: ignore[arg-type]


@given(lengths=st.lists(st.integers(CONFIG.receptive_field, 4000), min_size=1, max_size=6))
@settings(deadline=None, max_examples=20)
def test_batches_are_bit_identical_to_single_clips(encoder: SpeechEncoder, lengths: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    clips = [torch.randn(length, generator=generator) for length in lengths]
    with torch.inference_mode():
        for clip, states in zip(clips, encoder(clips), strict=True):
            assert torch.equal(states, encoder([clip])[0])


def test_features_in_chunks_are_those_of_the_whole_clip(encoder: SpeechEncoder) -> None:
    """Inference computes 100 frames at a time, training all at once."""
    clip = torch.randn(1, CONFIG.hop * 250)
    with torch.inference_mode():
        chunked = encoder.features(clip)
    torch.testing.assert_close(chunked, encoder.features(clip), atol=1e-5, rtol=1e-5)


@given(frames=st.lists(st.integers(1, 30), min_size=1, max_size=5))
@settings(deadline=None, max_examples=20)
def test_attend_padded_equals_attend(frames: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, sum(frames), 2, 8, generator=generator)
    torch.testing.assert_close(attend_padded(query, key, value, frames), attend(query, key, value, frames))
