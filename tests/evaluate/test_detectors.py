"""Detectors over images whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

pytest.importorskip("galsim")
pytest.importorskip("sep")

from morpheus.errors import GridMismatchError, OptionError, ProductError
from morpheus.evaluate import KnownImage, Truth
from morpheus.inference import InferenceOptions
from morpheus.model import save_model
from morpheus.mosaic.products import to_json
from morpheus.pipeline import ImageFiles, ModelDetector, baseline, evaluate
from morpheus.pipeline.detectors import FixedLabels
from morpheus.pipeline.known import labelled_images, read_field, simulated_image
from morpheus.simulate import FieldOptions, make_field


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    folder = tmp_path_factory.mktemp("field")
    return folder, simulated_image(make_field(folder, FieldOptions(size=400, seed=12)))


@pytest.mark.parametrize("name", ["sep", "photutils"])
def test_other_programs_find_what_is_bright(field, name):
    image = field[1]
    evaluation = evaluate([image], [baseline(name)], faintest=25.0)
    scores = evaluation.results[name].scores
    total = scores["detection"]["completeness"]["total"]
    assert total["n"] > 5
    assert total["k"] >= 0.8 * total["n"]
    assert scores["classes"] is None
    assert scores["detection"]["purity"]["total"]["value"] > 0.5
    assert evaluation.results[name].sample.sources["mag"].max() > 26


def test_a_field_on_disk_is_the_field(field):
    folder, image = field
    again = read_field(folder)
    for band, pixels in image.bands.items():
        np.testing.assert_array_equal(again.bands[band], pixels)
        np.testing.assert_allclose(again.weights[band], image.weights[band], rtol=1e-5)
    np.testing.assert_array_equal(again.truth.owner, image.truth.owner)
    np.testing.assert_array_equal(again.truth.classes, image.truth.classes)
    assert again.zero_point == pytest.approx(image.zero_point, abs=1e-3)
    assert again.pixel_scale == pytest.approx(0.06)
    assert again.reference_band == "F160W"


def test_what_is_no_field(tmp_path):
    with pytest.raises(ProductError, match="morpheus simulate field"):
        read_field(tmp_path)


def test_all_are_asked_the_same(field):
    """What one detector cannot see counts for none."""
    image = field[1]

    class Half(type(baseline("sep"))):
        def detect(self, image, progress=None):
            found = super().detect(image, progress)
            mask = found.mask.copy()
            mask[:200] = True
            return type(found)(**{**vars(found), "mask": mask})

    sep = baseline("sep")
    half = Half("half", "", sep._find)
    alone = evaluate([image], [sep]).results["sep"].scores
    both = evaluate([image], [sep, half]).results
    assert both["sep"].scores["n_sources"] == both["half"].scores["n_sources"]
    assert both["sep"].scores["n_sources"] < alone["n_sources"]
    assert to_json(both["sep"].scores) == to_json(both["half"].scores)


def test_a_segmentation_map_of_any_program(field, tmp_path):
    image = field[1]
    path = tmp_path / "seg.fits"
    fits.writeto(path, image.truth.owner.astype(np.int32))
    found = evaluate([image], [FixedLabels("truth", path)]).results["truth"].scores
    assert found["segmentation"]["iou"] == 1
    assert found["segmentation"]["panoptic_quality"] == 1
    fits.writeto(tmp_path / "small.fits", np.zeros((4, 4), np.int32))
    with pytest.raises(GridMismatchError, match=r"small\.fits"):
        evaluate([image], [FixedLabels("small", tmp_path / "small.fits")])
    with pytest.raises(OptionError, match="one image"):
        evaluate([image, image], [FixedLabels("truth", path)])
    with pytest.raises(OptionError, match="one image"):
        evaluate([image], [FixedLabels("truth", path)], tests="candels-deep")
    with pytest.raises(ProductError, match="not there"):
        FixedLabels("none", tmp_path / "none.fits")


def test_a_model_over_a_field(field, small_config, make_model, tmp_path):
    config = replace(small_config, bands=("F160W", "F125W"))
    save_model(make_model(config), tmp_path / "small", "# small")
    detector = ModelDetector(tmp_path / "small", inference=InferenceOptions(stride=4))
    seen = []
    evaluation = evaluate(
        [field[1]], [detector], progress=lambda name, done, total: seen.append((name, done, total))
    )
    assert seen[-1][1] == seen[-1][2]
    scores = evaluation.results["small"].scores
    assert scores["pixels"]["n"] > 0
    assert evaluation.record()["setup"]["reference_band"] == "F160W"
    other = KnownImage("one band", {"F160W": field[1].reference}, Truth(field[1].truth.sources))
    with pytest.raises(OptionError, match="needs F125W"):
        evaluate([other], [detector])


@pytest.mark.parametrize(
    ("detectors", "options", "message"),
    [
        ([], {}, "nothing to evaluate"),
        (["sep", "sep"], {}, "two detectors"),
        (["sep"], {"radius": 0}, "radius"),
        (["nosuch"], {}, "known are sep, photutils"),
    ],
)
def test_what_cannot_be_evaluated(field, detectors, options, message):
    with pytest.raises(OptionError, match=message):
        evaluate([field[1]], [baseline(name) for name in detectors], **options)
    with pytest.raises(OptionError, match="no image"):
        evaluate([], [baseline("sep")])


def test_frames_by_a_column_of_the_labels(field, tmp_path):
    image = field[1]
    for name, part in (("north", slice(200, 400)), ("south", slice(0, 200))):
        (tmp_path / name).mkdir()
        fits.writeto(tmp_path / name / "h.fits", image.reference[part])
    sources = image.truth.sources
    bright = sources[(sources["mag"] < 25) & (abs(sources["x"] - 200) < 190)]
    bright = bright[abs(abs(bright["y"] - 200) - 100) < 95]
    north = bright["y"] >= 200
    labels = Table(
        {
            "id": np.arange(len(bright)),
            "part": np.where(north, "north", "south"),
            "x": bright["x"],
            "y": bright["y"] - 200 * north,
            "mag": bright["mag"],
        }
    )
    files = ImageFiles({"F160W": f"{tmp_path}/{{part}}/h.fits"})
    images = list(labelled_images(files, labels, zero_points={"F160W": 25.946}))
    assert sorted(one.name for one in images) == ["north", "south"]
    assert sum(len(one.truth) for one in images) == len(bright)
    found = evaluate(images, [baseline("sep")]).results["sep"].scores
    assert found["detection"]["completeness"]["total"]["value"] > 0.7
    assert "purity" not in found["detection"]
    with pytest.raises(OptionError, match="no such column"):
        list(labelled_images(ImageFiles({"F160W": "{frame}.fits"}), labels))
    numbered = ImageFiles({"F160W": f"{tmp_path}/{{part:03d}}/h.fits"})
    with pytest.raises(OptionError, match="braces hold a column"):
        list(labelled_images(numbered, labels))
    labels["x"] += 1000
    with pytest.raises(OptionError, match="none of the"):
        list(labelled_images(files, labels))


def test_bands_that_are_not_aligned(field, tmp_path):
    folder = field[0]
    shifted = fits.getdata(folder / "f125w_sci.fits"), fits.getheader(folder / "f125w_sci.fits")
    shifted[1]["CRVAL1"] += 20 / 3600
    fits.writeto(tmp_path / "j.fits", *shifted)
    files = ImageFiles({"F160W": str(folder / "f160w_sci.fits"), "F125W": str(tmp_path / "j.fits")})
    with pytest.raises(GridMismatchError, match="F125W"):
        list(labelled_images(files, Table({"x": [100.0], "y": [100.0]})))


def test_nothing_is_found_where_nothing_is_seen():
    blank = np.full((40, 40), np.nan, np.float32)
    for name in ("sep", "photutils"):
        image = KnownImage("blank", {"H": blank}, Truth(Table({"x": [], "y": []})))
        assert len(baseline(name).detect(image)) == 0
