"""DS9 regions: the Kron ellipse of every source, in the colour of its class.

Written as text: the regions package needs an object for each and minutes for 100,000 of them.
Tests read the files with it.
"""

from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.classes import CLASSES

__all__ = ["write_regions"]

_COLORS = {c.name: c.color for c in CLASSES}
# Where the Kron aperture is undefined, an ellipse of this many standard deviations.
_SIGMAS = 3.0


def write_regions(table: Table, pixel_scale: float | None, path: Path) -> None:
    """Write ellipses that DS9 shows.

    Parameters
    ----------
    table : astropy.table.Table
        A catalogue.
    pixel_scale : float or None
        Arcsec per pixel. Without one, ellipses are in image coordinates.
    path : Path
        The file.
    """
    on_sky = pixel_scale is not None
    major = _first_finite(table["kron_semi_major"], _SIGMAS * table["semi_major"])
    ratio = _first_finite(1 - np.asarray(table["ellipticity"]))
    # Where there is no shape at all, the circle of the source's area.
    circle = ~np.isfinite(major * ratio)
    major[circle] = np.sqrt(np.asarray(table["area"], float)[circle] / np.pi)
    ratio[circle] = 1
    # DS9 counts angles from the first axis; a position angle from the second.
    angle = np.mod(np.nan_to_num(np.asarray(table["position_angle"], float)) + 90, 180)
    if pixel_scale is not None:
        first, second = np.asarray(table["ra"]), np.asarray(table["dec"])
        major *= pixel_scale
        form = 'ellipse({:.8f},{:.8f},{:.4f}",{:.4f}",{:.2f}) # text={{{}}} color={}'
    else:
        first, second = np.asarray(table["x"]) + 1, np.asarray(table["y"]) + 1  # from 1 in DS9
        form = "ellipse({:.3f},{:.3f},{:.3f},{:.3f},{:.2f}) # text={{{}}} color={}"
    colors = [_COLORS.get(str(name), "white") for name in table["class"]]
    rows = zip(first, second, major, major * ratio, angle, table["id"], colors, strict=True)
    lines = [
        "# Region file format: DS9 version 4.1",
        "icrs" if on_sky else "image",
        *(form.format(*row) for row in rows if np.isfinite(row[0])),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _first_finite(*columns: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.array(columns[0], dtype=np.float64)
    for column in columns[1:]:
        result = np.where(np.isfinite(result), result, column)
    return result
