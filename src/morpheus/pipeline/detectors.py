"""What can be evaluated: models, other programs' detectors, and segmentation maps on disk."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from morpheus.errors import GridMismatchError, MosaicWarning, OptionError, ProductError
from morpheus.evaluate import Detections, KnownImage, measure_detections
from morpheus.evaluate.baselines import SETTINGS, photutils_labels, sep_labels
from morpheus.inference import Classification, InferenceOptions, preset
from morpheus.model import find_model, load_model
from morpheus.model.normalise import needs_sky
from morpheus.mosaic import same_unit
from morpheus.mosaic.choice import choose_bands
from morpheus.pipeline.classification import classify
from morpheus.segmentation import SEGMENTATION_FILE, Segmentation, SegmentationOptions, segment

__all__ = [
    "BASELINES",
    "Detector",
    "FixedLabels",
    "ModelDetector",
    "baseline",
    "check_detectors",
]

Image = NDArray[np.float32]


class Detector(ABC):
    """Finds sources in an image.

    Parameters
    ----------
    name : str
        What reports call it.
    description : str
        One sentence on what it is and how it was run.
    """

    def __init__(self, name: str, description: str) -> None:
        self.name, self.description = name, description

    @property
    def bands(self) -> tuple[str, ...]:
        """The bands that it needs, by name; without any, it takes the first of an image."""
        return ()

    def check_bands(self, bands: Sequence[str], what: str) -> None:
        """Check that an image has the bands that are needed.

        Parameters
        ----------
        bands : sequence of str
            Those of the image.
        what : str
            What a message calls it.

        Raises
        ------
        OptionError
            If one is missing.
        """
        known = {band.casefold() for band in bands}
        missing = [band for band in self.bands if band.casefold() not in known]
        if missing:
            raise OptionError(
                f"{self.name} needs {', '.join(missing)}, but {what} has {', '.join(bands)}"
            )

    @abstractmethod
    def detect(
        self, image: KnownImage, progress: Callable[[int, int], None] | None = None
    ) -> Detections:
        """Find the sources.

        Parameters
        ----------
        image : KnownImage
            The image; its truth is not looked at.
        progress : callable, optional
            Called with what is done and what there is to do.

        Returns
        -------
        Detections
            What was found.
        """


def check_detectors(detectors: Sequence[Detector]) -> None:
    """Check that there is something to evaluate, and that names tell detectors apart.

    Parameters
    ----------
    detectors : sequence of Detector
        What is evaluated.

    Raises
    ------
    OptionError
        If there is none, or two have one name.
    """
    names = [detector.name for detector in detectors]
    if not names:
        raise OptionError("there is nothing to evaluate: give a model, a baseline or a map")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise OptionError(f"two detectors have the name {twice.pop()}; name them NAME=MODEL")


class ModelDetector(Detector):
    """A model of Morpheus, with its segmentation.

    Parameters
    ----------
    model : str or Path
        Name of an installed model, or a model folder.
    inference : InferenceOptions or str, optional
        How the windows are placed and computed, or the name of a preset.
    segmentation : SegmentationOptions, optional
        How pixels become sources.
    name : str, optional
        What reports call it; by default the model's name.
    without : sequence of str, optional
        Bands that the model is not given, although the images have them.
    substitute : mapping of str to str, optional
        By band of the model, another one that it is given in its place.

    Raises
    ------
    ModelError
        If the model is not there or damaged.
    OptionError
        If the model needs all of its bands, or no other in their place; or none is left.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        inference: InferenceOptions | str = "exact",
        segmentation: SegmentationOptions | None = None,
        name: str | None = None,
        without: Sequence[str] = (),
        substitute: Mapping[str, str] | None = None,
    ) -> None:
        self.model, self.config = model, load_model(find_model(model)).config
        self.inference = preset(inference) if isinstance(inference, str) else inference
        self.segmentation = SegmentationOptions() if segmentation is None else segmentation
        self.without = tuple(self._band(band, "--without") for band in without)
        self.substitute = {
            self._band(band, "--instead"): self._alternative(band, other)
            for band, other in (substitute or {}).items()
        }
        both = [band for band in self.substitute if band in self.without]
        if both:
            raise OptionError(f"{both[0]} is left out, and {self.substitute[both[0]]} in its place")
        if not set(self.config.bands) - set(self.without):
            raise OptionError(f"without {', '.join(self.without)} no band of {model} is left")
        spacing = f"a window every {self.inference.stride**2} pixels"
        if self.config.is_dense:
            spacing = "every pixel seen once"
        elif self.inference.stride == 1:
            spacing = "a window at every pixel"
        bands = [f"without {', '.join(self.without)}"] if self.without else []
        bands += [f"{other} for {band}" for band, other in self.substitute.items()]
        super().__init__(
            name or self.config.name,
            "; ".join(
                [
                    f"network {self.config.name}, {spacing}, {self.inference.precision}",
                    *bands,
                    f"sources by {self.segmentation.method}",
                ]
            ),
        )

    def _band(self, name: str, option: str) -> str:
        """Name of a band in the model's spelling; refuse what the model does not take."""
        if not self.config.takes_missing_bands:
            raise OptionError(
                f"{self.config.name} needs all of its bands: {option} is for models that do not"
            )
        for band in self.config.bands:
            if band.casefold() == name.casefold():
                return band
        raise OptionError(f"{option} {name}: the bands are {', '.join(self.config.bands)}")

    def _alternative(self, band: str, other: str) -> str:
        """Name of a band in the place of another, in the model's spelling."""
        others = self.config.alternatives.get(self._band(band, "--instead"), ())
        for name in others:
            if name.casefold() == other.casefold():
                return name
        can = f"can be {', '.join(others)}" if others else "can be none"
        raise OptionError(f"--instead {band}={other}: in the place of {band} there {can}")

    @property
    def bands(self) -> tuple[str, ...]:
        """The model's bands."""
        return self.config.bands

    def check_bands(self, bands: Sequence[str], what: str) -> None:
        """Check that an image has the bands that are needed, or enough of them.

        Parameters
        ----------
        bands : sequence of str
            Those of the image.
        what : str
            What a message calls it.

        Raises
        ------
        OptionError
            If one is missing that cannot be, or all are.
        """
        self._chosen(bands, what)

    def _chosen(self, bands: Sequence[str], what: str) -> dict[str, str]:
        """Give the bands of an image that the model is given, by their names to the model."""
        if not self.config.takes_missing_bands:
            super().check_bands(bands, what)
            names = {band.casefold(): band for band in bands}
            return {band: names[band.casefold()] for band in self.config.bands}
        left_out = {name.casefold() for name in (*self.without, *self.substitute)}
        there = {name.casefold(): name for name in bands if name.casefold() not in left_out}
        alternatives = {
            band: (self.substitute[band],) if band in self.substitute else others
            for band, others in self.config.alternatives.items()
            if band not in self.without
        }
        missing = [other for other in self.substitute.values() if other.casefold() not in there]
        known = [*self.config.bands, *(name for names in alternatives.values() for name in names)]
        usable = [name for name in known if name.casefold() in there]
        if missing or not usable:
            needed = missing or [band for band in self.config.bands if band not in self.without]
            raise OptionError(
                f"{self.name} needs {' or '.join(needed)}, but {what} has {', '.join(bands)}"
            )
        choice = choose_bands(usable, self.config.bands, alternatives)
        return {name: there[name.casefold()] for name in choice.given}

    def detect(
        self, image: KnownImage, progress: Callable[[int, int], None] | None = None
    ) -> Detections:
        """Classify, find the sources and give them classes.

        Parameters
        ----------
        image : KnownImage
            With the model's bands.
        progress : callable, optional
            Called with the windows done and their number.

        Returns
        -------
        Detections
            With probabilities.

        Raises
        ------
        OptionError
            If the image lacks bands that the model needs.
        """
        bands = self._chosen(list(image.bands), image.name)
        strange = image.unit is not None and not same_unit(image.unit, self.config.unit)
        if strange and not needs_sky(self.config):
            warnings.warn(
                f"{image.name} is in {image.unit}, but {self.config.name} was trained on"
                f" {self.config.unit}: its classes mean little there",
                MosaicWarning,
                stacklevel=2,
            )
        found = classify(
            {band: (image.bands[name], image.wcs) for band, name in bands.items()},
            model=self.model,
            weights={
                band: image.weights[name] for band, name in bands.items() if name in image.weights
            },
            options=self.inference,
            progress=progress,
        )
        sources = segment(found, image.reference, options=self.segmentation)
        return measure_detections(
            sources.labels,
            image.reference,
            zero_point=image.zero_point,
            classification=found,
            statistic=sources.provenance["statistic"],
        )


