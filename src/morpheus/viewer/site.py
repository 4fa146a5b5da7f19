"""The same pages as files, for any web server."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from morpheus.errors import ProductError
from morpheus.viewer.pages import PARTS, STATIC
from morpheus.viewer.run import ViewedRun
from morpheus.viewer.server import list_of_runs

__all__ = ["export_site", "n_files"]

_WORKERS = 2
_RUNS, _LIST = "runs", "runs.json"
_PAGE, *_PARTS = PARTS["index.html"]
_MARK = "morpheus-site.txt"
_MARK_TEXT = "Made by morpheus view --export, which may replace all that lies here.\n"


def n_files(runs: Sequence[ViewedRun]) -> int:
    """Count the files of what is shown, without those of the page itself.

    Parameters
    ----------
    runs : sequence of ViewedRun
        The runs.

    Returns
    -------
    int
        How many `export_site` writes.
    """
    return sum(1 for run in runs for _ in run.paths())


def export_site(
    runs: Sequence[ViewedRun],
    folder: Path,
    *,
    overwrite: bool = False,
    advance: Callable[[int], None] | None = None,
) -> Path:
    """Write the map as static files.

    Parameters
    ----------
    runs : sequence of ViewedRun
        One run, or two to compare.
    folder : Path
        A new or empty folder, or one that holds such a site.
    overwrite : bool, optional
        Whether to replace a site.
    advance : callable, optional
        Told how many more files are written.

    Returns
    -------
    Path
        The page, `index.html`, which is written last.

    Raises
    ------
    ProductError
        If the folder holds something else, or a site and `overwrite` is false, or a file cannot be
        written.
    ImageError
        If pixels cannot be read.
    """
    page = folder / _PAGE
    old = _old_site(folder, overwrite=overwrite)
    try:
        for path in old:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MARK).write_text(_MARK_TEXT, encoding="utf-8")
        for name in _PARTS:
            _copy(STATIC / name, folder / name)
        with ThreadPoolExecutor(_WORKERS) as pool:
            for number, run in enumerate(runs):
                write = _Writer(run, folder / _RUNS / str(number))
                for _ in pool.map(write, run.paths()):
                    if advance:
                        advance(1)
        (folder / _LIST).write_bytes(list_of_runs(runs))
        shutil.copy(STATIC / _PAGE, page)
    except OSError as error:
        raise ProductError(f"cannot write {folder}: {error.strerror or error}") from error
    return page


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder; unlike `shutil.copytree`, stop at the first that fails."""
    if source.is_dir():
        target.mkdir()
        for path in source.iterdir():
            _copy(path, target / path.name)
    else:
        shutil.copy(source, target)


def _old_site(folder: Path, *, overwrite: bool) -> list[Path]:
    """List what is replaced: first the page, as the rest is not whole then; whose it is, last."""
    if folder.exists() and not folder.is_dir():
        raise ProductError(f"{folder} is a file; choose another name for the site's folder")
    content = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    other = content - {_PAGE, _RUNS, _LIST, _MARK, *_PARTS}
    if content and _MARK not in content:
        other = other or content  # the site of another program has such names too
    if other:
        raise ProductError(f"{folder} holds other files, such as {min(other)}; choose a new folder")
    if content and not overwrite:
        raise ProductError(f"{folder} holds a site; choose another folder or give --overwrite")
    return [
        folder / name for name in sorted(content, key=lambda name: (name != _PAGE, name == _MARK))
    ]


class _Writer:
    def __init__(self, run: ViewedRun, folder: Path) -> None:
        self.run, self.folder = run, folder

    def __call__(self, path: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.run.give(path)[0])
