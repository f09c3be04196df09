from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.checkpoints import Checkpoint
from spiritlm_cli.distributed import Codec
from spiritlm_cli.errors import TokenError
from spiritlm_cli.jobs.codecs import LINES, RESULTS, WAVEFORMS
from spiritlm_cli.jobs.lines import InputLine, read_input
from spiritlm_cli.jobs.output import OutputLine, Result
from spiritlm_cli.jobs.score import ScoreCompute, ScoredLine
from spiritlm_cli.manifests.clip import Waveform


@pytest.fixture
def lines(tmp_path: Path, release_tree: Path) -> list[InputLine]:
    """Lines with and without an id, with a bare marker at the end, with a prompt, and one that is not well formed."""
    path = tmp_path / "in.txt"
    path.write_bytes(
        b"a\t[TEXT]x\\[y[SPEECH][St3][Pi4][Hu1]\n[SPEECH][Hu1][TEXT]\n[TEXT]x[TEXT]y\n\nb\t\xff\n[TEXT]\n"
    )
    return list(read_input([str(path)], Checkpoint(release_tree, "tiny")))


def fields(line: InputLine) -> tuple[object, ...]:
    """The fields of a line, those too that are not compared; of an error its type and message."""
    content: object = line.content
    if isinstance(content, TokenError):
        content = type(content), str(content)
    else:
        content = content, content.id, content.opens, content.prompt
    return line.source, line.line_number, line.index, line.id, content


def test_line_round_trip(lines: list[InputLine]) -> None:
    assert sum(isinstance(line.content, TokenError) for line in lines) == 1
    assert any(line.line.opens for line in lines if not isinstance(line.content, TokenError))
    assert any(line.line.prompt for line in lines if not isinstance(line.content, TokenError))
    for line in lines:
        assert fields(LINES.decode(LINES.encode(line))) == fields(line)


def test_scored_line_round_trip(lines: list[InputLine]) -> None:
    codec: Codec[ScoredLine] = ScoreCompute.item_codec
    for line, context in zip(lines, [None, *lines[:-1]], strict=True):
        decoded = codec.decode(codec.encode(ScoredLine.following(line, context)))
        assert isinstance(decoded, ScoredLine)
        assert fields(decoded) == fields(ScoredLine.following(line, decoded.context))
        assert (decoded.context is None) == (context is None)
        assert context is None or fields(decoded.context) == fields(context)


def test_result_round_trip() -> None:
    result = Result((OutputLine("[TEXT]x", "a\udcff"), OutputLine("{}", whole=True)), 1.2, ("cut",), "a  b\n")
    assert RESULTS.decode(RESULTS.encode(result)) == result


@pytest.mark.parametrize("samples", [0, 3])
def test_waveform_round_trip(samples: int) -> None:
    waveform = Waveform(np.linspace(-1, 1, samples, dtype=np.float32), 16000)
    decoded = WAVEFORMS.decode(WAVEFORMS.encode(waveform))
    assert (decoded.rate, decoded.samples.dtype) == (16000, np.float32)
    np.testing.assert_array_equal(decoded.samples, waveform.samples)
