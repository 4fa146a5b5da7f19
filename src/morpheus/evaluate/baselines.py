"""Detectors of other programs, with their usual settings: an image in, labels out."""

import warnings

import numpy as np
from astropy.convolution import Gaussian2DKernel, convolve
from numpy.typing import NDArray
from photutils.background import Background2D
from photutils.segmentation import SourceFinder
from photutils.utils import NoDetectionsWarning

from morpheus.errors import missing_package

__all__ = ["SETTINGS", "photutils_labels", "sep_labels"]

Image = NDArray[np.float32]

_THRESHOLD = 1.5  # sigma of the sky
_MIN_AREA = 8  # pixels; as the models'
_FWHM = 3.0  # pixels, of photutils' filter; SExtractor's own is as wide
_MESH = 64  # pixels, of the background
_LEVELS, _CONTRAST = 32, 0.005  # of deblending: SExtractor's

SETTINGS = (
    f"in the reference band, {_THRESHOLD} sigma of the sky over {_MIN_AREA} pixels, deblended with"
    f" {_LEVELS} levels and a contrast of {_CONTRAST}; no classes"
)
"""How they are run, in words."""


def sep_labels(image: Image, weight: Image | None = None) -> NDArray[np.int32]:
    """Find sources as SExtractor does, by the package sep.

    Parameters
    ----------
    image : ndarray of float32, shape (y, x)
        NaN where there is no data.
    weight : ndarray of float32, shape (y, x), optional
        Inverse variance; 0 where there is no data. As in SExtractor, it says how the noise varies,
        and the image itself says how much there is.

    Returns
    -------
    ndarray of int, shape (y, x)
        0 for the sky, 1 to N for the sources.

    Raises
    ------
    OptionError
        If sep is not installed.
    """
    try:
        import sep  # noqa: PLC0415 (of the evaluate extra)
    except ModuleNotFoundError as missing:
        raise missing_package(missing, "the baseline sep", "evaluate") from missing
    mask = _masked(image, weight)
    data = np.ascontiguousarray(np.where(mask, 0, image), dtype=np.float32)
    sky = sep.Background(data, mask=mask, bw=_MESH, bh=_MESH)
    noise = np.full(data.shape, sky.globalrms, dtype=np.float32)
    if weight is not None and not mask.all():
        relative = 1 / np.sqrt(weight[~mask])
        noise[~mask] = relative * (sky.globalrms / np.median(relative))
    _, labels = sep.extract(
        data - sky.back(),
        _THRESHOLD,
        err=noise,
        mask=mask,
        minarea=_MIN_AREA,
        filter_type="conv",
        deblend_nthresh=_LEVELS,
        deblend_cont=_CONTRAST,
        segmentation_map=True,
    )
    return np.asarray(labels, np.int32)


def photutils_labels(image: Image, weight: Image | None = None) -> NDArray[np.int32]:
    """Find sources by photutils: a smoothed image, a threshold, and deblending.

    Parameters
    ----------
    image : ndarray of float32, shape (y, x)
        NaN where there is no data.
    weight : ndarray of float32, shape (y, x), optional
        Inverse variance; 0 where there is no data, and not used otherwise.

    Returns
    -------
    ndarray of int, shape (y, x)
        0 for the sky, 1 to N for the sources.
    """
    mask = _masked(image, weight)
    if mask.all():
        return np.zeros(image.shape, np.int32)
    data = np.where(mask, 0, image)
    size = (min(_MESH, data.shape[0]), min(_MESH, data.shape[1]))
    sky = Background2D(data, size, mask=mask, exclude_percentile=90)
    kernel = Gaussian2DKernel(_FWHM / 2.3548, x_size=7, y_size=7)
    smooth = convolve(np.where(mask, 0, data - sky.background), kernel, boundary="extend")
    finder = SourceFinder(_MIN_AREA, n_levels=_LEVELS, contrast=_CONTRAST, progress_bar=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)
        found = finder(smooth, _THRESHOLD * sky.background_rms, mask=mask)
    return np.zeros(data.shape, np.int32) if found is None else found.data.astype(np.int32)


def _masked(image: Image, weight: Image | None) -> NDArray[np.bool_]:
    mask = ~np.isfinite(image)
    return mask if weight is None else mask | ~(weight > 0)
