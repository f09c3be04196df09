from pathlib import Path

from spiritlm_cli.manifests.clip import BadClip, Clip
from spiritlm_cli.manifests.transcribed import scan_transcribed


def test_scan_transcribed(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.wav", "deep/b.flac", "c.wav"):
        (tmp_path / name).touch()
    (tmp_path / "a.txt").write_text("Hello [noise] there.\n")
    (tmp_path / "deep/b.lab").write_text("two")
    clips = list(scan_transcribed(tmp_path))
    assert [(clip.id, clip.text) for clip in clips if isinstance(clip, Clip)] == [
        ("a", "Hello there."),
        ("deep/b", "two"),
    ]
    (bad,) = (clip for clip in clips if isinstance(clip, BadClip))
    assert not any(isinstance(clip, BadClip) for clip in scan_transcribed(tmp_path, texts=False))
    assert str(bad.error) == f"{tmp_path}/c.wav: no text beside it, in a file with its name and .txt or .lab"

    manifest = tmp_path / "clips.csv"
    manifest.write_text("audio,text\na.wav,hello\n")
    (clip,) = scan_transcribed(manifest)
    assert isinstance(clip, Clip)
    assert (clip.id, clip.text) == ("a", "hello")

    (tmp_path / "deep/1-2.trans.txt").write_text("1-2-3 WORDS\n")
    (tmp_path / "deep/1-2-3.flac").touch()
    assert [clip.id for clip in scan_transcribed(tmp_path)] == ["1-2-3", "b"]
