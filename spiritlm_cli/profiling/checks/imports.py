"""Importing a package to see whether it works; called in an `IsolatedProcess`."""

from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module

from spiritlm_cli.profiling.checks.finding import Finding
from spiritlm_cli.third_party import hide_broken_torchaudio


def import_package(name: str) -> Sequence[Finding]:
    """Import a module. Returns no findings; raises what the import raises."""
    # As the package imports it.
    with hide_broken_torchaudio() if name.startswith("transformers") else nullcontext():
        import_module(name)
    return ()
