from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spiritlm_cli.errors import AudioError
from spiritlm_cli.evaluation.resynthesizer import Resynthesizer
from spiritlm_cli.manifests.clip import Clip
from spiritlm_cli.tokens.sequence import Sequence
from spiritlm_cli.tokens.timeline import merge_streams


@pytest.fixture(scope="module")
def resynthesizer(small_release: Path) -> Resynthesizer:
    return Resynthesizer.load(str(small_release), device="cpu")


@pytest.fixture
def clip(recording_file: Path) -> Clip:
    return Clip("clip", recording_file, start=0.0, end=1.0)


def test_resynthesis_with_and_without_the_timing_of_the_clip(
    resynthesizer: Resynthesizer, clip: Clip
) -> None:
    ((_, outcome),) = resynthesizer([clip])
    speech = outcome.result()
    assert speech.units is not None
    assert speech.timed is not None
    assert speech.original.seconds == pytest.approx(1.0, abs=0.01)
    assert speech.timed.seconds == len(speech.units.hubert) / 25
    decoded = resynthesizer.vocoder.decode(Sequence.of([merge_streams(speech.units)]))
    np.testing.assert_allclose(speech.resynthesis.samples, decoded.samples, atol=1e-5)
    ((_, outcome),) = replace(resynthesizer, timed=False)([clip])
    assert outcome.result().timed is None


def test_a_bad_clip_does_not_affect_the_others(resynthesizer: Resynthesizer, clip: Clip) -> None:
    bad = Clip("bad", Path("gone.wav"))
    (_, first), (_, second), (_, third) = resynthesizer([clip, bad, replace(clip, id="again")])
    with pytest.raises(AudioError, match=r"gone\.wav"):
        second.result()
    samples = [outcome.result().resynthesis.samples for outcome in (first, third)]
    assert np.array_equal(*samples)


def test_the_clips_own_voice_where_the_vocoder_has_it(resynthesizer: Resynthesizer, clip: Clip) -> None:
    voice = resynthesizer.vocoder.voices.speakers[-1]
    same = replace(resynthesizer, speaker="same")
    assert same.voice(replace(clip, speaker=voice)) == voice
    assert same.voice(replace(clip, speaker="nobody")) is None
    assert replace(resynthesizer, speaker=voice).voice(clip) == voice
    assert resynthesizer.voice(replace(clip, speaker=voice)) is None
