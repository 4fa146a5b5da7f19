"""The main loop: invariants with an analytic network, and the published results."""

import dataclasses
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.errors import ModelError, OptionError
from morpheus.inference import InferenceOptions, Place, make_engine, predict
from morpheus.model import ModelConfig, UNetConfig, WindowRecipe
from morpheus.model.normalise import standardise_jointly

CONFIG = ModelConfig(
    "analytic",
    ("H", "J"),
    0.06,
    "electron / s",
    WindowRecipe(8, 2, 1),
    network=UNetConfig((2,), 1, 2, (2,), 1),
    classes=("a", "b", "c"),
)


class AnalyticEngine:
    """A network whose answer is known: softmax of three functions of a pixel and its place.

    It depends on the normalised pixel, on its neighbour and on where it lies in the window, so that
    any confusion of windows, pixels or axes shows.
    """

    name, precision = "analytic", "float32"

    def __init__(self, batch_size=7, workers=1):
        self.batch_size, self.workers = batch_size, workers

    def __call__(self, windows):
        assert 0 < len(windows) <= self.batch_size
        return analytic(windows)


def analytic(windows):
    x, right, down = windows[:, 0], np.roll(windows[:, 1], -1, -1), np.roll(windows[:, 1], -1, -2)
    place = np.linspace(-1, 1, windows.shape[-1], dtype=np.float32)
    logits = np.stack([x + place, right - place[:, None], down * x], axis=1)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    margin = CONFIG.window.margin
    return (e / e.sum(axis=1, keepdims=True))[:, :, margin:-margin, margin:-margin]


def brute_force(data, mask, places):
    """Mean, variance, votes, n from a plain loop over windows, in float64."""
    size, margin = CONFIG.window.size, CONFIG.window.margin
    stack = {}
    for y, x in places:
        window = data[None, :, y : y + size, x : x + size]
        p = analytic(standardise_jointly(window, ~mask[None, y : y + size, x : x + size]))[0]
        for i in range(p.shape[1]):
            for j in range(p.shape[2]):
                stack.setdefault((y + margin + i, x + margin + j), []).append(p[:, i, j])
    shape = (3, *mask.shape)
    mean, variance, votes = (np.full(shape, np.nan) for _ in range(3))
    n = np.zeros(mask.shape, int)
    for (y, x), values in stack.items():
        if not mask[y, x]:
            v = np.array(values, np.float64)
            mean[:, y, x], variance[:, y, x], n[y, x] = v.mean(0), v.var(0), len(v)
            votes[:, y, x] = np.bincount(v.argmax(1), minlength=3) / len(v)
    return mean, variance, votes, n


def equal(a, b):
    return all(np.array_equal(getattr(a, k), getattr(b, k), equal_nan=True) for k in vars(a))


@st.composite
def images(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(8, 24)), draw(st.integers(8, 30))
    data = rng.normal(0.1, 1, (2, height, width)).astype(np.float32)
    mask = rng.random((height, width)) < draw(st.sampled_from([0, 0.05, 0.5, 0.98]))
    return data, mask


