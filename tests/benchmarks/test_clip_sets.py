"""Which clips are held out."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def test_every_sixth_speaker_is_held_out(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    clip_sets = script("nano/clip_sets.py")
    (tmp_path / "kokoro").mkdir()
    (tmp_path / "librispeech").mkdir()
    header, rows = (
        "id\tvoice\tspeed\tsamples\ttext\twer\n",
        (f"af_heart-s{i}\taf_heart\t1\t0\ta\t0\n" for i in range(290)),
    )
    (tmp_path / "kokoro" / "metadata.tsv").write_text(
        header + "".join(rows) + "am_adam-s7\tam_adam\t1\t0\ta\t0\n"
    )
    lines = (f"{number}-1-1\ta\n" for number in (100, 7, 20, 9, 8, 1000, 1001))
    (tmp_path / "librispeech" / "transcripts.tsv").write_text("".join(lines))
    assert [clip.speaker for clip in clip_sets.held_out(tmp_path, "real")] == [
        "librispeech-7",
        "librispeech-1001",
    ]
    main = {clip.id for clip in clip_sets.held_out(tmp_path, "main")}
    assert 0 < len(main) < 25
    # a sentence is held out in all voices
    others = {clip.id for clip in clip_sets.held_out(tmp_path, "others")}
    assert ("af_heart-s7" in main) == ("am_adam-s7" in others)


def test_new_sentences_have_their_sound(script: Callable[[str], ModuleType]) -> None:
    clips = script("nano/clip_sets.py").new_sentences()
    assert len(clips) == 40
    assert all(Path(clip.source).is_file() for clip in clips)
