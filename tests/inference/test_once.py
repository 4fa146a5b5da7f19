"""Models that see every pixel once: against the network on windows made by hand."""

import dataclasses
import threading
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import morpheus
from morpheus.errors import ModelError, OptionError
from morpheus.inference import (
    InferenceOptions,
    Place,
    make_engine,
    once,
    placement,
    predict,
    preset,
)
from morpheus.inference.once import predict_once, seen_around
from morpheus.model import DenseConfig, ModelConfig, WindowRecipe, save_model
from morpheus.model.normalise import prepare_normaliser
from morpheus.mosaic import MosaicWarning
from morpheus.mosaic.sky import measure_sky

RECIPE = WindowRecipe(size=12, margin=2, stride=8)
CONFIG = ModelConfig(
    "analytic",
    ("F160W",),
    0.06,
    "electron / s",
    RECIPE,
    "sky-noise",
    DenseConfig((4, 4), (1, 1)),
    ("disk", "point_source", "background"),
)


STEPS = st.sampled_from([4, 64])  # windows at the ends are smaller, and are not


def patched(step):
    return mock.patch.object(once, "_STEP", step)


class AnalyticEngine:
    """Three classes that tell a pixel, its neighbour, its validity, and its place in the window."""

    name, precision = "analytic", "float32"

    def __init__(self, batch_size=2, workers=1):
        self.batch_size, self.workers, self.seen = batch_size, workers, 0

    def __call__(self, windows):
        assert 0 < len(windows) <= self.batch_size
        self.seen += len(windows)
        return analytic(windows)


def analytic(windows):
    x, valid = windows[:, 0], windows[:, 1]
    rows, columns = (np.linspace(0, 1, n, dtype=np.float32) for n in windows.shape[-2:])
    right, down = np.roll(x, -1, -1), np.roll(valid, -1, -2)
    said = np.stack([x + columns, right - rows[:, None] + 2 * down, valid * columns], axis=1)
    return said[:, :, 2:-2, 2:-2]


def normalise(windows, valid):
    return np.concatenate([np.where(valid[:, None], windows, 0), valid[:, None]], 1).astype("f4")


