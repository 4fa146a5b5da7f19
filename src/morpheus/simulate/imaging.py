"""From the light of a scene to a survey's images: depth, noise, defects, weights and truth."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from morpheus.simulate.bands import Band, Survey
from morpheus.simulate.defects import Defects
from morpheus.simulate.noise import correlated_noise, correlation_factor
from morpheus.simulate.psf import sky_sigma
from morpheus.simulate.truth import Scene, TruthMaps

__all__ = ["SceneImages", "image_scene"]


@dataclass(frozen=True)
class SceneImages:
    """Images of a scene, and its truth.

    Parameters
    ----------
    images : ndarray, shape (band, y, x)
        In image units; NaN where there is no data.
    weights : ndarray, shape (band, y, x)
        Inverse variance of the sky, without the correlation of pixels; 0 where there is no data.
    noiseless, noise : ndarray, shape (band, y, x)
        Light of all sources, and all that was added to it.
    truth : TruthMaps
        Of every pixel.
    """

    images: NDArray[np.float32]
    weights: NDArray[np.float32]
    noiseless: NDArray[np.float32]
    noise: NDArray[np.float32]
    truth: TruthMaps


def image_scene(
    survey: Survey,
    scene: Scene,
    defects: Iterable[Defects],
    rngs: Iterable[np.random.Generator],
    truth_threshold: float,
    *,
    sky: bool = True,
) -> SceneImages:
    """Image a scene as a survey does.

    Parameters
    ----------
    survey : Survey
        Its noise and its pixels' capacity.
    scene : Scene
        The light of all sources.
    defects : iterable of Defects
        Of every band; taken one at a time, since those of a large field are large.
    rngs : iterable of numpy.random.Generator
        Where the noise of every band is from.
    truth_threshold : float
        A pixel is a source's from this fraction of the noise of a blank pixel on.
    sky : bool, optional
        Whether there is noise of the sky and the detector, beside that of the sources' photons.

    Returns
    -------
    SceneImages
        Images and truth.
    """
    noiseless = scene.light.astype(np.float32)
    images, weights, noise = (np.empty_like(noiseless) for _ in range(3))
    limit = np.empty(noiseless.shape[1:])
    for number, (band, defect, rng) in enumerate(zip(survey.bands, defects, rngs, strict=True)):
        sigma, exposure = sky_sigma(survey, band), defect.exposure
        noise[number] = _noise(rng, band, scene.light[number], defect, sigma if sky else 0.0)
        full = np.minimum(noiseless[number] + noise[number], np.float32(band.saturation))
        images[number] = np.where(exposure > 0, full, np.nan)
        weights[number] = exposure / (sigma * correlation_factor(band.correlation)) ** 2
        if number == 0:
            limit = truth_threshold * sigma / np.sqrt(np.maximum(exposure, 0.1))
    return SceneImages(images, weights, noiseless, noise, scene.maps(limit))


def _noise(
    rng: np.random.Generator,
    band: Band,
    light: NDArray[np.float64],
    defects: Defects,
    sigma: float,
) -> NDArray[np.float64]:
    """Noise of the sky and of the sources' photons, and residuals of the reduction.

    Drizzling spreads a photon over pixels: the variance of a pixel is lower than that of the
    photons that fell on it by the square of the correlation factor, as the sky's is.
    """
    smoothing = correlation_factor(band.correlation) ** 2
    exposure = np.maximum(defects.exposure, 1e-3)
    variance = (sigma**2 + light / (band.gain * smoothing)) / exposure
    unit = correlated_noise(rng, (light.shape[0], light.shape[1]), band.correlation)
    return np.sqrt(variance) * unit + defects.residual
