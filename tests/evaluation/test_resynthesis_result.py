from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from spiritlm_cli.evaluation.f0_errors import F0Errors
from spiritlm_cli.evaluation.records import RunDescription
from spiritlm_cli.evaluation.resynthesis_result import result

F0 = F0Errors.compare(
    np.array([0, 100, 100, 120, 0, 200, 200, 0]), np.array([0, 100, 130, 0, 110, 190, 150, 0])
)


def record(name: str, corpus: str | None = "LibriSpeech", **fields: Any) -> dict[str, Any]:
    return {"id": name, "set": None, "corpus": corpus, "seconds": 2.0, "resynthesis_seconds": 2.2, **fields}


def transcript(errors: int, length: int) -> dict[str, Any]:
    count = {"substitutions": errors, "deletions": 0, "insertions": 0, "length": length}
    return {"text": "", "words": count, "characters": count}


def description(task: str = "resynthesis", **facts: Any) -> RunDescription:
    return RunDescription(task, "1", facts=facts)


def test_f0_errors_of_eight_frames() -> None:
    row = result(description(F0="pyaapt"), [record("a", f0=asdict(F0))]).row("resynthesis")
    values = {name: estimate.value for name, estimate in row.values.items()}
    assert (values["gpe"], values["vde"], values["ffe"]) == (0.5, 0.25, 0.5)
    assert values["f0_correlation"] == pytest.approx(0.8412, abs=5e-5)
    assert values["log_f0_correlation"] == pytest.approx(0.8437, abs=5e-5)


def test_f0_errors_are_over_the_frames_of_all_clips() -> None:
    unvoiced = F0Errors.compare(np.zeros(8), np.zeros(8))
    found = result(description(F0="fcpe"), [record("a", f0=asdict(F0)), record("b", f0=asdict(unvoiced))])
    row = found.row("resynthesis")
    assert [row.values[name].value for name in ("gpe", "vde", "ffe")] == [0.5, 0.125, 0.25]
    assert row.values["f0_correlation"].count == 1
    assert found.notes[0].startswith("F0 by fcpe.")
    assert "means of 1 clips, of which they are known" in found.notes[0]
    only = result(description(F0="fcpe"), [record("b", f0=asdict(unvoiced))]).row("resynthesis")
    assert "gpe" not in only.values


def test_notes_say_what_is_left_out() -> None:
    records = [
        record("a", voice="x", speaker_similarity=0.5),
        record("b", voice=None, speaker_similarity=None),
    ]
    notes = result(description(voice="same", **{"speakers of": "resemblyzer 0.1.4"}), records).notes
    assert [note.split(",")[0] for note in notes[:2]] == [
        "1 clips are in the default voice",
        "Speaker similarity leaves out 1 clips in which",
    ]
    assert len(result(description(voice="x"), records).notes) == 1


def test_librispeech_is_printed_beside_its_published_results() -> None:
    both = {"original": transcript(1, 10), "resynthesis": transcript(3, 10)}
    records = [record("a", transcripts=both)]
    original, resynthesis = result(description(), records).rows
    assert [one.values["wer"] for one in original.published] == [3.55]
    assert [one.values for one in resynthesis.published] == [{"wer": 11.66}, {"wer": 10.60}]
    assert (original.values["wer"].value, resynthesis.values["wer"].value) == (0.1, 0.3)
    records = [record("a", transcripts=both), record("b", None, transcripts=both)]
    original, resynthesis = result(description(), records).rows
    assert [one.values["wer"] for one in original.published] == [14.76, 3.55, 30.26]
    assert [one.values["wer"] for one in resynthesis.published] == [22.90, 11.66, 35.64, 22.35, 10.60, 36.58]


def test_published_wer_have_the_means_of_the_paper() -> None:
    """16.2, 23.4 and 23.2 of table 9 are means of its three sets."""
    both = {"original": transcript(1, 10), "resynthesis": transcript(3, 10)}
    original, resynthesis = result(description(), [record("a", None, transcripts=both)]).rows
    rates = [[one.values["wer"] for one in row.published] for row in (original, resynthesis)]
    means = [np.mean(rates[0]), np.mean(rates[1][:3]), np.mean(rates[1][3:])]
    assert [round(float(mean), 1) for mean in means] == [16.2, 23.4, 23.2]


def test_judges_and_bitrates() -> None:
    quality = {"overall": 3.0, "speech": 3.5, "background": 4.0, "p808": 3.2}
    fields: dict[str, Any] = {
        "units": {"Hu": [1, 1, 2, 2], "Pi": [0, 1], "St": [5]},
        "quality": {"original": quality, "resynthesis": quality | {"overall": 2.5}},
        "speaker_similarity": 0.8,
    }
    records = [
        record("a", **fields, style={"original": "happy", "resynthesis": "happy"}),
        record("b", **fields | {"speaker_similarity": None}, style={"original": "sad", "resynthesis": "x"}),
    ]
    found = result(description(**{"Hu units": 501, "Pi units": 64, "St units": 100}), records)
    original, resynthesis = found.row("original").values, found.row("resynthesis").values
    assert set(original) == {"dnsmos_overall", "dnsmos_speech", "dnsmos_background", "dnsmos_p808"}
    assert (original["dnsmos_overall"].value, resynthesis["dnsmos_overall"].value) == (3.0, 2.5)
    assert (resynthesis["speaker_similarity"].value, resynthesis["speaker_similarity"].count) == (0.8, 1)
    assert resynthesis["style_agreement"].value == 0.5
    assert resynthesis["bitrate"].value == 307
    # in 4 s: 8 phonetic units of 1 bit, 4 pitch units of 1 bit, 2 style units of 0 bits
    assert resynthesis["entropy_bitrate"].value == pytest.approx(12 / 4)
    assert resynthesis["merged_bitrate"].value == pytest.approx(8 / 4)
    assert "1.100 times as long" in found.notes[-1]
    assert [metric.name for metric in found.metrics][-1] == "merged_bitrate"


def test_style_accuracy_needs_reference_labels() -> None:
    styles = [("happy", "happy", "happy"), ("sad", "happy", "sad"), ("sad", "sad", "happy")]
    names = ("original", "resynthesis", "reference")
    records = [
        record(str(index), None, style=dict(zip(names, labels, strict=True)))
        for index, labels in enumerate(styles)
    ]
    original, resynthesis = result(description(), records).rows
    assert original.values["style_accuracy"].value == pytest.approx(2 / 3)
    assert resynthesis.values["style_accuracy"].value == pytest.approx(1 / 3)
    assert resynthesis.values["style_agreement"].value == pytest.approx(2 / 3)
    assert [one.values["style_accuracy"] for one in original.published] == [92.47, 75.69, 27.46]
    assert len(resynthesis.published) == 6


def test_sets_of_librispeech_have_rows_of_their_own() -> None:
    both = {"original": transcript(1, 10), "resynthesis": transcript(3, 10)}
    worse = both | {"resynthesis": transcript(5, 10)}
    records = [
        record("a", transcripts=both) | {"set": "dev-clean"},
        record("b", transcripts=worse) | {"set": "dev-other"},
    ]
    found = result(description(), records)
    rates = [found.row("resynthesis", set=part).values["wer"].value for part in ("dev-clean", "dev-other")]
    assert rates == [0.3, 0.5]
