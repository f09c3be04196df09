import subprocess
import sys


def test_import_loads_no_torch() -> None:
    code = "import sys, spiritlm_cli.training.units_options; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
