"""The loop on a device of PyTorch against the one on the processor, given the same network."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morpheus.errors import ModelError
from morpheus.inference import InferenceOptions, Place, make_engine, predict
from morpheus.inference.engine import TorchEngine
from morpheus.model import ModelConfig, UNetConfig, WindowRecipe
from morpheus.model.normalise import SkyNormaliser, prepare_normaliser, standardise_jointly
from morpheus.mosaic.sky import SkyLevel

torch = pytest.importorskip("torch")

from morpheus.inference.device import batch_size  # noqa: E402
from morpheus.inference.device_sky import normalise_from_the_sky  # noqa: E402
from morpheus.inference.device_windows import standardise  # noqa: E402

CONFIG = ModelConfig(
    "analytic",
    ("H", "J"),
    0.06,
    "electron / s",
    WindowRecipe(8, 2, 1),
    network=UNetConfig((2,), 1, 2, (2,), 1),
    classes=("a", "b", "c"),
)
BOUNDS = st.integers(0, 2**32 - 1)


class Analytic(torch.nn.Module):
    """Depends on the pixel, on its neighbours and on its place, so that any confusion shows."""

    def forward(self, x, margin):
        assert x.is_contiguous(memory_format=torch.channels_last)
        right, down = x[:, 1].roll(-1, -1), x[:, 1].roll(-1, -2)
        place = torch.linspace(-1, 1, x.shape[-1], device=x.device)
        logits = torch.stack([x[:, 0] + place, right - place[:, None], down * x[:, 0]], 1)
        return logits[:, :, margin:-margin, margin:-margin]


class Elsewhere:
    """The same network, for the loop on the processor."""

    name, precision, batch_size, workers = "analytic", "float32", 7, 1

    def __init__(self, engine):
        self.engine = engine

    def __call__(self, windows):
        return self.engine(windows)


@pytest.fixture(scope="module")
def make_analytic(make_model):
    def make(batch_size=None, network=None, device="cpu"):
        options = InferenceOptions(batch_size=batch_size, device=device)
        engine = TorchEngine(make_model(CONFIG), options)
        engine._network = network or Analytic()
        return engine

    return make


def equal(a, b):
    return all(np.array_equal(getattr(a, k), getattr(b, k), equal_nan=True) for k in vars(a))


def assert_close(a, b):
    """Equal but for the standardisation's rounding, by which a near-tie may be voted otherwise."""
    assert np.array_equal(a.n, b.n)
    np.testing.assert_allclose(a.mean, b.mean, atol=1e-6)
    np.testing.assert_allclose(a.variance, b.variance, atol=1e-6)
    differs = np.nan_to_num(np.abs(a.votes - b.votes)) > 1e-6
    assert differs.sum() <= 2


@st.composite
def images(draw):
    rng = np.random.default_rng(draw(BOUNDS))
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 30))
    data = rng.normal(0.1, 1, (2, height, width)).astype(np.float32)
    mask = rng.random((height, width)) < draw(st.sampled_from([0, 0.05, 0.5, 0.98]))
    return data, mask


placements = st.builds(
    InferenceOptions,
    stride=st.integers(1, 4),
    edges=st.sampled_from(["skip", "pad"]),
) | st.builds(
    InferenceOptions,
    stride=st.just(2),
    lattice=st.just(value=True),
    edges=st.sampled_from(["skip", "pad"]),
)


@settings(deadline=None, max_examples=60)
@given(images(), placements, st.integers(1, 300))
def test_the_sums_are_those_of_the_processor(make_analytic, image, options, size):
    engine = make_analytic(size)
    assert_close(
        predict(*image, CONFIG, engine, options),
        predict(*image, CONFIG, Elsewhere(engine), options),
    )


@settings(deadline=None, max_examples=30)
@given(BOUNDS, placements)
def test_the_same_probabilities_give_the_same_bits(make_analytic, seed, options):
    """Windows of whole numbers whose sums are exact in any order: nothing is rounded otherwise."""
    rng = np.random.default_rng(seed)
    data = rng.choice(np.array([-1, 1], np.float32), (2, 19, 27))
    mask = rng.random((19, 27)) < 0.1

    class Plain(torch.nn.Module):
        def forward(self, x, margin):
            logits = torch.cat([x.sign(), -x.sign()[:, :1]], 1)  # with ties
            return logits[:, :, margin:-margin, margin:-margin]

    engine = make_analytic(network=Plain())
    assert equal(
        predict(data, mask, CONFIG, engine, options),
        predict(data, mask, CONFIG, Elsewhere(engine), options),
    )


@settings(deadline=None, max_examples=30)
@given(images(), placements, st.integers(1, 400))
def test_batches_give_the_same_bits(make_analytic, image, options, size):
    one = predict(*image, CONFIG, make_analytic(), options)
    assert equal(one, predict(*image, CONFIG, make_analytic(size), options))


