"""What is stored of a field as FITS files, written as a stream of rows."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.distributed.stored import StoredField
from morpheus.inference.product import MapsProduct, window_dtype
from morpheus.mosaic.images import Section
from morpheus.mosaic.products import check_targets
from morpheus.mosaic.report import add_file, check_not_replaced, discard_files
from morpheus.mosaic.stream import StreamedPlane, write_stream
from morpheus.segmentation import GUIDED_FILE, SEGMENTATION_FILE
from morpheus.segmentation.segmentation import map_headers, table_hdus

__all__ = ["write_maps", "write_segmentation"]


def _bands_of_rows(field: StoredField, n_bytes: int) -> Iterator[Section]:
    """Divide a field into bands of whole rows, none of which has parts in two rows of chunks."""
    grid, (height, width) = field.spec.grid, field.shape
    step = grid.rows_at_once(n_bytes)
    edges = [0, *(row * grid.size[0] - grid.offset[0] for row in range(1, grid.n_rows)), height]
    for first, last in itertools.pairwise(edges):
        for start in range(first, last, step):
            yield slice(start, min(start + step, last)), slice(0, width)


def write_maps(
    field: StoredField, product: MapsProduct, folder: Path, *, n_max: int, overwrite: bool
) -> list[Path]:
    """Write the class maps, as `Classification.write` does.

    Parameters
    ----------
    field : StoredField
        The classified field.
    product : MapsProduct
        What headers and report say.
    folder : Path
        Where.
    n_max : int
        The most windows that saw a pixel.
    overwrite : bool
        Whether files that exist may be replaced.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ProductError
        If a file exists and may not be replaced, or cannot be written.
    """
    with product.replaced(folder, overwrite=overwrite) as paths:
        for path, (name, header) in zip(paths[:-1], product.headers().items(), strict=True):
            if name in ("N", "MASK"):
                read = partial(field.store.read, name.lower(), plane=0)
                dtype = window_dtype(n_max) if name == "N" else np.dtype(np.uint8)
            else:
                plane = product.classes.index(header["CLASS"])
                read = partial(field.store.read, header["STAT"], plane=plane)
                dtype = np.dtype(np.float32)
            rows = _rows(field, dtype, read)
            write_stream(
                path,
                [StreamedPlane(name, field.shape, dtype, header, rows)],
                overwrite=overwrite,
            )
    return paths


def _rows(
    field: StoredField, dtype: np.dtype[Any], read: Callable[[Section], NDArray[Any]]
) -> Callable[[], Iterator[NDArray[Any]]]:
    def rows() -> Iterator[NDArray[Any]]:
        for section in _bands_of_rows(field, 8):
            yield read(section).astype(dtype, copy=False)

    return rows


def write_segmentation(
    field: StoredField,
    tables: tuple[Table, Table | None],
    provenance: dict[str, Any],
    wcs: WCS | None,
    folder: Path,
    *,
    overwrite: bool,
) -> tuple[Path, str]:
    """Write the sources, as `Segmentation.write` does.

    Parameters
    ----------
    field : StoredField
        The segmented field.
    tables : tuple of astropy.table.Table
        The sources, and in a guided segmentation the external positions, else None.
    provenance : dict
        How they were found.
    wcs : astropy.wcs.WCS or None
        World coordinates.
    folder : Path
        Where; with the class maps.
    overwrite : bool
        Whether a segmentation that exists may be replaced.

    Returns
    -------
    path : Path
        The file.
    sha256 : str
        Digest of the labels, as `Segmentation.sha256`.

    Raises
    ------
    ProductError
        If the file exists and may not be replaced, or cannot be written.
    """
    path = folder / (SEGMENTATION_FILE if tables[1] is None else GUIDED_FILE)
    check_not_replaced(path, "segmentation", folder)
    check_targets([path], overwrite=overwrite)
    discard_files(folder, path.name)
    digest, headers = hashlib.sha256(), map_headers(wcs, provenance)

    def labels(section: Section) -> NDArray[np.int32]:
        found = field.labels(section)
        digest.update(np.ascontiguousarray(found, "<i4").data)
        return found

    planes = [
        StreamedPlane(name, field.shape, dtype, headers[name], _rows(field, dtype, read))
        for name, dtype, read in (
            ("SEGMAP", np.dtype(np.int32), labels),
            ("MASK", np.dtype(np.uint8), field.masked),
        )
    ]
    write_stream(path, [*planes, *table_hdus(*tables)], overwrite=overwrite, first_is_primary=True)
    add_file(path, "segmentation", provenance)
    return path, digest.hexdigest()
