"""Uses tiny models with random weights, and a network that reads the labels from its input."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soxr
import torch
from ctc_fixtures import LABELS, LETTERS, SYMBOLS, TINY, write_folder

from spiritlm_cli.alignment.ctc import CtcAligner, word_times
from spiritlm_cli.alignment.ctc_labels import TargetLabels, Vocabulary
from spiritlm_cli.alignment.ctc_model import CtcModel
from spiritlm_cli.errors import AlignmentError, CheckpointError, SpiritLMError
from spiritlm_cli.manifests.clip import Waveform, Word
from spiritlm_cli.third_party import hide_broken_torchaudio

with hide_broken_torchaudio():
    from transformers import (
        HubertConfig,
        HubertForCTC,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Model,
        WavLMConfig,
        WavLMForCTC,
    )

ENGLISH = Vocabulary(LETTERS, blank=0, delimiter=4)
TEXT = "and a strip of cow skin for a belt to hold it in. I could show you -- show me, cried Robin."
FRAME = 320 / 16000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    return write_folder(tmp_path_factory.mktemp("ctc"), Wav2Vec2ForCTC(Wav2Vec2Config(**TINY)))


@pytest.fixture(scope="module")
def aligner(folder: str) -> CtcAligner:
    return CtcAligner.load(folder, "cpu")


class LabelReader(torch.nn.Module):
    """Gives in each frame log odds of 8 to the label that its samples have as their value."""

    config = SimpleNamespace(conv_kernel=[10, 40], conv_stride=[5, 64])
    device = torch.device("cpu")

    def forward(self, values: torch.Tensor) -> SimpleNamespace:
        labels = values[0].unfold(0, 10 + 39 * 5, 320)[:, 0].long()
        logits = 8 * torch.nn.functional.one_hot(labels, len(SYMBOLS)).float()
        # No two paths are equally probable: torchaudio does not always break ties as `numpy_path` does.
        logits += 0.1 * torch.rand(logits.shape, generator=torch.Generator().manual_seed(0))
        return SimpleNamespace(logits=logits[None])


def labeled_waveform(frames: str) -> Waveform:
    """Input for `LabelReader`: a symbol for each frame, `.` for blank."""
    labels = [0 if symbol == "." else LABELS[symbol] for symbol in frames]
    return Waveform(np.repeat(np.array(labels, dtype=np.float32), 320), 16000)


@pytest.fixture
def reader() -> CtcAligner:
    return CtcAligner(CtcModel(LabelReader(), Wav2Vec2FeatureExtractor(do_normalize=False), ENGLISH))


def word_frames(words: tuple[Word, ...]) -> list[tuple[str, int, int]]:
    return [(word.word, round(word.start / FRAME), round(word.end / FRAME)) for word in words]


def test_word_times() -> None:
    # AB|C with tokens without letters before, between and after.
    labels = TargetLabels.of([[], [[[1, 2]]], [], [[[3]]], []], delimiter=4)
    assert labels.targets.tolist() == [1, 2, 4, 3]
    assert labels.spans == (None, (0, 2), None, (3, 4), None)
    path = np.array([-1, -1, 0, 0, -1, 1, -1, 2, 2, -1, 3, -1])
    log_probs = np.log(np.full((12, 5), 0.2, dtype=np.float32))
    log_probs[[2, 3, 5], [1, 1, 2]] = np.log([0.5, 1.0, 0.25])
    log_probs[10, 3] = np.log(0.75)
    words = word_times(["--", "ab", "-", "c", "…"], labels, path, log_probs, frame_seconds=0.5).words
    assert [(word.word, word.start, word.end) for word in words] == [
        ("--", 1.0, 1.0),
        ("ab", 1.0, 3.0),
        ("-", 3.0, 3.0),
        ("c", 5.0, 5.5),
        ("…", 5.5, 5.5),
    ]
    assert [word.confidence for word in words] == [
        None,
        pytest.approx(0.5, rel=1e-6),
        None,
        pytest.approx(0.75, rel=1e-6),
        None,
    ]


def test_confidence_ignores_delimiters() -> None:
    labels = TargetLabels.of([[[[1]], [[2]]]], delimiter=3)
    log_probs = np.log(
        np.array([[0.1, 0.4, 0.1, 0.4], [0.1, 0.4, 0.1, 0.01], [0.1, 0.1, 0.9, 0.1]], np.float32)
    )
    words = word_times(["a-b"], labels, np.array([0, 1, 2]), log_probs, frame_seconds=1.0).words
    assert words == (Word("a-b", 0.0, 3.0, pytest.approx(0.6, rel=1e-6)),)


def test_align_finds_the_labels_of_the_input(reader: CtcAligner) -> None:
    words = reader.align(
        labeled_waveform("..OO.NE.|.T.WO||DON.'T..A.L.L.|LOW.."), "One, two -- 'don't' all low"
    ).words
    assert word_frames(words) == [
        ("One,", 2, 7),
        ("two", 10, 14),
        ("--", 14, 14),
        ("'don't'", 16, 22),
        ("all", 24, 29),
        ("low", 31, 34),
    ]
    # No frame has the delimiter after don't.
    assert min(word.confidence for word in words if word.confidence is not None) > 0.9


@pytest.mark.parametrize(
    "spoken",
    [
        "EIGHTE.EN.|THIRTY.|.TWO",
        "ONE|THOUSAND|EIGHT|HUNDRED|THIRTY|TWO",
        "ONE|THOUSAND|EIGHT|HUNDRED|AND|THIRTY|TWO",
    ],
)
def test_align_selects_the_reading_of_a_number(reader: CtcAligner, spoken: str) -> None:
    words = reader.align(labeled_waveform(f".IN|{spoken}|FOR|FIVE."), "in 1832 for 5").words
    assert word_frames(words)[1] == ("1832", 4, 4 + len(spoken))
    assert all(word.confidence > 0.9 for word in words if word.confidence is not None)


def test_align_joins_windows_without_seams(reader: CtcAligner) -> None:
    """The windows of 30 s end at frames 1500 and 3000."""
    frames = ["."] * 3400
    frames[1497:1503] = "S.EA.M"
    frames[2999:3001] = "|A"
    frames[3399] = "B"
    waveform = labeled_waveform("".join(frames))
    assert word_frames(reader.align(waveform, "seam a-b").words) == [
        ("seam", 1497, 1503),
        ("a-b", 3000, 3400),
    ]


def test_align_refuses_another_text(reader: CtcAligner) -> None:
    waveform = labeled_waveform(".THE.|CAT.|SAT.")
    assert len(reader.align(waveform, "the cat sat").words) == 3
    for text in ("one dog ran", "the", "the cat sat on the mat"):
        with pytest.raises(
            AlignmentError, match=rf"does not match the audio: {len(text.split())} words, 0\.3 s"
        ):
            reader.align(waveform, text)


def test_align_names_a_word_without_known_letters(reader: CtcAligner) -> None:
    with pytest.raises(AlignmentError, match="'Καλημέρα' has a word of which the model has no letter"):
        reader.align(labeled_waveform("ABC"), "abc Καλημέρα")


def test_align_a_recording(recording: Waveform, aligner: CtcAligner) -> None:
    words = aligner.align(recording, TEXT).words
    assert [word.word for word in words] == TEXT.split()
    assert all(left.end <= right.start for left, right in pairwise(words))
    assert words[0].start >= 0
    assert words[-1].end <= recording.seconds
    for word in words:
        if word.word == "--":
            assert word.start == word.end
            assert word.confidence is None
        else:
            assert word.start < word.end
            assert word.confidence is not None
            assert 0 <= word.confidence <= 1
    assert aligner.align(recording, TEXT).words == words


@pytest.mark.parametrize(
    "network", [lambda: HubertForCTC(HubertConfig(**TINY)), lambda: WavLMForCTC(WavLMConfig(**TINY))]
)
def test_load_hubert_and_wavlm(recording: Waveform, network: object, tmp_path: Path) -> None:
    aligner = CtcAligner.load(write_folder(tmp_path, network()), "cpu")
    assert len(aligner.align(recording, TEXT).words) == len(TEXT.split())


def test_align_resamples(recording: Waveform, aligner: CtcAligner) -> None:
    upsampled = Waveform(soxr.resample(recording.samples, recording.rate, 44100), 44100)
    pairs = zip(aligner.align(upsampled, TEXT).words, aligner.align(recording, TEXT).words, strict=True)
    # Resampled twice, the audio is nearly the same.
    shifts = [abs(one.start - other.start) for one, other in pairs]
    assert np.median(shifts) <= 0.02


@pytest.mark.parametrize("normalize", [True, False])
def test_the_extractor_normalizes_loudness(recording: Waveform, normalize: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = Wav2Vec2ForCTC(Wav2Vec2Config(**TINY, feat_extract_norm="layer", conv_bias=True))
    aligner = CtcAligner.load(write_folder(tmp_path, network, normalize), "cpu")
    quiet = Waveform(recording.samples / 8, recording.rate)
    text = TEXT.replace("-- ", "")
    loud_words, quiet_words = aligner.align(recording, text).words, aligner.align(quiet, text).words
    same = all(
        one.start == other.start and one.confidence == pytest.approx(other.confidence, rel=1e-2)
        for one, other in zip(loud_words, quiet_words, strict=True)
    )
    assert same == normalize


@pytest.mark.parametrize("text", ["", "-- …"])
def test_align_refuses_texts_without_words(recording: Waveform, aligner: CtcAligner, text: str) -> None:
    with pytest.raises(AlignmentError, match="no words"):
        aligner.align(recording, text)


def test_align_refuses_short_audio(recording: Waveform, aligner: CtcAligner) -> None:
    for samples in (0, 300, 399):
        with pytest.raises(AlignmentError, match="too short"):
            aligner.align(Waveform(np.zeros(samples, dtype=np.float32), 16000), "a")
    assert len(aligner.align(Waveform(np.zeros(400, dtype=np.float32), 16000), "a").words) == 1
    with pytest.raises(AlignmentError, match="does not match the audio: 630 words"):
        aligner.align(recording, "a b c d e f g " * 90)


def test_load_refuses_other_folders(tmp_path: Path, folder: str) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json"):
        CtcAligner.load(str(tmp_path / "nowhere"), "cpu")
    headless = write_folder(tmp_path / "headless", Wav2Vec2Model(Wav2Vec2Config(**TINY)))
    with pytest.raises(CheckpointError, match=r"weights missing: lm_head\.bias, lm_head\.weight"):
        CtcAligner.load(headless, "cpu")
    small = write_folder(tmp_path / "small", Wav2Vec2ForCTC(Wav2Vec2Config(**TINY | {"vocab_size": 20})))
    with pytest.raises(CheckpointError, match="more labels than the network's 20"):
        CtcAligner.load(small, "cpu")
    slow = write_folder(
        tmp_path / "slow", Wav2Vec2ForCTC(Wav2Vec2Config(**TINY, add_adapter=True, output_hidden_size=16))
    )
    with pytest.raises(CheckpointError, match="samples apart"):
        CtcAligner.load(slow, "cpu")
    for name in ("vocab.json", "preprocessor_config.json", "model.safetensors"):
        broken = Path(write_folder(tmp_path / name, Wav2Vec2ForCTC(Wav2Vec2Config(**TINY))))
        (broken / name).unlink()
        with pytest.raises(CheckpointError, match=rf"{name}: missing"):
            CtcAligner.load(str(broken), "cpu")
    with pytest.raises(SpiritLMError, match="device"):
        CtcAligner.load(folder, "cuda:99")


def test_load_prints_nothing(recording: Waveform, folder: str, capfd: pytest.CaptureFixture[str]) -> None:
    CtcAligner.load(folder, "cpu").align(recording, TEXT)
    assert capfd.readouterr() == ("", "")