@pytest.mark.parametrize("options", [InferenceOptions(), InferenceOptions(2, lattice=True)])
def test_tiles_give_the_same_bits(make_analytic, monkeypatch, options):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(2, 40, 50)).astype(np.float32)
    mask = np.zeros((40, 50), bool)
    mask[:12, 5:15] = rng.random((12, 10)) < 0.3
    whole = predict(data, mask, CONFIG, make_analytic(), options)
    for rows, columns in ((1, 1), (5, 7), (64, 3)):
        monkeypatch.setattr("morpheus.inference.windows._TILE_ROWS", rows)
        monkeypatch.setattr("morpheus.inference.windows._TILE_COLUMNS", columns)
        assert equal(whole, predict(data, mask, CONFIG, make_analytic(50), options))


@settings(deadline=None, max_examples=60)
@given(images(), placements, st.data())
def test_a_part_with_its_context_is_the_whole(make_analytic, image, options, draw):
    data, mask = image
    whole = predict(data, mask, CONFIG, make_analytic(), options)
    wanted, read, core = [], [], []
    context = CONFIG.window.size - CONFIG.window.margin - 1
    if min(mask.shape) < CONFIG.window.size:  # it is padded, and read as a whole
        context = max(mask.shape)
    for n in mask.shape:
        start = draw.draw(st.integers(0, n - 1))
        stop = draw.draw(st.integers(start + 1, n))
        around = slice(max(0, start - context), min(n, stop + context))
        wanted.append(slice(start, stop))
        read.append(around)
        core.append(slice(start - around.start, stop - around.start))
    place = Place((read[0].start, read[1].start), tuple(core), mask.shape)
    part = predict(data[:, *read], mask[*read], CONFIG, make_analytic(), options, place=place)
    for k in vars(whole):
        assert np.array_equal(getattr(whole, k)[..., *wanted], getattr(part, k), equal_nan=True)


def test_masked_pixels_do_not_matter(make_analytic):
    rng = np.random.default_rng(1)
    data = rng.normal(size=(2, 30, 30)).astype(np.float32)
    mask = rng.random((30, 30)) < 0.3
    other = np.where(mask, np.float32(99), data)
    a, b = (predict(d, mask, CONFIG, make_analytic(), InferenceOptions()) for d in (data, other))
    assert equal(a, b)
    assert not a.n[mask].any()


def test_progress_reaches_the_end(make_analytic):
    told = []
    data = np.random.default_rng(2).normal(size=(2, 90, 40)).astype(np.float32)
    mask = np.zeros((90, 40), bool)
    options = InferenceOptions()
    predict(data, mask, CONFIG, make_analytic(100), options, lambda *a: told.append(a))
    assert told[-1] == (83 * 33, 83 * 33)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) > 20


def test_what_is_no_number_is_refused(make_analytic):
    class Unusable(torch.nn.Module):
        def forward(self, x, margin):
            logits = Analytic()(x, margin)
            logits[0, 1, 2, 2] = torch.nan
            return logits

    data, mask = np.ones((2, 20, 20), np.float32), np.zeros((20, 20), bool)
    with pytest.raises(ModelError, match="not a number"):
        predict(data, mask, CONFIG, make_analytic(network=Unusable()), InferenceOptions())


@pytest.mark.parametrize("limit", [1, 40])
def test_too_little_memory_makes_batches_smaller(make_analytic, limit):
    sizes = []

    class Small(torch.nn.Module):
        def forward(self, x, margin):
            sizes.append(len(x))
            if len(x) > limit:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return Analytic()(x, margin)

    rng = np.random.default_rng(3)
    data, mask = rng.normal(size=(2, 30, 40)).astype(np.float32), np.zeros((30, 40), bool)
    options, told = InferenceOptions(), []
    found = predict(
        data, mask, CONFIG, make_analytic(network=Small()), options, lambda *a: told.append(a)
    )
    assert equal(found, predict(data, mask, CONFIG, make_analytic(), options))
    assert told[-1] == (23 * 33, 23 * 33)
    assert max(sizes) > limit
    limit = 0
    with pytest.raises(torch.cuda.OutOfMemoryError):
        predict(data, mask, CONFIG, make_analytic(network=Small()), options)


# ---- the standardisation


@settings(deadline=None)
@given(BOUNDS, st.sampled_from([0, 1e-3, 1, 1e4]), st.booleans())
def test_standardised_as_on_the_processor(seed, pedestal, masked):
    rng = np.random.default_rng(seed)
    windows = (pedestal + rng.normal(size=(6, 3, 10, 9))).astype(np.float32)
    windows[0] = 7
    valid = rng.random((6, 10, 9)) < 0.7 if masked else np.ones((6, 10, 9), bool)
    valid[1] &= not masked
    found = standardise(
        torch.from_numpy(windows.transpose(0, 2, 3, 1).copy()), torch.from_numpy(valid)[..., None]
    )
    expected = standardise_jointly(windows, valid)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    assert not found[0].any()
    if not masked:
        alone = standardise(torch.from_numpy(windows.transpose(0, 2, 3, 1).copy()))
        assert torch.equal(alone, found)


