"""The text of a Hugging Face `tokenizer.json`, encoded and decoded verbatim.

A tokenizer as it is published also matches special tokens in text, puts a space before it, or normalizes it. These
steps are left out here, so that decoding gives back the text that was encoded.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from spiritlm_cli.errors import CheckpointError

_MAX_IDS = 1 << 22

# Normalizers without which text is encoded: it keeps its Unicode form, and no space is put before it.
_OMITTED_NORMALIZERS = ("NFC", "NFKC", "Prepend")
# Pre-tokenizers that don't drop a part of the text.
_PRE_TOKENIZERS = ("ByteLevel", "Digits", "Metaspace", "Punctuation", "Split", "UnicodeScripts")


def read_tokenizer(content: bytes, source: str | Path) -> Any:
    """Parse a `tokenizer.json`. Returns a `tokenizers.Tokenizer`. Raises CheckpointError."""
    from tokenizers import Tokenizer

    with _naming(source):
        tokenizer = Tokenizer.from_buffer(content)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if largest >= _MAX_IDS:
        raise CheckpointError(f"{source}: has an id of {largest}; the largest that is read is {_MAX_IDS - 1}")
    return tokenizer


@contextmanager
def _naming(source: str | Path) -> Iterator[None]:
    """Raise CheckpointError for what the package `tokenizers` raises for a file that it does not expect."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError, CheckpointError):
        raise
    # it is Exception itself, or a PanicException, which is a BaseException
    except BaseException as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{source}: cut off or not a tokenizer.json ({reason})") from None


def start_ids(tokenizer: Any, source: str | Path) -> list[int]:
    """The ids that a tokenizer puts before text; empty if it adds none. Raises CheckpointError."""
    with _naming(source):
        encoding = tokenizer.encode("a")
    pairs = zip(encoding.ids, encoding.special_tokens_mask, strict=True)
    return [token for token, _ in takewhile(lambda pair: pair[1], pairs)]


