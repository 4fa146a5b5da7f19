"""Distillation: what the teacher says is what classification says, and two heads become one."""

import dataclasses

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.errors import OptionError
from morpheus.inference import InferenceOptions, make_engine, predict
from morpheus.model import Model, ModelConfig, save_model
from morpheus.model.config import DenseConfig, WindowRecipe
from morpheus.model.normalise import prepare_normaliser
from morpheus.model.torch_network import build_network
from morpheus.train.fit import _config
from morpheus.train.module import Training
from morpheus.train.options import ModelOptions, TeacherOptions
from morpheus.train.prepared import Prepared, sky_noise_input
from morpheus.train.teacher import HEADS, Teacher, merged

from .conftest import small

CARD = {"unit": "electron / s", "pixel_scale": 0.06, "bands": ["F160W", "F125W", "F606W", "F850LP"]}
SIDE = 70  # of crops: two windows along an axis, and a pixel frame of 5
INNER = slice(5, 65)


def options_of(published, **changes):
    return small("a", teacher=TeacherOptions(str(published), **changes))


@pytest.fixture
def teacher(published):
    return Teacher(options_of(published), [CARD])


def batch_of(n=2, seed=1):
    draw = torch.Generator().manual_seed(seed)
    images = torch.randn(n, 4, SIDE, SIDE, generator=draw)
    classes = torch.rand(n, 5, SIDE, SIDE, generator=draw)
    owner = (torch.rand(n, SIDE, SIDE, generator=draw) > 0.5).int()
    level = torch.zeros(n, 4)
    return Prepared(
        images=images,
        valid=torch.ones_like(images, dtype=torch.bool),
        sky=level,
        noise=level + 1,
        classes=classes / classes.sum(1, keepdim=True),
        owner=owner,
        weight=torch.ones(n, SIDE, SIDE),
        asked=owner > 0,
        shown=images.clone(),
    )


def test_it_says_what_classification_says(teacher):
    batch = batch_of()
    taught = teacher.taught(batch)
    config = dataclasses.replace(teacher.model.config, window=WindowRecipe(40, 5, 30))
    model = Model(config, teacher.model.weights)
    options = InferenceOptions(precision="float32", threads=1, stride=30)
    n_seen = 0
    for k in range(2):
        data = batch.shown[k, [3, 0]].numpy()
        mask = np.zeros(data.shape[1:], bool)
        normaliser = prepare_normaliser(config, data, mask, bands=config.bands)
        engine = make_engine(model, options)
        said = predict(data, mask, config, engine, options, normaliser=normaliser).mean
        said = said[:, INNER, INNER]
        seen = said[BACKGROUND] < 0.5
        expected = said[:BACKGROUND] / (1 - said[BACKGROUND])
        expected = (
            np.where(seen, expected, 0) * batch.classes[k, :BACKGROUND, INNER, INNER].sum(0).numpy()
        )
        asked = batch.asked[k, INNER, INNER].numpy()
        found = taught[k, :, INNER, INNER].numpy()
        assert_allclose(found[:, asked], expected[:, asked], atol=2e-4)
        assert_array_equal(
            found[:, ~asked], batch.classes[k, :BACKGROUND, INNER, INNER].numpy()[:, ~asked]
        )
        n_seen += int((seen & asked).sum())
    assert n_seen > 500


def test_where_it_cannot_look_it_says_nothing(teacher):
    batch = batch_of()
    batch.shown[0, 3, 20, 20] = torch.nan  # in one window of four
    batch.shown[1, 1] = torch.nan  # no band of the teacher's
    taught, without = teacher.taught(batch), teacher.taught(batch_of())
    outside = batch.asked.clone()
    outside[:, INNER, INNER] = False
    assert float(taught.sum(1)[outside].abs().max()) == 0
    hidden = torch.zeros_like(batch.asked)
    hidden[0, 5:35, 5:35] = True
    assert float(taught.sum(1)[hidden & batch.asked].abs().max()) == 0
    kept = ~hidden[:, None].expand_as(taught)
    assert_array_equal(taught[kept], without[kept])


