"""Make small judges for the suite from simple stories: a classifier of sentiment and a language model of text.

    python benchmarks/suite/judges.py JUDGES --stories STORIES --story-model FOLDER

JUDGES/sentiment learns from STORIES, whose sentences are labeled by the words that they have. It knows words, not what
they mean together. JUDGES/text_lm is the model of FOLDER (model.bin and tokenizer.bin of llama2.c) as a Hugging Face
folder.
"""

import argparse
import random
import re
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from spoken import read_texts
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

_LABELS = ("negative", "neutral", "positive")
_WORDS = {
    "positive": "happy fun love loved loves good great best nice smile smiled laugh laughed hug hugged proud beautiful "
    "wonderful joy cheered kind lovely glad excited enjoyed",
    "negative": "sad cry cried bad angry mad scared afraid hurt mean hate hated worst ugly terrible horrible broken "
    "alone lost lonely upset fell worried dark scary",
}
_STEPS, _BATCH, _LENGTH = 600, 64, 32


def make_sentiment(folder: Path, stories: Path) -> float:
    """Train the classifier. Returns its accuracy on the prompts of the suite."""
    torch.manual_seed(0)
    sentences = [s.strip() for s in re.split(r"[.!?\n]+", stories.read_text(encoding="utf-8")) if s.strip()]
    labeled: dict[str, list[str]] = {label: [] for label in _LABELS}
    sets = {label: set(words.split()) for label, words in _WORDS.items()}
    for sentence in sentences:
        words = set(sentence.lower().split())
        found = [label for label, known in sets.items() if words & known]
        if len(found) < len(sets):
            labeled[found[0] if found else "neutral"].append(sentence)
    counts = Counter(word for sentence in sentences for word in re.findall(r"\w+|[^\w\s]", sentence.lower()))
    known = [
        *sorted(set.union(*sets.values())),
        *(word for word, count in counts.most_common(2000) if count > 2),
    ]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(["[PAD]", "[UNK]", *known]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=48, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=96, max_position_embeddings=512, id2label=dict(enumerate(_LABELS)),
    )  # fmt: skip
    network = BertForSequenceClassification(config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    rng = random.Random(0)
    for _ in range(_STEPS):
        targets = [rng.randrange(len(_LABELS)) for _ in range(_BATCH)]
        texts = [rng.choice(labeled[_LABELS[target]]) for target in targets]
        loss = network(**_padded(tokenizer, texts), labels=torch.tensor(targets)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval().save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    prompts = read_texts("sentiments")
    with torch.inference_mode():
        answers = network(**_padded(tokenizer, [row["text"] for row in prompts])).logits.argmax(-1).tolist()
    right = sum(_LABELS[answer] == row["sentiment"] for answer, row in zip(answers, prompts, strict=True))
    return right / len(prompts)


def make_text_lm(folder: Path, source: Path) -> None:
    """Write a model of llama2.c as a Hugging Face folder with tokenizer.json."""
    data = (source / "model.bin").read_bytes()
    dim, feed, layers, heads, key_heads, size, context = struct.unpack("7i", data[:28])
    values = torch.from_numpy(np.frombuffer(data[28:], dtype="<f4").copy())
    head, size = dim // heads, abs(size)
    names = {
        "model.embed_tokens": (size, dim), "input_layernorm": (layers, dim), "self_attn.q_proj": (layers, dim, dim),
        "self_attn.k_proj": (layers, key_heads * head, dim), "self_attn.v_proj": (layers, key_heads * head, dim),
        "self_attn.o_proj": (layers, dim, dim), "post_attention_layernorm": (layers, dim),
        "mlp.gate_proj": (layers, feed, dim), "mlp.down_proj": (layers, dim, feed), "mlp.up_proj": (layers, feed, dim),
        "model.norm": (dim,),
    }  # fmt: skip
    tensors, start = {}, 0
    for name, shape in names.items():
        count = int(np.prod(shape))
        part = values[start : start + count].reshape(shape)
        start += count
        if name.startswith("model."):
            tensors[f"{name}.weight"] = part
            continue
        for layer in range(layers):
            weight = part[layer]
            if name.endswith(("q_proj", "k_proj")):
                # llama2.c rotates neighbors, transformers the halves of a head
                weight = weight.view(-1, head // 2, 2, dim).transpose(1, 2).reshape(weight.shape)
            tensors[f"model.layers.{layer}.{name}.weight"] = weight
    config = LlamaConfig(
        vocab_size=size, hidden_size=dim, intermediate_size=feed, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=key_heads, max_position_embeddings=context, rms_norm_eps=1e-5, tie_word_embeddings=True,
    )  # fmt: skip
    network = LlamaForCausalLM(config)
    network.load_state_dict(tensors, strict=False)
    network.eval().save_pretrained(folder)
    _llama_tokenizer(source / "tokenizer.bin", size).save(str(folder / "tokenizer.json"))


def _llama_tokenizer(path: Path, size: int) -> Tokenizer:
    """The byte-pair encoding of llama2.c's tokenizer.bin: a piece is merged from two others, best scores first."""
    data, position = path.read_bytes(), 4
    pieces: list[tuple[float, str]] = []
    for _ in range(size):
        score, length = struct.unpack("<fi", data[position : position + 8])
        pieces.append((score, data[position + 8 : position + 8 + length].decode().replace(" ", "▁")))
        position += 8 + length
    pieces[:3] = [(0.0, "<unk>"), (0.0, "<s>"), (0.0, "</s>")]
    vocabulary = {piece: index for index, (_, piece) in enumerate(pieces)}
    merges = [
        (piece[:cut], piece[cut:])
        for _, piece in sorted(pieces[259:], key=lambda pair: -pair[0])
        for cut in range(1, len(piece))
        if piece[:cut] in vocabulary and piece[cut:] in vocabulary
    ]
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tokenizer


def _padded(tokenizer: Tokenizer, texts: list[str]) -> dict[str, torch.Tensor]:
    """Token ids and the mask of texts, padded on the right."""
    ids = [tokenizer.encode(text).ids[:_LENGTH] for text in texts]
    longest = max(map(len, ids))
    rows = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
    return {"input_ids": rows, "attention_mask": mask}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("judges", type=Path, help="folder to write")
    parser.add_argument("--stories", type=Path, required=True, help="text with a story a line")
    parser.add_argument(
        "--story-model", type=Path, required=True, help="folder with model.bin and tokenizer.bin"
    )
    arguments = parser.parse_args()
    make_text_lm(arguments.judges / "text_lm", arguments.story_model)
    accuracy = make_sentiment(arguments.judges / "sentiment", arguments.stories)
    print(f"sentiment: {100 * accuracy:.0f} % of the prompts of the suite")


if __name__ == "__main__":
    main()
