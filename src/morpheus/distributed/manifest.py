"""What a run is of: all that its results depend on, to tell whether it can be gone on with."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from astropy.table import Table

from morpheus.errors import ProductError
from morpheus.mosaic.products import to_json

__all__ = ["MANIFEST_FORMAT", "check_same_run", "digest_of_positions"]

MANIFEST_FORMAT = 2
_NAMED = 3


def digest_of_positions(positions: Table | None) -> str | None:
    """Give a digest of external positions.

    Parameters
    ----------
    positions : astropy.table.Table or None
        With `id`, `x` and `y`.

    Returns
    -------
    str or None
        SHA-256; None without positions.
    """
    if positions is None:
        return None
    text = repr([np.asarray(positions[name]).tolist() for name in ("id", "x", "y")])
    return hashlib.sha256(text.encode()).hexdigest()


def check_same_run(begun: Mapping[str, Any], now: Mapping[str, Any], where: str) -> None:
    """Refuse to go on with a run that is not of the same inputs, model and options.

    Parameters
    ----------
    begun : mapping
        The manifest of the run.
    now : mapping
        What it would be.
    where : str
        What messages call the folder.

    Raises
    ------
    ProductError
        If they differ; says in what.
    """
    now = json.loads(to_json(now))
    known = {entry["of"]: entry for entry in begun.get("inputs", ())}
    for entry in now["inputs"]:
        before = known.get(entry["of"])
        if before is not None and before["sha256"] != entry["sha256"]:
            raise ProductError(
                f"{entry['path']} ({entry['of']}) is not what it was when the run in {where} was"
                " begun: put the file back, or start anew with --overwrite"
            )
    differences = list(_differences(begun, now, ""))
    if differences:
        more = f" and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
        raise ProductError(
            f"the run in {where} was begun with other options ({'; '.join(differences[:_NAMED])}"
            f"{more}): give the same, or start anew with --overwrite"
        )


def _differences(begun: Any, now: Any, name: str) -> Iterator[str]:
    if isinstance(begun, dict) and isinstance(now, dict):
        for key in sorted({*begun, *now} - {"path"}):
            inner = f"{name}.{key}" if name else key
            yield from _differences(begun.get(key), now.get(key), inner)
    elif isinstance(begun, list) and isinstance(now, list) and len(begun) == len(now):
        for i, pair in enumerate(zip(begun, now, strict=True)):
            yield from _differences(*pair, f"{name}[{i}]")
    elif begun != now:
        yield f"{name}: {_short(begun)} then, {_short(now)} now"


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 (a line)
