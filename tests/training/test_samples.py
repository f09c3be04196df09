"""Samples of a language model in training."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from text_models import lines_options, text_model
from training_fixtures import assert_same_weights

from spiritlm_cli.checkpoints import find_checkpoint
from spiritlm_cli.errors import ManifestError, TokenError
from spiritlm_cli.language.generator import GenerationRequest
from spiritlm_cli.language.model import LanguageModel
from spiritlm_cli.language.sampling import Sampling
from spiritlm_cli.language.vocabulary_loading import load_vocabulary
from spiritlm_cli.tokens.reader import parse_line
from spiritlm_cli.tokens.sequence import Line, Sequence
from spiritlm_cli.training.evaluator import Evaluator
from spiritlm_cli.training.language_model import train
from spiritlm_cli.training.loop import Loop
from spiritlm_cli.training.samples import Samples, decode_samples, load_vocoder, read_prompts
from spiritlm_cli.training.starting_model import starting_model


def test_train_writes_continuations_of_prompts_at_each_save(tmp_path: Path) -> None:
    folder, prompts = text_model(tmp_path / "text", "qwen2"), tmp_path / "prompts.txt"
    prompts.write_text("a\t[SPEECH][Hu3][Hu7]\n[TEXT]the cat[SPEECH]\n")
    output = tmp_path / "out"
    train(lines_options(folder, output, sample_prompts=prompts, sample_vocoder="nano", save_every=2))
    written = (output / "training/samples/lm").iterdir()
    assert sorted(path.name for path in written if path.is_file()) == ["2.txt", "3.txt"]
    first, second = map(parse_line, (output / "training/samples/lm/3.txt").read_text().splitlines())
    assert (first.id, second.id) == ("a", None)
    start, added = first.split()
    assert start == parse_line("[SPEECH][Hu3][Hu7]").sequence
    # they are those of the weights that are saved
    language_model = LanguageModel.load(str(output), device="cpu")
    request = GenerationRequest(Line(start), "any", Sampling(seed=0), "1")
    stream = language_model.generate_stream([None], lambda _: request)
    assert [outcome.result().sequence for _, outcome in stream] == [added]
    train(lines_options(folder, tmp_path / "plain"))
    assert_same_weights(output / "model.safetensors", tmp_path / "plain/model.safetensors")


def test_decode_samples_writes_what_decode_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    continuations = ("[Hu9][Hu9][TEXT]a", "[TEXT]the cat", "[Hu800]")
    start = parse_line("[SPEECH][St3][Pi5][Hu3][Hu7]").sequence
    samples = [
        Line(Sequence.of([*start.spans, *parse_line(f"[SPEECH]{added}").sequence.spans]), prompt=start)
        for added in continuations
    ]
    vocabulary = load_vocabulary(find_checkpoint("nano").language_model(True))
    vocoder = load_vocoder("nano", vocabulary, torch.device("cpu"))
    sounds = decode_samples(vocoder, samples, tmp_path / "100")
    assert list(sounds) == ["sounds/01"]
    written, rate = soundfile.read(tmp_path / "100" / "01.wav", dtype="float32")
    assert rate == 16000
    assert np.abs(written - vocoder.decode(samples[0].sequence).samples).max() < 1e-4
    assert [path.name for path in (tmp_path / "100").iterdir()] == ["01.wav"]
    messages = capsys.readouterr().err.splitlines()
    assert [message.split(": ")[2] for message in messages] == [
        "sample 2 has no sound", "sample 3 has no sound"
    ]  # fmt: skip
    assert "there is no speech in its continuation" in messages[0]
    assert "[Hu800] is not a unit of this vocoder" in messages[1]


def test_prompts_that_can_not_be_continued_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("\n")
    with pytest.raises(ManifestError, match=r"prompts\.txt: there are no tokens"):
        read_prompts(path)
    path.write_text("[SPEECH][Hu900]\n")
    options = lines_options(Path("nano"), tmp_path / "out")
    with pytest.raises(TokenError, match="Hu900"):
        Samples(
            options,
            Evaluator(options, starting_model(options, []), Loop(options, "lm", 1)),
            read_prompts(path),
        )