def by_hand(data, mask, step):
    """A loop over windows of an image with a masked frame around it, smaller at its ends."""
    height, width = mask.shape
    frame = ((2, 24), (2, 24))
    data = np.pad(data, ((0, 0), *frame))
    valid = ~np.pad(mask, frame, constant_values=True)
    said = np.full((3, height, width), np.nan, np.float32)
    for y in range(0, height, 8):
        for x in range(0, width, 8):
            sides = (min(12, -(-(n + 4) // step) * step) for n in (height - y, width - x))
            here = tuple(slice(at, at + side) for at, side in zip((y, x), sides, strict=True))
            window = analytic(normalise(data[None, :, *here], valid[None, *here]))[0]
            said[:, y : y + 8, x : x + 8] = window[:, : height - y, : width - x]
    said[:, mask] = np.nan
    return said


@st.composite
def images(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 23)), draw(st.integers(1, 23))
    data = rng.normal(size=(1, *shape)).astype(np.float32)
    mask = rng.random(shape) < draw(st.sampled_from([0, 0.3, 0.97]))
    return data, mask


@settings(deadline=None, max_examples=80)
@given(images(), st.integers(1, 4), st.integers(1, 3), STEPS)
def test_every_pixel_is_seen_by_one_window(image, batch_size, workers, step):
    """Images smaller than a window, edges and masked pixels among them."""
    data, mask = image
    engine = AnalyticEngine(batch_size, workers)
    with patched(step):
        found = predict_once(data, mask, CONFIG, engine, normalise, Place())
    assert np.array_equal(found.mean, by_hand(data, mask, step), equal_nan=True)
    assert np.array_equal(found.n, ~mask)
    assert found.variance is None
    assert found.votes is None


@settings(deadline=None, max_examples=80)
@given(images(), STEPS, st.data())
def test_a_part_is_the_whole(image, step, data):
    """Read with what its windows see, and no more."""
    pixels, mask = image
    parts = [(data.draw(st.integers(0, n - 1)), n) for n in mask.shape]
    wanted = tuple(slice(first, data.draw(st.integers(first + 1, n))) for first, n in parts)
    with patched(step):
        whole = predict_once(pixels, mask, CONFIG, AnalyticEngine(), normalise, Place())
        reads = seen_around(wanted, mask.shape, CONFIG)
        cores = tuple(
            slice(part.start - read.start, part.stop - read.start)
            for part, read in zip(wanted, reads, strict=True)
        )
        place = Place((reads[0].start, reads[1].start), cores, mask.shape)
        part = predict_once(
            pixels[:, *reads], mask[*reads], CONFIG, AnalyticEngine(), normalise, place
        )
    assert np.array_equal(part.mean, whole.mean[:, *wanted], equal_nan=True)
    assert np.array_equal(part.n, whole.n[*wanted])


def test_what_lies_beside_a_part_is_not_read():
    """Parts that end where windows do need their margins and nothing more."""
    assert seen_around((slice(8, 24), slice(0, 8)), (100, 100), CONFIG) == (
        slice(6, 26),
        slice(0, 10),
    )
    # A window of which only two pixels are asked for, and the last one, at the image's end.
    assert seen_around((slice(9, 11), slice(96, 100)), (100, 100), CONFIG) == (
        slice(6, 18),
        slice(94, 100),
    )


def test_what_is_masked_needs_no_network_and_progress_reaches_the_end():
    data, mask = np.zeros((1, 20, 20), np.float32), np.ones((20, 20), bool)
    mask[7, 3] = mask[19, 19] = False
    engine, told = AnalyticEngine(), []
    predict_once(data, mask, CONFIG, engine, normalise, Place(), lambda *a: told.append(a))
    assert engine.seen == 2
    assert told[-1] == (2, 2)


def test_an_error_in_a_worker_ends_the_run():
    class Broken(AnalyticEngine):
        def __call__(self, windows):
            raise RuntimeError("lost the device")

    before = threading.active_count()
    data, mask = np.zeros((1, 200, 40), np.float32), np.zeros((200, 40), bool)
    with pytest.raises(RuntimeError, match="lost the device"):
        predict_once(data, mask, CONFIG, Broken(1, 2), normalise, Place())
    assert threading.active_count() == before


def test_what_is_no_number_is_refused():
    class Nan(AnalyticEngine):
        def __call__(self, windows):
            return np.where(analytic(windows) > 1, np.nan, analytic(windows))

    data, mask = np.ones((1, 20, 20), np.float32), np.zeros((20, 20), bool)
    with pytest.raises(ModelError, match="not a number"):
        predict_once(data, mask, CONFIG, Nan(), normalise, Place())


# ---- the real engines


@pytest.fixture(scope="module")
def field():
    rng = np.random.default_rng(5)
    data = rng.normal(0.05, 0.1, (3, 61, 83)).astype(np.float32)
    mask = np.zeros((61, 83), bool)
    mask[:9, 60:] = True
    mask[30, 40] = True
    data[:, mask] = 0
    return data, mask


def run(model, field, **options):
    chosen = InferenceOptions(**options)
    return predict(*field, model.config, make_engine(model, chosen), chosen)


def torch_on_one_window(model, data, mask, margin):
    """Normalise by hand, surround with nothing, and evaluate the network in PyTorch."""
    torch = pytest.importorskip("torch")
    from morpheus.model.torch_network import build_network

    planes = []
    for plane in data:
        sky = measure_sky(plane, mask)
        normalised = np.arcsinh((plane.astype(np.float64) - sky.level) / sky.noise) / 2
        planes.append(np.where(mask, 0, normalised))
    planes += [~mask] * len(data)
    x = np.pad(np.array(planes, np.float32), ((0, 0), (margin, margin), (margin, margin)))
    more = [-n % 4 for n in x.shape[1:]]
    x = np.pad(x, ((0, 0), (0, more[0]), (0, more[1])))
    with torch.inference_mode():
        p = torch.softmax(build_network(model)(torch.from_numpy(x[None])), 1).numpy()[0]
    height, width = mask.shape
    return p[:, margin : margin + height, margin : margin + width]


@pytest.mark.parametrize("step", [4, 64])
def test_tiled_is_the_network_on_the_whole_image(field, dense_model, step, monkeypatch):
    """The windows' margin is what the network reaches: where they are cut cannot be seen."""
    monkeypatch.setattr(once, "_STEP", step)
    data, mask = field
    window, network = dense_model.config.window, dense_model.config.network
    assert window.margin >= network.reach
    found = run(dense_model, field)
    expected = torch_on_one_window(dense_model, data, mask, window.margin)
    np.testing.assert_allclose(found.mean[:, ~mask], expected[:, ~mask], atol=2e-6)
    assert np.isnan(found.mean[:, mask]).all()
    assert np.ptp(expected[:, ~mask], axis=1).min() > 0.01  # not a constant


def test_threads_and_batches_give_the_same_bits(field, dense_model):
    one = run(dense_model, field, threads=1)
    for options in ({"threads": 3}, {"threads": 1, "batch_size": 5}, {"batch_size": 2}):
        assert np.array_equal(run(dense_model, field, **options).mean, one.mean, equal_nan=True)


def test_torch_and_openvino_agree(field, dense_model):
    pytest.importorskip("torch")
    from morpheus.inference.engine import TorchEngine

    options = InferenceOptions()
    a = run(dense_model, field)
    b = predict(*field, dense_model.config, TorchEngine(dense_model, options), options)
    np.testing.assert_allclose(a.mean, b.mean, atol=2e-6)


def test_many_sizes_of_windows(field, dense_model, monkeypatch):
    """Networks that were given up for others are compiled again."""
    monkeypatch.setattr(once, "_STEP", 4)
    chosen = InferenceOptions(threads=2)
    engine = make_engine(dense_model, chosen)
    for n in (61, 5, 33, 12, 61, 20, 5):
        part = tuple(one[..., :n, : 2 * n] for one in field)
        if part[1].all():
            continue
        kept = predict(*part, dense_model.config, engine, chosen)
        assert np.array_equal(kept.mean, run(dense_model, part).mean, equal_nan=True)


def test_a_missing_band_is_planes_of_zeros(field, dense_model):
    data, mask = field
    config, options = dense_model.config, InferenceOptions()
    engine = make_engine(dense_model, options)
    bands = ("F160W", "F606W")
    normaliser = prepare_normaliser(config, data[::2], mask, bands=bands)
    found = predict(data[::2], mask, config, engine, options, normaliser=normaliser)
    full = prepare_normaliser(config, data, mask)

    def blank(windows, valid):
        result = full(windows, valid)
        result[:, [1, 4]] = 0
        return result

    expected = predict(data, mask, config, engine, options, normaliser=blank)
    assert np.array_equal(found.mean, expected.mean, equal_nan=True)
    assert not np.array_equal(found.mean, run(dense_model, field).mean, equal_nan=True)


def test_bfloat16_gives_probabilities(field, dense_model):
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16")
    exact, rough = run(dense_model, field), run(dense_model, field, precision="bfloat16")
    valid = ~field[1]
    assert np.abs(exact.mean - rough.mean)[:, valid].max() < 0.05
    # The softmax itself is not rounded to three digits.
    np.testing.assert_allclose(rough.mean[:, valid].sum(axis=0), 1, atol=2e-6)


@pytest.mark.parametrize(
    "options",
    [{"stride": 2}, {"stride": 2, "lattice": True}, {"edges": "pad"}],
)
def test_windows_have_places_of_their_own(field, dense_model, options):
    with pytest.raises(OptionError, match="dense is a dense model, which sees every pixel once"):
        run(dense_model, field, **options)


def test_presets_differ_in_the_precision_alone(field, dense_model):
    fast = dataclasses.replace(preset("fast"), precision="float32")
    engine = make_engine(dense_model, fast)
    found = predict(*field, dense_model.config, engine, fast)
    assert np.array_equal(found.mean, run(dense_model, field).mean, equal_nan=True)
    placed = placement((61, 83), dense_model.config, fast)
    assert placed == {"stride": 24, "lattice": False, "edges": "masked"}


# ---- from images to a classification


@pytest.fixture(scope="module")
def folder(dense_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "dense"
    save_model(dense_model, path, "# dense\n")
    return path


def test_classify(field, folder, tmp_path):
    data, mask = field
    images = np.where(mask, np.float32(np.nan), data)
    result = morpheus.classify(images, model=folder)
    assert np.array_equal(result.n, ~mask)
    assert np.array_equal(result.mask, mask)
    assert result.is_single
    assert not result.variance["disk"][~mask].any()
    assert np.isnan(result.variance["disk"][mask]).all()
    ranked = result.mean.array.argmax(axis=0)
    for k, name in enumerate(result.classes):
        assert np.array_equal(result.votes[name][~mask], (ranked == k)[~mask])
        assert np.isnan(result.votes[name][mask]).all()
    assert np.array_equal(
        result.votes.array, np.stack([result.votes[c] for c in result.classes]), equal_nan=True
    )
    sky = measure_sky(data[2], mask)
    assert result.provenance["sky"]["F606W"] == {"level": sky.level, "noise": sky.noise}
    assert result.provenance["bands"]["absent"] == []

    for single_file in (False, True):
        paths = result.write(tmp_path, overwrite=True, single_file=single_file)
        assert sorted(paths) == sorted(tmp_path.iterdir())
        assert len(paths) == (2 if single_file else 8)
        again = morpheus.Classification.read(tmp_path)
        for statistic in ("mean", "variance", "votes"):
            a, b = getattr(result, statistic).array, getattr(again, statistic).array
            assert np.array_equal(a, b, equal_nan=True)
        assert again.provenance["statistics"] == ["mean"]
        assert again.is_single
        assert again.scatter("mean") is None


@pytest.fixture(scope="module")
def bands():
    return np.random.default_rng(6).normal(0.05, 0.1, (3, 61, 83)).astype(np.float32)


def test_nothing_is_held_for_what_is_known(bands, folder):
    result = morpheus.classify(bands, model=folder)
    assert result.variance.array.strides[0] == 0  # one plane for all classes
    assert result.mean.array.dtype == np.float32


def test_names_alternatives_and_missing_bands(bands, folder):
    data = bands
    by_name = morpheus.classify({"f606w": data[2], "F160W": data[0]}, model=folder)
    assert by_name.provenance["bands"] == {
        "given": ["F160W", "F606W"],
        "absent": ["F125W"],
        "substituted": {},
    }
    plain = morpheus.classify({"F160W": data[0], "F125W": data[1]}, model=folder)
    other = morpheus.classify({"F105W": data[1], "F160W": data[0]}, model=folder)
    assert np.array_equal(plain.mean.array, other.mean.array, equal_nan=True)
    assert other.provenance["bands"]["substituted"] == {"F125W": "F105W"}
    with pytest.warns(MosaicWarning, match="F105W is not used: F125W"):
        both = morpheus.classify(
            {"F105W": data[2], "F160W": data[0], "F125W": data[1]},
            model=folder,
            weights={"F105W": np.zeros((61, 83), np.float32)},  # of what is not used
        )
    assert np.array_equal(plain.mean.array, both.mean.array, equal_nan=True)
    assert plain.n.all()
    one = morpheus.classify({"F125W": data[1]}, model=folder)
    assert one.n.all()
    with pytest.raises(OptionError, match="--band NAME=FILE"):
        morpheus.classify(data[:1], model=folder)


def test_maps_without_names_are_in_the_order_of_the_images(bands, folder):
    from astropy.io import fits

    data = bands
    weight = np.ones((61, 83), np.float32)
    weight[5, 6] = 0
    images = [
        (data[2], fits.Header({"FILTER": "F606W"})),
        (data[0], fits.Header({"FILTER": "F160W"})),
    ]
    result = morpheus.classify(images, model=folder, weights=[weight, np.ones_like(weight)])
    assert np.argwhere(result.mask).tolist() == [[5, 6]]
    with pytest.raises(OptionError, match="weights: 3 maps were given for 2 images"):
        morpheus.classify(images, model=folder, weights=[weight] * 3)


def test_other_models_need_all_of_their_bands(small_model, tmp_path, field):
    save_model(small_model, tmp_path / "small", "")
    with pytest.raises(OptionError, match="J is missing"):
        morpheus.classify({"H": field[0][0]}, model=tmp_path / "small")


def test_units_do_not_matter_and_are_not_warned_of(bands, folder):
    from astropy.io import fits

    data = bands
    header = fits.Header({"BUNIT": "MJy/sr"})
    plain = morpheus.classify(data, model=folder)
    other = morpheus.classify([(plane * 1024, header) for plane in data], model=folder)
    np.testing.assert_allclose(other.mean.array, plain.mean.array, atol=1e-4)


def test_the_configuration_is_kept(dense_config):
    assert ModelConfig.from_json(dense_config.to_json()) == dense_config
    assert isinstance(dense_config.network, DenseConfig)
