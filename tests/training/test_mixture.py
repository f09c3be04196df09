import dataclasses
import json
import random
from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError, OptionError
from spiritlm_cli.tokens.sequence import SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind
from spiritlm_cli.training.language_model_options import LanguageModelOptions
from spiritlm_cli.training.mix import DEFAULT
from spiritlm_cli.training.mixture import Source, read_corpus, sources


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
        text=(corpus / "text.txt",),
        output=corpus / "new",
        **more,  # type: ignore[arg-type]
    )


def mixture_of(options: LanguageModelOptions) -> list[Source]:
    return sources(options, read_corpus(options))


def test_sources_have_the_default_shares_of_what_there_is(corpus: Path) -> None:
    mixture = mixture_of(options(corpus))
    assert [source.share for source in mixture] == [
        share for kind, share in DEFAULT.items() if kind != "lines"
    ]
    assert sum(s.share for s in mixture if s.spoken) == DEFAULT["tts"]
    assert sum(s.share for s in mixture if s.transcript) == DEFAULT["asr"] + DEFAULT["examples"]


def test_sources_have_the_shares_of_a_mix(corpus: Path) -> None:
    mixture = mixture_of(options(corpus, mix="words=3,text=1"))
    assert [source.share for source in mixture] == [3, 1]
    words = mixture[0].draw(random.Random(0), 0).sequence
    assert [span.text for span in words.spans if isinstance(span, TextSpan)] == ["the", "cat"]
    assert len(words.spans) == 4


def test_sources_of_a_mix_need_data(corpus: Path) -> None:
    with pytest.raises(
        ManifestError, match=r"--mix has lines, for which .* data for text, speech, interleaved"
    ):
        mixture_of(options(corpus, mix="lines=1,text=1"))
    nothing = LanguageModelOptions(output=corpus / "new")
    with pytest.raises(ManifestError, match="nothing to train on"):
        mixture_of(nothing)


def test_speech_alone_needs_no_text(corpus: Path) -> None:
    clip = {"id": "a", "audio": "a.wav"}
    (corpus / "clips.jsonl").write_text(json.dumps(clip) + "\n")
    alone = dataclasses.replace(options(corpus, mix="speech=1"), phones=None)
    drawn = mixture_of(alone)[0].draw(random.Random(0), 0).sequence
    assert len(drawn.speech) == 1
    with pytest.raises(ManifestError, match="--mix has interleaved"):
        mixture_of(dataclasses.replace(alone, mix="interleaved=1"))


def test_sources_draw_texts_in_epochs(corpus: Path) -> None:
    (text,) = mixture_of(LanguageModelOptions(output=corpus / "new", text=(corpus / "text.txt",)))
    drawn = [text.draw(random.Random(0), number).sequence.text for number in range(4)]
    assert set(drawn[:2]) == set(drawn[2:]) == {"the cat", "cat the cat"}


def test_sources_are_reproducible_from_the_seed(corpus: Path) -> None:
    for source in mixture_of(options(corpus)):
        first, again = (source.draw(random.Random(3), 0) for _ in range(2))
        assert first.sequence == again.sequence
        assert first.sequence.spans
        if source.transcript or source.spoken:
            kinds = [SpeechSpan, TextSpan] if source.transcript else [TextSpan, SpeechSpan]
            assert [type(span) for span in first.sequence.spans[:2]] == kinds
            assert len(first.words) == len(first.sequence.spans)


def test_phonetic_pairs_have_no_pitch_and_style(corpus: Path) -> None:
    for source in mixture_of(options(corpus, phonetic=1.0)):
        if source.transcript or source.spoken:
            units = [unit for span in source.draw(random.Random(0), 0).sequence.speech for unit in span.units]
            assert {unit.kind for unit in units} == {Kind.HUBERT}


def test_sources_need_clips_with_phones_for_unit_selection(corpus: Path) -> None:
    (corpus / "phones.jsonl").write_text('{"id": "b", "phones": []}\n')
    with pytest.raises(ManifestError, match="unit selection needs"):
        mixture_of(options(corpus))


def test_loss_of_text_needs_text(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    given = LanguageModelOptions(output=tmp_path, lines=(lines,), loss="text")
    lines.write_text("[SPEECH][Hu1]\n[SPEECH][Hu2][TEXT]a\n")
    assert len(mixture_of(given)) == 1
    lines.write_text("[SPEECH][Hu1]\n")
    with pytest.raises(OptionError, match="there is none in the data"):
        mixture_of(given)


def test_sources_say_what_is_not_trained_on(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without_phones = dataclasses.replace(options(corpus, mix="speech=1"), phones=None)
    read = read_corpus(without_phones)
    sources(without_phones, read)
    assert "the 2 texts are not trained on: --mix has speech" in capsys.readouterr().err
    sources(dataclasses.replace(without_phones, mix="text=1"), read)
    assert "the 1 clips are not trained on: --mix has text" in capsys.readouterr().err
    # of unit selection for the texts
    sources(options(corpus, mix="asr=1"), read)
    assert "trained on" not in capsys.readouterr().err
