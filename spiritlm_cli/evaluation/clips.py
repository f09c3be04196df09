"""What the benchmarks ask of a manifest's clips."""

from spiritlm_cli.english.normalize import normalize
from spiritlm_cli.errors import ManifestError
from spiritlm_cli.manifests.clip import Clip


def reference_text(clip: Clip) -> str:
    """The clip's text. Raises ManifestError where it has none, or none with a word in it."""
    if clip.text is None or not normalize(clip.text):
        raise ManifestError(f"{clip.id}: no text to score against; the manifest needs the field text")
    return clip.text
