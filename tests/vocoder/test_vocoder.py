"""Waveforms against those of the published implementation, batches, and what the vocoder refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spiritlm_cli.checkpoints.tensors import read_tensors, write_tensors
from spiritlm_cli.errors import CheckpointError, SpiritLMError, TokenError
from spiritlm_cli.tokens.reader import parse_sequence
from spiritlm_cli.tokens.sequence import Sequence, SpeechSpan
from spiritlm_cli.tokens.timeline import merge_streams
from spiritlm_cli.tokens.units import Kind, Unit, Units
from spiritlm_cli.vocoder.vocoder import Vocoder

FOLDERS = {False: "hifigan_spiritlm_base", True: "hifigan_spiritlm_expressive_w2v2"}
# The goldens' speakers, where they are not the default.
SPEAKERS = {"base/keep": 1, "expressive/keep": "ex01"}

# Few different spans, because the convolutions are compiled for each length.
LENGTHS = st.lists(st.sampled_from((1, 2, 5, 12, 13, 31, 60)), min_size=1, max_size=6)
PROPERTY = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def vocoders(release_tree: Path) -> dict[bool, Vocoder]:
    return {expressive: Vocoder.load(str(release_tree), expressive, "cpu") for expressive in FOLDERS}


@pytest.fixture(scope="module")
def shallow(shallow_vocoders: Path) -> dict[bool, Vocoder]:
    return {expressive: Vocoder.load(str(shallow_vocoders), expressive, "cpu") for expressive in FOLDERS}


@pytest.fixture(scope="module")
def waveforms(data: Path) -> dict[str, np.ndarray]:
    return dict(np.load(data / "waveforms.npz"))


def speech(golden, clip: str, keep: bool) -> SpeechSpan:
    streams = {name: np.array(ids.split(), dtype=np.int64) for name, ids in golden[clip]["units"].items()}
    return merge_streams(Units(**streams), keep_repeats=keep)


@pytest.mark.parametrize("key", ["short/predict", "short/keep", "medium/keep"])
def test_decode_with_twist_equals_the_published_vocoder(twist_folder: Path, data: Path, key: str) -> None:
    vocoder = Vocoder.load(str(twist_folder), False, "cpu")
    clip, durations = key.split("/")
    units = json.loads((data / "open_models.json").read_text())["units"][clip]["hubert"]
    span = merge_streams(Units(np.array(units)), keep_repeats=durations == "keep")
    waveform = vocoder.decode(span, speaker=0, durations=durations)
    expected = np.load(data / "open_models.npz")[key]
    assert waveform.rate == 16000
    assert waveform.samples.shape == expected.shape
    assert np.abs(waveform.samples - expected).max() < 1e-4


def test_twist_has_one_voice(twist_folder: Path) -> None:
    vocoder = Vocoder.load(str(twist_folder), False, "cpu")
    with pytest.raises(SpiritLMError, match="no speaker 1: this vocoder has one speaker, 0"):
        vocoder.decode(SpeechSpan((Unit(Kind.HUBERT, 1),)), speaker=1)
    with pytest.raises(SpiritLMError, match="no style happy: this vocoder has one style, 0"):
        vocoder.decode(SpeechSpan((Unit(Kind.HUBERT, 1),)), style="happy")
    with pytest.raises(TokenError, match="Hu500"):
        vocoder.decode(SpeechSpan((Unit(Kind.HUBERT, 500),)))


@pytest.mark.parametrize("durations", ["auto", "as named"])
@pytest.mark.parametrize("key", [f"{u}/{d}" for u in ("base", "expressive") for d in ("predict", "keep")])
@pytest.mark.parametrize("clip", ["short", "medium"])
def test_decode_equals_the_published_vocoder(vocoders, waveforms, golden, clip, key, durations) -> None:
    units, named = key.split("/")
    waveform = vocoders[units == "expressive"].decode(
        speech(golden, clip, named == "keep"),
        speaker=SPEAKERS.get(key),
        durations=named if durations == "as named" else "auto",
    )
    assert waveform.rate == 16000
    assert waveform.samples.dtype == np.float32
    np.testing.assert_allclose(waveform.samples, waveforms[f"{clip}/{key}"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("expressive", [False, True])
@given(lengths=LENGTHS, budget=st.floats(0, 30))
@PROPERTY
def test_decode_batch_equals_decode(shallow, expressive, lengths, budget) -> None:
    vocoder = shallow[expressive]
    spans = [
        SpeechSpan(
            (
                Unit(Kind.STYLE, 3),
                Unit(Kind.PITCH, 5),
                *(Unit(Kind.HUBERT, int(n)) for n in np.random.default_rng(n).integers(0, 501, n)),
            )
        )
        for n in lengths
    ]
    together = vocoder.decode_batch(spans, batch_seconds=budget)
    for span, waveform in zip(spans, together, strict=True):
        np.testing.assert_allclose(waveform.samples, vocoder.decode(span).samples, atol=1e-5, rtol=0)


@pytest.mark.parametrize("expressive", [False, True])
def test_decode_stream_equals_decode(vocoders, golden, expressive) -> None:
    span = speech(golden, "medium", keep=False)
    whole = vocoders[expressive].decode(span).samples
    pieces = [piece.samples for piece in vocoders[expressive].decode_stream(span, window=30)]
    assert all(len(piece) == 30 * 640 for piece in pieces[:-1])
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize("expressive", [False, True])
def test_decode_with_safetensors(tree, vocoders, golden, expressive) -> None:
    path = tree / "speech_tokenizer" / FOLDERS[expressive] / "generator.pt"
    write_tensors(path.with_suffix(".safetensors"), read_tensors(path).tensors)
    path.unlink()
    span = speech(golden, "short", keep=False)
    again = Vocoder.load(str(tree), expressive, "cpu").decode(span)
    np.testing.assert_array_equal(again.samples, vocoders[expressive].decode(span).samples)


def test_decode_joins_all_speech_of_a_sequence(vocoders) -> None:
    apart = parse_sequence("[SPEECH][St1][Pi2][Hu3][TEXT]and[SPEECH][Hu4]")
    together = parse_sequence("[SPEECH][St1][Pi2][Hu3][Hu4]")
    np.testing.assert_array_equal(
        vocoders[True].decode(apart).samples, vocoders[True].decode(together).samples
    )


def test_decode_without_style_units_uses_the_default(vocoders) -> None:
    without = vocoders[True].decode(parse_sequence("[Pi2][Hu3][Hu4]"))
    stated = vocoders[True].decode(
        parse_sequence(f"[St{vocoders[True].voices.default_style}][Pi2][Hu3][Hu4]")
    )
    np.testing.assert_array_equal(without.samples, stated.samples)


def test_decode_style_replaces_the_sequence_s_own(vocoders) -> None:
    asked = vocoders[True].decode(parse_sequence("[St5][Pi2][Hu3][Hu4]"), style=9)
    stated = vocoders[True].decode(parse_sequence("[St9][Pi2][Hu3][Hu4]"))
    np.testing.assert_array_equal(asked.samples, stated.samples)


def test_decode_with_speakers_and_styles_by_name_and_index(vocoders) -> None:
    line = parse_sequence("[Hu3][Hu4]")
    base = vocoders[False]
    assert base.voices.speakers == ("ex01", "ex02", "ex03", "ex04")
    named = base.decode(line, speaker="ex02", style="style03").samples
    np.testing.assert_array_equal(named, base.decode(line, speaker="1", style=3).samples)
    assert np.abs(named - base.decode(line).samples).max() > 1e-3


@pytest.mark.parametrize("speaker", ["nobody", 4, -1, "4", "-1", "²", ""])
def test_unknown_speakers_are_refused(vocoders, speaker) -> None:
    with pytest.raises(SpiritLMError, match=r"no speaker.*ex01, ex02"):
        vocoders[False].voices.speaker_index(speaker)


@pytest.mark.parametrize(
    ("expressive", "style"), [(False, 26), (False, "st"), (True, 100), (True, "style01")]
)
def test_unknown_styles_are_refused(vocoders, expressive, style) -> None:
    with pytest.raises(SpiritLMError, match=f"no style {style}"):
        vocoders[expressive].voices.style_index(style)


@pytest.mark.parametrize(
    ("expressive", "line", "message"),
    [
        (False, "", "no speech"),
        (False, "only text", "no speech"),
        (True, "[St1][Pi1]", "no speech"),
        (True, "[Hu1][Hu2]", r"no pitch: .*\[Pi.*--model .*--units base"),
        (False, "[Hu1][Hu501]", r"\[Hu501\] .* \[Hu0\] to \[Hu500\]"),
        (True, "[St0][Pi64][Hu1]", r"\[Pi64\] .* \[Pi0\] to \[Pi63\]"),
        (True, "[St100][Pi6][Hu1]", r"\[St100\] .* \[St0\] to \[St99\]"),
    ],
)
def test_decode_refuses(vocoders, expressive, line, message) -> None:
    with pytest.raises(TokenError, match=message):
        vocoders[expressive].decode(parse_sequence(line))


def test_decode_base_ignores_pitch_and_style(vocoders) -> None:
    plain = vocoders[False].decode(parse_sequence("[Hu3][Hu4]")).samples
    np.testing.assert_array_equal(
        vocoders[False].decode(parse_sequence("[St500][Pi99][Hu3][Hu4]")).samples, plain
    )


@pytest.mark.parametrize("expressive", [False, True])
@pytest.mark.parametrize("file", ["generator.pt", "config.json", "speakers.txt"])
def test_load_names_a_missing_file(tree, file, expressive) -> None:
    path = tree / "speech_tokenizer" / FOLDERS[expressive] / file
    path.unlink()
    with pytest.raises(CheckpointError, match=f"{FOLDERS[expressive]}/{file}: missing"):
        Vocoder.load(str(tree), expressive, "cpu")


def test_load_names_a_truncated_file(tree) -> None:
    path = tree / "speech_tokenizer" / FOLDERS[True] / "generator.pt"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"generator\.pt: cut off"):
        Vocoder.load(str(tree), True, "cpu")


def test_load_refuses_another_number_of_names(tree) -> None:
    path = tree / "speech_tokenizer" / FOLDERS[True] / "speakers.txt"
    path.write_text("ex01\n")
    with pytest.raises(CheckpointError, match=r"speakers\.txt: 1 names, expected 4"):
        Vocoder.load(str(tree), True, "cpu")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("num_speakers", 5, r"generator\.pt: spkr.weight is \(4, 16\), expected \(5, 16\)"),
        ("upsample_rates", [5, 4, 4, 4, 4], r"config\.json.*multiply to 1280, but code_hop_size is 640"),
        ("resblock", "3", r"config\.json.*resblock is '3'"),
        ("model_in_dim", 65, r"config\.json.*model_in_dim is 65, expected 16 × 4"),
        ("default_speaker", 4, r"config\.json.*default_speaker is 4, there are 4"),
        ("default_style", 100, r"config\.json.*default_style is 100, there are 100"),
        ("new_key", 1, r"config\.json.*'new_key'"),
    ],
)
def test_load_refuses_a_contradictory_configuration(tree, key, value, message) -> None:
    path = tree / "speech_tokenizer" / FOLDERS[True] / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(CheckpointError, match=message):
        Vocoder.load(str(tree), True, "cpu")


def test_defaults_from_the_configuration(tree) -> None:
    path = tree / "speech_tokenizer" / FOLDERS[True] / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"default_speaker": 0, "default_style": 7}))
    vocoder = Vocoder.load(str(tree), True, "cpu")
    assert (vocoder.voices.default_speaker, vocoder.voices.default_style) == (0, 7)


def test_decode_takes_a_sequence_or_a_span(vocoders, golden) -> None:
    span = speech(golden, "short", keep=True)
    whole = vocoders[True].decode(Sequence.of([span])).samples
    np.testing.assert_array_equal(vocoders[True].decode(span).samples, whole)


def test_load_refuses_a_network_that_sees_minutes(tree) -> None:
    path = tree / "speech_tokenizer" / FOLDERS[True] / "config.json"
    sizes = {"resblock_dilation_sizes": [[200, 250, 255]] * 3}
    path.write_text(json.dumps(json.loads(path.read_text()) | sizes))
    with pytest.raises(CheckpointError, match=r"config\.json: each frame depends on \d+ to either side"):
        Vocoder.load(str(tree), True, "cpu")


def test_synthesize_refuses_numbers_that_overflow(tree) -> None:
    vocoder = Vocoder.load(str(tree), True, "cpu")
    vocoder.network.dict.weight.data.fill_(3e38)
    with pytest.raises(SpiritLMError, match="infinite or not a number"):
        vocoder.decode(parse_sequence("[SPEECH][St1][Pi1][Hu1][Hu2]"), durations="keep")
