"""The stages composed: images in, classification out."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS

from morpheus.defaults import DEFAULT_MODEL
from morpheus.errors import MosaicWarning, OptionError
from morpheus.inference import (
    Classification,
    InferenceOptions,
    Place,
    make_engine,
    placement,
    predict,
    preset,
)
from morpheus.model import ModelConfig, find_model, load_model
from morpheus.model.normalise import needs_sky, prepare_normaliser
from morpheus.mosaic import Region, read_mosaic, same_unit
from morpheus.mosaic.choice import BandChoice
from morpheus.mosaic.mosaic import InputRecord
from morpheus.mosaic.scale import pixel_scale
from morpheus.mosaic.sky import SkyLevel
from morpheus.pipeline.given import images_for
from morpheus.provenance import Stopwatch, now, software

__all__ = ["classification_record", "classify", "warn_of_empty_sky", "warn_of_misfit"]

# How far an image's pixel scale may be from the model's, before the user is told.
_SCALE_TOLERANCE = 0.05
# And which share of the pixels may be exactly 0 in every band.
_EMPTY_SHARE = 1e-3


def classify(
    images: Any,
    *,
    model: str | Path = DEFAULT_MODEL,
    weights: Mapping[str, Any] | None = None,
    rms: Mapping[str, Any] | None = None,
    dq: Mapping[str, Any] | Any | None = None,
    region: Region | str | None = None,
    options: InferenceOptions | str = "exact",
    check_filters: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Classification:
    """Classify every pixel of a multi-band image.

    Parameters
    ----------
    images : mapping of str to image, sequence of images, or array of shape (band, y, x)
        The bands, by name in any order or in the model's order. An image is a path (such as
        "h.fits" or "h.fits[SCI]"), a FITS HDU, an (array, WCS) pair, an NDData or an array; all on
        one pixel grid. NaN and infinite pixels are masked. A dense model takes any of its bands,
        and the alternatives that it names; of fewer images than bands that are given without
        names, each header must say which band it is.
    model : str or Path, optional
        Name of an installed model, or a model folder.
    weights, rms : mapping of str to image, optional
        Inverse-variance or rms maps by band; pixels that are not positive are masked.
    dq : mapping of str to image, or image, optional
        Data-quality maps; pixels that are not 0 are masked.
    region : Region or str, optional
        Part of the sky to classify, such as "53.12,-27.80,30arcsec".
    options : InferenceOptions or str, optional
        How windows are placed and computed, or the name of a preset: "exact" or "fast".
    check_filters : bool, optional
        Whether a FILTER header that contradicts the band is an error.
    progress : callable, optional
        Called with the number of windows done and their total number.

    Returns
    -------
    Classification
        Mean, variance and votes of every class, on the images' pixel grid.

    Raises
    ------
    MorpheusError
        If the images, the model or the options cannot be used; the message says what to do.

    Examples
    --------
    >>> result = morpheus.classify(
    ...     {"F160W": "h.fits", "F125W": "j.fits", "F606W": "v.fits", "F850LP": "z.fits"},
    ...     model="hausen2020",
    ... )  # doctest: +SKIP
    >>> result["spheroid"], result.variance["disk"], result.n  # doctest: +SKIP
    """
    started, watch = now(), Stopwatch()
    if isinstance(options, str):
        options = preset(options)
    if not isinstance(options, InferenceOptions):
        raise OptionError(
            f"options is a {type(options).__name__}; give InferenceOptions or the name of a preset"
        )
    with watch.stage("model"):
        trained = load_model(find_model(model))
        config = trained.config
    with watch.stage("read"):
        given = images_for(config, images, weights, rms, dq)
        mosaic = read_mosaic(
            given.images,
            bands=given.choice.given,
            weights=given.weights,
            rms=given.rms,
            dq=given.dq,
            region=region,
            # All pixels of all windows that see the region: it comes out as in the whole image. (A
            # dense model's may see less; read once, a margin too much costs little.)
            context=config.window.size - config.window.margin - 1,
            sky=needs_sky(config),
            check_filters=check_filters,
        )
    warn_of_misfit(config, mosaic.bands, mosaic.units, mosaic.wcs)
    n_empty = int(np.count_nonzero(~mosaic.data.any(axis=0) & ~mosaic.mask))
    warn_of_empty_sky(n_empty, mosaic.mask.size)
    normaliser = prepare_normaliser(
        config, mosaic.data, mosaic.mask, bands=given.choice.bands, skies=mosaic.skies
    )
    with watch.stage("engine"):
        engine = make_engine(trained, options)
    with watch.stage("classify"):
        statistics = predict(
            mosaic.data,
            mosaic.mask,
            config,
            engine,
            options,
            progress,
            normaliser=normaliser,
            place=Place(mosaic.origin, mosaic.core, mosaic.inputs[0].shape),
        )
    core, whole = mosaic.core, mosaic.inputs[0].shape
    n, mask = statistics.n, mosaic.mask[core]
    return Classification.from_statistics(
        config.classes,
        statistics,
        mask=mask,
        wcs=None if mosaic.wcs is None else mosaic.wcs.slice(core),
        provenance={
            "started": started,
            **classification_record(
                config,
                given.choice,
                options,
                whole=whole,
                region=region,
                skies=dict(zip(mosaic.bands, mosaic.skies, strict=False)),
                inputs=mosaic.inputs,
            ),
            "engine": {
                "name": engine.name,
                "precision": engine.precision,
                "batch_size": engine.batch_size,
                "workers": engine.workers,
            },
            "shape": list(n.shape),
            "masked_pixels": int(mask.sum()),
            "classified_pixels": int((n > 0).sum()),
            "seconds": watch.seconds,
        },
    )


def classification_record(
    config: ModelConfig,
    choice: BandChoice,
    options: InferenceOptions,
    *,
    whole: tuple[int, int],
    region: Region | str | None,
    skies: Mapping[str, SkyLevel],
    inputs: Sequence[InputRecord],
) -> dict[str, Any]:
    """Say what a classification is made from and how, for the provenance.

    Parameters
    ----------
    config : ModelConfig
        The model.
    choice : BandChoice
        What stands for each of its bands.
    options : InferenceOptions
        How windows are placed and computed.
    whole : tuple of int
        Size (y, x) of the images in pixels.
    region : Region, str or None
        What part of them is classified.
    skies : mapping of str to SkyLevel
        Sky by band; empty if the model needs none.
    inputs : sequence of InputRecord
        The images and maps.

    Returns
    -------
    dict
        A part of `Classification.provenance`.
    """
    return {
        "software": software(),
        "model": config.as_dict(),
        "bands": choice.record(),
        "options": dataclasses.asdict(options) | placement(whole, config, options),
        "region": None if region is None else str(region),
        "sky": {band: dataclasses.asdict(sky) for band, sky in skies.items()},
        "inputs": [dataclasses.asdict(record) for record in inputs],
    }


def warn_of_misfit(
    config: ModelConfig,
    bands: Sequence[str],
    units: Sequence[str | None],
    wcs: WCS | None,
    *,
    stacklevel: int = 3,
) -> None:
    """Warn of another unit or pixel scale than the model's, and of what headers cannot hold.

    Parameters
    ----------
    config : ModelConfig
        The model.
    bands : sequence of str
        Names of the images.
    units : sequence of (str or None)
        Their units.
    wcs : astropy.wcs.WCS or None
        Their coordinates.
    stacklevel : int, optional
        Whose line the warning is of.
    """
    for band, unit in zip(bands, units, strict=True):
        # What is counted in units of the noise of the sky has no unit.
        if unit is not None and not needs_sky(config) and not same_unit(unit, config.unit):
            warnings.warn(
                f"{band} is in {unit}, but {config.name} was trained on {config.unit}: its classes"
                " mean little there; convert the images",
                MosaicWarning,
                stacklevel=stacklevel,
            )
    if wcs is not None and (wcs.cpdis1 or wcs.cpdis2 or wcs.det2im1 or wcs.det2im2):
        warnings.warn(
            "the WCS has table distortions (CPDIS or D2IM), which the products' headers cannot"
            " hold: take their sky positions from the images",
            MosaicWarning,
            stacklevel=stacklevel,
        )
    scale = pixel_scale(wcs)
    if scale is not None and abs(scale / config.pixel_scale - 1) > _SCALE_TOLERANCE:
        warnings.warn(
            f"the images have {scale:.4g} arcsec per pixel, but {config.name} was trained at"
            f" {config.pixel_scale:g}: its classes mean little there; resample the images to"
            f" {config.pixel_scale:g} arcsec (for example with the reproject package)",
            MosaicWarning,
            stacklevel=stacklevel,
        )


def warn_of_empty_sky(n_empty: int, n_pixels: int, *, stacklevel: int = 3) -> None:
    """Warn of pixels that look as if they were not observed, but are not masked.

    Parameters
    ----------
    n_empty : int
        Number of pixels that are exactly 0 in every band.
    n_pixels : int
        Number of all.
    stacklevel : int, optional
        Whose line the warning is of.
    """
    if n_empty > _EMPTY_SHARE * n_pixels:
        warnings.warn(
            f"{n_empty} pixels are exactly 0 in every band and are not masked; if they lie outside"
            " of what was observed, give a weight map that says so",
            MosaicWarning,
            stacklevel=stacklevel,
        )
