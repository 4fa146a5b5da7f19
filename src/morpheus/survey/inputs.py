"""What a tile was begun with, and whether that is what its row says now."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from morpheus.distributed.store import STORE_FOLDER, FieldStore
from morpheus.errors import ProductError
from morpheus.mosaic.files import split_hdu
from morpheus.mosaic.products import to_json, write_json
from morpheus.mosaic.report import read_report
from morpheus.survey.table import Tile

__all__ = [
    "difference",
    "digest_of",
    "inputs_of",
    "is_unfinished",
    "read_record",
    "write_record",
]

_TILE_FILE = "tile.json"


def is_unfinished(folder: Path) -> bool:
    """Tell whether there is a run in a tile's folder that can be gone on with.

    Parameters
    ----------
    folder : Path
        Of the tile.

    Returns
    -------
    bool
        True if there is.
    """
    return FieldStore.manifest(folder / STORE_FOLDER) is not None


def read_record(folder: Path) -> dict[str, Any] | None:
    """Read what a tile was begun with.

    Parameters
    ----------
    folder : Path
        Of the tile.

    Returns
    -------
    dict or None
        As it was written; None if the tile was not begun.

    Raises
    ------
    ProductError
        If it cannot be read.
    """
    path = folder / _TILE_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ProductError(f"cannot read {path} ({error}); remove {folder} to start anew") from None
    if not isinstance(record, dict) or not {"state", "options", "inputs"} <= set(record):
        raise ProductError(f"{path} is no record of a tile; remove {folder} to start anew")
    return record


def write_record(
    folder: Path,
    state: Literal["begun", "failed"],
    options: str,
    inputs: Mapping[str, Any],
    error: str | None = None,
) -> None:
    """Write what a tile is begun with, or why it failed.

    Parameters
    ----------
    folder : Path
        Of the tile.
    state : {'begun', 'failed'}
        Which.
    options : str
        Digest of what its results depend on beside its inputs.
    inputs : mapping
        Its row and files.
    error : str, optional
        Why it failed.

    Raises
    ------
    ProductError
        If it cannot be written.
    """
    content = {"state": state, "error": error, "options": options, "inputs": dict(inputs)}
    write_json(folder / _TILE_FILE, content, overwrite=True)


def inputs_of(tile: Tile) -> dict[str, Any]:
    """Say what a tile is made of.

    Parameters
    ----------
    tile : Tile
        The tile.

    Returns
    -------
    dict
        `region`, and `files`: by kind and band, path, HDU, size and time of the last change.
    """
    files = {}
    for kind, band, file in tile.files():
        path, hdu = split_hdu(file)
        known = path.stat()
        files[f"{kind} {band}"] = {
            "path": str(path.absolute()),
            "hdu": None if hdu is None else str(hdu),
            "size": known.st_size,
            "mtime_ns": known.st_mtime_ns,
        }
    return {"region": tile.region, "files": files}


def difference(folder: Path, record: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Find out whether a tile was begun with what its row now says.

    Files that have the same size and time are the same; others are if they have the digest that
    the tile's report, or the record of its unfinished run, has.

    Parameters
    ----------
    folder : Path
        Of the tile.
    record : mapping
        What it was begun with.
    now : mapping
        What `inputs_of` says of the row.

    Returns
    -------
    str or None
        What differs; None if nothing does.
    """
    before = record["inputs"]
    if before.get("region") != now["region"]:
        return f"its region was {before.get('region')}, and is {now['region']}"
    old, new = before.get("files", {}), now["files"]
    for what in sorted({*old, *new}):
        if what not in new:
            return f"it had a file for {what}, and has none"
        if what not in old:
            return f"it had no file for {what}, and has one"
        if any(old[what].get(key) != new[what][key] for key in ("hdu", "size")):
            return f"{new[what]['path']} ({what}) is not what it was"
        if old[what] != new[what] and _sha256(new[what]["path"]) != _recorded(folder, what):
            return f"{new[what]['path']} ({what}) is not what it was"
    return None


def _recorded(folder: Path, what: str) -> str | None:
    """Give the digest of an input that a report or an unfinished run has."""
    kind, band = what.split(" ", 1)
    for entry in read_report(folder).get("inputs", ()):
        if (entry["kind"], entry["band"]) == (kind, band):
            return str(entry["sha256"])
    for entry in (FieldStore.manifest(folder / STORE_FOLDER) or {}).get("inputs", ()):
        if entry["of"] == f"{band} {kind}":
            return str(entry["sha256"])
    return None


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(content: Mapping[str, Any]) -> str:
    """Give the digest of what JSON can hold.

    Parameters
    ----------
    content : mapping
        What it is of.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    return hashlib.sha256(to_json(content).encode()).hexdigest()
