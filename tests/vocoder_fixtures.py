"""A small vocoder configuration that tests of the vocoder share."""

from spiritlm_cli.vocoder.config import DurationConfig, HifiGanConfig

CONFIG = HifiGanConfig(
    upsample_rates=[5, 4, 4],
    upsample_kernel_sizes=[11, 8, 8],
    upsample_initial_channel=16,
    resblock_kernel_sizes=[3, 5],
    resblock_dilation_sizes=[[1, 2], [2, 6]],
    num_embeddings=10,
    embedding_dim=4,
    model_in_dim=16,
    dur_predictor_params=DurationConfig(encoder_embed_dim=4, var_pred_hidden_dim=6),
    code_hop_size=80,
    multispkr="single",
    num_speakers=2,
    num_f0_tokens=5,
    num_style_tokens=3,
)
