import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from spiritlm_cli.alignment.pocketsphinx import PocketsphinxAligner
from spiritlm_cli.alignment.pool import Aligned, AlignerPool, align_clip, available_cpus, load_aligner
from spiritlm_cli.batching import Outcome
from spiritlm_cli.errors import AlignmentError, AudioError, CheckpointError, ManifestError, SpiritLMError
from spiritlm_cli.manifests.clip import BadClip, Clip

TEXT = "and a strip of cow skin for a belt to hold it in."


def result_or_error(outcome: Outcome[Aligned]) -> Aligned | str:
    try:
        return outcome.result()
    except SpiritLMError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("workers", [0, 2])
def test_align_stream_is_in_order_and_isolates_errors(
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
        results = [(clip.id, result_or_error(outcome)) for clip, outcome in pool.align_stream(clips)]
    assert [name for name, _ in results] == [clip.id for clip in clips]
    by_id = dict(results)
    assert by_id["whole"] == align_clip(whole, aligner)
    assert isinstance(by_id["whole"], Aligned)
    assert by_id["whole"].seconds == 3.0
    assert str(by_id["nowhere"]).startswith("AudioError: nowhere.wav: no such file")
    assert str(by_id["silent"]).startswith("AlignmentError: silent: no text; give a manifest")
    assert by_id["bad"] == "ManifestError: line 4: no audio"
    assert "does not match the audio" in str(by_id["other"])
    assert len({str(by_id[f"more-{n}"]) for n in range(8)}) == 1


def test_align_clip_does_not_pronounce_labels(recording_file: Path, aligner: PocketsphinxAligner) -> None:
    plain = align_clip(Clip("a", recording_file, end=3.0, text=TEXT), aligner).alignment
    text = f"[breath] {TEXT.replace('skin', 'skin <unk>, [background noise] sil')}"
    labeled = align_clip(Clip("a", recording_file, end=3.0, text=text), aligner).alignment
    labels = [word for word in labeled.words if word not in plain.words]
    assert [word.word for word in labels] == ["[breath]", "<unk>,", "[background noise]"]
    first, skin = plain.words[0], plain.words[5]
    assert [(word.start, word.end) for word in labels] == [
        (first.start,) * 2,
        (skin.end,) * 2,
        (skin.end,) * 2,
    ]
    assert tuple(word for word in labeled.words if word not in labels) == plain.words
    with pytest.raises(AlignmentError, match=r"a: the text has no words but labels such as \[noise\]"):
        align_clip(Clip("a", recording_file, text="[noise] sil"), aligner)


def test_align_clip_errors(recording_file: Path, aligner: PocketsphinxAligner) -> None:
    with pytest.raises(AlignmentError, match="the text is empty"):
        align_clip(Clip("a", recording_file, text="  "), aligner)
    with pytest.raises(AudioError, match="no such file"):
        align_clip(Clip("a", "nowhere.wav", text="hello"), aligner)


def test_load_aligner(tmp_path: Path) -> None:
    assert isinstance(load_aligner(), PocketsphinxAligner)
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        AlignerPool(str(tmp_path))
    assert available_cpus() >= 1


def test_a_killed_worker_loses_no_clip(recording_file: Path, aligner: PocketsphinxAligner) -> None:
    clips = [Clip(str(n), recording_file, end=3.0, text=TEXT) for n in range(12)]
    expected = align_clip(clips[0], aligner)
    with AlignerPool(workers=2) as pool:
        outcomes = pool.align_stream(clips)
        results = [next(outcomes)[1].result()]
        for process in multiprocessing.active_children():
            process.kill()
        results += [outcome.result() for _, outcome in outcomes]
    assert results == [expected] * 12


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_workers_exit_with_their_parent(recording_file: Path, tmp_path: Path, how: signal.Signals) -> None:
    samples, rate = soundfile.read(recording_file, stop=48000)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    rows = f"{tmp_path}/a.wav\t0\t3\t{TEXT}\n"
    manifest = "id\taudio\tstart\tend\ttext\n" + "".join(f"{n}\t{rows}" for n in range(500))
    (tmp_path / "clips.tsv").write_text(manifest)
    command = [
        sys.executable,
        "-m",
        "spiritlm_cli",
        "align",
        "--manifest",
        tmp_path / "clips.tsv",
    ]
    command += ["--workers", "2", "--format", "ctm"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(how)
    try:
        # the pipes end with the last process that holds them
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == (-how if how == signal.SIGKILL else 128 + how)


def test_align_writes_lines_while_its_input_is_open(recording_file: Path) -> None:
    row = f"{recording_file}\t0\t3\t{TEXT}\n"
    command = [
        sys.executable,
        "-m",
        "spiritlm_cli",
        "align",
        "--manifest",
        "-",
        "--workers",
        "2",
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"id\taudio\tstart\tend\ttext\na\t{row}b\t{row}".encode())
    process.stdin.flush()
    assert [json.loads(process.stdout.readline())["id"] for _ in range(2)] == ["a", "b"]
    process.stdin.close()
    assert process.wait(60) == 0
