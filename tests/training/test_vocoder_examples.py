from pathlib import Path

import numpy as np
import pytest
from training_fixtures import vocoder_options

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.units import Units
from spiritlm_cli.training.data import HOP, Recording
from spiritlm_cli.training.vocoder_examples import Example, read_examples


def test_example_has_units_with_and_without_repeats() -> None:
    recording = Recording(Clip("a", "-"), np.zeros(6 * HOP, dtype=np.int16))
    example = Example(recording, Units(np.array([7, 7, 7, 8, 8, 9]), np.array([1, 2, 3]), np.array([5])), 0)
    assert example.units.tolist() == [7, 8, 9]
    assert example.durations.tolist() == [3, 2, 1]
    assert example.frames.tolist() == [[7, 7, 7, 8, 8, 9], [1, 1, 2, 2, 3, 3], [5] * 6]
    # of a sequence without repeats it isn't known within which run the pitch changes
    assert example.runs[0].tolist() == example.frames[0].tolist()
    for start, stop in ((0, 3), (3, 5), (5, 6)):
        assert len(set(example.runs[1, start:stop].tolist())) == 1
    assert example.length == 6


def test_example_needs_pitch_and_style() -> None:
    recording = Recording(Clip("a", "-"), np.zeros(2 * HOP, dtype=np.int16))
    with pytest.raises(ManifestError, match="pitch or style is missing"):
        Example(recording, Units(np.array([7, 8])), 0)


def test_read_examples_orders_and_selects_speakers(corpus: Path, tmp_path: Path) -> None:
    examples, speakers = read_examples(vocoder_options(corpus, tmp_path))
    assert speakers == ["x", "y"]
    assert [example.speaker for example in examples] == [0, 1, 0, 1]
    examples, speakers = read_examples(vocoder_options(corpus, tmp_path, speakers="y"))
    assert speakers == ["y"]
    assert len(examples) == 2


def test_read_examples_says_what_is_left_out(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read_examples(vocoder_options(corpus, tmp_path, speakers="y,z"))
    message = capsys.readouterr().err
    assert "clips.jsonl: 2 of 4 clips have no units in" in message
    assert "clips.jsonl: no clip to train on has the speaker z" in message


def test_read_examples_refuses_a_speaker_with_a_line_end(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"a speaker can't hold a line end: 'x\\ny'"):
        read_examples(vocoder_options(corpus, tmp_path, speakers="x\ny"))


def test_read_examples_raises_where_nothing_is_left(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"clips\.jsonl: no clip of z has over 14 units"):
        read_examples(vocoder_options(corpus, tmp_path, speakers="z"))
    with pytest.raises(ManifestError, match=r"clips\.jsonl: no clip of x, y has over 60 units"):
        read_examples(vocoder_options(corpus, tmp_path, frames=60))
    units = tmp_path / "units.jsonl"
    units.touch()
    with pytest.raises(ManifestError, match=r"no clip with units in .*units\.jsonl has a speaker"):
        read_examples(vocoder_options(corpus, tmp_path, units=units))