@settings(deadline=None, max_examples=60)
@given(images(), st.integers(1, 4), st.booleans())
def test_brute_force(image, stride, lattice):
    data, mask = image
    lattice = lattice and stride == 2
    options = InferenceOptions(stride=stride, lattice=lattice)
    rows, columns = mask.shape[0] - 7, mask.shape[1] - 7
    if lattice:
        regular = {(y, x) for y in range(rows) for x in range(columns) if (x - y) % 4 == 0}
        ends = {
            (y, x) for y in range(rows) for x in (0, columns - 1) if y % 4 == 0 or y == rows - 1
        }
        places = regular | ends
    else:
        ys, xs = {*range(0, rows, stride), rows - 1}, {*range(0, columns, stride), columns - 1}
        places = {(y, x) for y in ys for x in xs}
    mean, variance, votes, n = brute_force(data, mask, sorted(places))
    found = predict(data, mask, CONFIG, AnalyticEngine(), options)
    assert np.array_equal(found.n, n)
    np.testing.assert_allclose(found.mean, mean, atol=1e-6)
    np.testing.assert_allclose(found.variance, variance, atol=1e-6)
    np.testing.assert_allclose(found.votes, votes, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(images(), st.integers(1, 40), st.integers(1, 3))
def test_batches_and_threads_give_the_same_bits(image, batch_size, workers):
    data, mask = image
    one = predict(data, mask, CONFIG, AnalyticEngine(1), InferenceOptions())
    other = predict(data, mask, CONFIG, AnalyticEngine(batch_size, workers), InferenceOptions())
    assert equal(one, other)


@pytest.mark.parametrize("stride", [1, 3])
def test_tiles_give_the_same_bits(monkeypatch, stride):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(2, 40, 50)).astype(np.float32)
    mask = rng.random((40, 50)) < 0.1
    options = InferenceOptions(stride=stride)
    whole = predict(data, mask, CONFIG, AnalyticEngine(), options)
    for rows, columns in ((1, 1), (5, 7), (64, 3)):
        monkeypatch.setattr("morpheus.inference.windows._TILE_ROWS", rows)
        monkeypatch.setattr("morpheus.inference.windows._TILE_COLUMNS", columns)
        assert equal(whole, predict(data, mask, CONFIG, AnalyticEngine(), options))


@settings(deadline=None, max_examples=80)
@given(images(), st.integers(1, 4), st.booleans(), st.sampled_from(["skip", "pad"]), st.data())
def test_a_part_with_its_context_is_the_whole(image, stride, lattice, edges, draw):
    data, mask = image
    options = InferenceOptions(stride=stride, lattice=lattice and stride == 2, edges=edges)
    whole = predict(data, mask, CONFIG, AnalyticEngine(), options)
    wanted = []
    for n in mask.shape:
        start = draw.draw(st.integers(0, n - 1))
        wanted.append(slice(start, draw.draw(st.integers(start + 1, n))))
    context = CONFIG.window.size - CONFIG.window.margin - 1
    read = tuple(
        slice(max(0, one.start - context), min(n, one.stop + context))
        for one, n in zip(wanted, mask.shape, strict=True)
    )
    core = tuple(
        slice(one.start - around.start, one.stop - around.start)
        for one, around in zip(wanted, read, strict=True)
    )
    place = Place((read[0].start, read[1].start), core, mask.shape)
    part = predict(data[:, *read], mask[read], CONFIG, AnalyticEngine(), options, place=place)
    for k in vars(whole):
        assert np.array_equal(getattr(whole, k)[..., *wanted], getattr(part, k), equal_nan=True)


def test_a_part_is_the_whole_where_no_window_is_missing():
    data = np.random.default_rng(0).normal(size=(2, 40, 50)).astype(np.float32)
    mask = np.zeros((40, 50), bool)
    whole = predict(data, mask, CONFIG, AnalyticEngine(), InferenceOptions())
    part = predict(
        data[:, 5:35, 9:49], mask[5:35, 9:49], CONFIG, AnalyticEngine(), InferenceOptions()
    )
    reach = CONFIG.window.size - CONFIG.window.margin
    inside = (slice(reach, -reach), slice(reach, -reach))
    for k in ("mean", "variance", "votes", "n"):
        a, b = getattr(whole, k)[..., 5:35, 9:49], getattr(part, k)
        assert np.array_equal(a[..., *inside], b[..., *inside])


def test_masked_pixels_do_not_matter():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(2, 30, 30)).astype(np.float32)
    mask = rng.random((30, 30)) < 0.3
    other = np.where(mask, np.float32(99), data)
    a, b = (predict(d, mask, CONFIG, AnalyticEngine(), InferenceOptions()) for d in (data, other))
    assert equal(a, b)
    assert not a.n[mask].any()


