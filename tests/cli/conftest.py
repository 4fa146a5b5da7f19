"""A simulated field with class maps on disk, as `morpheus classify` leaves them; the command."""

import shutil
import signal
import sys
from typing import NamedTuple

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.classes import CLASS_NAMES
from morpheus.cli import main
from morpheus.inference import Classification, ClassMaps
from morpheus.mosaic import read_mosaic

BANDS = ("F160W", "F125W", "F606W")
SOURCES = ((20.0, 18.0, 8.0), (60.0, 30.0, 5.0), (69.0, 30.0, 3.0), (0.0, 50.0, 4.0))
"""x, y and flux; the second and third touch, the fourth is cut by the frame."""


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs morpheus in this process, which saves starting one for each command."""
    terminate = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["morpheus", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return Done(0 if code is None else code, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, terminate)


@pytest.fixture
def small_figures(monkeypatch):
    """Figures of evaluations take longer than what they show; tests/evaluate looks at them."""
    monkeypatch.setattr("morpheus.evaluate.report.style._DPI", 20)
    monkeypatch.setattr("morpheus.evaluate.report.write._FORMATS", ("png",))


def make_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (45.5, 30.5)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    return wcs


@pytest.fixture(scope="session")
def made_field(tmp_path_factory):
    """Folder with in/<band>.fits, in/<band>_wht.fits and the classification out/."""
    root = tmp_path_factory.mktemp("field")
    (root / "in").mkdir()
    rng = np.random.default_rng(1)
    y, x = np.indices((60, 90))
    light = sum(
        flux * np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2) / 2.0**2) / (2 * np.pi * 2.0**2)
        for x0, y0, flux in SOURCES
    )
    header = make_wcs().to_header()
    header["BUNIT"] = "ELECTRONS/S"
    header["PHOTFLAM"], header["PHOTPLAM"] = 1.9276e-20, 15369.0
    for band, color in zip(BANDS, (1.0, 0.8, 0.4), strict=True):
        header["FILTER"] = band
        image = (color * light + rng.normal(0, 0.005, light.shape)).astype(np.float32)
        fits.writeto(root / f"in/{band}.fits", image, header)
        weight = np.full(light.shape, 0.005**-2, np.float32)
        fits.writeto(root / f"in/{band}_wht.fits", weight, header)
    source = np.clip(light / 0.02, 0, 1)
    share = np.array([0.6, 0.2, 0.1, 0.1])
    maps = np.concatenate([share[:, None, None] * source, (1 - source)[None]]).astype(np.float32)
    images = {band: root / f"in/{band}.fits" for band in BANDS}
    weights = {band: root / f"in/{band}_wht.fits" for band in BANDS}
    mosaic = read_mosaic(images, bands=BANDS, weights=weights)
    Classification(
        mean=ClassMaps(CLASS_NAMES, maps),
        variance=ClassMaps(CLASS_NAMES, maps * (1 - maps) / 4),
        votes=ClassMaps(CLASS_NAMES, maps),
        n=np.full(light.shape, 9, np.uint32),
        mask=np.zeros(light.shape, bool),
        wcs=mosaic.wcs,
        provenance={
            "started": "2026-01-01T00:00:00",
            "software": {"morpheus": "0"},
            "model": {
                "name": "made-up",
                "bands": list(BANDS),
                "classes": list(CLASS_NAMES),
                "weights_sha256": "0" * 64,
                "window": {"size": 4},
            },
            "options": {"stride": 1, "lattice": False, "edges": "pad"},
            "engine": {"name": "none", "precision": "float32"},
            "region": None,
            "inputs": [vars(record) for record in mosaic.inputs],
        },
    ).write(root / "out")
    return root


@pytest.fixture
def field(made_field, tmp_path):
    """A copy of the classified field, to write into; its inputs stay where they were."""
    shutil.copytree(made_field / "out", tmp_path / "out")
    (tmp_path / "in").symlink_to(made_field / "in")
    return tmp_path
