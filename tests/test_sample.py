"""The sample field that comes with the program."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from morpheus.classes import CLASS_NAMES
from morpheus.classifier import Classifier
from morpheus.data import example
from morpheus.errors import ProductError
from morpheus.model import save_model

ROOT = Path(__file__).parents[1]


def test_sample():
    bands = example.get_sample()
    assert [(band.shape, band.dtype) for band in bands] == [((150, 150), np.float32)] * 4
    assert np.isfinite(bands).all()
    bands[0][:] = 0  # the caller's own
    assert example.get_sample()[0].any()


def test_sample_as_files(tmp_path):
    bands = example.get_sample(str(tmp_path / "out"))
    for name, filter_, band in zip(
        "hjvz", ("F160W", "F125W", "F606W", "F850LP"), bands, strict=True
    ):
        with fits.open(tmp_path / f"out/{name}.fits") as hdus:
            assert np.array_equal(hdus[0].data, band)
            header = hdus[0].header
        assert header["FILTER"] == filter_
        assert WCS(header).has_celestial
        assert "Simulated: not an observation" in str(header["HISTORY"])
        assert header["SEED"] == 103
    (tmp_path / "out/h.fits").unlink()
    with pytest.raises(ProductError, match=r"j\.fits exists"):
        example.get_sample(tmp_path / "out")
    assert not (tmp_path / "out/h.fits").exists()


def test_it_is_small_and_as_its_script_makes_it(tmp_path):
    pytest.importorskip("galsim")
    ours = ROOT / "src/morpheus/data/sample.fits.fz"
    assert ours.stat().st_size <= 600_000
    script = [sys.executable, str(ROOT / "demo/make_sample.py"), str(tmp_path / "sample.fits.fz")]
    subprocess.run(script, check=True, capture_output=True)
    with fits.open(ours) as old, fits.open(tmp_path / "sample.fits.fz") as new:
        for before, after in zip(old[1:], new[1:], strict=True):
            # Another processor's Fourier transform differs in the last digits.
            np.testing.assert_allclose(after.data, before.data, rtol=1e-4, atol=1e-6)


def test_the_documentation_s_example(models, hausen2020, tmp_path, monkeypatch):
    """All of it, with the published network: every class is found, and each where it was put."""
    save_model(hausen2020, models / "hausen2020", "")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/original.md").read_text()
    names = {}
    exec(text.split("```python\n")[1].split("```")[0], names)
    morphology = [source["morphology"] for source in names["catalog"]]
    assert {CLASS_NAMES[np.argmax(row)] for row in morphology} == set(CLASS_NAMES[:4])
    assert len(morphology) == 11
    assert (tmp_path / "catalog.csv").exists()
    assert (tmp_path / "colorized.png").exists()
    assert Classifier.__name__ in names
