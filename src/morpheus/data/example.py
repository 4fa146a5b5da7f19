"""A sample to try things on: four bands of a small simulated field."""

from importlib import resources
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from morpheus.errors import ProductError
from morpheus.mosaic.products import Plane, check_targets, write_planes

__all__ = ["get_sample"]

_FILE = "sample.fits.fz"
_NAMES = {"F160W": "h", "F125W": "j", "F606W": "v", "F850LP": "z"}


def get_sample(out_dir: str | Path | None = None) -> list[NDArray[np.float32]]:
    """Give the four bands of a small simulated field.

    Nothing is downloaded: the field is a part of the program. It is simulated, not observed, with
    the pixel scale, noise and PSF of HST's CANDELS images, and holds spheroids, disks, an
    irregular and a point source.

    Parameters
    ----------
    out_dir : str or Path, optional
        Where to write the bands too, as `h.fits`, `j.fits`, `v.fits` and `z.fits`, with world
        coordinates. The folder is made if it does not exist.

    Returns
    -------
    list of ndarray of float32, shape (150, 150)
        H, J, V and z (F160W, F125W, F606W and F850LP) in this order, electrons/s.

    Raises
    ------
    ProductError
        If one of the files exists or cannot be written.

    Examples
    --------
    >>> h, j, v, z = get_sample()
    >>> h.shape
    (150, 150)
    """
    with (
        resources.as_file(resources.files(__package__).joinpath(_FILE)) as path,
        fits.open(path) as hdus,
    ):
        planes = [
            Plane(band, hdus[band].data.astype(np.float32), hdus[band].header.copy())
            for band in _NAMES
        ]
    if out_dir is not None:
        paths = [Path(out_dir) / f"{name}.fits" for name in _NAMES.values()]
        for path in paths:
            if path.exists():
                raise ProductError(f"{path} exists; move it away or choose another out_dir")
        check_targets(paths, overwrite=False)
        for path, plane in zip(paths, planes, strict=True):
            write_planes(path, [plane])
    return [plane.data for plane in planes]
