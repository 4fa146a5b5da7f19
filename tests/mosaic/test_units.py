"""Units as they are written in headers."""

import pytest

from morpheus.mosaic import same_unit


@pytest.mark.parametrize(
    "written", ["ELECTRONS/S", "electrons/s", "electron / s", "e-/s", "e-/sec", "electron s-1"]
)
def test_electrons_per_second(written):
    assert same_unit(written, "electron / s")


@pytest.mark.parametrize(
    "written",
    ["counts", "MJy/sr", "erg/s/cm2/Angstrom", "ELECTRONS", "10 electron / s", "DN/s", "?"],
)
def test_something_else(written):
    assert not same_unit(written, "electron / s")
