from pathlib import Path

import pytest

from spiritlm_cli.errors import AudioError, TokenError
from spiritlm_cli.jobs.inspect_inputs import inspect_inputs, new_inspector
from spiritlm_cli.jobs.options.inspect import InputOptions
from spiritlm_cli.tokens.writer import format_sequence


def read(inputs, small, words=False, **options):
    options = InputOptions(inputs=tuple(map(str, inputs)), **small, **options)
    return list(inspect_inputs(options, new_inspector(options, keep_repeats=True), words))


@pytest.fixture
def base(small):
    return {**small, "units": "base"}


def test_clips_and_lines_in_order(short: Path, tmp_path: Path, base) -> None:
    lines = tmp_path / "lines"
    lines.write_text("x\t[SPEECH][Hu5][Hu5][Hu7]\n[Hu]\n")
    found = read([lines, short, short.parent, lines], base)
    assert [getattr(item, "id", None) for item, _ in found] == ["x", None, "short", "short", "x", None]
    first = found[0][1].result()
    assert format_sequence(first.sequence) == "[SPEECH][Hu5][Hu5][Hu7]"
    assert first.source == str(lines)
    with pytest.raises(TokenError):
        found[1][1].result()
    clip = found[2][1].result()
    assert clip.original.waveform.seconds == pytest.approx(0.5)
    assert not clip.timeline.predicted


def test_a_clip_that_is_not_there(base, manifest: Path) -> None:
    found = read([], base, manifest=str(manifest))
    assert [item.id for item, _ in found] == ["a", "bad", "b"]
    with pytest.raises(AudioError, match="gone"):
        found[1][1].result()


def test_words_are_read_only_if_asked_for(base, manifest: Path) -> None:
    [(_, outcome), *_] = read([], base, manifest=str(manifest), words=True, aligner="none")
    found = outcome.result()
    assert found.text == "and a strip of cow skin for a belt to hold it in."
    assert found.words == ()
