"""What is known of a field before a pixel of it is classified."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.wcs import WCS

from morpheus.distributed.spec import Inputs
from morpheus.errors import OptionError
from morpheus.model import ModelConfig
from morpheus.model.normalise import needs_sky
from morpheus.mosaic import InputRecord, Region, parse_region
from morpheus.mosaic.bands import images_by_band, maps_by_band
from morpheus.mosaic.opened import OpenMosaic, Pixels
from morpheus.mosaic.read import cut_out, measure_field_skies
from morpheus.mosaic.sky import SkyLevel, grid_step
from morpheus.pipeline.classification import warn_of_misfit
from morpheus.pipeline.given import GivenImages

__all__ = ["FieldPlace", "OpenField", "files_only"]


@dataclass(frozen=True, eq=False)
class FieldPlace:
    """Where a field lies in its images, and what they hold at a first look.

    Parameters
    ----------
    region : Region, str or None
        What part of them it is.
    origin : tuple of int
        Where its first pixel (y, x) lies.
    shape : tuple of int
        Its size (y, x) in pixels.
    wcs : astropy.wcs.WCS or None
        Its world coordinates.
    sample : Pixels
        Pixels of all of the images, on an even grid.
    """

    region: Region | str | None
    origin: tuple[int, int]
    shape: tuple[int, int]
    wcs: WCS | None
    sample: Pixels

    @classmethod
    def of(
        cls, opened: OpenMosaic, config: ModelConfig, region: Region | str | None
    ) -> "FieldPlace":
        """Find a part of the sky, and make sure that there is something to see.

        Parameters
        ----------
        opened : OpenMosaic
            The images.
        config : ModelConfig
            The model, for warnings of what it was not trained on.
        region : Region, str or None
            What part of them is the field; None: all.

        Returns
        -------
        FieldPlace
            Where it is.

        Raises
        ------
        MorpheusError
            If it is not there, or the images cannot be used.
        """
        where = parse_region(region) if isinstance(region, str) else region
        section, _, wcs = cut_out(where, 0, opened.wcs, opened.shape)
        shape = (section[0].stop - section[0].start, section[1].stop - section[1].start)
        if wcs is not None:
            wcs.array_shape = shape
        warn_of_misfit(config, opened.bands, opened.units, wcs, stacklevel=4)
        sample = opened.thinned_out(grid_step(opened.shape))
        return cls(region, (section[0].start, section[1].start), shape, wcs, sample)


@dataclass(frozen=True, eq=False)
class OpenField:
    """What is known of a field before a pixel of it is classified.

    Parameters
    ----------
    given : GivenImages
        Images and maps by band.
    inputs : Inputs
        The same for the tasks.
    records : tuple of InputRecord
        The same for the provenance.
    region : Region, str or None
        What part of the images is the field.
    origin : tuple of int
        Where its first pixel (y, x) lies in them.
    shape, image_shape : tuple of int
        Size (y, x) of the field and of the images, in pixels.
    wcs : astropy.wcs.WCS or None
        World coordinates of the field.
    skies : tuple of SkyLevel
        Sky of each band in the images; empty if the model needs none.
    """

    given: GivenImages
    inputs: Inputs
    records: tuple[InputRecord, ...]
    region: Region | str | None
    origin: tuple[int, int]
    shape: tuple[int, int]
    image_shape: tuple[int, int]
    wcs: WCS | None
    skies: tuple[SkyLevel, ...]

    @classmethod
    def of(
        cls,
        opened: OpenMosaic,
        given: GivenImages,
        config: ModelConfig,
        place: FieldPlace,
    ) -> "OpenField":
        """Look at images that were opened.

        Parameters
        ----------
        opened : OpenMosaic
            The images.
        given : GivenImages
            The same, as they were given.
        config : ModelConfig
            The model.
        place : FieldPlace
            Where the field lies in them.

        Returns
        -------
        OpenField
            What is known.

        Raises
        ------
        MorpheusError
            If they cannot be used.
        """
        skies = measure_field_skies(opened.bands, place.sample, 1) if needs_sky(config) else ()
        records = opened.records()
        return cls(
            given=given,
            inputs=_inputs(opened, given, records),
            records=records,
            region=place.region,
            origin=place.origin,
            shape=place.shape,
            image_shape=opened.shape,
            wcs=place.wcs,
            skies=skies,
        )


def files_only(given: GivenImages) -> GivenImages:
    """Name images and maps by band, and make sure that other processes can read them.

    Parameters
    ----------
    given : GivenImages
        As they were given.

    Returns
    -------
    GivenImages
        With mappings of bands to files.

    Raises
    ------
    OptionError
        If something is no file.
    """
    bands = given.choice.given
    images = dict(zip(bands, images_by_band(given.images, bands), strict=True))
    maps = [
        {band: one for on, one in maps_by_band(option, bands, kind) for band in on}
        for kind, option in (("weights", given.weights), ("rms", given.rms), ("dq", given.dq))
    ]
    for by_band in (images, *maps):
        for band, one in by_band.items():
            if not isinstance(one, str | Path):
                raise OptionError(
                    f"{band} is given as a {type(one).__name__}; a run in chunks reads files: write"
                    " it to one, or use morpheus.run"
                )
    return GivenImages(given.choice, images, *(one or None for one in maps))


def _inputs(opened: OpenMosaic, given: GivenImages, records: Sequence[InputRecord]) -> Inputs:
    files = tuple(
        {band: str(Path(os.path.expanduser(one)).absolute()) for band, one in (by or {}).items()}  # noqa: PTH111
        for by in (given.images, given.weights, given.rms, given.dq)
    )
    images, weights, rms, dq = files
    return Inputs(
        opened.bands,
        images,
        weights,
        rms,
        dq,
        units=dict(zip(opened.bands, opened.units, strict=True)),
        calibrations=dict(zip(opened.bands, opened.calibrations, strict=True)),
        identity=" ".join(f"{one.band} {one.kind} {one.sha256}" for one in records),
    )
