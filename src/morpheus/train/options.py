"""What to train, on what, and how: validated values, to and from TOML."""

import dataclasses
import math
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tomli_w

from morpheus.errors import MorpheusError, OptionError
from morpheus.model.config import DenseConfig, DetectionThresholds, UNetConfig, WindowRecipe

__all__ = [
    "AugmentOptions",
    "DataOptions",
    "LossOptions",
    "ModelOptions",
    "OptimiserOptions",
    "TeacherOptions",
    "TrainOptions",
    "ValidationOptions",
    "read_options",
]

HST4 = "F160W", "F125W", "F606W", "F850LP"


@dataclass(frozen=True)
class DataOptions:
    """A dataset to train on.

    Parameters
    ----------
    path : str
        Of its Zarr store; in a file, relative to the file.
    share : float, optional
        Of the examples of a batch, in proportion to those of the other datasets.
    noise : dict of str to (float, float), optional
        By band, how many times the noise of the images may be raised: from, to. All bands of an
        example are raised together, each in its range. Bands that are not named are left alone.
    added : float, optional
        If above 0, the dataset holds sources that are alone (`morpheus simulate stamps --alone`).
        They are no examples themselves: so many of them, on average, are added to each example of
        the other datasets, and `share` does not count.
    near : float, optional
        Share of the added sources that are put near one that was added before, where there is one:
        as blends and mergers are.
    """

    path: str
    share: float = 1.0
    noise: dict[str, tuple[float, float]] = field(default_factory=dict)
    added: float = 0.0
    near: float = 0.0

    def __post_init__(self) -> None:
        _check_range("share", self.share, 0, 1e6)
        _check_range("added", self.added, 0, 100)
        _check_range("near", self.near, 0, 1)
        if self.added and self.noise:
            raise OptionError(
                "the noise of added sources is not raised: it is that of what they are added to"
            )
        for band, (low, high) in self.noise.items():
            if not 1 <= low <= high < math.inf:
                raise OptionError(
                    f"noise of {band} is raised {low:g} to {high:g} times; it must be from 1 on,"
                    " the lower number first"
                )


@dataclass(frozen=True)
class ModelOptions:
    """The model to be made.

    Parameters
    ----------
    bands : tuple of str, optional
        Bands in the order of the network's channels; the first is the one that the truth and the
        depth are of.
    alternatives : dict of str to tuple of str, optional
        Bands that may take another's place.
    network : DenseConfig or UNetConfig, optional
        Its shape; in a file a table with `kind`, 'dense' or 'unet' (the published architecture).
    window : WindowRecipe, optional
        How images are cut when they are classified.
    """

    bands: tuple[str, ...] = HST4
    alternatives: dict[str, tuple[str, ...]] = field(default_factory=dict)
    network: DenseConfig | UNetConfig = field(default_factory=DenseConfig)
    window: WindowRecipe = field(default_factory=lambda: WindowRecipe(512, 64, 384))

    def __post_init__(self) -> None:
        if not self.bands:
            raise OptionError("a model needs a band, at least one")

    @property
    def normaliser(self) -> str:
        """The normaliser that goes with the network."""
        return "sky-noise" if isinstance(self.network, DenseConfig) else "joint-window"


