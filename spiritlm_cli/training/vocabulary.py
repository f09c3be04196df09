"""The language model's vocabulary: text pieces learned from a corpus, then markers and units."""

import io
import random
import struct
from collections.abc import Iterable

USER_DEFINED = 4  # sentencepiece's piece type for a symbol that is always one token


def train_vocabulary(
    texts: Iterable[str], size: int, hubert: int = 501, pitch: int = 64, style: int = 100
) -> bytes:
    """Learn `size` text pieces and add the markers and units; returns the bytes of a `tokenizer.model`.

    The pieces are made as LLaMA's are, and in their order: `<unk>`, `<s>`, `</s>`, the 256 bytes, then BPE
    pieces; so any text can be written, and stays verbatim. Then come `[Text]`, `[Speech]`, and `hubert`,
    `pitch` and `style` units of each kind (0 leaves a kind out). A small corpus may give fewer text pieces.

    texts: best given as the spans in which they will stand, because a word at the start of a span has no
    space before it and needs a piece of its own.
    """
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=size,
        hard_vocab_limit=False,
        byte_fallback=True,
        character_coverage=0.9999,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        add_dummy_prefix=False,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        max_sentence_length=1 << 16,
        num_threads=1,
        minloglevel=2,
    )
    names = ["[Text]", "[Speech]"]
    for kind, count in (("Hu", hubert), ("Pi", pitch), ("St", style)):
        names += [f"[{kind}{i}]" for i in range(count)]
    return model.getvalue() + b"".join(_user_defined(name) for name in names)


def _user_defined(name: str) -> bytes:
    """One more entry of `ModelProto.pieces`, as protobuf bytes.

    Protobuf joins repeated fields when messages are concatenated, so entries can be appended to a finished
    model. sentencepiece's own option would put the symbols before the text pieces.
    """
    text = name.encode()
    piece = (
        b"\x0a"
        + bytes([len(text)])
        + text
        + b"\x15"
        + struct.pack("<f", 0.0)
        + b"\x18"
        + bytes([USER_DEFINED])
    )
    return b"\x0a" + bytes([len(piece)]) + piece


def text_spans(texts: list[str], seed: int) -> list[str]:
    """Texts cut where spans may be cut, so that the vocabulary also has words as they stand at a span's start."""
    rng = random.Random(seed)
    spans = []
    for text in texts:
        words = text.split(" ")
        at = 0
        while at < len(words):
            step = rng.randint(5, 30)
            spans.append(" ".join(words[at : at + step]) + (" " if at + step < len(words) else ""))
            at += step
    return spans
