"""A small classification with known maps."""

import numpy as np
import pytest
from astropy.wcs import WCS

from morpheus.classes import CLASS_NAMES
from morpheus.inference import Classification
from morpheus.inference.classification import ClassMaps


def classification_of(array, *, n=None, wcs=None):
    """A classification whose means and votes are an array (class, y, x)."""
    array = np.asarray(array, np.float32)
    empty = np.isnan(array).any(axis=0)
    n = np.where(empty, 0, 9).astype(np.uint32) if n is None else n
    maps = ClassMaps(CLASS_NAMES, array)
    variance = ClassMaps(CLASS_NAMES, np.full_like(array, 0.01))
    return Classification(maps, variance, maps, n, empty, wcs)


@pytest.fixture
def make_classification():
    """Makes a classification from an array (class, y, x)."""
    return classification_of


@pytest.fixture
def classification():
    """Random probabilities, 40 x 60, the first row not classified, 0.06 arcsec pixels."""
    p = np.random.default_rng(1).dirichlet(np.full(5, 0.4), (40, 60)).transpose(2, 0, 1)
    p[:, 0] = np.nan
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 53.1, -27.8
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    return classification_of(p, wcs=wcs)
