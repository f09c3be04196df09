"""Commands with a checkpoint that has phonetic units only."""

import shutil
from pathlib import Path

import pytest
import soundfile

from spiritlm_cli.checkpoints import find_checkpoint


@pytest.fixture(scope="module")
def base_only(release_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in without pitch, style, and the expressive vocoder and language model."""
    root = tmp_path_factory.mktemp("base-only")
    for folder in ("speech_tokenizer/hubert_25hz", "speech_tokenizer/hifigan_spiritlm_base"):
        shutil.copytree(release_tree / folder, root / folder)
    (root / "spiritlm_model").mkdir()
    (root / "spiritlm_model/spirit-lm-base-7b").symlink_to(
        release_tree / "spiritlm_model/spirit-lm-base-7b", target_is_directory=True
    )
    return root


def test_headers_of_a_base_only_checkpoint_are_accepted(
    spiritlm, base_only: Path, recording: Path, tmp_path: Path
) -> None:
    options = ("--model", base_only, "--units", "base")
    tokens = spiritlm("tokenize", *options, "--header", recording)
    assert tokens.exit_code == 0
    header = f"#spiritlm 1 model={base_only.name} tokenizer={find_checkpoint(str(base_only)).fingerprint()}"
    assert tokens.stdout.splitlines()[0] == header
    generated = spiritlm(
        "generate", *options, "--greedy", "--max-new-tokens", "4", "--echo", stdin=tokens.stdout
    )
    assert generated.exit_code == 0
    assert generated.stdout.splitlines()[0] == header
    decoded = spiritlm("decode", *options, "-o", tmp_path / "out.wav", stdin=tokens.stdout)
    assert decoded.exit_code == 0
    assert soundfile.info(tmp_path / "out.wav").frames > 0


def test_headers_of_another_tokenizer_are_refused(spiritlm, base_only: Path, model) -> None:
    """The complete checkpoint has pitch and style units too, so it is another tokenizer."""
    fingerprint = find_checkpoint(str(base_only)).fingerprint()
    lines = f"#spiritlm 1 model=base tokenizer={fingerprint}\n[SPEECH][Hu1]\n"
    result = spiritlm("decode", *model, "--units", "base", "-o", "-", stdin=lines)
    assert result.exit_code == 1
    assert f"tokens of base ({fingerprint})" in result.stderr
