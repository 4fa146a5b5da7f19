"""What is drawn of a field: names of the files, the bands in colour, sheets of sources."""

from collections.abc import Sequence
from pathlib import Path

from astropy.table import Table

from morpheus.catalog import BandImage
from morpheus.inference import Classification
from morpheus.mosaic.filters import wavelength
from morpheus.segmentation import Segmentation
from morpheus.visual import colorize, stamp_sheet, write_picture

__all__ = ["CLASSES_FILE", "RGB_FILE", "STAMPS_FILE", "color_channels", "draw_stamps"]

CLASSES_FILE, RGB_FILE, STAMPS_FILE = "classes.png", "rgb.png", "stamps.png"

_CHANNELS = 3


def draw_stamps(
    path: Path,
    chosen: Table,
    classification: Classification,
    found: Segmentation,
    images: Sequence[BandImage],
    *,
    overwrite: bool,
) -> Path:
    """Draw a sheet of sources.

    Parameters
    ----------
    path : Path
        The picture.
    chosen : astropy.table.Table
        Their rows of the catalogue.
    classification : Classification
        Class maps.
    found : Segmentation
        The map of the catalogue.
    images : sequence of BandImage
        The bands.
    overwrite : bool
        Whether a file that exists may be replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If there are too many sources or the file is of no known format.
    ProductError
        If the file cannot be written.
    """
    made_with = found.provenance.get("detection_band")
    bands = [image.band for image in images]
    sheet = stamp_sheet(
        chosen,
        {image.band: image.data for image in images},
        found.labels,
        colorize(classification, statistic=found.provenance.get("statistic", "mean")),
        detection=made_with if made_with in bands else None,
        pixel_scale=classification.pixel_scale,
    )
    return write_picture(path, sheet, overwrite=overwrite)


def color_channels(bands: tuple[str, ...]) -> tuple[str, ...] | None:
    """Choose the bands of the colour picture.

    Parameters
    ----------
    bands : tuple of str
        Those that there are.

    Returns
    -------
    tuple of str or None
        The reddest, the middle and the bluest; of two bands these, from the redder to the bluer; of
        one, that. None if it is not known which is redder.
    """
    if len(bands) == 1:
        return bands
    order = {band: wavelength(band) for band in bands}
    known = sorted((band for band in bands if order[band]), key=lambda band: -(order[band] or 0))
    if len(known) < min(_CHANNELS, len(bands)):
        return None
    return tuple(dict.fromkeys((known[0], known[len(known) // 2], known[-1])))
