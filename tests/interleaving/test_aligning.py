from collections.abc import Callable
from pathlib import Path

import pytest

from spiritlm_cli.audio.clip import BadClip, Clip
from spiritlm_cli.errors import AlignmentError, AudioError, CheckpointError, ManifestError, SpiritLMError
from spiritlm_cli.interleaving.aligners.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.interleaving.aligning import Aligned, AlignerPool, align_clip, cores, load_aligner

TEXT = "and a strip of cow skin for a belt to hold it in."


def outcome(answer: Callable[[], Aligned]) -> Aligned | str:
    try:
        return answer()
    except SpiritLMError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("workers", [0, 2])
def test_answers_are_in_order_and_faults_cost_their_clip(
    recording_file: Path, aligner: PocketsphinxAligner, workers: int
) -> None:
    whole = Clip("whole", recording_file, end=3.0, text=TEXT)
    clips: list[Clip | BadClip] = [
        whole,
        Clip("nowhere", "nowhere.wav", text="hello"),
        Clip("silent", recording_file, end=3.0),
        BadClip("bad", "clips.tsv", ManifestError("line 4: no audio")),
        Clip("other", recording_file, end=3.0, text="it was the best of times"),
        *(Clip(f"more-{n}", recording_file, start=0.1, end=3.0, text=TEXT) for n in range(8)),
    ]
    with AlignerPool(workers=workers) as pool:
        found = [(clip.id, outcome(answer)) for clip, answer in pool.align_each(clips)]
    assert [name for name, _ in found] == [clip.id for clip in clips]
    answers = dict(found)
    assert answers["whole"] == align_clip(whole, aligner)
    assert isinstance(answers["whole"], Aligned)
    assert answers["whole"].seconds == 3.0
    assert str(answers["nowhere"]).startswith("AudioError: nowhere.wav: no such file")
    assert str(answers["silent"]).startswith("AlignmentError: silent: no text; give a manifest")
    assert answers["bad"] == "ManifestError: line 4: no audio"
    assert "does not fit the sound" in str(answers["other"])
    assert len({str(answers[f"more-{n}"]) for n in range(8)}) == 1


def test_what_has_no_text_or_no_sound(recording_file: Path, aligner: PocketsphinxAligner) -> None:
    with pytest.raises(AlignmentError, match="no text"):
        align_clip(Clip("a", recording_file, text="  "), aligner)
    with pytest.raises(AudioError, match="no such file"):
        align_clip(Clip("a", "nowhere.wav", text="hello"), aligner)


def test_engines(tmp_path: Path) -> None:
    assert isinstance(load_aligner(), PocketsphinxAligner)
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        AlignerPool(str(tmp_path))
    assert cores() >= 1
