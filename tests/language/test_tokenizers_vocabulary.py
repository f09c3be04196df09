from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_tokenizers import add_tokens, byte_fallback, byte_level, encoded, unigram

from spiritlm_cli.errors import CheckpointError, TokenError
from spiritlm_cli.language.stopping import StreamingText
from spiritlm_cli.language.tokenizers_vocabulary import SpecialTokens, TokenizersVocabulary
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan, TextSpan
from spiritlm_cli.tokens.units import Kind, Unit
from spiritlm_cli.tokens.writer import format_sequence

HUBERT, PITCH, STYLE = 12, 4, 3


def names(unit: str = "[{}{}]", marker: str = "[{}]", hubert: str = "Hu") -> list[str]:
    """The names of all units and of the markers, in brackets of a kind."""
    counts = {hubert: HUBERT, "Pi": PITCH, "St": STYLE}
    units = [unit.format(kind, index) for kind, count in counts.items() for index in range(count)]
    return [*units, marker.format("Speech"), marker.format("Text")]


SLAMKIT = [*(f"<Un{index}>" for index in range(HUBERT)), "<speech>", "<text>"]
VOCABULARIES = {
    "slamkit": TokenizersVocabulary(encoded(byte_level()), appended=SLAMKIT),
    "byte level": TokenizersVocabulary(encoded(add_tokens(byte_level("text-llama"), names(), special=True))),
    "byte fallback": TokenizersVocabulary(
        encoded(add_tokens(byte_fallback(), names("<{}{}>", "<|{}|>", "Un")))
    ),
    "unigram": TokenizersVocabulary(encoded(add_tokens(unigram(), names("<|{}{}|>", "[{}]")))),
}
TRAPS = [
    *SLAMKIT,
    *names(),
    "<|Hu3|>",
    "<|Text|>",
    "<s>",
    "</s>",
    "<|endoftext|>",
    "<0x41>",
    "▁",
    "  ",
    "[[Hu3]]",
]

text = st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(TRAPS)).map("".join)
units = st.builds(Unit, st.just(Kind.HUBERT), st.integers(0, HUBERT - 1))
sequences = st.lists(
    st.builds(TextSpan, text) | st.builds(SpeechSpan, st.lists(units, max_size=20).map(tuple))
).map(Sequence.of)


@pytest.mark.parametrize("name", VOCABULARIES)
@given(sequence=sequences)
@settings(deadline=None, max_examples=25)
def test_decode_inverts_encode(name: str, sequence: Sequence) -> None:
    vocabulary = VOCABULARIES[name]
    assert vocabulary.decode(vocabulary.encode(sequence)) == sequence


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("trap", ["<Un3>", "[Hu3]", "<speech>", "[Text]", "<|endoftext|>", "</s>"])
def test_encode_text_gives_text_ids_only(name: str, trap: str) -> None:
    vocabulary = VOCABULARIES[name]
    ids = vocabulary.encode_text(f"a {trap}{trap} b")
    assert set(ids) <= set(vocabulary.text_ids)
    assert vocabulary.decode(ids).text == f"a {trap}{trap} b"
    others = {*vocabulary.unit_ids.values(), *vocabulary.marker_ids.values(), *vocabulary.eos_ids}
    assert others.isdisjoint(vocabulary.text_ids)


@pytest.mark.parametrize("name", VOCABULARIES)
@given(st.data())
@settings(deadline=None, max_examples=25)
def test_decoded_sequences_survive_writing_and_reading(name: str, data: st.DataObject) -> None:
    vocabulary = VOCABULARIES[name]
    ids = data.draw(st.lists(st.integers(0, vocabulary.size - 1)))
    nul = set(vocabulary.nul_ids)
    sequence = vocabulary.decode(token for token in ids if token not in nul)
    assert parse_sequence(format_sequence(sequence)) == sequence


@pytest.mark.parametrize(("unit", "marker", "hubert"), [
    ("[{}{}]", "[{}]", "Hu"), ("<{}{}>", "<{}>", "Hu"), ("<{}{}>", "[{}]", "Un"), ("<|{}{}|>", "<|{}|>", "Hu"),
])  # fmt: skip
def test_names_in_all_brackets(unit: str, marker: str, hubert: str) -> None:
    for change in (str, str.upper, str.lower):
        markers = [change(name) for name in names(unit, marker, hubert)[-2:]]
        spelled = [*names(unit, marker, hubert)[:-2], *markers]
        vocabulary = TokenizersVocabulary(encoded(add_tokens(byte_level(), spelled)))
        sequence = parse_sequence("[SPEECH][St1][Pi2][Hu3]")
        assert vocabulary.encode(sequence, "text") == [719, 717, 714, 703, 720]
        assert vocabulary.unit_counts == {Kind.HUBERT: HUBERT, Kind.PITCH: PITCH, Kind.STYLE: STYLE}
        assert vocabulary.size == 721