class _Baseline(Detector):
    """A detector in one band, without classes."""

    def __init__(
        self, name: str, description: str, find: Callable[[Image, Image | None], NDArray[np.int32]]
    ) -> None:
        super().__init__(name, description)
        self._find = find

    def detect(
        self, image: KnownImage, progress: Callable[[int, int], None] | None = None
    ) -> Detections:
        """Find the sources in the reference band."""
        labels = self._find(image.reference, image.reference_weight)
        mask = None if image.reference_weight is None else image.reference_weight <= 0
        if progress is not None:
            progress(1, 1)
        return measure_detections(labels, image.reference, zero_point=image.zero_point, mask=mask)


BASELINES = {"sep": (sep_labels, "SExtractor's"), "photutils": (photutils_labels, "photutils'")}
"""The detectors of other programs, by name."""


def baseline(name: str) -> Detector:
    """Make the detector of another program.

    Parameters
    ----------
    name : str
        'sep' or 'photutils'.

    Returns
    -------
    Detector
        Without classes.

    Raises
    ------
    OptionError
        If it is unknown.
    """
    if name not in BASELINES:
        raise OptionError(f"unknown baseline {name!r}; known are {', '.join(BASELINES)}")
    find, whose = BASELINES[name]
    return _Baseline(name, f"{whose} detection {SETTINGS}", find)