@dataclass(frozen=True)
class AugmentOptions:
    """What is done to examples, so that a network sees more than was imaged.

    Shares are probabilities with which a thing is done to an example (or to a band of it).

    Parameters
    ----------
    flip : bool, optional
        Whether examples are mirrored and turned by right angles, at random.
    rotate : float, optional
        Share that is turned by any angle and scaled.
    scale : tuple of float, optional
        Range of the scale factor.
    misaligned : float, optional
        Share of bands, but for the first, that are shifted.
    misalign : float, optional
        Standard deviation of the shift along an axis, in pixels.
    blur : float, optional
        Share of bands that are convolved with a Gaussian.
    blur_sigma : float, optional
        Largest standard deviation of the Gaussian, in pixels, at most 2: bands are often matched to
        the PSF of the widest.
    blur_first : float, optional
        The same of the first band, whose PSF tells point sources from the smallest galaxies.
    noise_scatter : float, optional
        Scatter between bands of how much the noise is raised, in dex.
    correlation : float, optional
        Largest weight of the neighbours of a pixel in the kernel that correlates added noise.
    smooth : float, optional
        Share of examples whose added noise is convolved with Gaussians, as that of images is that
        were matched to the PSF of another band.
    smooth_sigma : float, optional
        Largest standard deviation of these Gaussians, in pixels, at most 2.
    measured : bool, optional
        Whether the sky's level and noise are off as they are where they are measured with the
        sources in the image.
    sky_offset : float, optional
        Standard deviation of the residual of the sky's level, in units of the noise.
    noise_error : float, optional
        Standard deviation of the logarithm of the error with which the noise is measured.
    drop_band : float, optional
        Share of examples that some of the bands, though not all, are left out of.
    only_first : float, optional
        Share of examples that all bands but the first are left out of.
    swap_band : float, optional
        Share of the bands with alternatives that an alternative stands in for.
    mask : float, optional
        Share of examples of which parts are masked: bars, corners, holes.
    cosmic_rays : float, optional
        Share of bands with a few hot pixels.
    """

    flip: bool = True
    rotate: float = 0.25
    scale: tuple[float, float] = (0.9, 1.1)
    misaligned: float = 0.5
    misalign: float = 0.4
    blur: float = 0.3
    blur_sigma: float = 1.1
    blur_first: float = 0.4
    noise_scatter: float = 0.25
    correlation: float = 0.45
    smooth: float = 0.0
    smooth_sigma: float = 1.5
    measured: bool = True
    sky_offset: float = 0.1
    noise_error: float = 0.1
    drop_band: float = 0.4
    only_first: float = 0.1
    swap_band: float = 0.25
    mask: float = 0.25
    cosmic_rays: float = 0.1

    def __post_init__(self) -> None:
        shares = (
            "rotate",
            "misaligned",
            "blur",
            "smooth",
            "drop_band",
            "only_first",
            "swap_band",
            "mask",
            "cosmic_rays",
        )
        for name in shares:
            _check_range(name, getattr(self, name), 0, 1)
        if self.drop_band + self.only_first > 1:
            raise OptionError(
                "drop_band and only_first are shares of one whole: at most 1 together"
            )
        for name in (
            "misalign",
            "noise_scatter",
            "sky_offset",
            "noise_error",
        ):
            _check_range(name, getattr(self, name), 0, 10)
        # The kernels reach 4 pixels to each side: a wider Gaussian would be cut off.
        for name in ("blur_sigma", "blur_first", "smooth_sigma"):
            _check_range(name, getattr(self, name), 0, 2)
        _check_range("correlation", self.correlation, 0, 1)
        low, high = self.scale
        if not 0.1 <= low <= high <= 10:  # noqa: PLR2004
            raise OptionError(f"scale is {self.scale}; it is a range between 0.1 and 10")

    @classmethod
    def none(cls) -> "AugmentOptions":
        """Leave examples as they are.

        Returns
        -------
        AugmentOptions
            With every share and every width 0.
        """
        zero = {f.name: 0.0 for f in dataclasses.fields(cls) if f.type is float}
        return cls(flip=False, measured=False, scale=(1.0, 1.0), **zero)


@dataclass(frozen=True)
class LossOptions:
    """What is minimised.

    Parameters
    ----------
    kind : {'factorised', 'published'}, optional
        Cross-entropy of source against background plus that of the classes of sources, each
        weighted as below; or cross-entropy over all classes plus a Dice loss of the background,
        the loss of Hausen & Robertson (2020).
    detection : float, optional
        Factorised: weight of source against background.
    size_power : float, optional
        Factorised: the class of a pixel of a source of ``A`` pixels weighs ``A ** -size_power``.
    dice : float, optional
        Published: weight of the Dice loss; the cross-entropy has the rest of 1.
    background : float, optional
        Published: weight of a pixel of background relative to one of a source.
    """

    kind: Literal["factorised", "published"] = "factorised"
    detection: float = 3.0
    size_power: float = 0.5
    dice: float = 0.1
    background: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in {"factorised", "published"}:
            raise OptionError(f"the loss is {self.kind!r}; it is 'factorised' or 'published'")
        _check_range("detection", self.detection, 0, 1e6)
        _check_range("size_power", self.size_power, 0, 1)
        _check_range("dice", self.dice, 0, 1)
        _check_range("background", self.background, 0, 1e6)


@dataclass(frozen=True)
class TeacherOptions:
    """Another model, whose answers are learnt beside the labels (Hinton et al. 2015).

    The network learns to give both: what the labels say of the classes of sources, and what the
    teacher says of the same pixels, in as many more outputs. The model that is made has the
    weighted mean of the two, in logits, as its only answer. What is source and what is background
    is learnt from the labels.

    Parameters
    ----------
    model : str, optional
        Name of an installed model with the published architecture, or its folder; none if empty.
    share : float, optional
        Weight of the teacher's part in the mean.
    faintest : float, optional
        AB magnitude in the first band of the faintest sources that the teacher is asked about, in
        datasets that have magnitudes: of those that are fainter than what it was trained on, it
        knows less than the labels do. Its part learns the labels there.
    """

    model: str = ""
    share: float = 0.5
    faintest: float = 24.5

    def __post_init__(self) -> None:
        _check_range("share", self.share, 0, 1)
        _check_range("faintest", self.faintest, -100, 100)


