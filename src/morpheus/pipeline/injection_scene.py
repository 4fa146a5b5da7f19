"""The images that sources are injected into, and the sources."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.catalog import BandImage
from morpheus.catalog.background import measure_sky
from morpheus.errors import MosaicWarning, OptionError, missing_package
from morpheus.evaluate import KnownImage, Truth
from morpheus.mosaic.grid import check_same_shape, check_same_sky
from morpheus.mosaic.scale import pixel_scale
from morpheus.pipeline.injection_options import InjectionOptions

if TYPE_CHECKING:
    from morpheus.simulate.bands import Survey
    from morpheus.simulate.sources import Source

__all__ = ["Scene", "prepare_scene"]

Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scene:
    """Images, and what goes into them.

    Parameters
    ----------
    images : list of BandImage
        As they are, the reference band first.
    survey : Survey
        With the bands, zero points, PSFs and pixels of the images.
    passes : list of list of Source
        What is injected at a time.
    mag : tuple of float
        AB magnitudes in the reference band, from which they were drawn.
    weights : mapping of str to ndarray, shape (y, x)
        Inverse variances by band; 0 where a pixel is masked.
    """

    images: list[BandImage]
    survey: "Survey"
    passes: "list[list[Source]]"
    mag: tuple[float, float]
    weights: Mapping[str, Image]

    def planes(self) -> list[Image]:
        """Copy the pixels.

        Returns
        -------
        list of ndarray of float32, shape (y, x)
            A band each; NaN where it is masked.
        """
        return [np.where(one.invalid(), np.float32(np.nan), one.data) for one in self.images]

    def image(self, name: str, planes: Sequence[Image], truth: Truth) -> KnownImage:
        """Make an image of other pixels.

        Parameters
        ----------
        name : str
            What reports call it.
        planes : sequence of ndarray of float32, shape (y, x)
            A band each.
        truth : Truth
            What is known of it.

        Returns
        -------
        KnownImage
            With the weights, coordinates and units of the images.
        """
        first = self.images[0]
        return KnownImage(
            name,
            {one.band: plane for one, plane in zip(self.images, planes, strict=True)},
            truth,
            weights=self.weights,
            wcs=first.wcs,
            unit=first.unit,
            zero_point=self.survey.bands[0].zero_point,
        )


def prepare_scene(images: list[BandImage], options: InjectionOptions) -> Scene:
    """Draw what goes into images.

    Parameters
    ----------
    images : list of BandImage
        The images, the reference band first.
    options : InjectionOptions
        What is injected.

    Returns
    -------
    Scene
        The images and the sources.

    Raises
    ------
    GridMismatchError
        If the images do not lie on the same pixels.
    OptionError
        If simulation is not installed, no survey has the bands, a zero point or the pixel scale is
        not known, a PSF cannot be used, or sources can be nowhere.
    """
    try:
        from morpheus.simulate import imaged, injection  # noqa: PLC0415 (of the simulate extra)
    except ModuleNotFoundError as error:
        raise missing_package(error, "injection", "simulate") from error
    first, bands = images[0], [one.band for one in images]
    for one in images[1:]:
        check_same_shape(one.band, one.shape, first.band, first.shape)
        if one.wcs is not None and first.wcs is not None:
            check_same_sky(one.band, one.wcs, first.band, first.wcs, first.shape)
    for name, values in (("--psf", options.psf), ("--exposure", options.exposure)):
        unknown = [band for band in values if band not in bands]
        if unknown:
            raise OptionError(f"{name}: {unknown[0]} is no band; there are {', '.join(bands)}")
    scale = _scale(first.wcs, options.pixel_scale)
    survey = imaged.as_imaged(
        imaged.choose_survey(bands, options.survey),
        [
            imaged.ImagedBand(
                one.band,
                _zero_point(one),
                options.exposure.get(one.band, one.calibration.exposure),
                options.psf.get(one.band),
                _noise(one) if one is first else None,
            )
            for one in images
        ],
        pixel_scale=scale,
        unit=first.unit,
    )
    mag = imaged.default_magnitudes(survey) if options.mag is None else options.mag
    allowed = injection.allowed_pixels(~np.logical_or.reduce([one.invalid() for one in images]))
    sources = injection.draw_sources(survey, allowed, n=options.n, mag=mag, seed=options.seed)
    area = np.count_nonzero(allowed) * (scale / 60) ** 2
    passes = injection.into_passes(survey, sources, area, density=options.density)
    weights = {one.band: _weight(one) for one in images if one.error is not None}
    return Scene(images, survey, passes, mag, weights)


def _weight(image: BandImage) -> Image:
    valid, weight = ~image.invalid(), np.zeros(image.shape, dtype=np.float32)
    if image.error is not None:
        weight[valid] = 1 / np.square(image.error[valid])
    return weight


def _zero_point(image: BandImage) -> float:
    value = image.calibration.zero_point
    if value is None:
        raise OptionError(
            f"the header of {image.band} does not say its zero point; give the AB magnitude of one"
            f" image unit: --zero-point {image.band}=NUMBER (zero_points={{'{image.band}': ...}})"
        )
    return value


def _scale(wcs: WCS | None, given: float | None) -> float:
    scale = pixel_scale(wcs)
    if scale is None and given is None:
        raise OptionError(
            "the images have no WCS: give the side of a pixel in arcsec, --pixel-scale 0.06"
            " (pixel_scale=0.06)"
        )
    if scale is not None and given is not None and abs(scale / given - 1) > 0.01:  # noqa: PLR2004
        raise OptionError(f"--pixel-scale is {given:g}, but the WCS says {scale:.4g} arcsec")
    return scale if scale is not None else given  # type: ignore[return-value]


def _noise(image: BandImage) -> float | None:
    """Noise of a blank pixel, as the image itself shows it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MosaicWarning)
        noise = measure_sky(image.data, ~image.invalid(), image.band).noise
    return noise if math.isfinite(noise) and noise > 0 else None