class FixedLabels(Detector):
    """What was found before: a segmentation map, with class maps if they are in its folder.

    Parameters
    ----------
    name : str
        What reports call it.
    path : str or Path
        A segmentation map (FITS, any program's), or a folder that `morpheus run` made.

    Raises
    ------
    ProductError
        If there is no such map.
    """

    def __init__(self, name: str, path: str | Path) -> None:
        super().__init__(name, f"segmentation map {path}")
        self.path = Path(path)
        if not self.path.exists():
            raise ProductError(f"{path} is not there; --segmap takes NAME=FILE or NAME=FOLDER")

    def detect(
        self, image: KnownImage, progress: Callable[[int, int], None] | None = None
    ) -> Detections:
        """Read the map.

        Parameters
        ----------
        image : KnownImage
            On the same pixels.
        progress : callable, optional
            Called when it is done.

        Returns
        -------
        Detections
            With probabilities if class maps are there.

        Raises
        ------
        GridMismatchError
            If it has another shape than the image.
        """
        classification, statistic = None, "mean"
        if self.path.is_dir():
            classification = Classification.read(self.path)
            sources = Segmentation.read(self.path / SEGMENTATION_FILE)
            statistic = sources.provenance.get("statistic", statistic)
        labels = _first_plane(self.path) if classification is None else sources.labels
        if labels.shape != image.reference.shape:
            raise GridMismatchError(
                f"{self.path} has shape {labels.shape}, {image.name} {image.reference.shape} (y, x)"
            )
        if progress is not None:
            progress(1, 1)
        return measure_detections(
            labels,
            image.reference,
            zero_point=image.zero_point,
            classification=classification,
            statistic=statistic,
        )


def _first_plane(path: Path) -> NDArray[np.integer]:
    try:
        with fits.open(path) as hdus:
            for hdu in hdus:
                if hdu.is_image and hdu.data is not None and hdu.data.ndim == 2:  # noqa: PLR2004
                    return np.array(hdu.data)
    except (OSError, ValueError) as error:
        raise ProductError(f"cannot read {path}: {error}") from error
    raise ProductError(f"{path} holds no segmentation map of two dimensions")