@dataclass(frozen=True)
class OptimiserOptions:
    """How it is minimised: AdamW, a rise and a cosine fall of the learning rate.

    Parameters
    ----------
    epochs : int, optional
        An epoch is `steps` steps; after each, the network is validated and the state is saved.
    steps : int, optional
        Steps of an epoch.
    batch : int, optional
        Examples of a step, on each device.
    crop : int, optional
        Side of what is cut out of an example, in pixels.
    learning_rate : float, optional
        The highest.
    weight_decay : float, optional
        Of AdamW.
    warmup : int, optional
        Steps over which the learning rate rises.
    precision : {'float32', 'bfloat16'}, optional
        Arithmetic of the network; weights are float32 in any case.
    """

    epochs: int = 20
    steps: int = 250
    batch: int = 8
    crop: int = 160
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 200
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        for name, highest in (("epochs", 10**6), ("steps", 10**7), ("batch", 10**5)):
            _check_whole(name, getattr(self, name), 1, highest)
        _check_whole("crop", self.crop, 8, 4096)
        _check_whole("warmup", self.warmup, 0, 10**7)
        _check_range("learning_rate", self.learning_rate, 1e-12, 10)
        _check_range("weight_decay", self.weight_decay, 0, 10)
        if self.precision not in {"float32", "bfloat16"}:
            raise OptionError(f"the precision is {self.precision!r}; it is 'float32' or 'bfloat16'")

    @property
    def total(self) -> int:
        """Number of all steps."""
        return self.epochs * self.steps


@dataclass(frozen=True)
class ValidationOptions:
    """How a network is judged while it is trained.

    Parameters
    ----------
    share : float, optional
        Of each dataset, by fields or areas of sky, that is kept for validation and calibration.
    examples : int, optional
        Number of crops that it is judged on.
    patience : int, optional
        Training ends when the validation loss has not fallen for so many epochs; 0: never.
    """

    share: float = 0.1
    examples: int = 64
    patience: int = 0

    def __post_init__(self) -> None:
        _check_range("share", self.share, 0.001, 0.9)
        _check_whole("examples", self.examples, 1, 10**6)
        _check_whole("patience", self.patience, 0, 10**6)


@dataclass(frozen=True)
class TrainOptions:
    """All about a training: with the data, it gives the same model again.

    Parameters
    ----------
    name : str
        Of the model that is made.
    data : tuple of DataOptions
        What it is trained on.
    seed : int, optional
        Of weights, order and augmentation.
    start : str, optional
        Model to start from (fine-tuning), by its name or as a folder, in a file relative to the
        file; by default, random weights.
    model : ModelOptions, optional
        What is made. With `start`, it must be the model's.
    detection : DetectionThresholds, optional
        From which probability on pixels are sources, unless `morpheus segment` is told otherwise.
        With `start`, those of the model if they are the default ones.
    augment : AugmentOptions, optional
        What is done to the examples.
    loss : LossOptions, optional
        What is minimised.
    teacher : TeacherOptions, optional
        A model to learn from beside the labels.
    optimiser : OptimiserOptions, optional
        How.
    validation : ValidationOptions, optional
        How it is judged.
    """

    name: str
    data: tuple[DataOptions, ...]
    seed: int = 0
    start: str = ""
    model: ModelOptions = field(default_factory=ModelOptions)
    detection: DetectionThresholds = field(default_factory=DetectionThresholds)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    teacher: TeacherOptions = field(default_factory=TeacherOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    validation: ValidationOptions = field(default_factory=ValidationOptions)

    def __post_init__(self) -> None:
        if not self.data:
            raise OptionError("there is nothing to train on: give a dataset")
        if not any(one.share > 0 for one in self.data if not one.added):
            raise OptionError(
                "every dataset has the share 0, or is added to others: there is nothing to train on"
            )
        if self.teacher.model and self.loss.kind != "factorised":
            raise OptionError("with a teacher, the loss must be 'factorised'")
        _check_whole("seed", self.seed, 0, 2**31 - 1)
        side = 2**self.model.network.depth
        if self.optimiser.crop % side:
            raise OptionError(
                f"the crop is {self.optimiser.crop} pixels; this network needs a multiple of {side}"
            )
        if isinstance(self.model.network, UNetConfig):
            self._check_published()

    def _check_published(self) -> None:
        if self.optimiser.crop != self.model.window.size:
            raise OptionError(
                f"the published architecture is trained on its windows: crop must be"
                f" {self.model.window.size}"
            )
        if self.augment.drop_band or self.augment.only_first:
            raise OptionError(
                "the published architecture cannot do without a band: drop_band and only_first"
                " must be 0"
            )

    def to_toml(self) -> str:
        """Write as TOML.

        Returns
        -------
        str
            What `read_options` reads.
        """
        record = dataclasses.asdict(self)
        kind = "dense" if isinstance(self.model.network, DenseConfig) else "unet"
        record["model"]["network"] = {"kind": kind, **record["model"]["network"]}
        return tomli_w.dumps(record)


def read_options(path: Path) -> TrainOptions:
    """Read a configuration.

    Parameters
    ----------
    path : Path
        A TOML file with the fields of `TrainOptions`. Paths of datasets are relative to it.

    Returns
    -------
    TrainOptions
        Validated; datasets by absolute paths.

    Raises
    ------
    OptionError
        If it cannot be read, lacks or adds a field, or a value is out of range; says where.
    """
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"cannot read the configuration {path}: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{path} is no TOML file: {error}") from error
    options: TrainOptions = _built(TrainOptions, record, str(path))
    here = path.resolve().parent
    data = tuple(
        dataclasses.replace(one, path=str(here / Path(one.path).expanduser()))
        for one in options.data
    )
    folder = here / Path(options.start).expanduser()
    start = str(folder) if options.start and folder.is_dir() else options.start
    folder = here / Path(options.teacher.model).expanduser()
    teacher = options.teacher
    if teacher.model and folder.is_dir():
        teacher = dataclasses.replace(teacher, model=str(folder))
    return dataclasses.replace(options, data=data, start=start, teacher=teacher)


