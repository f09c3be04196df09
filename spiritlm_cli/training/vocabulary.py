"""Train the language model's vocabulary: text pieces learned from a corpus, followed by markers and units."""

import io
import random
import re
import string
import struct
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from spiritlm_cli.errors import CheckpointError, OptionError

USER_DEFINED = 4  # sentencepiece's piece type for a symbol that is always one token
# What sentencepiece says where there are more characters, bytes and special pieces than the vocabulary is to have.
_TOO_SMALL = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")
# Printable characters, and the space, of which a vocabulary without text has pieces.
_ASCII = string.printable[:95]


def train_vocabulary(
    texts: Iterable[str], size: int, hubert: int = 501, pitch: int = 64, style: int = 100
) -> bytes:
    """Train `size` text pieces and append markers and units. Returns the bytes of a `tokenizer.model`.

    The ids are in LLaMA's order: `<unk>`, `<s>`, `</s>`, 256 byte pieces, BPE pieces. Text is encoded without loss and
    without normalization. Then follow `[Text]`, `[Speech]`, and the units; `hubert`, `pitch` and `style` are the
    numbers of units of each kind, 0 for none. A small corpus may yield fewer than `size` text pieces; without any text,
    they are the ASCII characters.

    texts: should be cut as spans of training sequences are (`text_spans`), because a word at the start of a span has no
    space before it and needs its own piece. Raises OptionError if `size` is too small for their characters.
    """
    kept = list(texts)
    if any(text.strip() for text in kept):
        model = _train_pieces(kept, size)
    else:
        model = _train_pieces([_ASCII], 3 + 256 + len(_ASCII))
    return model + b"".join(map(_user_defined, speech_names(hubert, pitch, style)))


def _train_pieces(texts: Iterable[str], size: int) -> bytes:
    """The bytes of a `tokenizer.model` without markers and units. Raises OptionError as `train_vocabulary`."""
    import sentencepiece

    model = io.BytesIO()
    train = partial(
        sentencepiece.SentencePieceTrainer.train,
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
    try:
        train()
    except RuntimeError as error:
        if match := _TOO_SMALL.search(str(error)):
            raise OptionError(
                f"must be at least {match[1]} for this text, as each of its characters is a piece, not {size}",
                "--vocabulary",
            ) from None
        raise
    return model.getvalue()


def speech_names(hubert: int = 501, pitch: int = 64, style: int = 100) -> list[str]:
    """Names of the two markers and of the units, given the number of units of each kind."""
    names = ["[Text]", "[Speech]"]
    for kind, count in (("Hu", hubert), ("Pi", pitch), ("St", style)):
        names += [f"[{kind}{i}]" for i in range(count)]
    return names


def append_names(model: bytes, names: Iterable[str], source: str | Path) -> tuple[bytes, int]:
    """Append tokens to a `tokenizer.model`, except those that it has. source: its name in error messages.

    Returns the bytes of the new model, and the number of ids of the old one. Raises CheckpointError if it is not a
    sentencepiece model.
    """
    import sentencepiece

    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError:
        raise CheckpointError(f"{source}: cut off or not a sentencepiece model") from None
    size = processor.vocab_size()
    known = set(processor.id_to_piece(list(range(size))))
    return model + b"".join(_user_defined(name) for name in names if name not in known), size


def _user_defined(name: str) -> bytes:
    """Encode an entry of `ModelProto.pieces` as protobuf bytes.

    Concatenating protobuf messages concatenates their repeated fields, so entries can be appended to a trained model.
    sentencepiece's option `user_defined_symbols` would insert them before the text pieces.
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


def text_spans(texts: Iterable[str], seed: int) -> list[str]:
    """Cut texts into spans of 5 to 30 words, so that the vocabulary has pieces for words at the start of a span."""
    rng = random.Random(seed)
    spans = []
    for text in texts:
        words = text.split(" ")
        start = 0
        while start < len(words):
            stop = start + rng.randint(5, 30)
            spans.append(" ".join(words[start:stop]) + (" " if stop < len(words) else ""))
            start = stop
    return spans