def test_nobody_is_asked_about_nothing(teacher):
    batch = dataclasses.replace(batch_of(), asked=torch.zeros(2, SIDE, SIDE, dtype=torch.bool))
    assert torch.equal(teacher.taught(batch), batch.classes[:, :BACKGROUND])
    assert teacher.engine is None


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_mean_becomes_part_of_the_last_layer(share, published):
    options = options_of(published, share=share)
    module = Training(options, _config(options, [CARD], None), Teacher(options, [CARD]))
    module.initialise(None)
    module.eval()
    batch = batch_of()
    batch = dataclasses.replace(batch, **{
        name: getattr(batch, name)[..., :64, :64]
        for name in ("images", "valid", "classes", "owner", "weight", "asked", "shown")
    })  # fmt: skip
    x = sky_noise_input(batch)
    with torch.no_grad():
        outputs = module.network(x)
        assert outputs.shape[1] == HEADS
        own, teacher = outputs[:, :BACKGROUND], outputs[:, len(CLASS_NAMES) :]
        expected = torch.cat(
            [(1 - share) * own + share * teacher, outputs[:, BACKGROUND : BACKGROUND + 1]], 1
        )
        assert_allclose(module(x), expected, atol=1e-6)
        assert_allclose(build_network(module.model())(x), expected, atol=1e-5)


def test_merged_is_linear():
    logits = torch.randn(3, HEADS, 2, 2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(merged(logits, 0.0), logits[:, : len(CLASS_NAMES)])
    both = merged(logits, 0.5)
    ends = merged(logits, 0.0) + merged(logits, 1.0)
    assert_allclose(2 * both, ends, atol=1e-6)
    assert torch.equal(both[:, BACKGROUND], logits[:, BACKGROUND])


def test_each_part_learns_its_own(published):
    """The gradient of each head is that of its labels: neither sees the other's."""
    options = options_of(published)
    options = dataclasses.replace(options, loss=dataclasses.replace(options.loss, detection=0.0))
    module = Training(options, _config(options, [CARD], None), Teacher(options, [CARD]))
    batch = batch_of()
    taught = batch.classes[:, :BACKGROUND].flip(1)
    logits = torch.zeros(2, HEADS, SIDE, SIDE, requires_grad=True)
    module._loss(logits, dataclasses.replace(batch, taught=taught)).backward()
    gradient = logits.grad
    assert float(gradient[:, BACKGROUND].abs().max()) == 0
    total = batch.classes[:, :BACKGROUND].sum(1, keepdim=True)
    n = total.sum()
    own = (total / 4 - batch.classes[:, :BACKGROUND]) / n
    assert_allclose(gradient[:, :BACKGROUND], own, atol=1e-9)
    assert_allclose(gradient[:, len(CLASS_NAMES) :], (total / 4 - taught) / n, atol=1e-9)


def test_fine_tuning_with_a_teacher_begins_with_the_model(published, make_model):
    options = options_of(published)
    config = _config(options, [CARD], None)
    start = make_model(config)
    module = Training(options, config, Teacher(options, [CARD]))
    module.initialise(start)
    made = module.model()
    for name, values in start.weights.items():
        assert_allclose(made.weights[name], values, atol=1e-6)


def test_who_cannot_teach(published, make_model, tmp_path):
    dense = ModelConfig(
        name="dense",
        bands=("F160W",),
        pixel_scale=0.06,
        unit="",
        window=WindowRecipe(64, 16, 32),
        normaliser="sky-noise",
        network=DenseConfig((4, 8)),
    )
    save_model(make_model(dense), tmp_path / "dense", "")
    with pytest.raises(OptionError, match=r"dense cannot be the teacher.*dataset distil"):
        Teacher(options_of(tmp_path / "dense"), [CARD])
    with pytest.raises(OptionError, match=r"trained on images in electron / s.*are in nJy"):
        Teacher(options_of(published), [{**CARD, "unit": "nJy"}])
    options = options_of(published)
    options = dataclasses.replace(options, model=ModelOptions(bands=("F160W",)))
    with pytest.raises(OptionError, match="needs F850LP, which is neither a band"):
        Teacher(options, [CARD])