def _built(kind: Any, record: Any, place: str) -> Any:
    """Make a dataclass of a table; `place` says in messages where it stands."""
    if not isinstance(record, Mapping):
        raise OptionError(f"{place}: expected a table, not {record!r}")
    known = typing.get_type_hints(kind)
    unknown = [name for name in record if name not in known]
    if unknown:
        raise OptionError(f"{place}: unknown {unknown[0]!r}; there are {', '.join(known)}")
    needed = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in needed if name not in record]
    if missing:
        raise OptionError(f"{place}: {missing[0]} is not given")
    values = {
        name: _value(known[name], value, f"{place}: {name}") for name, value in record.items()
    }
    try:
        return kind(**values)
    except MorpheusError as error:
        message = str(error)
        raise OptionError(
            message if message.startswith(place) else f"{place}: {message}"
        ) from error


def _value(kind: Any, value: Any, place: str) -> Any:
    """Check a value of TOML against a type."""
    if kind == DenseConfig | UNetConfig or dataclasses.is_dataclass(kind):
        return (
            _network(value, place)
            if kind == DenseConfig | UNetConfig
            else _built(kind, value, place)
        )
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list):
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(value):
            return tuple(_value(k, v, place) for k, v in zip(kinds, value, strict=True))
    elif origin is dict and isinstance(value, dict):
        return {key: _value(inner[1], one, f"{place}: {key}") for key, one in value.items()}
    elif kind is float and type(value) in {int, float}:
        return float(value)
    elif (origin is Literal and value in inner) or type(value) is kind:
        return value
    raise OptionError(f"{place} is {value!r}; expected {_named(kind)}")


def _named(kind: Any) -> str:
    """Say in words what a type of TOML is."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " or ".join(repr(one) for one in inner)
    if origin is tuple:
        number = "" if inner[-1] is Ellipsis else f"{len(inner)} of "
        return f"a list, {number}each {_named(inner[0])}"
    names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
    return names.get(kind, "a table")


def _network(value: Any, place: str) -> DenseConfig | UNetConfig:
    if not isinstance(value, dict) or value.get("kind", "dense") not in ("dense", "unet"):
        raise OptionError(f"{place}: expected a table with kind = 'dense' or 'unet', not {value!r}")
    rest = {name: one for name, one in value.items() if name != "kind"}
    kind = UNetConfig if value.get("kind") == "unet" else DenseConfig
    network: DenseConfig | UNetConfig = _built(kind, rest, place)
    return network


def _check_range(name: str, value: Any, lowest: float, highest: float) -> None:
    if type(value) not in {int, float} or not lowest <= value <= highest:
        raise OptionError(f"{name} is {value!r}; it is a number from {lowest:g} to {highest:g}")


def _check_whole(name: str, value: Any, lowest: int, highest: int) -> None:
    if type(value) is not int or not lowest <= value <= highest:
        raise OptionError(f"{name} is {value!r}; it is a whole number, {lowest} to {highest}")
