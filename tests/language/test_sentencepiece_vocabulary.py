import io
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sentencepiece_vocabulary import SentencePieceVocabulary
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Modality, Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.tokens.writer import format_sequence
from spiritlm_cli.training.vocabulary import train_vocabulary

# Text that sentencepiece, or the names in a vocabulary, could take for something else.
TRAPS = [
    "[Text]",
    "[Speech]",
    "[Hu3]",
    "[Pi0]",
    "[St99]",
    "[[Hu3]]",
    "<s>",
    "</s>",
    "<unk>",
    "<0x41>",
    "▁",
    "  ",
]

text = st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(TRAPS)).map("".join)
units = st.one_of(
    st.builds(Unit, st.just(kind), st.integers(0, count - 1))
    for kind, count in ((Kind.HUBERT, 501), (Kind.PITCH, 64), (Kind.STYLE, 100))
)
sequences = st.lists(
    st.builds(TextSpan, text) | st.builds(SpeechSpan, st.lists(units, max_size=20).map(tuple))
).map(Sequence.of)


@pytest.fixture(scope="module")
def expressive(models: dict[str, LanguageModel]) -> SentencePieceVocabulary:
    return models["spirit-lm-expressive-7b"].vocabulary


@pytest.fixture(scope="module")
def base(models: dict[str, LanguageModel]) -> SentencePieceVocabulary:
    return models["spirit-lm-base-7b"].vocabulary


@pytest.fixture(scope="module")
def trained() -> SentencePieceVocabulary:
    return SentencePieceVocabulary(
        train_vocabulary(["The cat sat on the mat.", "A dog ran to the sea."] * 50, size=300)
    )


def test_encode_gives_the_published_ids(
    models: dict[str, LanguageModel], published: list[dict[str, Any]], same_tokenizers: bool
) -> None:
    for case in published:
        if "the cat" in case["prompt"] and not same_tokenizers:
            continue
        markers: dict[str, Modality] = {"[Text]": "text", "[Speech]": "speech"}
        opens = next((kind for marker, kind in markers.items() if case["prompt"].endswith(marker)), None)
        assert (
            models[case["model"]].vocabulary.encode(parse_sequence(case["prompt"]), opens)
            == case["prompt_ids"]
        )


@given(sequence=sequences)
@settings(deadline=None)
def test_decode_inverts_encode(expressive: SentencePieceVocabulary, sequence: Sequence) -> None:
    assert expressive.decode(expressive.encode(sequence)) == sequence


@given(sequence=sequences)
@settings(deadline=None)
def test_decode_inverts_encode_in_a_trained_vocabulary(
    trained: SentencePieceVocabulary, sequence: Sequence
) -> None:
    assert trained.decode(trained.encode(sequence)) == sequence


@given(text=text)
def test_encode_text_gives_text_ids_only(expressive: SentencePieceVocabulary, text: str) -> None:
    assert set(expressive.encode_text(text)) <= set(expressive.text_ids)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_decoded_sequences_survive_writing_and_reading(
    expressive: SentencePieceVocabulary, data: st.DataObject
) -> None:
    some = st.sampled_from([*expressive.marker_ids.values(), expressive.eos_id, *expressive.text_ids[1:300]])
    ids = data.draw(st.lists(some | st.integers(expressive.nul_ids[0] + 1, expressive.size - 1)))
    sequence = expressive.decode(ids)
    assert parse_sequence(format_sequence(sequence)) == sequence


def test_encode_opens_a_span_unless_the_last_has_its_modality(expressive: SentencePieceVocabulary) -> None:
    speech = Sequence((SpeechSpan((Unit(Kind.HUBERT, 3),)),))
    markers = expressive.marker_ids
    assert expressive.encode(speech) == expressive.encode(speech, opens="speech")
    assert expressive.encode(speech, opens="text") == [*expressive.encode(speech), markers["text"]]
    assert expressive.encode(Sequence()) == [expressive.bos_id]
    assert expressive.encode(Sequence(), opens="speech") == [expressive.bos_id, markers["speech"]]


def test_decode_starts_a_span_without_its_marker(expressive: SentencePieceVocabulary) -> None:
    unit = Unit(Kind.PITCH, 7)
    word = expressive.encode_text(" cat")
    ids = [*word, expressive.unit_ids[unit], expressive.marker_ids["speech"], *word, expressive.eos_id]
    assert expressive.decode(ids) == Sequence((TextSpan(" cat"), SpeechSpan((unit,)), TextSpan(" cat")))


