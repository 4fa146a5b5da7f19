"""What every task of a run needs to know, and what a process keeps open between tasks."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from morpheus.catalog import BandImage, CatalogOptions
from morpheus.catalog.images import errors_of
from morpheus.distributed.chunks import ChunkGrid
from morpheus.distributed.store import FieldStore
from morpheus.errors import OptionError
from morpheus.inference import ClassMaps, InferenceOptions, make_engine
from morpheus.inference.classification import single_votes
from morpheus.inference.engine import Engine
from morpheus.model import Model, ModelConfig, load_model
from morpheus.model.config import DetectionThresholds
from morpheus.mosaic.calibration import Calibration
from morpheus.mosaic.images import Section
from morpheus.mosaic.opened import OpenMosaic, Pixels, open_mosaic
from morpheus.mosaic.sky import SkyLevel
from morpheus.segmentation import SegmentationOptions

__all__ = [
    "SOURCES_TABLE",
    "FieldSpec",
    "Inputs",
    "StoredField",
    "devices",
    "forget_engine",
    "release",
]

SOURCES_TABLE = "sources"
"""The names of all sources, sorted: what `segment` calls them."""


@dataclass(frozen=True)
class Inputs:
    """The files of a field, which were found to be in order.

    Parameters
    ----------
    bands : tuple of str
        What they are called, in the order of the model's bands.
    images : mapping of str to str
        By band, the file, perhaps with its HDU.
    weights, rms, dq : mapping of str to str
        Maps by band; empty if there are none.
    units : mapping of str to (str or None)
        Unit of the pixels by band.
    calibrations : mapping of str to Calibration
        Flux scale by band.
    identity : str
        Changes with any of the files.
    """

    bands: tuple[str, ...]
    images: Mapping[str, str]
    weights: Mapping[str, str]
    rms: Mapping[str, str]
    dq: Mapping[str, str]
    units: Mapping[str, str | None]
    calibrations: Mapping[str, Calibration]
    identity: str

    def open(self, bands: tuple[str, ...], stack: ExitStack) -> OpenMosaic:
        """Open bands until a stack is closed.

        Parameters
        ----------
        bands : tuple of str
            Which.
        stack : ExitStack
            What closes them.

        Returns
        -------
        OpenMosaic
            To read from.
        """
        images, *maps = (
            {band: by[band] for band in bands if band in by}
            for by in (self.images, self.weights, self.rms, self.dq)
        )
        weights, rms, dq = (one or None for one in maps)
        return stack.enter_context(
            open_mosaic(images, bands=bands, weights=weights, rms=rms, dq=dq, checked=True)
        )


@dataclass(frozen=True)
class FieldSpec:
    """What every task of a run needs to know.

    Parameters
    ----------
    store : str
        Folder of the store.
    grid : ChunkGrid
        How the field is divided.
    inputs : Inputs
        The files.
    origin : tuple of int
        Where the first pixel (y, x) of the field lies in the images.
    image_shape : tuple of int
        Size (y, x) of the images.
    model : str
        Folder of the model.
    weights_sha256 : str
        Digest of its weights.
    model_bands : tuple of str
        Bands of the model that `inputs.bands` stand for.
    skies : tuple of SkyLevel
        Sky of each band in the whole images; empty if the model needs none.
    inference : InferenceOptions
        How windows are placed and computed.
    segmentation : SegmentationOptions
        How pixels become sources.
    statistic : {'mean', 'votes'}
        Which probabilities sources are made from.
    thresholds : DetectionThresholds
        Of sources.
    catalog : CatalogOptions
        How sources are measured.
    single : bool, optional
        Whether no pixel was seen by more than one window; known when all are classified.
    """

    store: str
    grid: ChunkGrid
    inputs: Inputs
    origin: tuple[int, int]
    image_shape: tuple[int, int]
    model: str
    weights_sha256: str
    model_bands: tuple[str, ...]
    skies: tuple[SkyLevel, ...]
    inference: InferenceOptions
    segmentation: SegmentationOptions
    statistic: str
    thresholds: DetectionThresholds
    catalog: CatalogOptions
    single: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) of the field."""
        return self.grid.shape

    def in_images(self, section: Section) -> Section:
        """Give the place in the images of a section of the field.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        tuple of slice
            Rows and columns of the images.
        """
        rows, columns = (
            slice(part.start + start, part.stop + start)
            for part, start in zip(section, self.origin, strict=True)
        )
        return rows, columns


