"""Shares of the kinds of training sequences, as `--mix` spells them. No torch."""

import math
from collections.abc import Mapping

from spiritlm_cli.errors import OptionError

# What each source is made of; see docs/train.md.
KINDS = ("text", "speech", "interleaved", "asr", "tts", "words", "examples", "lines", "task")
# Kinds that are made of clips with word times.
ALIGNED = frozenset({"interleaved", "asr", "tts", "words", "examples"})
# Kinds that are made of parallel pairs of speech and text.
PAIRED = frozenset({"asr", "tts", "examples"})
# Kinds that have answers, for `--loss answer`.
ANSWERED = frozenset({"asr", "tts", "words", "examples", "task"})
# Shares of the tokens by default, which are nano's. Spirit LM (Nguyen et al. 2024) has a third each of text, speech and
# interleaved sequences. Here these are a third of the tokens together; the others are parallel pairs, as in its
# "+ASR+TTS" ablation. With few hours of speech, a small model does not learn from interleaving alone that speech and
# text correspond.
DEFAULT: Mapping[str, float] = {
    "text": 0.14,
    "speech": 0.16,
    "interleaved": 0.03,
    "asr": 0.4,
    "tts": 0.21,
    "examples": 0.06,
    "lines": 1.0,
}


def wanted_shares(mix: str | None, task: str | None) -> Mapping[str, float]:
    """The shares of `--mix`; without it, those of the task alone if there is one, otherwise the default ones.

    Raises OptionError as `parse_mix`.
    """
    if mix is not None:
        return parse_mix(mix)
    return {"task": 1.0} if task else DEFAULT


def parse_mix(text: str) -> dict[str, float]:
    """Parse shares, such as `text=1,speech=1,interleaved=0.5`. Kinds with a share of 0 are left out.

    Raises OptionError for an unknown or repeated kind, for what is not a number of at least 0, and if all are 0.
    """
    shares: dict[str, float] = {}
    for entry in text.split(","):
        name, equals, number = (part.strip() for part in entry.partition("="))
        if name not in KINDS:
            raise OptionError(f"{name!a} is none of {', '.join(KINDS)}", "--mix")
        if name in shares:
            raise OptionError(f"has {name} twice", "--mix")
        try:
            shares[name] = float(number) if equals else math.nan
        except ValueError:
            shares[name] = math.nan
        if not 0 <= shares[name] < math.inf:
            raise OptionError(
                f"has {entry.strip()!a}, which is not a name, = and a share, as in text=0.5", "--mix"
            )
    if not any(shares.values()):
        raise OptionError("has no share above 0", "--mix")
    return {name: share for name, share in shares.items() if share}
