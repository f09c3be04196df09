import pytest

from spiritlm_cli.profiling.checks.finding import Finding
from spiritlm_cli.profiling.checks.rendering import render_lines, summary

OK = Finding("Packages", "rich", "ok", "13.0 (needs >=13)")
COMMAND = "pip install --force-reinstall --no-deps 'torch>=2.11,<2.15'"
BROKEN = Finding(
    "Packages",
    "torch",
    "broken",
    "can't be imported: OSError: libc10_cuda.so is missing",
    "install it again",
    COMMAND,
)
WARNING = Finding("Models", "own\x07", "warning", "/home/me/a\x1b[2J", "unset\nit")


def test_render_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert list(render_lines([OK, BROKEN, WARNING], 60)) == [
        "Packages",
        "  ok       rich: 13.0 (needs >=13)",
        "  broken   torch: can't be imported: OSError: libc10_cuda.so",
        "           is missing",
        "           -> install it again",
        f"           $ {COMMAND}",
        "",
        "Models",
        "  warning  own?: ~/a?[2J",
        "           -> unset it",
    ]


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        ([OK], "All that is needed works."),
        ([OK, WARNING], "All that is needed works; 1 warning."),
        (
            [BROKEN, WARNING, WARNING],
            "1 broken, 2 warnings: something that is needed does not work. Begin with the first that is broken.",
        ),
    ],
)
def test_summary(findings: list[Finding], text: str) -> None:
    assert summary(findings) == text