class TextTokenizer:
    """The text pieces of a tokenizer.

    text_ids: ids that stand for text. nul_ids: those of them whose text has the byte 0.
    """

    def __init__(self, tokenizer: Any, reserved: Collection[int], source: str | Path) -> None:
        """tokenizer: from `read_tokenizer`. reserved: ids that are not text. source: name in error messages.

        Raises CheckpointError that names what is not supported, if not all text could be decoded verbatim.
        """
        from tokenizers import Tokenizer

        model = tokenizer.model
        _check_model(model, source)
        steps = _Steps.of(tokenizer, source)
        self._space = steps.space
        self._pieces: dict[int, str] = {
            token: piece for piece, token in tokenizer.get_vocab(with_added_tokens=True).items()
        }
        self._byte_values = _byte_alphabet() if steps.byte_level else {}
        byte_pieces = self._byte_values or {f"<0x{value:02X}>": value for value in range(256)}
        byte_ids = {value: tokenizer.token_to_id(piece) for piece, value in byte_pieces.items()}
        self._byte_ids = {value: token for value, token in byte_ids.items() if token is not None}
        if len(self._byte_ids) < 256:
            raise CheckpointError(
                f"{source}: has tokens for {len(self._byte_ids)} of the 256 bytes, so it can't encode every text"
            )
        self._byte_of = {token: bytes([value]) for value, token in self._byte_ids.items()}

        not_text = {*reserved, tokenizer.token_to_id(getattr(model, "unk_token", None) or "")}
        self.text_ids = sorted(
            token for token, piece in self._pieces.items() if piece and token not in not_text
        )
        self._text = frozenset(self.text_ids)
        nul = next((name for name, value in self._byte_values.items() if value == 0), "\0")
        self.nul_ids = [
            token for token in self.text_ids if nul in self._pieces[token] or token == self._byte_ids[0]
        ]

        self._tokenizer = Tokenizer(model)
        with _naming(source):
            steps.apply_to(self._tokenizer)
            # with a character that no vocabulary has a piece for
            self._tokenizer.encode("a \U0010ffff")
        # the added tokens that are text, such as runs of spaces; where some are missing, the others get new ids
        kept = {t: added for t, added in tokenizer.get_added_tokens_decoder().items() if t in self._text}
        self._tokenizer.add_tokens([_plain(added) for added in kept.values()])
        self._renumbered = {self._tokenizer.token_to_id(added.content): t for t, added in kept.items()}

    def encode(self, text: str) -> list[int]:
        """Convert text to text ids whose bytes are those of the text."""
        if self._space is None:
            return self._encode_part(text)
        first, *others = text.split(self._space)
        ids = self._encode_part(first)
        for part in others:
            # this character stands for a space; the character itself has to be written in bytes
            ids += [*self._encode_bytes(self._space), *self._encode_part(part)]
        return ids

    def text_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of a text id, possibly a part of a character."""
        if token in self._byte_of:
            return self._byte_of[token]
        piece = self._pieces[token]
        if self._byte_values:
            try:
                return bytes(self._byte_values[character] for character in piece)
            except KeyError:  # an added token, which is not written in the characters of bytes
                return piece.encode()
        return (piece.replace(self._space, " ") if self._space else piece).encode()

    def _encode_part(self, text: str) -> list[int]:
        """Encode text; in halves if the whole does not give text ids with its bytes, in the end bytes alone."""
        if not text:
            return []
        encoded = self._tokenizer.encode(text, add_special_tokens=False).ids
        ids = [self._renumbered.get(token, token) for token in encoded]
        if self._text.issuperset(ids) and b"".join(map(self.text_bytes, ids)) == text.encode():
            return ids
        if len(text) == 1:
            return self._encode_bytes(text)
        middle = len(text) // 2
        return self._encode_part(text[:middle]) + self._encode_part(text[middle:])

    def _encode_bytes(self, text: str) -> list[int]:
        return [self._byte_ids[value] for value in text.encode()]


@dataclass
class _Steps:
    """What happens to text before the model of a tokenizer: the steps of its `tokenizer.json` that keep the text.

    space: the character that they put in place of a space, None if they put none. byte_level: whether they write each
    byte as a character.
    """

    normalizers: list[dict[str, Any]] = field(default_factory=list)
    pre_tokenizers: list[dict[str, Any]] = field(default_factory=list)
    space: str | None = None
    byte_level: bool = False

    @classmethod
    def of(cls, tokenizer: Any, source: str | Path) -> "_Steps":
        """Raises CheckpointError that names a step that changes text, or drops a part of it."""
        steps = cls()
        for step in _flatten(tokenizer.normalizer, "normalizers"):
            replaces_space = step["type"] == "Replace" and step["pattern"] == {"String": " "}
            if replaces_space and len(step["content"]) == 1:
                steps.normalizers.append(step)
                steps.space = step["content"]
            elif step["type"] not in _OMITTED_NORMALIZERS:
                raise CheckpointError(
                    f"{source}: its normalizer {step['type']} changes text, which then can't be decoded verbatim"
                )
        for step in _flatten(tokenizer.pre_tokenizer, "pretokenizers"):
            if step["type"] not in _PRE_TOKENIZERS or step.get("behavior") == "Removed":
                raise CheckpointError(
                    f"{source}: its pre-tokenizer {step['type']} drops characters, so text can't be decoded verbatim"
                )
            if step["type"] == "ByteLevel":
                step["add_prefix_space"] = False
                steps.byte_level = True
            elif step["type"] == "Metaspace":
                step["prepend_scheme"] = "never"
                steps.space = step["replacement"]
            steps.pre_tokenizers.append(step)
        return steps

    def apply_to(self, tokenizer: Any) -> None:
        """Give a tokenizer these steps."""
        from tokenizers import Tokenizer

        # the components have no constructor from their JSON
        empty = Tokenizer.from_str(
            json.dumps(
                {
                    "version": "1.0",
                    "added_tokens": [],
                    "model": {"type": "BPE", "vocab": {}, "merges": []},
                    "normalizer": {"type": "Sequence", "normalizers": self.normalizers},
                    "pre_tokenizer": {"type": "Sequence", "pretokenizers": self.pre_tokenizers},
                }
            )
        )
        tokenizer.normalizer, tokenizer.pre_tokenizer = empty.normalizer, empty.pre_tokenizer


def _flatten(component: Any, key: str) -> list[dict[str, Any]]:
    """The steps of a normalizer or a pre-tokenizer, as in the JSON. key: name of the steps in one that has several."""
    pending = [json.loads(component.__getstate__())] if component else []
    steps = []
    while pending:
        step = pending.pop(0)
        if step["type"] == "Sequence":
            pending = [*step[key], *pending]
        else:
            steps.append(step)
    return steps


def _check_model(model: Any, source: str | Path) -> None:
    """Raise CheckpointError for a model whose pieces are not parts of the text; make the others deterministic.

    dropout, alpha and nbest_size choose pieces at random.
    """
    kind = type(model).__name__
    marks = ("continuing_subword_prefix", "end_of_word_suffix")
    if kind not in ("BPE", "Unigram") or any(getattr(model, mark, None) for mark in marks):
        raise CheckpointError(
            f"{source}: is a {kind} tokenizer that marks words; only BPE and Unigram are supported, without such marks"
        )
    for name in ("dropout", "alpha", "nbest_size"):
        if getattr(model, name, None):
            setattr(model, name, None)


def _plain(added: Any) -> Any:
    """An added token that matches its own characters alone, without the spaces around it."""
    from tokenizers import AddedToken

    return AddedToken(
        added.content, normalized=added.normalized, single_word=added.single_word, special=False
    )


def _byte_alphabet() -> dict[str, int]:
    """The characters that byte-level BPE writes for bytes: printable Latin-1 for itself, U+0100 and on for the rest.

    Source: Radford et al., Language Models are Unsupervised Multitask Learners (GPT-2), 2019, the published encoder.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in printable]
    return {chr(value): value for value in printable} | {
        chr(0x100 + index): value for index, value in enumerate(others)
    }