def test_padding_classifies_the_frame_and_keeps_the_windows_inside():
    data = np.random.default_rng(2).normal(size=(2, 20, 26)).astype(np.float32)
    mask = np.zeros((20, 26), bool)
    mask[3, 4] = True
    skip = predict(data, mask, CONFIG, AnalyticEngine(), InferenceOptions())
    pad = predict(data, mask, CONFIG, AnalyticEngine(), InferenceOptions(edges="pad"))
    assert not skip.n[:2].any()
    assert ((pad.n > 0) == ~mask).all()
    padded = np.pad(data, ((0, 0), (2, 2), (2, 2)), mode="reflect")
    padded_mask = np.pad(mask, 2, mode="reflect")
    by_hand = predict(padded, padded_mask, CONFIG, AnalyticEngine(), InferenceOptions())
    assert np.array_equal(pad.n, np.where(mask, 0, by_hand.n[2:-2, 2:-2]))
    good = ~mask
    assert np.array_equal(pad.mean[:, good], by_hand.mean[:, 2:-2, 2:-2][:, good])
    assert np.array_equal(pad.n[6:-6, 6:-6], skip.n[6:-6, 6:-6])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3), (7, 7), (7, 40), (5, 2)])
def test_images_smaller_than_a_window_are_classified_everywhere(shape):
    data = np.random.default_rng(3).normal(size=(2, *shape)).astype(np.float32)
    found = predict(data, np.zeros(shape, bool), CONFIG, AnalyticEngine(), InferenceOptions())
    assert found.n.shape == shape
    assert (found.n > 0).all()
    np.testing.assert_allclose(found.mean.sum(axis=0), 1, atol=2e-6)


def test_progress_reaches_the_end():
    told = []
    data = np.random.default_rng(2).normal(size=(2, 90, 40)).astype(np.float32)
    mask = np.zeros((90, 40), bool)
    predict(data, mask, CONFIG, AnalyticEngine(8, 2), InferenceOptions(), lambda *a: told.append(a))
    total = 83 * 33
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_error_in_a_worker_ends_the_run():
    class Broken(AnalyticEngine):
        def __call__(self, windows):
            raise RuntimeError("lost the device")

    data = np.random.default_rng(2).normal(size=(2, 300, 40)).astype(np.float32)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="lost the device"):
        predict(data, np.zeros((300, 40), bool), CONFIG, Broken(8, 2), InferenceOptions())
    assert threading.active_count() == before


def test_an_unfit_model_is_refused():
    data, mask = np.zeros((3, 20, 20), np.float32), np.zeros((20, 20), bool)
    with pytest.raises(ModelError, match="takes 2 bands, not 3"):
        predict(data, mask, CONFIG, AnalyticEngine(), InferenceOptions())
    other = dataclasses.replace(CONFIG, normaliser="whitening")
    with pytest.raises(ModelError, match="whitening"):
        predict(data[:2], mask, other, AnalyticEngine(), InferenceOptions())
    with pytest.raises(OptionError, match="gaps"):
        predict(data[:2], mask, CONFIG, AnalyticEngine(), InferenceOptions(stride=5))


# ---- the real engines


@pytest.fixture(scope="module")
def field():
    data = np.random.default_rng(5).normal(0.05, 0.1, (2, 40, 45)).astype(np.float32)
    mask = np.zeros((40, 45), bool)
    mask[:6, 30:] = True
    return data, mask


def test_torch_and_openvino_agree(field, small_model):
    pytest.importorskip("torch")
    options = InferenceOptions()
    a = predict(*field, small_model.config, make_engine(small_model, options), options)
    engine = make_engine(small_model, InferenceOptions(device="meta-cpu"[5:]))
    assert engine.name.startswith("OpenVINO")
    from morpheus.inference.engine import TorchEngine

    b = predict(*field, small_model.config, TorchEngine(small_model, options), options)
    assert np.array_equal(a.n, b.n)
    np.testing.assert_allclose(a.mean, b.mean, atol=5e-6)
    np.testing.assert_allclose(a.variance, b.variance, atol=5e-6)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_batch_size_of_the_real_engine(field, small_model, batch_size):
    results = []
    for size, threads in ((32, 1), (batch_size, 2)):
        options = InferenceOptions(batch_size=size, threads=threads)
        engine = make_engine(small_model, options)
        assert (engine.batch_size, engine.workers) == (size, threads)
        results.append(predict(*field, small_model.config, engine, options))
    a, b = results
    np.testing.assert_allclose(a.mean, b.mean, atol=5e-6)
    assert np.array_equal(a.n, b.n)


