import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_tokenizers import SPACE, add_tokens, byte_fallback, byte_level, encoded, unigram

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.language.text_tokenizer import TextTokenizer, read_tokenizer, start_ids

TRAPS = [
    "<|endoftext|>",
    "<|begin_of_text|>",
    "<s>",
    "</s>",
    "<unk>",
    "<0x41>",
    "[Hu3]",
    "<tool>",
    "  ",
    SPACE,
    "\0",
]
text = st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(TRAPS)).map("".join)


def load(content: dict[str, Any]) -> TextTokenizer:
    """Special tokens are reserved."""
    tokenizer = read_tokenizer(encoded(content), "tokenizer.json")
    special = {token for token, added in tokenizer.get_added_tokens_decoder().items() if added.special}
    return TextTokenizer(tokenizer, special, "tokenizer.json")


def nfc() -> dict[str, Any]:
    """Qwen 2: the text's Unicode form is changed before a byte-level pre-tokenizer that splits numbers off."""
    split = {"type": "Split", "pattern": {"Regex": r"\p{N}"}, "behavior": "Isolated", "invert": False}
    byte_pieces = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": False}
    content = byte_level() | {"normalizer": {"type": "NFC"}}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, byte_pieces]}
    return add_tokens(add_tokens(content, ["<|im_end|>"], special=True), ["<tool>", "  "])


def ignoring_merges() -> dict[str, Any]:
    """A whole word that is in the vocabulary is one token, whatever the merges are."""
    content = byte_fallback()
    content["model"]["ignore_merges"] = True
    return content


TOKENIZERS = {
    "byte level": byte_level("text-llama"),
    "NFC": nfc(),
    "byte fallback": byte_fallback(),
    "ignoring merges": ignoring_merges(),
    "unigram": unigram(),
}


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, TextTokenizer]:
    return {name: load(content) for name, content in TOKENIZERS.items()}


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=text)
@settings(deadline=None, max_examples=25)
def test_encode_is_verbatim(tokenizers: dict[str, TextTokenizer], name: str, text: str) -> None:
    tokenizer = tokenizers[name]
    ids = tokenizer.encode(text)
    assert b"".join(map(tokenizer.text_bytes, ids)).decode() == text
    assert set(ids) <= set(tokenizer.text_ids)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_encode_takes_special_tokens_for_text(tokenizers: dict[str, TextTokenizer], name: str) -> None:
    for trap in ["<s>", "</s>", "<unk>", "<0x41>", "<|endoftext|>"]:
        ids = tokenizers[name].encode(f"a{trap}b")
        assert b"".join(map(tokenizers[name].text_bytes, ids)) == f"a{trap}b".encode()
        assert len(ids) > 3


def test_encode_gives_the_ids_of_the_tokenizer_itself(tokenizers: dict[str, TextTokenizer]) -> None:
    original = read_tokenizer(encoded(TOKENIZERS["byte level"]), "tokenizer.json")
    line = "Once upon a time, a little girl  walked\n\nto the sea: 1,234 é 猫"
    assert tokenizers["byte level"].encode(line) == original.encode(line, add_special_tokens=False).ids


def test_encode_puts_no_space_before_text(tokenizers: dict[str, TextTokenizer]) -> None:
    pieces = TOKENIZERS["byte fallback"]["model"]["vocab"]
    for name in ("byte fallback", "unigram"):
        assert tokenizers[name].encode("the")[0] != tokenizers[name].encode(" the")[0]
    assert tokenizers["byte fallback"].encode("the cat") == [pieces["the"], pieces[f"{SPACE}cat"]]
    assert tokenizers["byte fallback"].encode(f"a{SPACE}") == [
        pieces[name] for name in ("a", "<0xE2>", "<0x96>", "<0x81>")
    ]


