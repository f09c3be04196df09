import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlm_cli.alignment.formats.whisper import format_whisper, format_whisperx, read_whisper
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Alignment, Transcript, Word
from spiritlm_cli.manifests.labels import classify, text_tokens

# as each tool writes it, but for fields of no use here
WHISPER = {
    "text": " And so, my fellow Americans. Ask not.",
    "segments": [
        {
            "id": 0, "seek": 0, "start": 0.0, "end": 2.2, "text": " And so, my fellow Americans.",
            "tokens": [50364, 400, 370], "temperature": 0.0, "avg_logprob": -0.2, "compression_ratio": 1.2,
            "no_speech_prob": 0.01,
            "words": [
                {"word": " And", "start": 0.0, "end": 0.54, "probability": 0.74},
                {"word": " so,", "start": 0.54, "end": 0.98, "probability": 0.98},
                {"word": " my", "start": 1.1, "end": 1.2, "probability": 1.0},
                {"word": " fellow", "start": 1.2, "end": 1.5, "probability": 0.99},
                {"word": " Americans.", "start": 1.5, "end": 2.2, "probability": 0.99},
            ],
        },
        {"id": 1, "seek": 220, "start": 2.2, "end": 2.2, "text": "", "tokens": [], "words": []},
        {
            "id": 2, "seek": 220, "start": 3.0, "end": 3.6, "text": " Ask not.",
            "words": [
                {"word": " Ask", "start": 3.0, "end": 3.24, "probability": 0.9},
                {"word": " not.", "start": 3.24, "end": 3.6, "probability": 0.8},
            ],
        },
    ],
    "language": "en",
}  # fmt: skip
WHISPERX = {
    "segments": [
        {
            "start": 0.5, "end": 1.0, "text": " It was in 1914", "speaker": "SPEAKER_00",
            "words": [
                {"word": "It", "start": 0.5, "end": 0.6, "score": 0.9, "speaker": "SPEAKER_00"},
                {"word": "was", "start": 0.6, "end": 0.8, "score": 0.8},
                {"word": "in", "start": 0.8, "end": 1.0, "score": 0.7},
                {"word": "1914"},
            ],
        },
        {
            "start": 2.0, "end": 3.0, "text": "or 1915.",
            "words": [{"word": "or", "start": 2.0, "end": 2.25, "score": 0.5}, {"word": "1915."}],
        },
        {"start": 4.0, "end": 5.0, "text": " 20 £5", "words": [], "chars": None},
    ],
    "word_segments": [{"word": "It", "start": 0.5, "end": 0.6, "score": 0.9}],
    "language": "en",
}  # fmt: skip
TIMESTAMPED = {
    "text": " Bonjour! Est-ce que",
    "segments": [
        {
            "id": 0, "start": 0.5, "end": 1.2, "text": " Bonjour! Est-ce que", "confidence": 0.51,
            "words": [
                {"text": "Bonjour!", "start": 0.5, "end": 1.0, "confidence": 0.51},
                {"text": "Est-ce", "start": 1.0, "end": 1.2, "confidence": 0.7},
                {"text": "que", "start": 1.19, "end": 1.3, "confidence": 0.7},
            ],
        }
    ],
    "language": "fr",
}  # fmt: skip


def read(folder: Path, content: object) -> Transcript:
    path = folder / "a.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_whisper(path)


def test_read_whisper(tmp_path: Path) -> None:
    transcript = read(tmp_path, WHISPER)
    assert transcript.text == "And so, my fellow Americans. Ask not."
    assert [word.word for word in transcript.alignment.words] == transcript.text.split()
    assert transcript.alignment.words[1] == Word("so,", 0.54, 0.98, 0.98)
    assert transcript.alignment.notes == ()


def test_read_whisperx(tmp_path: Path) -> None:
    transcript = read(tmp_path, WHISPERX)
    assert transcript.text == "It was in 1914 or 1915. 20 £5"
    assert transcript.alignment.words == (
        Word("It", 0.5, 0.6, 0.9),
        Word("was", 0.6, 0.8, 0.8),
        Word("in", 0.8, 1.0, 0.7),
        Word("1914", 1.0, 2.0),
        Word("or", 2.0, 2.25, 0.5),
        Word("1915.", 2.25, 3.0),
        Word("20", 3.0, 4.0),
        Word("£5", 4.0, 5.0),
    )
    (note,) = transcript.alignment.notes
    assert note.startswith(f"{tmp_path / 'a.json'}: segment 1, word 4: a word had no times")


def test_read_whisper_timestamped(tmp_path: Path) -> None:
    assert read(tmp_path, TIMESTAMPED) == Transcript(
        "Bonjour! Est-ce que",
        Alignment(
            (Word("Bonjour!", 0.5, 1.0, 0.51), Word("Est-ce", 1.0, 1.19, 0.7), Word("que", 1.19, 1.3, 0.7))
        ),
    )


