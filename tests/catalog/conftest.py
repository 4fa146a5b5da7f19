"""A field of Gaussian sources, and what a model might say of it."""

import numpy as np
import pytest
from astropy.table import Table
from astropy.wcs import WCS

from morpheus.catalog import BandImage
from morpheus.classes import CLASS_NAMES
from morpheus.inference import Classification, ClassMaps
from morpheus.segmentation.segmentation import Segmentation


def make_wcs(shape, scale=0.06, angle=0.0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [53.1, -27.8]
    wcs.wcs.crpix = [shape[1] / 2, shape[0] / 2]
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    wcs.wcs.cd = scale / 3600 * np.array([[-c, s], [s, c]])
    return wcs


def gaussian(shape, x, y, flux, sigma, q=1.0, theta=0.0):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    dx, dy = columns - x, rows - y
    u = dx * np.cos(theta) + dy * np.sin(theta)
    v = dy * np.cos(theta) - dx * np.sin(theta)
    return flux / (2 * np.pi * sigma**2 * q) * np.exp(-(u**2 + (v / q) ** 2) / (2 * sigma**2))


def make_segmentation(labels, mask=None, wcs=None, **columns):
    n = int(labels.max(initial=0))
    numbers = np.arange(1, n + 1)
    sources = Table({"label": numbers, "parent": numbers, "flags": np.zeros(n, np.int64)})
    for name, values in columns.items():
        sources[name] = values
    mask = np.zeros(labels.shape, bool) if mask is None else mask
    return Segmentation(labels.astype(np.int32), sources, mask, wcs=wcs)


def make_classification(shape, p=(0.2, 0.5, 0.1, 0.1, 0.1), variance=0.0):
    values = np.empty((5, *shape), np.float32)
    values[:] = np.asarray(p, np.float32).reshape(5, *([1, 1] if np.ndim(p) == 1 else shape))
    spread = np.empty_like(values)
    spread[:] = variance
    maps, scatter = ClassMaps(CLASS_NAMES, values), ClassMaps(CLASS_NAMES, spread)
    n = np.ones(shape, np.uint32)
    return Classification(maps, scatter, maps, n, np.zeros(shape, bool))


@pytest.fixture
def field():
    """Three sources in two bands, with noise and a WCS."""
    shape, rng = (90, 120), np.random.default_rng(1)
    wcs = make_wcs(shape)
    true = gaussian(shape, 30.2, 40.7, 100, 2.5, 0.6, 0.5) + gaussian(shape, 80, 60, 50, 2)
    true += gaussian(shape, 100, 20, 20, 1.5)
    labels = np.zeros(shape, np.int32)
    for i, (x, y) in enumerate(((30, 41), (80, 60), (100, 20)), start=1):
        labels[y - 8 : y + 9, x - 8 : x + 9] = i
    images = [
        BandImage(
            band,
            (factor * true + 0.5 + rng.normal(0, 0.02, shape)).astype(np.float32),
            unit="electrons/s",
            wcs=wcs,
        )
        for band, factor in (("F160W", 1.0), ("F606W", 0.3))
    ]
    return make_segmentation(labels, wcs=wcs), make_classification(shape, variance=0.01), images
