"""What a model is, as data: bands, network, normaliser and window recipe, to and from JSON."""

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from astropy import units as u

from morpheus.classes import CLASS_NAMES
from morpheus.errors import ModelError

__all__ = [
    "FORMAT_VERSION",
    "DenseConfig",
    "DetectionThresholds",
    "ModelConfig",
    "Network",
    "UNetConfig",
    "WindowRecipe",
]

FORMAT_VERSION = 1

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Far beyond what makes sense; a damaged configuration does not ask for terabytes.
_LARGEST_WINDOW, _MOST_FILTERS, _MOST_CONVOLUTIONS = 8192, 8192, 64
_MOST_LEVELS = 8


@dataclass(frozen=True)
class WindowRecipe:
    """How an image is cut into the windows that the network sees.

    Parameters
    ----------
    size : int
        Side of a window in pixels.
    margin : int
        Outer pixels of a window's output that do not count.
    stride : int
        Distance between windows in pixels that the model was published with.
    """

    size: int
    margin: int
    stride: int

    def __post_init__(self) -> None:
        _check_whole("a window's size", self.size, 1, _LARGEST_WINDOW)
        _check_whole("a window's margin", self.margin, 0, _LARGEST_WINDOW)
        _check_whole("a window's stride", self.stride, 1, _LARGEST_WINDOW)
        if not 2 * self.margin < self.size:
            raise ModelError(
                f"a window of {self.size} pixels with a margin of {self.margin} owns no pixel"
            )
        if not 1 <= self.stride <= self.inner:
            raise ModelError(f"stride {self.stride} leaves gaps between windows of {self.inner}")

    @property
    def inner(self) -> int:
        """Side of the part of a window's output that counts, in pixels."""
        return self.size - 2 * self.margin