def test_read_without_words_or_text(tmp_path: Path) -> None:
    assert read(tmp_path, {"text": "", "segments": []}) == Transcript("", Alignment(()))
    assert read(tmp_path, {"segments": []}) == Transcript(None, Alignment(()))
    words = {"segments": [{"words": [{"word": "a", "start": 0, "end": 1}]}]}
    assert read(tmp_path, "\N{ZERO WIDTH NO-BREAK SPACE}" + json.dumps(words)) == Transcript(
        None, Alignment((Word("a", 0, 1),))
    )


def in_segment(**word: object) -> object:
    return {"segments": [{"words": []}, {"words": [{"word": "a", "start": 0, "end": 1}, word]}]}


REFUSED = {
    "no JSON": ("{", "a.json: not JSON ("),
    "not even UTF-8": ('"\udcff"'.encode("utf-8", "surrogateescape"), "a.json: not JSON ("),
    "deep": ("[" * 100_000, "a.json: not JSON ("),
    "no object": ([], "not the JSON of Whisper or WhisperX: not an object"),
    "no segments": ({"text": "a"}, "not the JSON of Whisper or WhisperX: no segments"),
    "whisper.cpp": ({"transcription": [{"text": " And"}]}, "written by whisper.cpp, which gives no word times"),
    "no words": ({"text": "a", "segments": [{"start": 0, "end": 1, "text": "a"}]},
                 "a.json: segment 1 has no words; run Whisper with word timestamps"),
    "no words in the second": ({"segments": [{"words": []}, {"words": None, "text": "a"}]},
                               "segment 2 has no words; run Whisper with word timestamps"),
    "words": ({"segments": [{"words": "a"}]}, "segment 1: words is not a list"),
    "segment": ({"segments": ["a"]}, "segment 1 is not an object"),
    "word": ({"segments": [{"words": ["a"]}]}, "segment 1, word 1 is not an object"),
    "text": ({"segments": [], "text": 5}, "a.json: text is not text"),
    "surrogate": ({"segments": [], "text": "\ud800"}, "text holds NUL or half a surrogate pair"),
    "no word": (in_segment(start=1, end=2), 'segment 2, word 2 lacks "word"'),
    "number for a word": (in_segment(word=5, start=1, end=2), "segment 2, word 2: word is not text"),
    "no number": (in_segment(word="b", start="1", end=2), "segment 2, word 2: start is not a number: '1'"),
    "NaN": (in_segment(word="b", start=1, end=float("nan")), "segment 2, word 2: end is not a number: 'nan'"),
    "huge": (in_segment(word="b", start=10**400, end=2), "segment 2, word 2: start is not a number: '1000"),
    "half": (in_segment(word="b", start=1), "segment 2, word 2: 'b' has no end"),
    "back": (in_segment(word="b", start=1, end=0.5), "segment 2, word 2: 'b' begins at 1 s and ends at 0.5 s"),
    "confidence": (in_segment(word="b", start=1, end=2, score=-3.5),
                   "segment 2, word 2: score is not a number from 0 to 1: -3.5"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_read_errors(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    with pytest.raises(ManifestError) as caught:
        read_whisper(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


ALIGNMENT = Alignment((Word("Åh,", 0.5, 1.0, 0.25), Word("ja", 1.0, 1.5)))


def test_format() -> None:
    assert json.loads(format_whisper("Åh, ja", ALIGNMENT)) == {
        "text": "Åh, ja",
        "segments": [
            {
                "id": 0,
                "start": 0.5,
                "end": 1.5,
                "text": " Åh, ja",
                "words": [
                    {"word": " Åh,", "start": 0.5, "end": 1.0, "probability": 0.25},
                    {"word": " ja", "start": 1.0, "end": 1.5},
                ],
            }
        ],
    }
    words = [
        {"word": "Åh,", "start": 0.5, "end": 1.0, "score": 0.25},
        {"word": "ja", "start": 1.0, "end": 1.5},
    ]
    assert json.loads(format_whisperx(None, ALIGNMENT)) == {
        "segments": [{"start": 0.5, "end": 1.5, "text": "Åh, ja", "words": words}],
        "word_segments": words,
    }
    assert "Åh" in format_whisper(None, ALIGNMENT)


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
words = st.text(characters, min_size=1).map(str.strip).filter(bool).filter(lambda word: not classify(word))
# Labels of silence and noise are not read as words, and have tests of their own.
texts = st.text(characters).filter(lambda text: not any(label for *_, label in text_tokens(text)))
confidences = st.none() | st.floats(0, 1)


@st.composite
def alignments(draw: st.DrawFn) -> Alignment:
    edges = sorted(draw(st.lists(st.floats(0, 1e5), min_size=2, max_size=20)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return Alignment(tuple(Word(draw(words), start, end, draw(confidences)) for start, end in pairs))


@given(texts, alignments(), st.sampled_from([format_whisper, format_whisperx]))
def test_read_inverts_format(
    tmp_path_factory: pytest.TempPathFactory, text: str, alignment: Alignment, form: object
) -> None:
    assert callable(form)
    transcript = read(tmp_path_factory.getbasetemp(), form(text, alignment))
    assert transcript == Transcript(text.strip(), alignment)
    assert transcript.alignment.notes == ()