def test_decode_replaces_bytes_that_are_not_utf8(expressive: SentencePieceVocabulary) -> None:
    first, *rest = expressive.encode_text("é")
    assert rest, "é has no piece of its own in this vocabulary"
    assert expressive.decode([first, *expressive.encode_text("a")]).text == "\ufffda"


@pytest.mark.parametrize(
    ("token", "known"), [("[Hu501]", r"\[Hu0\] to \[Hu500\]"), ("[St100]", r"\[St0\] to \[St99\]")]
)
def test_encode_names_an_unknown_unit_and_the_known_ones(
    expressive: SentencePieceVocabulary, token: str, known: str
) -> None:
    with pytest.raises(TokenError, match=known) as caught:
        expressive.encode(parse_sequence("[SPEECH][Hu1]" + token))
    assert token in str(caught.value)


def test_a_base_vocabulary_has_no_pitch_or_style(base: SentencePieceVocabulary) -> None:
    assert base.unit_counts == {Kind.HUBERT: 501, Kind.PITCH: 0, Kind.STYLE: 0}
    with pytest.raises(TokenError, match=r"\[Pi3\].*no Pi units"):
        base.encode(parse_sequence("[SPEECH][Pi3][Hu1]"))


def test_decode_refuses_an_id_outside_the_vocabulary(base: SentencePieceVocabulary) -> None:
    with pytest.raises(TokenError, match="32503"):
        base.decode([base.size])


def test_a_missing_name_is_an_error() -> None:
    with pytest.raises(CheckpointError, match=r"has no units"):
        SentencePieceVocabulary(train_vocabulary(["a b c"], size=300, hubert=0, pitch=0, style=0))
    whole = train_vocabulary(["a b c"], size=300, hubert=5)
    with pytest.raises(CheckpointError, match=r"has no \[Hu3\]"):
        SentencePieceVocabulary(whole.replace(b"[Hu3]", b"[Hx3]"))
    with pytest.raises(CheckpointError, match=r"nano: has no \[Text\]"):
        SentencePieceVocabulary(whole.replace(b"[Text]", b"[Test]"), "nano")


def test_a_vocabulary_without_all_bytes_is_an_error() -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c"]),
        model_writer=model,
        vocab_size=20,
        hard_vocab_limit=False,
        user_defined_symbols=["[Text]", "[Speech]", "[Hu0]"],
        minloglevel=2,
    )
    with pytest.raises(CheckpointError, match="0 of the 256 pieces"):
        SentencePieceVocabulary(model.getvalue())


def test_a_file_that_is_no_tokenizer_is_an_error() -> None:
    with pytest.raises(CheckpointError, match=r"t\.model: cut off or not a sentencepiece model"):
        SentencePieceVocabulary(b"nothing of the sort", "t.model")


@given(st.integers(3, 12))
def test_truncate_left_begins_with_a_marker_and_content(
    expressive: SentencePieceVocabulary, count: int
) -> None:
    ids = expressive.encode(parse_sequence("[TEXT]one[SPEECH][Hu1][Hu2][Hu3][TEXT]two three[SPEECH][Hu4]"))
    shorter = expressive.truncate_left(ids, count)
    assert len(shorter) <= count
    assert shorter[0] == expressive.bos_id
    markers = set(expressive.marker_ids.values())
    assert shorter[1] in markers
    assert shorter[2] not in markers
    assert shorter[-1] == ids[-1]


def test_a_tokenizer_with_bytes_that_are_no_text_is_an_error(release_tree: Path) -> None:
    path = release_tree / "spiritlm_model" / "spirit-lm-base-7b" / "tokenizer.model"
    with pytest.raises(CheckpointError, match=r"t\.model: cut off or not a sentencepiece model"):
        SentencePieceVocabulary(path.read_bytes().replace(b"[Hu7]", b"[H\xbf7]"), "t.model")
    with pytest.raises(CheckpointError, match=r"t\.model: "):
        SentencePieceVocabulary(path.read_bytes().replace(b"[Hu77]", b"[Hu99]"), "t.model")
