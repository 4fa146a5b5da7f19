"""Configurations: to TOML and back, and what is wrong with one is said in its place."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morpheus.errors import OptionError
from morpheus.model.config import DenseConfig, DetectionThresholds, UNetConfig, WindowRecipe
from morpheus.train.options import (
    AugmentOptions,
    DataOptions,
    LossOptions,
    ModelOptions,
    OptimiserOptions,
    TeacherOptions,
    TrainOptions,
    ValidationOptions,
    read_options,
)

DATA = (DataOptions("a.zarr"),)
LEAST = 'name = "n"\n[[data]]\npath = "a.zarr"\n'


@pytest.fixture
def write(tmp_path):
    def write(text, name="config.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


shares = st.floats(0, 0.5)
sigmas = st.floats(0, 2, allow_subnormal=False)


@given(
    seed=st.integers(0, 2**31 - 1),
    share=st.floats(1e-6, 1e6),
    low=st.floats(1, 10),
    factor=st.floats(1, 10),
    drop=shares,
    first=shares,
    sigma=sigmas,
    scale=st.tuples(st.floats(0.1, 1), st.floats(1, 10)),
    flip=st.booleans(),
    kind=st.sampled_from(["factorised", "published"]),
    widths=st.lists(st.integers(1, 512), min_size=1, max_size=5).map(tuple),
    rate=st.floats(1e-12, 10),
)
def test_round_trip(tmp_path_factory, **drawn):
    low = drawn["low"]
    options = TrainOptions(
        name="n",
        data=(
            DataOptions("/a.zarr", drawn["share"], {"F160W": (low, low * drawn["factor"])}),
            DataOptions("/b.zarr", added=1.0, near=drawn["drop"]),
        ),
        detection=DetectionThresholds(seed=0.7, grow=drawn["first"], min_area=5),
        seed=drawn["seed"],
        model=ModelOptions(
            alternatives={"F125W": ("F110W", "F105W")}, network=DenseConfig(drawn["widths"])
        ),
        augment=AugmentOptions(
            flip=drawn["flip"],
            drop_band=drawn["drop"],
            only_first=drawn["first"],
            blur_sigma=drawn["sigma"],
            smooth=drawn["first"],
            scale=drawn["scale"],
        ),
        loss=LossOptions(kind=drawn["kind"]),
        optimiser=OptimiserOptions(learning_rate=drawn["rate"], crop=96),
    )
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_text(options.to_toml(), encoding="utf-8")
    assert read_options(path) == options


def test_the_least(write):
    path = write(LEAST)
    assert read_options(path) == TrainOptions("n", (DataOptions(str(path.parent / "a.zarr")),))


def test_paths_are_relative_to_the_file(write, tmp_path, monkeypatch):
    (tmp_path / "models/start").mkdir(parents=True)
    data = '[[data]]\npath = "../a.zarr"\n[[data]]\npath = "/b.zarr"\n'
    path = write('name = "n"\nstart = "models/start"\n' + data)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    options = read_options(path)
    assert [one.path for one in options.data] == [f"{tmp_path}/../a.zarr", "/b.zarr"]
    assert options.start == f"{tmp_path}/models/start"
    assert read_options(write('start = "hst4"\n' + LEAST)).start == "hst4"


def test_the_published_architecture(write):
    options = read_options(
        write(
            LEAST
            + '[model.network]\nkind = "unet"\n[model.window]\nsize = 40\nmargin = 5\nstride = 1\n'
            "[optimiser]\ncrop = 40\n[augment]\ndrop_band = 0\nonly_first = 0\n"
        )
    )
    assert options.model.network == UNetConfig()
    assert options.model.window == WindowRecipe(40, 5, 1)
    assert options.model.normaliser == "joint-window"
    assert ModelOptions().normaliser == "sky-noise"


MISTAKES = {
    "unknown": ("colour = 1\n", "", r"config\.toml: unknown 'colour'; there are name, data, seed"),
    "unknown inside": ("", "[augment]\nblurr = 0.1\n", r"config\.toml: augment: unknown 'blurr'"),
    "unknown in a list": ("", 'path2 = "x"\n', r"config\.toml: data: unknown 'path2'"),
    "type": ("", "[optimiser]\nepochs = 2.5\n", r"config\.toml: optimiser: epochs is 2\.5"),
    "text": ("", '[loss]\ndetection = "3"\n', r"config\.toml: loss: detection is '3'; expected"),
    "truth": ("", "[optimiser]\nepochs = true\n", r"config\.toml: optimiser: epochs is True"),
    "number": (
        "",
        "[augment]\nflip = 1\n",
        r"config\.toml: augment: flip is 1; expected true or false",
    ),
    "table": ("model = 3\n", "", r"config\.toml: model: expected a table, not 3"),
    "list": ("", "[model.network]\nwidths = 8\n", r"network: widths is 8; expected a list"),
    "pair": ("", "[augment]\nscale = [1.0]\n", r"config\.toml: augment: scale is \[1\.0\]"),
    "range": ("", "[augment]\nrotate = 1.5\n", r"config\.toml: augment: rotate is 1\.5; .* 0 to 1"),
    "not a number": ("", "[loss]\ndetection = nan\n", r"config\.toml: loss: detection is nan"),
    "sum": ("", "[augment]\ndrop_band = 0.9\nonly_first = 0.2\n", r"augment: drop_band and only"),
    "near": ("", "[[data]]\npath = 'b'\nnear = 2\n", r"data: near is 2\.0; .* 0 to 1"),
    "cut off": ("", "[augment]\nsmooth_sigma = 3\n", r"augment: smooth_sigma is 3\.0; .* 0 to 2"),
    "thresholds": ("", "[detection]\ngrow = 0.7\n", r"config\.toml: detection: .*, 0\.6, is below"),
    "kind": ("", '[loss]\nkind = "dice"\n', r"config\.toml: loss: kind is 'dice'; expected"),
    "noise": ("", "[data.noise]\nF160W = [0.5, 2]\n", r"data: noise of F160W is raised 0\.5 to 2"),
    "noise band": ("", "[data.noise]\nF160W = 2\n", r"data: noise: F160W is 2; expected a list"),
    "no network": ("", '[model.network]\nkind = "vit"\n', r"network: expected a table with kind"),
    "network": ("", "[model.network]\nwidths = []\n", r"config\.toml: model: network: a dense"),
    "window": ("", "[model.window]\nsize = 8\nmargin = 4\nstride = 1\n", r"model: window: .*owns"),
    "half a window": ("", "[model.window]\nsize = 8\n", r"model: window: margin is not given"),
    "seed": ("seed = -1\n", "", r"config\.toml: seed is -1; it is a whole number"),
    "crop": ("", "[optimiser]\ncrop = 100\n", r"config\.toml: the crop is 100 .* multiple of 16"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named_with_their_place(write, mistake):
    before, after, message = mistake
    with pytest.raises(OptionError, match=message) as error:
        read_options(write(before + LEAST + after))
    assert "config.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_missing(write, tmp_path):
    with pytest.raises(OptionError, match=r"config\.toml: data is not given"):
        read_options(write('name = "n"\n'))
    with pytest.raises(OptionError, match=r"config\.toml: data: path is not given"):
        read_options(write('name = "n"\n[[data]]\nshare = 1.0\n'))
    with pytest.raises(OptionError, match="there is nothing to train on"):
        read_options(write('name = "n"\ndata = []\n'))
    with pytest.raises(OptionError, match=r"config\.toml: data is 'a'; expected a list"):
        read_options(write('name = "n"\ndata = "a"\n'))
    with pytest.raises(OptionError, match=r"cannot read the configuration .*no\.toml: No such"):
        read_options(tmp_path / "no.toml")
    with pytest.raises(OptionError, match=r"cannot read the configuration .*Is a directory"):
        read_options(tmp_path)
    with pytest.raises(OptionError, match=r"config\.toml is no TOML file"):
        read_options(write("name = \n"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match=r"cannot read the configuration .*binary\.toml"):
        read_options(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": ()}, "nothing to train on"),
        ({"data": (DataOptions("a", share=0.0),)}, "every dataset has the share 0"),
        ({"data": (DataOptions("a", added=2.0),)}, "or is added to others"),
        (
            {"teacher": TeacherOptions("a"), "loss": LossOptions("published")},
            "with a teacher, the loss must be 'factorised'",
        ),
        ({"optimiser": OptimiserOptions(crop=48)}, None),
        ({"optimiser": OptimiserOptions(crop=40)}, "multiple of 16"),
        ({"seed": 2**31}, "seed"),
    ],
)
def test_what_does_not_fit(changes, message):
    chosen = {"name": "n", "data": DATA} | changes
    if message is None:
        assert TrainOptions(**chosen).optimiser.crop == 48
        return
    with pytest.raises(OptionError, match=message):
        TrainOptions(**chosen)


def test_the_published_architecture_has_its_windows_and_all_bands():
    model = ModelOptions(network=UNetConfig(), window=WindowRecipe(40, 5, 1))
    every = AugmentOptions(drop_band=0.0, only_first=0.0)
    crop = OptimiserOptions(crop=40)
    TrainOptions("n", DATA, model=model, augment=every, optimiser=crop)
    with pytest.raises(OptionError, match="crop must be 40"):
        TrainOptions(
            "n", DATA, model=model, augment=every, optimiser=dataclasses.replace(crop, crop=48)
        )
    for name in ("drop_band", "only_first"):
        augment = dataclasses.replace(every, **{name: 0.1})
        with pytest.raises(OptionError, match="cannot do without a band"):
            TrainOptions("n", DATA, model=model, augment=augment, optimiser=crop)


def test_nothing_is_changed_by_no_augmentation():
    none = AugmentOptions.none()
    assert not none.flip
    assert none.scale == (1.0, 1.0)
    rest = {f.name for f in dataclasses.fields(none)} - {"flip", "scale"}
    assert all(getattr(none, name) == 0 for name in rest)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ValidationOptions, {"share": 0.0}),
        (ValidationOptions, {"examples": 0}),
        (ValidationOptions, {"patience": -1}),
        (OptimiserOptions, {"epochs": 0}),
        (OptimiserOptions, {"learning_rate": 0.0}),
        (OptimiserOptions, {"learning_rate": float("nan")}),
        (OptimiserOptions, {"precision": "float16"}),
        (OptimiserOptions, {"batch": True}),
        (LossOptions, {"kind": "other"}),
        (LossOptions, {"dice": 1.1}),
        (AugmentOptions, {"scale": (2.0, 1.0)}),
        (AugmentOptions, {"misalign": -0.1}),
        (DataOptions, {"path": "a", "share": -1.0}),
        (DataOptions, {"path": "a", "added": -0.1}),
        (DataOptions, {"path": "a", "added": 1.0, "noise": {"H": (1.0, 2.0)}}),
        (TeacherOptions, {"share": 1.5}),
        (TeacherOptions, {"faintest": float("nan")}),
        (DataOptions, {"path": "a", "noise": {"H": (3.0, 2.0)}}),
        (DataOptions, {"path": "a", "noise": {"H": (1.0, float("inf"))}}),
    ],
)
def test_ranges(kind, values):
    name = list(values)[-1]
    with pytest.raises(OptionError, match=re.escape("loss" if name == "kind" else name)):
        kind(**values)
