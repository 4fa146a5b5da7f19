"""What processes keep open between tasks, and when they open it anew."""

import dataclasses
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from morpheus.distributed.chunks import ChunkGrid
from morpheus.distributed.kept import KEPT
from morpheus.distributed.spec import Inputs
from morpheus.distributed.stored import StoredField
from morpheus.mosaic.calibration import Calibration

SECTION = (slice(0, 4), slice(0, 5))


def write(path, value):
    """Write a scaled image, which is read through the open file."""
    hdu = fits.PrimaryHDU(np.full((4, 5), value, np.int16))
    hdu.header["BSCALE"] = 0.5
    hdu.writeto(path, overwrite=True)


@pytest.fixture
def inputs(tmp_path):
    path = tmp_path / "h.fits"
    write(path, 2)
    calibrations = {"H": Calibration()}
    yield Inputs(("H",), {"H": str(path)}, {}, {}, {}, {"H": None}, calibrations, "first")
    KEPT.release()


def read(inputs):
    spec = SimpleNamespace(inputs=inputs, store="nowhere", grid=ChunkGrid((4, 5), (4, 5)))
    return StoredField(spec).pixels(SECTION).data[0, 0, 0]


def test_a_file_that_was_replaced_is_opened_anew(inputs, tmp_path):
    assert read(inputs) == 1
    write(tmp_path / "h.fits", 6)
    assert read(inputs) == 1  # it is open, and its run refuses to go on with another
    assert read(dataclasses.replace(inputs, identity="second")) == 3


def test_what_was_released_is_opened_anew(inputs, tmp_path):
    assert read(inputs) == 1
    write(tmp_path / "h.fits", 6)
    KEPT.release()
    assert read(inputs) == 3


def test_threads_share_no_open_file(inputs, tmp_path):
    assert read(inputs) == 1
    write(tmp_path / "h.fits", 6)
    found = []
    thread = threading.Thread(target=lambda: found.append(read(inputs)))
    thread.start()
    thread.join()
    assert found == [3]