def test_threads_of_the_real_engine_give_the_same_bits(field, small_model):
    results = []
    for threads in (1, 2, 3):
        options = InferenceOptions(threads=threads)
        engine = make_engine(small_model, options)
        results.append(predict(*field, small_model.config, engine, options))
    assert equal(results[0], results[1])
    assert equal(results[0], results[2])


def test_bfloat16_is_close(field, small_model):
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(OptionError, match="bfloat16"):
            make_engine(small_model, InferenceOptions(precision="bfloat16"))
        assert make_engine(small_model, InferenceOptions(precision="auto")).precision == "float32"
        return
    exact = make_engine(small_model, InferenceOptions())
    rough = make_engine(small_model, InferenceOptions(precision="auto"))
    assert (exact.precision, rough.precision) == ("float32", "bfloat16")
    a, b = (predict(*field, small_model.config, e, InferenceOptions()) for e in (exact, rough))
    difference = np.nanmax(np.abs(a.mean - b.mean))
    assert 1e-6 < difference < 0.05


@pytest.mark.parametrize("device", ["cuda:99", "warp-drive"])
def test_devices_that_are_not_there(small_model, device):
    pytest.importorskip("torch")
    with pytest.raises(OptionError, match=f"device '{device}' is not available"):
        make_engine(small_model, InferenceOptions(device=device))


def test_cuda_agrees_with_the_processor(field, small_model):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    results = []
    for device in ("cpu", "cuda"):
        options = InferenceOptions(device=device)
        results.append(
            predict(*field, small_model.config, make_engine(small_model, options), options)
        )
    np.testing.assert_allclose(results[0].mean, results[1].mean, atol=1e-5)
    assert np.array_equal(results[0].n, results[1].n)


CORNER = 120

# ---- the published results; tolerances from the README of the reference outputs


@pytest.mark.parametrize("name", ["exp3", "dev5crop", "exp9"])
def test_published_maps(name, hausen2020, shared):
    """Of a large one, a corner: pixels that no window beyond it reaches are as in the whole."""
    reference = np.load(shared / f"reference/hausen2020/{name}.npz")
    part = slice(CORNER)
    data = reference["input_hjvz"].astype(np.float32)[:, part, part]
    size = data.shape[1]
    cut = size < reference["input_hjvz"].shape[1]
    whole = slice(size - hausen2020.config.window.size + 1 if cut else None)
    mask = np.zeros(data.shape[1:], bool)
    options = InferenceOptions()
    found = predict(data, mask, hausen2020.config, make_engine(hausen2020, options), options)
    n = found.n[whole, whole]
    assert np.array_equal(n, reference["n"][part, part][whole, whole])
    for k, c in enumerate(hausen2020.config.classes):
        mean, variance, votes = (
            np.where(n > 0, m[k, whole, whole], 0)
            for m in (found.mean, found.variance, found.votes)
        )
        expected = {
            kind: reference[f"{c}{kind}"][part, part][whole, whole]
            for kind in ("", "_mean", "_var")
        }
        assert np.abs(mean - expected["_mean"]).max() < 2e-6
        assert np.abs(variance - expected["_var"]).max() < 1e-6
        # Ties and near-ties: a vote or a few of 900, in a handful of pixels.
        differs = np.abs(votes - expected[""]) > 1e-6
        assert differs.sum() <= 12
        assert (np.abs(votes - expected[""]) * n).max() < 7
