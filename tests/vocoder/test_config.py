"""The vocoder's configuration."""

import dataclasses
import json
from pathlib import Path

import pytest
from vocoder_fixtures import CONFIG

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.vocoder.config import DurationConfig, HifiGanConfig


def test_hifigan_config_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dataclasses.asdict(CONFIG) | {"batch_size": 16}))
    assert HifiGanConfig.read(path) == CONFIG
    assert (CONFIG.expressive, CONFIG.frame_seconds) == (True, 80 / 16000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resblock": "3"}, "resblock is '3'"),
        ({"code_hop_size": 81}, "multiply to 80, but code_hop_size is 81"),
        ({"upsample_kernel_sizes": [11, 8]}, "upsample_kernel_sizes and upsample_rates differ in length"),
        ({"upsample_kernel_sizes": [11, 8, 7]}, "not each a rate, or that and an even number"),
        ({"resblock_kernel_sizes": [3, 4]}, "not all odd"),
        ({"resblock_kernel_sizes": [3]}, "resblock_dilation_sizes differ in length"),
        ({"multispkr": None}, "model_in_dim is 16, expected 4 × 3"),
        (
            {"dur_predictor_params": DurationConfig(5, 6)},
            "encoder_embed_dim of dur_predictor_params is not 4",
        ),
        ({"default_speaker": 2}, "default_speaker is 2, there are 2"),
        ({"default_style": 3}, "default_style is 3, there are 3"),
        ({"default_style": -1}, "default_style: -1 is outside of 0 to"),
        ({"upsample_rates": [5, 4, 0]}, "upsample_rates: 0 is outside of 1 to"),
        ({"sampling_rate": 0}, "sampling_rate: 0 is outside of 1 to"),
        ({"num_speakers": 0}, "num_speakers is 0"),
        ({"num_style_tokens": 0}, "num_style_tokens is 0"),
        (
            {
                "dur_predictor_params": {
                    "encoder_embed_dim": 4,
                    "var_pred_hidden_dim": 6,
                    "var_pred_kernel_size": 4,
                }
            },
            "var_pred_kernel_size is 4, expected an odd number",
        ),
    ],
)
def test_hifigan_config_refuses(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    content = dataclasses.asdict(CONFIG) | {
        name: dataclasses.asdict(value) if isinstance(value, DurationConfig) else value
        for name, value in changes.items()
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=rf"config\.json: .*{message}"):
        HifiGanConfig.read(path)