def test_encode_uses_added_tokens_that_are_text(tokenizers: dict[str, TextTokenizer]) -> None:
    added = {token["content"]: token["id"] for token in TOKENIZERS["NFC"]["added_tokens"]}
    ids = tokenizers["NFC"].encode("a<tool>  b")
    assert ids[1:3] == [added["<tool>"], added["  "]]
    assert [tokenizers["NFC"].text_bytes(token) for token in ids] == [b"a", b"<tool>", b"  ", b"b"]
    assert added["<|im_end|>"] not in tokenizers["NFC"].encode("<|im_end|>")


def test_encode_keeps_the_unicode_form(tokenizers: dict[str, TextTokenizer]) -> None:
    composed, decomposed = tokenizers["NFC"].encode("é"), tokenizers["NFC"].encode("e\u0301")
    assert composed != decomposed
    assert b"".join(map(tokenizers["NFC"].text_bytes, decomposed)) == "e\u0301".encode()


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_character_is_split_over_tokens(tokenizers: dict[str, TextTokenizer], name: str) -> None:
    parts = [tokenizers[name].text_bytes(token) for token in tokenizers[name].encode("猫")]
    assert len(parts) > 1
    assert b"".join(parts) == "猫".encode()


@pytest.mark.parametrize("name", TOKENIZERS)
def test_nul_ids(tokenizers: dict[str, TextTokenizer], name: str) -> None:
    assert tokenizers[name].nul_ids == tokenizers[name].encode("\0")


def test_text_ids_have_no_special_token(tokenizers: dict[str, TextTokenizer]) -> None:
    assert {0, 1, 2} & set(tokenizers["byte level"].text_ids) == set()
    assert {0, 1, 2} & set(tokenizers["byte fallback"].text_ids) == set()
    assert len(tokenizers["byte level"].text_ids) == 700 - 3


def test_start_ids() -> None:
    def starts(content: dict[str, Any]) -> list[int]:
        return start_ids(read_tokenizer(encoded(content), "t.json"), "t.json")

    assert starts(byte_level("text-llama")) == [2]
    assert starts(byte_level("text-qwen")) == []
    assert starts(byte_fallback()) == [1]
    content = byte_level("text-llama")
    content["post_processor"]["single"][0]["SpecialToken"]["id"] = "other"
    with pytest.raises(CheckpointError, match=r"t\.json: cut off or not a tokenizer\.json"):
        starts(content)


WORDS = {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[UNK]": 0}} | {
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "normalizer Lowercase changes text"),
        ({"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}}, "Replace changes"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "pre-tokenizer Whitespace drops"),
        (
            {
                "pre_tokenizer": {
                    "type": "Split",
                    "pattern": {"String": " "},
                    "behavior": "Removed",
                    "invert": False,
                }
            },
            "pre-tokenizer Split drops",
        ),
        ({"pre_tokenizer": None}, "tokens for 0 of the 256 bytes"),
        ({"model": WORDS}, "WordPiece"),
    ],
)
def test_a_tokenizer_that_is_not_verbatim_is_an_error(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CheckpointError, match=rf"tokenizer\.json: .*{reason}"):
        load(byte_level() | change)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"{}", json.dumps({"model": {"type": "BPE", "vocab": {"a": -1}}}).encode()],
)
def test_read_tokenizer_names_a_broken_file(content: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"t\.json: cut off or not a tokenizer\.json"):
        read_tokenizer(content, "t.json")


def test_read_tokenizer_refuses_an_id_out_of_range() -> None:
    content = byte_level()
    content["model"]["vocab"]["far"] = 4_000_000_000
    with pytest.raises(CheckpointError, match=r"t\.json: has an id of 4000000000"):
        read_tokenizer(encoded(content), "t.json")


def test_a_tokenizer_that_fails_for_unknown_characters_is_an_error() -> None:
    content = unigram()
    content["model"]["unk_id"] = None
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: cut off or not.*unk_id"):
        load(content)


def test_encode_is_deterministic_with_dropout() -> None:
    content = byte_level()
    content["model"]["dropout"] = 0.9
    tokenizer = load(content)
    assert tokenizer.encode("Once upon a time") == load(byte_level()).encode("Once upon a time")
