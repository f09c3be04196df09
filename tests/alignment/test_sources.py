from pathlib import Path

import pytest

from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.alignment.pool import POCKETSPHINX, align_clip
from spiritlm_cli.alignment.sources import WordTimes
from spiritlm_cli.errors import AlignmentError, AudioError, CheckpointError, ManifestError
from spiritlm_cli.manifests.clip import Alignment, BadClip, Clip, Transcript, Word

TEXT = "and a strip of cow skin for a belt to hold it in."
TIMES = Alignment((Word("a", 0.32, 0.35), Word("strip", 0.35, 0.63)))


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("one", recording_file, end=3.0, text=TEXT)


@pytest.mark.parametrize("workers", [0, 1])
def test_submit_aligns_clips_without_word_times(
    clip: Clip, aligner: PocketsphinxAligner, workers: int
) -> None:
    timed = Clip("two", clip.source, text=TEXT, alignment=TIMES)
    with WordTimes(aligner=POCKETSPHINX, workers=workers) as times:
        outcomes = [times.submit(item) for item in (clip, timed, Clip("three", clip.source))]
        transcripts = [outcome.result() for outcome in outcomes]
    assert transcripts[0] == Transcript(TEXT, align_clip(clip, aligner).alignment)
    assert transcripts[1] == Transcript(TEXT, TIMES)
    assert transcripts[2] == Transcript(None, None)


def test_submit_without_an_aligner(clip: Clip) -> None:
    with WordTimes() as times:
        assert times.submit(clip).result() == Transcript(TEXT, None)


def test_submit_prefers_alignment_files(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "one.ctm").write_text("rec 1 0.32 0.03 a\nrec 1 0.35 0.28 strip\n")
    with WordTimes(tmp_path, aligner=POCKETSPHINX) as times:
        assert times.submit(clip).result() == Transcript(TEXT, TIMES)
        with pytest.raises(AlignmentError, match=r"two: .* has no alignment of this id"):
            times.submit(Clip("two", clip.source, text=TEXT)).result()


def test_the_outcome_raises(clip: Clip) -> None:
    with WordTimes(aligner=POCKETSPHINX) as times:
        with pytest.raises(ManifestError, match="line 3"):
            times.submit(BadClip("bad", "clips.tsv", ManifestError("line 3: no audio"))).result()
        with pytest.raises(AudioError, match="no such file"):
            times.submit(Clip("gone", "gone.wav", text="hello")).result()


def test_sources_that_can_not_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no such file or folder"):
        WordTimes(tmp_path / "gone")
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        WordTimes(aligner=str(tmp_path))
