"""Datasets put together."""

from collections.abc import Iterator, Sequence
from importlib import metadata
from itertools import pairwise
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.classes import CLASS_NAMES
from morpheus.dataset.build import Progress, array_specs, group_size
from morpheus.dataset.layout import ARRAYS, CELLS
from morpheus.dataset.reader import Dataset
from morpheus.dataset.rows import column_units, table_rows
from morpheus.dataset.store import Partial, check_inputs, check_target
from morpheus.errors import DatasetError, OptionError, ProductError
from morpheus.mosaic.units import parse_unit
from morpheus.provenance import now, software

__all__ = ["join_datasets"]

_SCALE_TOLERANCE, _ZERO_POINT_TOLERANCE = 0.01, 0.05  # relative; magnitudes
_NEEDED = "example", "id", "class"


def join_datasets(
    path: Path | str,
    parts: Sequence[Path | str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Put datasets together, one after the other: the same bands, size, pixels and flux scale.

    Parameters
    ----------
    path : Path or str
        Of the new Zarr store.
    parts : sequence of Path or str
        Of the datasets; simulated ones, and ones of labelled sources.
    overwrite : bool, optional
        Whether a dataset that exists may be replaced.
    progress : callable, optional
        Is told the number of examples that are written, and of all.

    Returns
    -------
    dict
        The card. The table has the columns that all parts have.

    Raises
    ------
    DatasetError
        If a part is no dataset, or the parts do not fit together; says why.
    OptionError
        If there are less than two.
    ProductError
        If something exists that may not be replaced, or a file cannot be written.
    """
    path = Path(path)
    if len(parts) < 2:  # noqa: PLR2004 (one needs no joining)
        raise OptionError("give two datasets or more to join")
    check_inputs(path, parts)
    check_target(path, overwrite=overwrite)
    opened = [Dataset.open(part) for part in parts]
    for one in opened[1:]:
        _check_fits(one, opened[0])
    checksums = [one.card["checksum"] for one in opened]
    if len(set(checksums)) < len(checksums):
        raise DatasetError("two of the datasets are the same: their examples would count twice")
    card = _card(opened)
    n, bands, size = card["n"], len(card["bands"]), card["size"]
    group = group_size(size, bands)
    begun = {"parts": checksums, "morpheus": card["software"]["morpheus"]}
    try:
        with Partial(path, begun, overwrite=overwrite) as partial:
            partial.create(array_specs(n, bands, size), group)
            for number, block in enumerate(_groups(opened, group, partial.done), partial.done):
                partial.write(*block)
                if progress is not None:
                    progress(min((number + 1) * group, n), n)
            return partial.finish(card, column_units(opened[0].sources))
    except OSError as error:
        raise ProductError(f"cannot write {path}: {error.strerror or error}") from error


def _check_fits(one: Dataset, first: Dataset) -> None:
    for name in ("bands", "size", "class_names", "unit"):
        same = _same_unit if name == "unit" else eq
        if not same(one.card[name], first.card[name]):
            raise DatasetError(
                f"{one.path} does not fit {first.path}: its {name.replace('_', ' ')}"
                f" {'is' if name in ('size', 'unit') else 'are'} {one.card[name] or 'not known'},"
                f" not {first.card[name] or 'not known'}"
            )
    here, there = one.card["pixel_scale"], first.card["pixel_scale"]
    if here and there and abs(here / there - 1) > _SCALE_TOLERANCE:
        raise DatasetError(
            f"{one.path} does not fit {first.path}: its pixels are of {here:g} arcsec, not"
            f" {there:g}"
        )
    points = zip(one.card["bands"], one.card["zero_points"], first.card["zero_points"], strict=True)
    for band, a, b in points:
        if a is not None and b is not None and abs(a - b) > _ZERO_POINT_TOLERANCE:
            raise DatasetError(
                f"{one.path} does not fit {first.path}: the zero point of {band} is {a:g}, not"
                f" {b:g}"
            )
    cells = {card["cell"] for card in (one.card, first.card) if "cell" in card}
    if len(cells) > 1:
        raise DatasetError(
            f"{one.path} does not fit {first.path}: their cells are of"
            f" {' and '.join(f'{cell:g}' for cell in sorted(cells))} arcsec, so that it cannot be"
            " told which are of the same part of the sky; build them with the same --cell"
        )


def _same_unit(one: str, other: str) -> bool:
    """Tell whether units are the same, in whatever way files write them."""
    if one == other:
        return True
    unit = parse_unit(one)
    return unit is not None and unit == parse_unit(other)


def _card(parts: Sequence[Dataset]) -> dict[str, Any]:
    first = parts[0].card
    cards = [part.card for part in parts]
    kinds, surveys = {card["kind"] for card in cards}, {card["survey"] for card in cards}
    cells = {card["cell"] for card in cards if "cell" in card}
    zero_points = [
        known[0] if (known := [p for p in points if p is not None]) else None
        for points in zip(*(card["zero_points"] for card in cards), strict=True)
    ]
    return {
        "kind": kinds.pop() if len(kinds) == 1 else "joined",
        "survey": surveys.pop() if len(surveys) == 1 else "",
        "bands": first["bands"],
        "pixel_scale": next((c["pixel_scale"] for c in cards if c["pixel_scale"]), None),
        "unit": first["unit"],
        "zero_points": zero_points,
        "class_names": list(CLASS_NAMES),
        "n": sum(len(part) for part in parts),
        "size": first["size"],
        **({"cell": cells.pop()} if cells else {}),
        "parts": [
            {
                "name": part.path.name,
                **{
                    name: part.card[name]
                    for name in ("kind", "survey", "n", "seed", "checksum", "labels", "parts")
                    if name in part.card
                },
            }
            for part in parts
        ],
        "software": {**software(), "zarr": metadata.version("zarr")},
        "created": now(),
    }


def _groups(
    parts: Sequence[Dataset], group: int, done: int
) -> Iterator[tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]]:
    """Read groups of examples across the parts."""
    starts = np.cumsum([0, *(len(part) for part in parts)])
    columns = _common_columns(parts)
    tables = [part.sources[columns] for part in parts]
    for begin in range(done * group, int(starts[-1]), group):
        end = min(begin + group, int(starts[-1]))
        pieces, rows = [], []
        for number, (low, high) in enumerate(pairwise(starts)):
            a, b = max(begin, int(low)) - int(low), min(end, int(high)) - int(low)
            if a < b:
                batch, areas = parts[number].read(a, b), parts[number].areas
                pieces.append({name: getattr(batch, name) for name in ARRAYS} | {CELLS: areas[a:b]})
                rows.append(table_rows(tables[number], a, b, int(low)))
        yield (
            {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]},
            {name: np.concatenate([one[name] for one in rows]) for name in columns},
        )


def _common_columns(parts: Sequence[Dataset]) -> list[str]:
    """Columns that all parts have, as text in all or as numbers in all."""
    common = []
    for name in parts[0].sources.colnames:
        columns = [part.sources[name] for part in parts if name in part.sources.colnames]
        texts = {column.dtype.kind == "U" for column in columns}
        units = [str(column.unit) for column in columns]
        alike = len(texts) == 1 and all(_same_unit(unit, units[0]) for unit in units[1:])
        if len(columns) == len(parts) and alike:
            common.append(name)
    missing = [name for name in _NEEDED if name not in common]
    if missing:
        raise DatasetError(f"a table of sources has no column {missing[0]}")
    return common