@dataclass(frozen=True)
class UNetConfig:
    """Shape of a U-Net; the defaults are the network of Hausen & Robertson (2020), section 3.2.

    Parameters
    ----------
    down_filters : tuple of int
        Filters of each contracting block; each is followed by a 2x2 maximum pooling.
    down_convolutions : int
        Convolutions in a contracting block.
    middle_filters : int
        Filters of the single convolution at the lowest resolution.
    up_filters : tuple of int
        Filters of each expanding block; as many blocks as `down_filters` has.
    up_convolutions : int
        Convolutions in an expanding block.
    batch_norm_epsilon : float
        The constant that batch normalisation adds to the variance.
    """

    down_filters: tuple[int, ...] = (8, 16, 32)
    down_convolutions: int = 4
    middle_filters: int = 16
    up_filters: tuple[int, ...] = (8, 16, 32)
    up_convolutions: int = 2
    batch_norm_epsilon: float = 1e-3

    def __post_init__(self) -> None:
        if len(self.down_filters) != len(self.up_filters) or not self.down_filters:
            raise ModelError("a U-Net needs as many expanding as contracting blocks, at least one")
        for filters in (*self.down_filters, *self.up_filters, self.middle_filters):
            _check_whole("a number of filters", filters, 1, _MOST_FILTERS)
        for convolutions in (self.down_convolutions, self.up_convolutions):
            _check_whole("a number of convolutions", convolutions, 1, _MOST_CONVOLUTIONS)
        _check_positive("the constant of batch normalisation", self.batch_norm_epsilon)

    @property
    def depth(self) -> int:
        """Number of times that the resolution is halved."""
        return len(self.down_filters)

    @property
    def multiple(self) -> int:
        """What the sides of a window are multiples of, in pixels."""
        return 1 << self.depth

    @property
    def context(self) -> int:
        """How far the last expanding block and the head reach beyond an output pixel."""
        return self.up_convolutions + 1

    def block_channels(self, n_bands: int) -> dict[str, tuple[int, int]]:
        """Input and output channels of each normalised convolution.

        Parameters
        ----------
        n_bands : int
            Number of input bands.

        Returns
        -------
        dict of str to (int, int)
            Keyed by the name that the block's weights carry, in the order of evaluation.
        """
        channels: dict[str, tuple[int, int]] = {}
        width = n_bands
        for i, filters in enumerate(self.down_filters):
            for j in range(self.down_convolutions):
                channels[f"down.{i}.{j}"] = (width, filters)
                width = filters
        channels["middle"] = (width, self.middle_filters)
        width = self.middle_filters
        for i, (filters, skip) in enumerate(
            zip(self.up_filters, reversed(self.down_filters), strict=True)
        ):
            width += skip
            for j in range(self.up_convolutions):
                channels[f"up.{i}.{j}"] = (width, filters)
                width = filters
        return channels

    def parameter_shapes(self, n_bands: int, n_classes: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored array of the network.

        Parameters
        ----------
        n_bands, n_classes : int
            Number of input bands and output classes.

        Returns
        -------
        dict of str to tuple of int
            Names as in `weights.safetensors` and in the PyTorch module's state.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        filters = n_bands
        for name, (n_in, filters) in self.block_channels(n_bands).items():
            for statistic in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{name}.norm.{statistic}"] = (n_in,)
            shapes[f"{name}.conv.weight"] = (filters, n_in, 3, 3)
            shapes[f"{name}.conv.bias"] = (filters,)
        shapes["head.weight"] = (n_classes, filters, 3, 3)
        shapes["head.bias"] = (n_classes,)
        return shapes


@dataclass(frozen=True)
class DenseConfig:
    """Shape of a network that gives every pixel of a large window its class at once.

    An encoder and a decoder from half the resolution of the image on: a strided convolution, then
    levels of 3x3 convolutions, each at half the resolution of the one before; on the way up, what
    was seen at a lower resolution is added to what was seen at the higher. The last convolution
    gives the logits of the four pixels that a pixel of half the resolution stands for. Each
    convolution but the last is followed by batch normalisation and ReLU; where it has as many
    filters as its input, that is added to the result (He et al. 2016, arXiv:1512.03385).

    The input is two planes for each band: its normalised pixels, 0 where there are none, and 1
    where there are pixels and 0 where there are not. So any band, and any pixel, may be missing.

    Parameters
    ----------
    widths : tuple of int
        Filters at each level; the first is at half the resolution of the image.
    down_convolutions : tuple of int
        Convolutions of each level on the way down; by default two.
    up_convolutions : int
        Convolutions of a level on the way up.
    batch_norm_epsilon : float
        The constant that batch normalisation adds to the variance.
    """

    widths: tuple[int, ...] = (16, 32, 64, 128)
    down_convolutions: tuple[int, ...] = ()
    up_convolutions: int = 1
    batch_norm_epsilon: float = 1e-3

    def __post_init__(self) -> None:
        if not isinstance(self.widths, tuple) or not 1 <= len(self.widths) <= _MOST_LEVELS:
            raise ModelError(f"a dense network has 1 to {_MOST_LEVELS} levels")
        for filters in self.widths:
            _check_whole("a number of filters", filters, 1, _MOST_FILTERS)
        if self.down_convolutions == ():
            object.__setattr__(self, "down_convolutions", (2,) * len(self.widths))
        if not isinstance(self.down_convolutions, tuple) or len(self.down_convolutions) != len(
            self.widths
        ):
            raise ModelError(
                f"a dense network of {len(self.widths)} levels needs as many numbers of"
                f" convolutions on the way down, not {self.down_convolutions!r}"
            )
        for convolutions in (*self.down_convolutions, self.up_convolutions):
            _check_whole("a number of convolutions", convolutions, 1, _MOST_CONVOLUTIONS)
        _check_positive("the constant of batch normalisation", self.batch_norm_epsilon)

    @property
    def depth(self) -> int:
        """Number of times that the resolution is halved."""
        return len(self.widths)

    @property
    def multiple(self) -> int:
        """What the sides of a window are multiples of, in pixels."""
        return 1 << self.depth

    @property
    def reach(self) -> int:
        """How far from a pixel what decides on it can lie, in pixels, rounded up."""
        # A 3x3 convolution reaches one pixel of its level; pooling and up-sampling up to one more.
        levels = range(self.depth)
        down: int = sum(2 ** (i + 1) * (self.down_convolutions[i] + 1) for i in levels)
        up: int = sum(2 ** (i + 1) * (self.up_convolutions + 1) for i in levels[:-1])
        return down + up + 2

    def normalised_convolutions(self, n_bands: int) -> dict[str, tuple[int, int, int]]:
        """Input and output channels and size of each convolution that is normalised.

        Parameters
        ----------
        n_bands : int
            Number of input bands.

        Returns
        -------
        dict of str to (int, int, int)
            Keyed by the name that its weights carry, in the order of evaluation.
        """
        layers: dict[str, tuple[int, int, int]] = {}
        width = 2 * n_bands
        for i, filters in enumerate(self.widths):
            for j in range(self.down_convolutions[i]):
                layers[f"down.{i}.{j}"] = (width, filters, 4 if i == j == 0 else 3)
                width = filters
        for i in reversed(range(self.depth - 1)):
            filters = self.widths[i]
            for j in range(self.up_convolutions):
                layers[f"up.{i}.{j}"] = (filters, filters, 3)
        return layers

    def parameter_shapes(self, n_bands: int, n_classes: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every stored array of the network.

        Parameters
        ----------
        n_bands, n_classes : int
            Number of input bands and output classes.

        Returns
        -------
        dict of str to tuple of int
            Names as in `weights.safetensors` and in the PyTorch module's state.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        for name, (n_in, filters, side) in self.normalised_convolutions(n_bands).items():
            shapes[f"{name}.conv.weight"] = (filters, n_in, side, side)
            for statistic in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{name}.norm.{statistic}"] = (filters,)
        for i in range(self.depth - 1):
            shapes[f"lateral.{i}.weight"] = (self.widths[i], self.widths[i + 1], 1, 1)
            shapes[f"lateral.{i}.bias"] = (self.widths[i],)
        shapes["head.weight"] = (4 * n_classes, self.widths[0], 3, 3)
        shapes["head.bias"] = (4 * n_classes,)
        return shapes


Network: TypeAlias = UNetConfig | DenseConfig
"""The shapes of networks."""

_KINDS: dict[str, type[UNetConfig | DenseConfig]] = {"unet": UNetConfig, "dense": DenseConfig}


@dataclass(frozen=True)
class DetectionThresholds:
    """From which probability on a model's pixels are taken for sources.

    Parameters
    ----------
    seed : float
        P(source) that a source reaches somewhere.
    grow : float
        Its pixels have a larger P(source) than this.
    min_area : int
        Smallest number of pixels of a source.
    """

    seed: float = 0.6
    grow: float = 0.5
    min_area: int = 8

    def __post_init__(self) -> None:
        for name in ("seed", "grow"):
            value = getattr(self, name)
            if type(value) not in {int, float} or not 0 <= value <= 1:
                raise ModelError(f"the threshold {name} is {value!r}; it is a number from 0 to 1")
        if self.grow > self.seed:
            raise ModelError(f"the threshold seed, {self.seed}, is below grow, {self.grow}")
        _check_whole("the smallest area of a source", self.min_area, 1, 1_000_000)


@dataclass(frozen=True)
class ModelConfig:
    """Everything about a model but the values of its weights.

    Parameters
    ----------
    name : str
        How users call the model.
    bands : tuple of str
        The bands in the order of the network's input channels.
    pixel_scale : float
        Pixel scale in arcsec that the model was trained at.
    unit : str
        Unit of the images that the model was trained on, as astropy writes it.
    window : WindowRecipe
        How images are cut.
    normaliser : str
        Key of `morpheus.model.normalise.NORMALISERS`.
    network : UNetConfig or DenseConfig
        Shape of the network.
    classes : tuple of str
        The classes in the order of the output channels.
    detection : DetectionThresholds
        What its probabilities mean for the detection of sources.
    alternatives : dict of str to tuple of str
        By band, others that may take its place, in the order of preference.
    weights_sha256 : str
        Checksum of `weights.safetensors`, in hexadecimal digits.
    """

    name: str
    bands: tuple[str, ...]
    pixel_scale: float
    unit: str
    window: WindowRecipe
    normaliser: str = "joint-window"
    network: Network = dataclasses.field(default_factory=UNetConfig)
    classes: tuple[str, ...] = CLASS_NAMES
    detection: DetectionThresholds = dataclasses.field(default_factory=DetectionThresholds)
    alternatives: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    weights_sha256: str = ""

    def __post_init__(self) -> None:
        if self.window.size % self.network.multiple:
            raise ModelError(
                f"a window of {self.window.size} pixels cannot be halved {self.network.depth} times"
            )
        # Names become folders, files and FITS cards, so they are plain words.
        for kind, names in (
            ("name", (self.name,)),
            ("bands", self.bands),
            ("classes", self.classes),
        ):
            plain = isinstance(names, tuple) and all(
                isinstance(name, str) and _PLAIN.fullmatch(name) for name in names
            )
            if not plain or not names or len(set(names)) != len(names):
                raise ModelError(
                    f"a model needs distinct {kind} of letters, digits, '.', '_' and '-',"
                    f" not {names!r}"
                )
        _check_positive("the pixel scale", self.pixel_scale)
        self._check_dense()
        self._check_alternatives()
        try:
            u.Unit(self.unit)
        except (ValueError, TypeError) as error:
            raise ModelError(f"the unit {self.unit!r} is none that astropy knows") from error

    def _check_dense(self) -> None:
        if not self.is_dense:
            return
        if self.normaliser != "sky-noise":
            raise ModelError(
                f"a dense network's input is made by the normaliser 'sky-noise', not"
                f" {self.normaliser!r}"
            )
        if self.window.stride != self.window.inner:
            raise ModelError(
                f"the windows of a dense network lie side by side: their stride is"
                f" {self.window.inner}, the part of a window that counts, not {self.window.stride}"
            )

    def _check_alternatives(self) -> None:
        if not isinstance(self.alternatives, dict) or not set(self.alternatives) <= {*self.bands}:
            raise ModelError("alternatives are lists of bands by a band of the model")
        others = [name for names in self.alternatives.values() for name in names]
        plain = all(isinstance(name, str) and _PLAIN.fullmatch(name) for name in others)
        if not plain or len({*others, *self.bands}) != len(others) + len(self.bands):
            raise ModelError(f"the alternatives {others!r} are not distinct names of other bands")
        if others and not self.takes_missing_bands:
            raise ModelError("only a dense network takes other bands in the place of its own")

    @property
    def is_dense(self) -> bool:
        """Whether each pixel is seen once, in windows that lie side by side."""
        return isinstance(self.network, DenseConfig)

    @property
    def takes_missing_bands(self) -> bool:
        """Whether the network does with any of its bands missing."""
        return isinstance(self.network, DenseConfig)

    def to_json(self) -> str:
        """Serialise for `config.json`.

        Returns
        -------
        str
            Indented JSON.
        """
        record = {"format": FORMAT_VERSION, **self.as_dict()}
        return json.dumps(record, indent=2) + "\n"

    def as_dict(self) -> dict[str, Any]:
        """Give all fields as plain values, the kind of the network among them.

        Returns
        -------
        dict
            For reports, and for `config.json`.
        """
        kind = next(name for name, made in _KINDS.items() if type(self.network) is made)
        return dataclasses.asdict(self) | {
            "network": {"kind": kind, **dataclasses.asdict(self.network)}
        }

    @classmethod
    def from_json(cls, text: str) -> "ModelConfig":
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str
            The contents of a `config.json`.

        Returns
        -------
        ModelConfig
            The configuration, validated.

        Raises
        ------
        ModelError
            If the text is no JSON, is of a newer format, or lacks or adds a field.
        """
        try:
            record: dict[str, Any] = json.loads(text)
            version = record.pop("format")
            if version != FORMAT_VERSION:
                raise ModelError(
                    f"config.json has format {version}; this version of Morpheus reads"
                    f" {FORMAT_VERSION}: upgrade morpheus-sky"
                )
            network = record.pop("network")
            kind = network.pop("kind", "unet")  # the only one when the format was made
            if kind not in _KINDS:
                raise ModelError(f"config.json has a network of the unknown kind {kind!r}")
            alternatives = record.pop("alternatives", {})
            return cls(
                network=_KINDS[kind](**{k: _tuples(v) for k, v in network.items()}),
                alternatives={band: _tuples(names) for band, names in alternatives.items()},
                window=WindowRecipe(**record.pop("window")),
                detection=DetectionThresholds(**record.pop("detection", {})),
                **{k: _tuples(v) for k, v in record.items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ModelError(f"config.json is not a model configuration: {error}") from error


def _check_whole(what: str, value: Any, lowest: int, highest: int) -> None:
    if type(value) is not int or not lowest <= value <= highest:
        raise ModelError(f"{what} is {value!r}; it is a whole number, {lowest} to {highest}")


def _check_positive(what: str, value: Any) -> None:
    if type(value) not in {int, float} or not 0 < value < math.inf:
        raise ModelError(f"{what} is {value!r}; it is a positive number")


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