@pytest.mark.parametrize("n", [1, 2, 63, 1000])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_window_is_standardised_by_itself(n, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    windows = torch.randn(n, 40, 40, 4, generator=torch.Generator().manual_seed(n)).to(device)
    together = standardise(windows)
    assert together.is_contiguous(memory_format=torch.channels_last)
    for i in {0, n // 2, n - 1}:
        assert torch.equal(standardise(windows[i : i + 1])[0], together[i])


@settings(deadline=None)
@given(BOUNDS, st.sampled_from([1e-30, 1e-3, 1, 1e5]))
def test_counted_from_the_sky_as_on_the_processor(seed, noise):
    rng = np.random.default_rng(seed)
    windows = rng.normal(0.1, 1, (2, 2, 9, 7)).astype(np.float32)
    valid = rng.random((2, 9, 7)) < 0.7
    normaliser = SkyNormaliser((SkyLevel(0.1, noise), None, SkyLevel(-2.0, 3.0)))
    found = normalise_from_the_sky(torch.from_numpy(windows), torch.from_numpy(valid), normaliser)
    assert found.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(found, normaliser(windows, valid), rtol=2e-7, atol=2e-7)


def test_a_dense_model_says_the_same(dense_model):
    """Normalised on the device, and by the processor."""
    rng = np.random.default_rng(4)
    data = rng.normal(0.1, 1, (2, 70, 50)).astype(np.float32)
    mask = rng.random((70, 50)) < 0.2
    config, options = dense_model.config, InferenceOptions()
    normaliser = prepare_normaliser(config, data, mask, bands=config.bands[:2])
    engine = TorchEngine(dense_model, options)
    a = predict(data, mask, config, engine, options, normaliser=normaliser)
    b = predict(data, mask, config, Elsewhere(engine), options, normaliser=normaliser)
    assert np.array_equal(a.n, b.n)
    np.testing.assert_allclose(a.mean, b.mean, atol=2e-6)


# ---- the real network


@pytest.fixture(scope="module")
def field():
    data = np.random.default_rng(5).normal(0.05, 0.1, (2, 40, 45)).astype(np.float32)
    mask = np.zeros((40, 45), bool)
    mask[:6, 30:] = True
    return data, mask


@pytest.mark.parametrize("options", [InferenceOptions(), InferenceOptions(2, lattice=True)])
def test_torch_and_openvino_agree(field, small_model, options):
    a = predict(*field, small_model.config, make_engine(small_model, options), options)
    engine = TorchEngine(small_model, replace(options, device="cpu"))
    b = predict(*field, small_model.config, engine, options)
    c = predict(*field, small_model.config, Elsewhere(engine), options)
    for one in (b, c):
        assert np.array_equal(a.n, one.n)
        np.testing.assert_allclose(a.mean, one.mean, atol=1e-5)
        np.testing.assert_allclose(a.variance, one.variance, atol=1e-5)


def test_bfloat16_is_close(field, small_model):
    options = InferenceOptions()
    a, b = (
        predict(*field, small_model.config, TorchEngine(small_model, one), options)
        for one in (options, replace(options, precision="bfloat16"))
    )
    assert 1e-6 < np.nanmax(np.abs(a.mean - b.mean)) < 0.05


def test_batches_fit_into_the_memory(monkeypatch, small_config):
    assert batch_size(small_config, torch.device("cpu")) == 256
    free = {"value": 2**40}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free["value"], 2**40))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2**24)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 2**23)
    assert batch_size(small_config, torch.device("cuda")) == 8192
    free["value"] = 0
    assert 1 < batch_size(small_config, torch.device("cuda")) < 300


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cuda_agrees_with_the_processor(field, small_model, precision):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    options = InferenceOptions(device="cuda", precision=precision)
    plain = InferenceOptions()
    a = predict(*field, small_model.config, make_engine(small_model, plain), plain)
    engine = make_engine(small_model, options)
    b = predict(*field, small_model.config, engine, options)
    assert np.array_equal(a.n, b.n)
    tolerance = 1e-5 if precision == "float32" else 0.05
    np.testing.assert_allclose(a.mean, b.mean, atol=tolerance)


@pytest.mark.parametrize("options", [InferenceOptions(), InferenceOptions(2, lattice=True)])
def test_the_sums_on_cuda(make_analytic, options):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    rng = np.random.default_rng(6)
    data = rng.normal(size=(2, 150, 400)).astype(np.float32)
    mask = rng.random((150, 400)) < 0.02
    one, other = (
        predict(data, mask, CONFIG, make_analytic(n, device="cuda"), options) for n in (None, 777)
    )
    assert equal(one, other)
    expected = predict(data, mask, CONFIG, Elsewhere(make_analytic()), options)
    assert np.array_equal(one.n, expected.n)
    np.testing.assert_allclose(one.mean, expected.mean, atol=1e-6)