class _Kept(threading.local):
    """What a thread keeps open: neither open files nor an engine's requests can be shared."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.things: dict[Any, Any] = {}
        with _LOCK:
            _STACKS.append(self.stack)


_LOCK, _STACKS = threading.Lock(), list[ExitStack]()
_kept = _Kept()
_MOST_KEPT = 16  # of a long-lived worker that serves many runs


def release() -> None:
    """Close what tasks in this process have left open; they open it again when they need it."""
    global _kept  # noqa: PLW0603 (other threads' things cannot be reached but through it)
    with _LOCK:
        stacks, _STACKS[:] = list(_STACKS), []
    for stack in stacks:
        stack.close()
    _kept = _Kept()


def forget_engine() -> None:
    """Let go of what evaluates the network, whose memory other tasks need."""
    for key in [key for key in _kept.things if isinstance(key, _EngineKey)]:
        del _kept.things[key]


class _EngineKey(NamedTuple):
    weights_sha256: str
    options: InferenceOptions


def _keep(key: Any, make: Any) -> Any:
    """Give what was made before, or make it."""
    if key not in _kept.things:
        if len(_kept.things) >= _MOST_KEPT:
            _kept.stack.close()
            _kept.things.clear()
        _kept.things[key] = make(_kept.stack)
    return _kept.things[key]


def devices(device: str) -> tuple[str, ...]:
    """Read a list of devices.

    Parameters
    ----------
    device : str
        Such as 'cpu', 'cuda', 'cuda:1' or 'cuda:0,1'.

    Returns
    -------
    tuple of str
        One or more, such as ('cuda:0', 'cuda:1').

    Raises
    ------
    OptionError
        If it is no such list.
    """
    kind, _, numbers = device.partition(":")
    if "," not in numbers:
        return (device,)
    listed = numbers.split(",")
    if not all(number.isdecimal() for number in listed) or len(set(listed)) < len(listed):
        raise OptionError(f"device {device!r}: several are written as {kind}:0,1")
    return tuple(f"{kind}:{number}" for number in listed)


class StoredField:
    """The pixels of a field, from the images and from what is stored of it.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    """

    def __init__(self, spec: FieldSpec) -> None:
        self.spec = spec
        self.store = FieldStore(spec.store, spec.grid)

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) of the field in pixels."""
        return self.spec.shape

    def model(self) -> tuple[Model, Engine]:
        """Give the model and what evaluates it: by one thread, as every task is one.

        Returns
        -------
        model : Model
            The model.
        engine : Engine
            On the device of this worker.
        """
        choice = devices(self.spec.inference.device)
        options = replace(
            self.spec.inference, threads=1, device=choice[_worker_number() % len(choice)]
        )
        engine: Engine = _keep(
            _EngineKey(self.spec.weights_sha256, options),
            lambda _: make_engine(self._model, options),
        )
        return self._model, engine

    @property
    def _model(self) -> Model:
        key = (self.spec.model, self.spec.weights_sha256)
        model: Model = _keep(key, lambda _: load_model(Path(self.spec.model)))
        return model

    @property
    def config(self) -> ModelConfig:
        """Configuration of the model."""
        return self._model.config

    def pixels(self, section: Section, bands: tuple[str, ...] | None = None) -> Pixels:
        """Read images.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the *images*.
        bands : tuple of str, optional
            Which; by default those that are classified.

        Returns
        -------
        Pixels
            Their pixels.
        """
        inputs = self.spec.inputs
        bands = inputs.bands if bands is None else bands
        files = tuple(
            (band, *(by.get(band) for by in (inputs.images, inputs.weights, inputs.rms, inputs.dq)))
            for band in bands
        )
        opened: OpenMosaic = _keep(
            (inputs.identity, files), lambda stack: inputs.open(bands, stack)
        )
        return opened.read(section, partial=True)

    def probabilities(self, section: Section) -> ClassMaps:
        """Give the class probabilities that sources are made from.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        ClassMaps
            NaN where nothing was classified.
        """
        classes = self.config.classes
        if self.spec.statistic == "votes" and self.spec.single:
            return single_votes(ClassMaps(classes, self.store.read("mean", section)))
        return ClassMaps(classes, self.store.read(self.spec.statistic, section))

    def some(self, section: Section, classes: tuple[str, ...]) -> ClassMaps:
        """Give the probabilities of some classes, without reading the others.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.
        classes : tuple of str
            Which; those that the model does not know are left out.

        Returns
        -------
        ClassMaps
            NaN where nothing was classified.
        """
        known = tuple(name for name in classes if name in self.config.classes)
        if self.spec.statistic == "votes" and self.spec.single:
            maps = self.probabilities(section)
            return ClassMaps(known, np.stack([maps[name] for name in known]))
        planes = [
            self.store.read(self.spec.statistic, section, self.config.classes.index(name))
            for name in known
        ]
        return ClassMaps(known, np.stack(planes))

    def scatter(self, section: Section) -> ClassMaps | None:
        """Give the variances of the probabilities.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        ClassMaps or None
            None if no pixel of the field was seen twice.
        """
        config = self.config
        if self.spec.single:
            return None
        if self.spec.statistic == "mean":
            return ClassMaps(config.classes, self.store.read("variance", section))
        votes = self.store.read("votes", section)
        return ClassMaps(config.classes, votes * (1 - votes))

    def valid(self, section: Section) -> NDArray[np.bool_]:
        """Tell which pixels were classified.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        ndarray of bool, shape (y, x)
            True where they were.
        """
        return self.store.read("n", section, 0) > 0

    def masked(self, section: Section) -> NDArray[np.bool_]:
        """Tell where there is neither source nor sky.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        ndarray of bool, shape (y, x)
            True where a pixel is masked or was not classified.
        """
        return ~self.valid(section)

    def invalid(self, section: Section) -> NDArray[np.bool_]:
        """Tell which pixels are masked in any band.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        ndarray of bool, shape (y, x)
            True where they are.
        """
        return self.store.read("mask", section, 0) > 0

    def band(self, name: str, section: Section) -> BandImage:
        """Give a section of a band.

        Parameters
        ----------
        name : str
            The band.
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        BandImage
            Its pixels, errors and mask.
        """
        inputs = self.spec.inputs
        pixels = self.pixels(self.spec.in_images(section), (name,))
        return BandImage(
            band=name,
            data=pixels.data[0],
            error=None if pixels.weight is None else errors_of(pixels.weight[0]),
            mask=pixels.mask,
            unit=inputs.units[name],
            calibration=inputs.calibrations[name],
        )

    def labels(self, section: Section) -> NDArray[np.int32]:
        """Give the sources of a section.

        Parameters
        ----------
        section : tuple of slice
            Rows and columns of the field.

        Returns
        -------
        ndarray of int32, shape (y, x)
            0 for the sky, 1 to N for the sources in the order in which they are met row by row.
        """
        stored = self.store.read("sources", section, 0)
        labels = np.zeros(stored.shape, np.int32)
        source = stored > 0
        labels[source] = np.searchsorted(self._names, stored[source]) + 1
        return labels

    @cached_property
    def _names(self) -> NDArray[np.int64]:
        """The names of all sources, sorted."""
        return self.store.table(SOURCES_TABLE)["name"]


def _worker_number() -> int:
    """Count the workers of a local cluster, for as many devices; 0 elsewhere."""
    from distributed import get_worker  # noqa: PLC0415 (a second, and not for a serial run)

    try:
        name = str(get_worker().name)
    except ValueError:  # no worker
        return 0
    return int(name) if name.isdecimal() else 0
