import json
import random
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.tokens.sequence import SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.mixture import SHARES, sources


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """One clip of two words, 0.8 s, with phones; and two documents."""
    words = [{"word": "the", "start": 0.1, "end": 0.3}, {"word": "cat", "start": 0.3, "end": 0.7}]
    clip = {"id": "a", "audio": "a.wav", "text": "the cat", "speaker": "x", "words": words}
    phones = [
        ["SIL", 0, 0.1],
        ["DH", 0.1, 0.2],
        ["AH", 0.2, 0.3],
        ["K", 0.3, 0.4],
        ["AE", 0.4, 0.6],
        ["T", 0.6, 0.7],
    ]
    units = {"id": "a", "hubert": " ".join(map(str, range(20))), "pitch": "1 " * 10, "style": "2"}
    (tmp_path / "clips.jsonl").write_text(json.dumps(clip) + "\n")
    (tmp_path / "phones.jsonl").write_text(json.dumps({"id": "a", "phones": phones}) + "\n")
    (tmp_path / "units.jsonl").write_text(json.dumps(units) + "\n")
    (tmp_path / "text.txt").write_text("the cat\n\ncat the cat\n")
    return tmp_path


def options(corpus: Path, **more: object) -> LanguageModelOptions:
    given = {name: corpus / f"{name}.jsonl" for name in ("units", "phones")}
    return LanguageModelOptions(
        **given,
        manifest=corpus / "clips.jsonl",
        text=corpus / "text.txt",
        output=corpus / "new",
        **more,  # type: ignore[arg-type]
    )


def test_sources_have_the_shares_of_the_mixture(corpus: Path) -> None:
    mixture, texts = sources(options(corpus, selected=0.75))
    assert sum(source.share for source in mixture) == pytest.approx(sum(SHARES.values()))
    assert sum(s.share for s in mixture if s.spoken) == pytest.approx(SHARES["to speech"])
    assert sum(s.share for s in mixture if s.transcript) == pytest.approx(
        SHARES["to text"] + SHARES["examples"]
    )
    assert texts == ["the cat", "the cat", "cat the cat"]


def test_sources_are_reproducible_from_the_seed(corpus: Path) -> None:
    for source in sources(options(corpus))[0]:
        first, again = (source.draw(random.Random(3), 0) for _ in range(2))
        assert first.sequence == again.sequence
        assert first.sequence.spans
        if source.transcript or source.spoken:
            kinds = [SpeechSpan, TextSpan] if source.transcript else [TextSpan, SpeechSpan]
            assert [type(span) for span in first.sequence.spans[:2]] == kinds
            assert len(first.words) == len(first.sequence.spans)


def test_phonetic_pairs_have_no_pitch_and_style(corpus: Path) -> None:
    for source in sources(options(corpus, phonetic=1.0))[0]:
        if source.transcript or source.spoken:
            units = [unit for span in source.draw(random.Random(0), 0).sequence.speech for unit in span.units]
            assert {unit.kind for unit in units} == {Kind.HUBERT}


def test_sources_need_clips_with_phones_for_unit_selection(corpus: Path) -> None:
    (corpus / "phones.jsonl").write_text('{"id": "b", "phones": []}\n')
    with pytest.raises(ManifestError, match="unit selection needs"):
        sources(options(corpus))
