import numpy as np
import pytest

from spiritlm_cli.audio.reading import read_audio
from spiritlm_cli.errors import AudioError
from spiritlm_cli.inspection.batches import ARRANGEMENTS, BatchComparison, BatchReport
from spiritlm_cli.manifests.clip import Waveform
from spiritlm_cli.speech.tokenizer import SpeechTokenizer
from spiritlm_cli.tokens.units import Kind, Unit


@pytest.fixture(scope="module")
def tokenizer(release_tree):
    return SpeechTokenizer.load(str(release_tree), device="cpu")


@pytest.fixture(scope="module")
def base(tokenizer):
    return SpeechTokenizer(tokenizer.hubert, tokenizer.quantizer, None, tokenizer.device)


@pytest.fixture(scope="module")
def clips(recording_file):
    samples = read_audio(recording_file, end=1.5).samples
    edges = {"a": (0, 8000), "b": (8000, 12000), "c": (12000, 24000)}
    return [(name, Waveform(samples[first:last], 16000)) for name, (first, last) in edges.items()]


def compare(tokenizer, clips, seconds=60):
    comparison = BatchComparison(tokenizer, BatchReport({"dtype": "float32"}), seconds, seed=0)
    return list(comparison.compare(clips)), comparison.report


def test_compare_finds_no_difference_in_float32(tokenizer, clips):
    groups, report = compare(tokenizer, clips)
    assert groups == [[]]
    assert report.equal
    encoded = [tokenizer.encode(waveform) for _, waveform in clips]
    units = sum(len(one.hubert) + len(one.pitch) + len(one.style) for one in encoded)
    assert {name: counts.units for name, counts in report.counts.items()} == dict.fromkeys(
        ARRANGEMENTS, units
    )
    assert [counts.batches for counts in report.counts.values()] == [3, 1, 1, 2, 1]
    assert report.verdict == "Exact: 3 clips of 1.5 s have the same units alone and in 8 batches (float32)"


def test_compare_in_groups(base, clips):
    groups, report = compare(base, clips, seconds=0.8)
    assert groups == [[], []]
    assert report.clips == 3


class Faulty(SpeechTokenizer):
    """A tokenizer whose first phonetic unit of a clip is wrong in every batch of several."""

    def encode_windows(self, windows):
        encoded = super().encode_windows(windows)
        if len(windows) > 1:
            for window in encoded:
                window.classes[0] += 1
        return encoded


@pytest.fixture
def faulty(tokenizer):
    return Faulty(tokenizer.hubert, tokenizer.quantizer, None, tokenizer.device)


def test_compare_shows_what_differs(faulty, clips):
    [differences], report = compare(faulty, clips)
    assert not report.equal
    # in three batches of all, and in a pair; the third clip of the pairs is alone
    assert len(differences) == 3 * 3 + 2
    first = differences[0]
    assert (first.id, first.batch, first.kind, first.count) == ("a", "all together", Kind.HUBERT, 1)
    assert first.seconds == 0
    assert first.alone != first.batched
    assert report.verdict.startswith("Not exact: 11 of ")
    assert report.to_json()["differences"][0] == first.to_json()
    table = report.table()
    assert list(table.columns[3].cells) == ["0", "3", "3", "2", "3"]


def test_difference_to_json(faulty, clips):
    _, report = compare(faulty, clips[:1])
    [difference] = report.differences
    assert difference.to_json() == {
        "id": "a",
        "batch": "all together, with a long clip",
        "stream": "Hu",
        "different": 1,
        "first_at": 0.0,
        "alone": str(Unit(Kind.HUBERT, difference.alone.id)),
        "batched": str(Unit(Kind.HUBERT, difference.batched.id)),
    }
    assert str(difference) == (
        "a: all together, with a long clip: 1 unit differs, first at 0.00 s: "
        f"{difference.alone} alone, {difference.batched} in the batch"
    )


def test_compare_refuses_what_cannot_be_encoded(tokenizer):
    with pytest.raises(AudioError, match="too short"):
        compare(tokenizer, [("a", Waveform(np.zeros(100, np.float32), 16000))])


def test_report_without_clips_is_equal():
    assert BatchReport({"dtype": "float32"}).equal
    assert BatchReport({"dtype": "float32"}).verdict == "No clip was compared"
