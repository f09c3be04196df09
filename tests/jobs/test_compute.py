import pickle

import pytest

from spiritlm_cli.jobs.align import AlignCompute, AlignOptions
from spiritlm_cli.jobs.compute import Compute
from spiritlm_cli.jobs.decode import DecodeCompute, DecodeOptions
from spiritlm_cli.jobs.generate import GenerateCompute, GenerateOptions
from spiritlm_cli.jobs.interleave import InterleaveCompute, InterleaveOptions
from spiritlm_cli.jobs.score import ScoreCompute
from spiritlm_cli.jobs.tokenize import TokenizeCompute, TokenizeOptions

COMPUTATIONS: list[Compute] = [
    TokenizeCompute(TokenizeOptions(audio=("a.wav",))),
    AlignCompute(AlignOptions(audio=("a.wav",)), cpus=2),
    InterleaveCompute(InterleaveOptions(audio=("a.wav",))),
    GenerateCompute(GenerateOptions(prompt="[TEXT]x")),
    DecodeCompute(DecodeOptions(output="out/")),
    ScoreCompute(GenerateOptions(score=True)),
]


@pytest.mark.parametrize("compute", COMPUTATIONS, ids=lambda compute: type(compute).__name__)
def test_compute_can_be_pickled(compute: Compute) -> None:
    assert pickle.loads(pickle.dumps(compute)) == compute


def test_alignment_by_pocketsphinx_needs_no_gpu() -> None:
    assert AlignCompute(AlignOptions(audio=("a.wav",))).device == "cpu"
    assert AlignCompute(AlignOptions(audio=("a.wav",), aligner="ctc/")).device == "auto"
