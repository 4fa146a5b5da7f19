"""Execute the tutorials in place, so that they show what the present code gives.

`python tutorials/run.py` makes all of them anew, `python tutorials/run.py 1 5` those with these
numbers. Outputs are kept in the notebooks; what would differ from run to run without a meaning
(times, versions, execution metadata) is not. Tutorial 6 shows more where the published network has
been fetched: `morpheus models fetch hausen2020`.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python", "pygments_lexer": "ipython3"},
}
TIMEOUT = 600  # seconds, for a cell: a machine may be busy


class Kernel(AsyncKernelManager):
    """A kernel of the running interpreter, whatever kernels are installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that starts it."""
        command = make_ipkernel_cmd(extra_arguments=["--HistoryManager.enabled=False"])
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def notebooks() -> list[Path]:
    """List the tutorials in reading order."""
    return sorted(FOLDER.glob("[0-9]-*.ipynb"))


def execute(
    notebook: NotebookNode, folder: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run all cells of a notebook, whose outputs replace those that were there.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook; it is changed.
    folder : Path
        Where it runs: a copy of `tutorials/` beside `demo/`.
    environment : mapping of str to str, optional
        Variables beside those of this process.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails; with its traceback.
    """
    with tempfile.TemporaryDirectory() as own:
        client = NotebookClient(
            notebook,
            km=Kernel(transport="ipc", ip=f"{own}/kernel"),  # nothing listens on a port
            timeout=TIMEOUT,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        )
        # A folder of its own, without settings and history of the user's.
        variables = {**os.environ, "IPYTHONDIR": own, **(environment or {})}
        client.execute(cleanup_kc=True, env=variables)
    clean(notebook)


def digest(notebook: NotebookNode) -> str:
    """Give the SHA-256 of the code: outputs belong to the code that has the digest beside them."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def clean(notebook: NotebookNode) -> None:
    """Take out of a notebook what differs from run to run without a meaning."""
    notebook.metadata = nbformat.from_dict(METADATA | {"executed": digest(notebook)})
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Join what was printed in portions, which depend on the time that it took."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        both = output.output_type == "stream" and last is not None
        if both and last.output_type == "stream" and last.name == output.name:
            last.text += output.text
            continue
        joined.append(output)
    return joined


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and execute."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("numbers", type=int, nargs="*", help="which; all without any")
    numbers = parser.parse_args(arguments).numbers
    chosen = [one for one in notebooks() if not numbers or int(one.name[0]) in numbers]
    if not chosen:
        sys.exit(f"There is no such tutorial; there are {', '.join(p.name for p in notebooks())}")
    for path in chosen:
        notebook = nbformat.read(path, as_version=4)
        start = time.monotonic()
        execute(notebook, FOLDER)
        nbformat.write(notebook, path)
        size = path.stat().st_size / 1e6
        print(f"{path.name}: {time.monotonic() - start:.0f} s, {size:.2f} MB")


if __name__ == "__main__":
    main()
