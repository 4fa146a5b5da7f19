"""What a model might say of images whose sources are known."""

import numpy as np
import pytest
from astropy.wcs import WCS

from morpheus.classes import CLASS_NAMES
from morpheus.inference import Classification, ClassMaps


@pytest.fixture(scope="session")
def wcs():
    w = WCS(naxis=2)
    w.wcs.ctype = "RA---TAN", "DEC--TAN"
    w.wcs.crval, w.wcs.crpix = (53.1, -27.8), (11, 21)
    w.wcs.cdelt = (-0.06 / 3600, 0.06 / 3600)
    return w


@pytest.fixture(scope="session")
def classified_as():
    """Makes a classification of P(source), of which a share is irregular; NaN: not classified."""

    def make(source, *, irregular=0.0, mask=None, wcs=None, provenance=None):
        source = np.asarray(source, np.float32)
        seen = np.isfinite(source)
        maps = np.zeros((5, *source.shape), np.float32)
        maps[1], maps[2] = source * (1 - irregular), source * irregular
        maps[4] = 1 - source
        maps[:, ~seen] = np.nan
        means = ClassMaps(CLASS_NAMES, maps)
        return Classification(
            mean=means,
            variance=ClassMaps(
                CLASS_NAMES, np.where(seen, 0, np.nan).astype(np.float32) + 0 * maps
            ),
            votes=means,
            n=np.where(seen, 900, 0).astype(np.uint32),
            mask=np.zeros(source.shape, bool) if mask is None else mask,
            wcs=wcs,
            provenance={} if provenance is None else provenance,
        )

    return make


@pytest.fixture(scope="session")
def gaussians():
    """Draws circular Gaussians, each (x, y, height, sigma)."""

    def draw(shape, *sources):
        y, x = np.indices(shape)
        image = np.zeros(shape)
        for x0, y0, height, sigma in sources:
            image += height * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))
        return image

    return draw
