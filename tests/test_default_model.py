"""The model that comes with the program, on the demo's simulated field, whose truth is known."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import morpheus
from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.model import DEFAULT_MODEL, load_model, shipped_models

FIELD = Path(__file__).parents[1] / "demo/field"
BANDS = "F160W", "F125W", "F606W", "F850LP"
BRIGHT = 24.5
VOTES = [f"votes_{name}" for name in CLASS_NAMES[:BACKGROUND]]
DISK, POINT_SOURCE = CLASS_NAMES.index("disk"), CLASS_NAMES.index("point_source")


@pytest.fixture(scope="module")
def images():
    return {
        band: fits.getdata(FIELD / f"{band.lower()}_sci.fits.fz").astype(np.float32)
        for band in BANDS
    }


@pytest.fixture(scope="module")
def truth():
    """Bright sources of the field: x, y, and the class of most votes."""
    table = Table.read(FIELD / "truth.fits")
    table = table[table["mag_f160w"] < BRIGHT]
    inside = (np.minimum(table["x"], table["y"]) > 5) & (np.maximum(table["x"], table["y"]) < 284)
    return table[inside]


def probabilities(maps, rows, flux):
    """Flux-weighted classes within 4 pixels of each source, and P(background) at its centre."""
    y, x = np.indices(flux.shape)
    classes, background = [], []
    for row in rows:
        own = np.hypot(x - row["x"], y - row["y"]) < 4
        planes = np.stack([np.asarray(maps[c], float) for c in CLASS_NAMES[:BACKGROUND]])
        weight = np.where(own, np.clip(np.nan_to_num(flux), 0, None), 0)
        total = np.nansum(planes * weight, (1, 2))
        classes.append(total / total.sum())
        background.append(np.nanmedian(np.asarray(maps["background"], float)[own]))
    return np.array(classes), np.array(background)


def test_it_is_there_without_a_network():
    model = load_model(shipped_models()[DEFAULT_MODEL])
    assert model.config.bands == BANDS
    assert model.config.takes_missing_bands
    weights = shipped_models()[DEFAULT_MODEL] / "weights.safetensors"
    assert weights.stat().st_size < 10_000_000


def test_it_finds_the_bright_sources_with_any_bands(images, truth):
    assert len(truth) > 15
    flux = images["F160W"]
    every = morpheus.classify(images)
    for bands in (BANDS, ("F160W",), ("F606W", "F850LP"), ("F160W", "F125W", "F606W")):
        maps = morpheus.classify({band: images[band] for band in bands})
        classes, background = probabilities(maps, truth, flux)
        found = background < 0.5
        assert found.mean() >= (0.9 if "F160W" in bands else 0.8), bands
        # Clear cases: a star, and disks that hardly anyone called otherwise.
        sure = np.array([max(row[name] for name in VOTES) > 0.9 for row in truth])
        true = np.array([np.argmax([row[name] for name in VOTES]) for row in truth])
        assert {DISK, POINT_SOURCE} <= set(true[sure])
        assert (classes.argmax(1) == true)[sure & found].mean() > 0.8, bands
        assert (classes.argmax(1) == true)[sure & (true == POINT_SOURCE)].all(), bands
        source = np.asarray(maps["background"]) < 0.5
        both = source & (np.asarray(every["background"]) < 0.5)
        assert both.sum() > 0.5 * source.sum(), bands


def test_the_unit_does_not_matter(images):
    one = morpheus.classify(images)
    other = morpheus.classify({band: 1e3 * image for band, image in images.items()})
    for name in CLASS_NAMES:
        np.testing.assert_allclose(one[name], other[name], atol=2e-3)


def test_it_finds_nothing_in_noise():
    """Less than one source per square arcminute, of noise correlated as a survey's: here none."""
    pytest.importorskip("galsim")
    from morpheus.simulate.noise import correlated_noise

    rng = np.random.default_rng(8)
    noise = {
        band: correlated_noise(rng, (512, 512), 0.54 if band in BANDS[:2] else 0.14).astype(
            np.float32
        )
        for band in BANDS
    }
    maps = morpheus.classify(noise)
    assert morpheus.segment(maps, noise["F160W"], detection_band="F160W").labels.max() == 0
