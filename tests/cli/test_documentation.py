"""What the documentation says of the command line is what the command line says."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_reference_is_current(tmp_path):
    command = ["typer", "morpheus.cli", "utils", "docs", "--name", "morpheus"]
    subprocess.run(
        [
            *(sys.executable, "-m", *command),
            *("--title", "Command line", "--output", str(tmp_path / "cli.md")),
        ],
        check=True,
        capture_output=True,
    )
    found, expected = (words(path) for path in (ROOT / "docs/cli.md", tmp_path / "cli.md"))
    assert found == expected, "run `make docs-cli`"


def words(path):
    """Commands, options and their help; not how this version of typer lays them out."""
    return re.findall(r"^(?:##.*|\* `-[^:]*:[^\[\n]*)", path.read_text(), re.MULTILINE)