def test_names_among_the_pieces_of_the_model() -> None:
    content = byte_level()
    content["model"]["vocab"] |= {name: 700 + number for number, name in enumerate(names())}
    vocabulary = TokenizersVocabulary(encoded(content))
    assert vocabulary.encode(parse_sequence("[SPEECH][Hu3]")) == [719, 703]
    assert vocabulary.decode(vocabulary.encode_text("[Hu3]")).text == "[Hu3]"


def test_appended_names_keep_the_ids_that_are_there() -> None:
    content = add_tokens(byte_level(), ["<text>", "<other>"])
    vocabulary = TokenizersVocabulary(encoded(content), appended=SLAMKIT)
    assert vocabulary.marker_ids == {"text": 700, "speech": 702 + HUBERT}
    assert vocabulary.unit_ids[Unit(Kind.HUBERT, 0)] == 702
    assert vocabulary.size == 703 + HUBERT
    assert vocabulary.encode_text("<text>") != [700]


def test_start_and_end_tokens() -> None:
    def load(name: str, special: SpecialTokens) -> TokenizersVocabulary:
        return TokenizersVocabulary(encoded(byte_level(name)), "t.json", special, SLAMKIT)

    assert load("text-llama", SpecialTokens()).bos_id == 2
    assert load("text-llama", SpecialTokens(adds_start=False)).bos_id is None
    assert load("text-qwen", SpecialTokens(adds_start=True, start="<|pad|>")).bos_id == 0
    assert load("text-qwen", SpecialTokens(start="<|pad|>")).bos_id is None
    # 3 is text
    assert load("text-qwen", SpecialTokens(end="<|endoftext|>", end_ids=(1, 0, 3, 5000))).eos_ids == (1, 0)
    with pytest.raises(CheckpointError, match=r"t\.json: has no <\|end\|>, which its configuration names"):
        load("text-qwen", SpecialTokens(end="<|end|>"))


def test_a_character_split_over_tokens_is_streamed_whole() -> None:
    vocabulary = VOCABULARIES["slamkit"]
    stream = StreamingText((), sentence=False)
    pieces: list[Any] = []
    for token in vocabulary.encode_text("a猫é"):
        stream.add(vocabulary.text_bytes(token))
        pieces += stream.ready()
    assert pieces == [TextSpan("a"), TextSpan("猫"), TextSpan("é")]


def test_decode_refuses_an_id_outside_the_vocabulary() -> None:
    vocabulary = VOCABULARIES["slamkit"]
    with pytest.raises(TokenError, match=f"token id {vocabulary.size} is outside"):
        vocabulary.decode([vocabulary.size])


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        (["<speech>", "<text>"], r"has no units, \[Hu0\] and on"),
        (["[Hu0]", "<speech>"], r"has no marker of text, \[Text\] or <text>"),
        (["[Hu0]", "[Hu2]", "<speech>", "<text>"], r"has no \[Hu1\], but others"),
        (["[Hu0]", "<Un0>", "<speech>", "<text>"], r"has two tokens for \[Hu0\], one of them <Un0>"),
        (["[Hu0]", "[SPEECH]", "<speech>", "<text>"], r"has several markers of speech: \[SPEECH\], <speech>"),
    ],
)
def test_a_missing_or_repeated_name_is_an_error(added: list[str], reason: str) -> None:
    with pytest.raises(CheckpointError, match=rf"t\.json: {reason}"):
        TokenizersVocabulary(encoded(add_tokens(byte_level(), added)), "t.json")


def test_several_start_tokens_are_an_error() -> None:
    content = byte_level("text-llama")
    content["post_processor"]["single"].insert(0, content["post_processor"]["single"][0])
    with pytest.raises(CheckpointError, match=r"t\.json: puts 2 tokens before text"):
        TokenizersVocabulary(encoded(content), "t.json", appended=SLAMKIT)
