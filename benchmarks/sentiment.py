"""Make inputs and small classifiers for `spiritlm evaluate stsp`, where the data of the benchmark is not at hand.

    python benchmarks/sentiment.py LibriSpeech/dev-clean sentiment/
    spiritlm evaluate stsp sentiment/made.jsonl --text-classifier sentiment/text --speech-classifier sentiment/speech

Sad recordings are played slower and lower by a fifth, happy ones faster and higher by a quarter. Texts have words of
their sentiment. The classifiers learn nothing but that: their numbers compare models with each other, and not with
published ones. Recordings of the inputs are not among those that the classifier is trained on.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch.nn.functional import cross_entropy

from spiritlm_cli.third_party import hide_broken_torchaudio

RATE = 16000
LABELS = ("negative", "neutral", "positive")
EMOTIONS = ("sad", "default", "happy")
SPEEDS = (0.8, 1.0, 1.25)
SECONDS = 2.0  # of an input
WORDS = {
    "negative": "sad cried angry scared hurt lost bad afraid upset mad mean sorry broke fell alone cry tears worried",
    "neutral": "",
    "positive": "happy smiled love loved laughed fun good nice great best glad hugged friends thank excited proud",
}
OTHERS = """
    the a and to was it he she they said day one had in of with his her saw went big little red blue box tree park house
    mom dad boy girl cat dog ball car looked at on that there then when you i so very not but for up down out
"""
INPUTS = {
    "negative": (
        "{name} lost the {thing}. {name} was sad and cried.",
        "The {thing} broke. {name} was upset and mad.",
    ),
    "neutral": ("{name} saw a {thing} in the park. It was red.", "There was a {thing}. {name} looked at it."),
    "positive": (
        "{name} got a {thing}. {name} was happy and smiled.",
        "{name} loved the {thing}. It was so much fun.",
    ),
}
NAMES = ("Tom", "Lily", "Ben", "Sara")
THINGS = ("ball", "car", "cat", "toy")


def random_text(sentiment: str, rng: random.Random) -> str:
    """Words of no sentiment, unknown ones among them, and one to three of the sentiment."""
    words = [rng.choice([*OTHERS.split(), "?"]) for _ in range(rng.randrange(4, 40))]
    for word in (
        rng.choices(WORDS[sentiment].split(), k=rng.randrange(1, 4)) if sentiment != "neutral" else ()
    ):
        words.insert(rng.randrange(len(words)), word)
    return " ".join(words)


def train_text_classifier(folder: Path, steps: int) -> None:
    """Train one layer of BERT on random texts."""
    with hide_broken_torchaudio():  # takes seconds, which the inputs do without
        from transformers import BertConfig, BertForSequenceClassification
    rng = random.Random(0)
    known = ["[PAD]", "[UNK]", *OTHERS.split(), *(word for words in WORDS.values() for word in words.split())]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(dict.fromkeys(known))}, "[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=128, id2label=dict(enumerate(LABELS)),
    )  # fmt: skip
    torch.manual_seed(0)
    network = BertForSequenceClassification(config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for step in range(steps):
        labels = [rng.randrange(3) for _ in range(32)]
        ids = [torch.tensor(tokenizer.encode(random_text(LABELS[label], rng)).ids) for label in labels]
        batch = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
        loss = cross_entropy(network(batch, attention_mask=(batch > 0).long()).logits, torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            print(f"text classifier: step {step + 1}, loss {loss:.3f}", flush=True)
    network.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def played(samples: np.ndarray, speed: float) -> np.ndarray:
    """The recording at another speed, and thus another pitch."""
    return samples if speed == 1 else soxr.resample(samples, RATE * speed, RATE)


def train_speech_classifier(folder: Path, recordings: list[np.ndarray], steps: int) -> None:
    """Train a small wav2vec 2.0 to tell how fast a recording is played."""
    with hide_broken_torchaudio():
        from transformers import (
            Wav2Vec2Config,
            Wav2Vec2FeatureExtractor,
            Wav2Vec2ForSequenceClassification,
        )
    rng = random.Random(0)
    config = Wav2Vec2Config(
        hidden_size=48, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64, conv_dim=[32] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, classifier_proj_size=32, vocab_size=32,
        id2label=dict(enumerate(EMOTIONS)), apply_spec_augment=False,
    )  # fmt: skip
    torch.manual_seed(0)
    network = Wav2Vec2ForSequenceClassification(config)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    length, right = int(SECONDS * RATE), []
    for step in range(steps):
        labels = [rng.randrange(3) for _ in range(8)]
        crops = []
        for label in labels:
            samples = played(rng.choice(recordings), SPEEDS[label])
            start = rng.randrange(len(samples) - length)
            crops.append(samples[start : start + length])
        inputs = extractor(crops, sampling_rate=RATE, return_tensors="pt").input_values
        logits = network(inputs).logits
        loss = cross_entropy(logits, torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right += (logits.argmax(1) == torch.tensor(labels)).tolist()
        if (step + 1) % 50 == 0:
            print(f"speech classifier: step {step + 1}, right {np.mean(right[-400:]):.2f}", flush=True)
    network.save_pretrained(folder)
    extractor.save_pretrained(folder)


def write_inputs(folder: Path, recordings: list[np.ndarray]) -> None:
    """Write a record with a text and a recording for each sentiment in turn."""
    rng = random.Random(1)
    length = int(SECONDS * RATE)
    with (folder / "made.jsonl").open("w", encoding="utf-8") as file:
        for number, samples in enumerate(recordings):
            kind = number % 3
            name, form = f"wavs/{number}.wav", rng.choice(INPUTS[LABELS[kind]])
            soundfile.write(folder / name, played(samples, SPEEDS[kind])[:length], RATE)
            text = form.format(name=rng.choice(NAMES), thing=rng.choice(THINGS))
            record = {"id": number, "emotion": EMOTIONS[kind], "asr": text, "wav_path": name}
            file.write(json.dumps(record) + "\n")


def main() -> None:
    """Make all from recordings."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("recordings", type=Path, help="folder with recordings, such as LibriSpeech/dev-clean")
    parser.add_argument("output", type=Path)
    parser.add_argument("--inputs", type=int, default=60)
    parser.add_argument("--text-steps", type=int, default=400)
    parser.add_argument("--speech-steps", type=int, default=400)
    arguments = parser.parse_args()
    (arguments.output / "wavs").mkdir(parents=True, exist_ok=True)
    paths = sorted((*arguments.recordings.rglob("*.flac"), *arguments.recordings.rglob("*.wav")))
    recordings = []
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32")
        if rate == RATE and samples.ndim == 1 and len(samples) > 2 * SECONDS * RATE:
            recordings.append(samples)
    if len(recordings) < 2 * arguments.inputs:
        parser.error(
            f"{arguments.recordings}: {len(recordings)} recordings, and {2 * arguments.inputs} are needed"
        )
    write_inputs(arguments.output, recordings[: arguments.inputs])
    train_text_classifier(arguments.output / "text", arguments.text_steps)
    train_speech_classifier(
        arguments.output / "speech", recordings[arguments.inputs :], arguments.speech_steps
    )


if __name__ == "__main__":
    main()
