"""Surveys as existing images have them: their zero points, pixels, gains and PSFs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from morpheus.errors import OptionError
from morpheus.simulate.bands import Band, Survey
from morpheus.simulate.psf import point_source_depth
from morpheus.simulate.psf_file import read_psf
from morpheus.simulate.surveys import SURVEYS, find_survey

__all__ = ["ImagedBand", "as_imaged", "choose_survey", "default_magnitudes"]

_BRIGHTER, _FAINTER = 6.0, 1.0  # than the depth: what is drawn by default
_LEAST_EXPOSURE = 1.0  # seconds; headers of images per second say 1 where they know nothing


@dataclass(frozen=True)
class ImagedBand:
    """What is known of the image of a band.

    Parameters
    ----------
    name : str
        Of the band.
    zero_point : float
        AB magnitude of one image unit.
    exposure : float or None, optional
        In seconds; None, and what is not above 1 s: the survey's.
    psf : str or Path or None, optional
        Image of the PSF at the image's own pixel scale; None: the survey's PSF.
    sky_sigma : float or None, optional
        Noise of a blank pixel in image units; None: the survey's.
    """

    name: str
    zero_point: float
    exposure: float | None = None
    psf: str | Path | None = None
    sky_sigma: float | None = None


def choose_survey(bands: Sequence[str], name: str | None = None) -> Survey:
    """Find a survey that has the bands.

    Parameters
    ----------
    bands : sequence of str
        Names of filters.
    name : str, optional
        Of the survey; by default the first that has them.

    Returns
    -------
    Survey
        With all of its bands.

    Raises
    ------
    OptionError
        If it is unknown or lacks a band, or no survey has them all.
    """
    if name is not None:
        survey = find_survey(name)
        missing = [band for band in bands if band.casefold() not in _names(survey)]
        if missing:
            has = ", ".join(band.name for band in survey.bands)
            raise OptionError(f"{name} has no band {', '.join(missing)}; it has {has}")
        return survey
    for survey in SURVEYS.values():
        if all(band.casefold() in _names(survey) for band in bands):
            return survey
    known = "; ".join(f"{one.name}: {' '.join(_names(one).values())}" for one in SURVEYS.values())
    raise OptionError(f"no survey has the bands {', '.join(bands)}; known are {known}")


def _names(survey: Survey) -> dict[str, str]:
    return {band.name.casefold(): band.name for band in survey.bands}


def as_imaged(
    survey: Survey, bands: Sequence[ImagedBand], *, pixel_scale: float, unit: str | None = None
) -> Survey:
    """Give the survey the bands, zero points, gains and pixels of existing images.

    Parameters
    ----------
    survey : Survey
        For PSFs, spectra and gains.
    bands : sequence of ImagedBand
        The images, the reference band first.
    pixel_scale : float
        Of the images, in arcsec.
    unit : str, optional
        Of the images.

    Returns
    -------
    Survey
        With these bands only, in this order.

    Raises
    ------
    OptionError
        If a PSF cannot be used.
    """
    known = {band.name.casefold(): band for band in survey.bands}
    adapted: list[Band] = []
    for image in bands:
        band = known[image.name.casefold()]
        exposure = image.exposure
        if exposure is None or exposure <= _LEAST_EXPOSURE:
            exposure = band.exposure
        # The same electrons per photon and second, in other units and after another time.
        gain = band.gain * 10 ** (0.4 * (band.zero_point - image.zero_point))
        sigma = image.sky_sigma
        if sigma is None and band.sky_sigma is not None:
            sigma = band.sky_sigma * 10 ** (0.4 * (image.zero_point - band.zero_point))
        if image.psf is not None:
            read_psf(image.psf)
        adapted.append(
            replace(
                band,
                name=image.name,
                zero_point=image.zero_point,
                exposure=exposure,
                gain=gain * exposure / band.exposure,
                sky_sigma=sigma,
                psf_file=None if image.psf is None else str(image.psf),
            )
        )
    return replace(survey, bands=tuple(adapted), pixel_scale=pixel_scale, unit=unit or survey.unit)


def default_magnitudes(survey: Survey) -> tuple[float, float]:
    """Choose the magnitudes to draw: from bright sources to those beyond the depth.

    Parameters
    ----------
    survey : Survey
        As imaged.

    Returns
    -------
    tuple of float
        AB magnitudes in the reference band, to half a magnitude.
    """
    depth = point_source_depth(survey, survey.bands[0])
    return round(2 * (depth - _BRIGHTER)) / 2, round(2 * (depth + _FAINTER)) / 2
