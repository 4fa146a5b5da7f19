"""The pixels of a field, from its images and from what is stored of it."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from morpheus.catalog import BandImage
from morpheus.catalog.images import errors_of
from morpheus.distributed.kept import KEPT
from morpheus.distributed.spec import SOURCES_TABLE, FieldSpec, devices
from morpheus.distributed.store import FieldStore
from morpheus.inference import ClassMaps, InferenceOptions, make_engine
from morpheus.inference.classification import single_votes
from morpheus.inference.engine import Engine
from morpheus.model import Model, ModelConfig, load_model
from morpheus.mosaic.images import Section
from morpheus.mosaic.opened import OpenMosaic, Pixels

__all__ = ["EngineKey", "StoredField"]


class EngineKey(NamedTuple):
    """What an engine that is kept was made from.

    Parameters
    ----------
    weights_sha256 : str
        Digest of the model's weights.
    options : InferenceOptions
        Device, precision and batch size.
    """

    weights_sha256: str
    options: InferenceOptions


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
        engine: Engine = KEPT.give(
            EngineKey(self.spec.weights_sha256, options),
            lambda _: make_engine(self._model, options),
        )
        return self._model, engine

    @property
    def _model(self) -> Model:
        key = (self.spec.model, self.spec.weights_sha256)
        model: Model = KEPT.give(key, lambda _: load_model(Path(self.spec.model)))
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
        key = (inputs.identity, files)
        opened: OpenMosaic = KEPT.give(key, lambda stack: inputs.open(bands, stack))
        return opened.read(section, partial=True)

    def probabilities(self, section: Section) -> ClassMaps:  # numpydoc ignore=PR01,RT01
        """Give the class probabilities that sources are made from; see `FieldPixels`."""
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

    def scatter(self, section: Section) -> ClassMaps | None:  # numpydoc ignore=PR01,RT01
        """Give the variances of the probabilities; see `FieldPixels`."""
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

    def masked(self, section: Section) -> NDArray[np.bool_]:  # numpydoc ignore=PR01,RT01
        """Tell where there is neither source nor sky; see `FieldPixels`."""
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

    def band(self, name: str, section: Section) -> BandImage:  # numpydoc ignore=PR01,RT01
        """Give a section of a band; see `FieldPixels`."""
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

    def labels(self, section: Section) -> NDArray[np.int32]:  # numpydoc ignore=PR01,RT01
        """Give the sources of a section; see `FieldPixels`."""
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
