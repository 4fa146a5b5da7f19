"""What must be known of a whole band before a source of it is measured."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.catalog.background import measure_mesh, measure_sky, sky_noise
from morpheus.catalog.images import BandImage
from morpheus.catalog.noise import NoiseStrip, noise_factor, noise_strips, normalised
from morpheus.catalog.options import CatalogOptions
from morpheus.catalog.pixels import FieldPixels, Section, whole
from morpheus.catalog.thinned import ThinnedSky, find_sky
from morpheus.errors import OptionError
from morpheus.mosaic import same_unit
from morpheus.mosaic.calibration import Calibration
from morpheus.mosaic.sky import grid_step

__all__ = ["BandSky", "measure_band_sky"]


@dataclass(frozen=True, eq=False)
class BandSky:
    """The sky of a whole band, its noise and its flux scale.

    Parameters
    ----------
    level : float
        What is subtracted from every pixel, in image units.
    noise : float
        Standard deviation of a sky pixel, in image units: the error of every pixel where the band
        has no map of errors. NaN if it is not known.
    n_pixels : int
        How many pixels of the even grid level and noise were measured from.
    has_errors : bool
        Whether the band has a map of errors.
    calibration : Calibration
        Zero point and saturation level: those of the options, else of the image.
    unit : str or None, optional
        Unit of the pixels.
    exposure : float or None, optional
        Exposure time in seconds, if the photon noise of sources is to be added.
    mesh : ndarray of float32, shape (y, x), or None, optional
        What is subtracted instead of `level`: a map of the whole field.
    factor : float or None, optional
        What errors are multiplied by; None if it is not known, or not wanted.
    """

    level: float
    noise: float
    n_pixels: int
    has_errors: bool
    calibration: Calibration
    unit: str | None = None
    exposure: float | None = None
    mesh: NDArray[np.float32] | None = None
    factor: float | None = None

    @property
    def record(self) -> dict[str, Any]:
        """What was done, for the provenance."""
        return {
            "unit": self.unit,
            "zero_point": self.calibration.zero_point,
            "zero_point_source": self.calibration.zero_point_source,
            "background": self.level,
            "sky_noise": self.noise,
            "sky_pixels": self.n_pixels,
            "errors": "weight or rms map" if self.has_errors else "sky noise",
            "noise_factor": self.factor,
            "exposure": self.exposure,
            "saturation": self.calibration.saturation,
        }

    def subtracted(self, data: NDArray[np.float32], section: Section) -> NDArray[np.float32]:
        """Subtract the background.

        Parameters
        ----------
        data : ndarray of float32, shape (y, x)
            A section of the band; not changed.
        section : tuple of slice
            Which; it may have steps.

        Returns
        -------
        ndarray of float32, shape (y, x)
            The pixels without background.
        """
        if self.mesh is not None:
            return data - self.mesh[section]
        return data - np.float32(self.level) if self.level else data

    def errors(self, image: BandImage) -> NDArray[np.float32]:
        """Give what is claimed of the standard deviation of pixels.

        Parameters
        ----------
        image : BandImage
            A section of the band.

        Returns
        -------
        ndarray of float32, shape (y, x)
            Its map of errors, else the noise of the sky everywhere.
        """
        if image.error is not None:
            return image.error
        # A view of one number: no image is made of it.
        return np.broadcast_to(np.float32(self.noise), image.shape)


def measure_band_sky(
    pixels: FieldPixels, band: str, thinned: ThinnedSky, options: CatalogOptions
) -> BandSky:
    """Measure the sky of a band.

    Level and noise are measured on the even grid, the factor of the correlated noise on all pixels
    of the sky or, of a large field, on strips of it. With the background 'mesh' the whole band is
    read.

    Parameters
    ----------
    pixels : FieldPixels
        The field.
    band : str
        Name of the band.
    thinned : ThinnedSky
        The even grid of the whole field, with this band.
    options : CatalogOptions
        How.

    Returns
    -------
    BandSky
        What `measure_cell` needs of the band.

    Raises
    ------
    OptionError
        If there is an exposure time but the image is not in electrons per second.

    Warns
    -----
    MosaicWarning
        If there are fewer than 30 pixels of sky on the grid.
    """
    image = pixels.band(band, (slice(0, 1), slice(0, 1)))  # for what is the same everywhere
    data, sky_pixels = thinned.data[band], thinned.sky(band)
    measured = measure_sky(data, sky_pixels, band)
    sky = BandSky(
        level=0.0 if options.background == "none" else measured.level,
        noise=measured.noise,
        n_pixels=measured.n_pixels,
        has_errors=image.error is not None,
        calibration=_calibration(image, options),
        unit=image.unit,
        exposure=_exposure(image, options),
    )
    if options.background == "mesh":
        step = slice(None, None, grid_step(pixels.shape))
        mesh = _mesh(pixels, band, options.mesh_size, is_open=thinned.is_open)
        sky = dataclasses.replace(sky, mesh=mesh)
        # A gradient that was subtracted is no noise.
        noise = sky_noise(sky.subtracted(data, (step, step)), sky_pixels)
        sky = dataclasses.replace(sky, noise=noise)
    if options.noise_scale == "measured":
        strips = [_noise_strip(pixels, band, rows, sky) for rows in noise_strips(pixels.shape)]
        factor = noise_factor(strips, known_scale=not sky.has_errors)
        sky = dataclasses.replace(sky, factor=factor)
    return sky


def _calibration(image: BandImage, options: CatalogOptions) -> Calibration:
    known = image.calibration
    given = image.band in options.zero_points
    return dataclasses.replace(
        known,
        zero_point=options.zero_points.get(image.band, known.zero_point),
        zero_point_source="option" if given else known.zero_point_source,
        saturation=options.saturation.get(image.band, known.saturation),
    )


def _exposure(image: BandImage, options: CatalogOptions) -> float | None:
    exposure = options.exposure.get(image.band)
    if exposure is None or image.unit is None or same_unit(image.unit, "electron / s"):
        return exposure
    raise OptionError(
        f"exposure: {image.band} is in {image.unit}; photon noise can be added to electrons"
        " per second only: convert the image, or give an rms map that has it"
    )


def _mesh(
    pixels: FieldPixels, band: str, size: int, *, is_open: bool
) -> NDArray[np.float32] | None:
    """Smooth map of the sky of the whole band, from the same kind of sky as its level."""
    section = whole(pixels.shape)
    image = pixels.band(band, section)
    blank, far = find_sky(pixels, section)
    return measure_mesh(image.data, (far if is_open else blank) & ~image.invalid(), size)


def _noise_strip(pixels: FieldPixels, band: str, rows: slice, sky: BandSky) -> NoiseStrip:
    section = rows, slice(0, pixels.shape[1])
    image = pixels.band(band, section)
    _, far = find_sky(pixels, section)
    data = sky.subtracted(image.data, section)
    return normalised(data, sky.errors(image), far & ~image.invalid())
