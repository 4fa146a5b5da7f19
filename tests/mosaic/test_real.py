"""Real HST frames, where the machine has them."""

import os
from pathlib import Path

import numpy as np
import pytest

from morpheus.errors import GridMismatchError
from morpheus.mosaic import read_mosaic

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("MORPHEUS_SHARED", ROOT.parent / "shared")) / "real"
FRAMES = sorted(p.name for p in REAL.glob("*") if (p / "f160w_sci.fits").exists())

pytestmark = pytest.mark.skipif(not FRAMES, reason="no real frames here (MORPHEUS_SHARED)")


def paths(frame, bands, what="sci"):
    return {band: REAL / frame / f"{band.lower()}_{what}.fits" for band in bands}


@pytest.mark.parametrize("frame", FRAMES)
def test_every_frame_can_be_read(frame, bands):
    weights = paths(frame, bands, "wht")
    given = weights if all(path.exists() for path in weights.values()) else None
    mosaic = read_mosaic(paths(frame, bands), bands=bands, weights=given)
    assert mosaic.n_bands == 4
    assert np.isfinite(mosaic.data).all()
    assert (mosaic.weight is None) == (given is None)
    assert mosaic.units == ("ELECTRONS/S",) * 4
    if mosaic.wcs is not None:
        assert mosaic.pixel_scale == pytest.approx(0.06, rel=1e-3)


@pytest.mark.parametrize("frame", FRAMES[:1])
def test_swapped_frames_are_noticed(frame, bands):
    images = list(paths(frame, bands).values())
    with pytest.raises(GridMismatchError, match="the files look swapped"):
        read_mosaic(images[::-1], bands=bands)
