"""The vocabulary of the release's language models: a sentencepiece `tokenizer.model`."""

import itertools
import re
from pathlib import Path

from spiritlm_cli.errors import CheckpointError
from spiritlm_cli.files import read_limited
from spiritlm_cli.language.vocabulary import Vocabulary
from spiritlm_cli.tokens.sequence import Modality
from spiritlm_cli.tokens.units import Kind, Unit

_UNIT = re.compile(r"\[(Hu|Pi|St)(0|[1-9][0-9]{0,6})\]")
_MARKERS: dict[Modality, str] = {"text": "[Text]", "speech": "[Speech]"}
# sentencepiece also matches these names in text. Text that spells one is split after the bracket, so that each part is
# encoded as plain text.
_INSIDE_NAME = re.compile(r"(?<=\[)(?=(?:Text|Speech|(?:Hu|Pi|St)[0-9]+)\])")
_SPACE = "\u2581"
# Appended to the tokenizer's NormalizerSpec (in protobuf a later field wins): disables the space that LLaMA's tokenizer
# puts before text, because text follows its marker here, and the removal of extra white space.
_VERBATIM = b"\x1a\x04\x18\x00\x20\x00"

# A vocabulary of 256,000 pieces has 4 MB.
_MAX_BYTES = 64_000_000


class SentencePieceVocabulary(Vocabulary):
    """A `tokenizer.model` with text pieces, the two markers and the units, each identified by its name.

    bos_id, eos_id: ids of `<s>` and `</s>`. marker_ids: ids of `[Text]` and `[Speech]`.
    """

    bos_id: int

    def __init__(self, model: bytes, source: str | Path = "tokenizer.model") -> None:
        """model: the bytes of a sentencepiece model. source: its name in error messages.

        Raises CheckpointError if it is not a sentencepiece model or a name is missing.
        """
        import sentencepiece

        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model + _VERBATIM)
            size: int = self._processor.vocab_size()
            self._pieces: list[str] = self._processor.id_to_piece(list(range(size)))
        except (RuntimeError, UnicodeDecodeError):
            raise CheckpointError(f"{source}: cut off or not a sentencepiece model") from None
        ids = {piece: token for token, piece in enumerate(self._pieces)}
        if missing := [name for name in ("<s>", "</s>", *_MARKERS.values()) if name not in ids]:
            raise CheckpointError(f"{source}: has no {', '.join(missing)}")
        marker_ids: dict[Modality, int] = {modality: ids[name] for modality, name in _MARKERS.items()}

        units = (
            (token, _UNIT.fullmatch(piece)) for token, piece in enumerate(self._pieces) if piece[:1] == "["
        )
        unit_ids = {Unit(Kind(match[1]), int(match[2])): token for token, match in units if match}

        self._bytes = {
            ids[name]: bytes([value]) for value in range(256) if (name := f"<0x{value:02X}>") in ids
        }
        if len(self._bytes) < 256:
            raise CheckpointError(f"{source}: has {len(self._bytes)} of the 256 pieces <0x00> to <0xFF>")
        self._byte_ids = {content[0]: token for token, content in self._bytes.items()}
        not_text = {*marker_ids.values(), *unit_ids.values()}
        all_ids = list(range(size))
        for is_special in (
            self._processor.is_control,
            self._processor.is_unknown,
            self._processor.is_unused,
        ):
            not_text.update(itertools.compress(all_ids, is_special(all_ids)))
        self.eos_id = ids["</s>"]
        super().__init__(
            source,
            size,
            bos_id=ids["<s>"],
            eos_ids=[self.eos_id],
            marker_ids=marker_ids,
            unit_ids=unit_ids,
            text_ids=[token for token in all_ids if token not in not_text],
            nul_ids=[ids["<0x00>"]],
        )

    @classmethod
    def load(cls, path: Path) -> "SentencePieceVocabulary":
        """Read a `tokenizer.model`. Raises CheckpointError."""
        return cls(read_limited(path, _MAX_BYTES, CheckpointError), path)

    def encode_text(self, text: str) -> list[int]:
        """Convert text to text ids. Text that spells a marker, a unit or `</s>` stays text."""
        ids: list[int] = []
        for part in re.split(f"({_SPACE})", text):
            if part == _SPACE:
                # sentencepiece writes a space as this character; the character itself has to be written in bytes
                ids += [self._byte_ids[value] for value in _SPACE.encode()]
            else:
                for plain in _INSIDE_NAME.split(part):
                    ids += self._processor.encode(plain)
        return ids

    def text_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes of a text id, possibly a part of a character."""
        return self._bytes.get(token) or self._pieces[token].replace(_SPACE, " ").encode()
