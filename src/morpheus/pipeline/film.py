"""A film of a classified field."""

from pathlib import Path

import numpy as np

from morpheus.errors import OptionError
from morpheus.inference import Classification
from morpheus.pipeline.pictures import color_channels
from morpheus.pipeline.recorded import ImageFiles, bands_classified, read_images
from morpheus.visual import (
    averaged_by,
    block_means,
    class_figure,
    lupton_rgb,
    rendered,
    rgb_planes,
    sweep,
    write_film,
)

__all__ = ["draw_film"]

_RATE = 30  # pictures a second
_STILL = 0.15  # of the film: what is shown before and after


def draw_film(
    path: str | Path,
    classification: Classification,
    *,
    rgb: tuple[str, ...] | None = None,
    statistic: str = "mean",
    seconds: float = 10.0,
    side: int = 1080,
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Make a film of the classes that sweep over the sky, with the legend of the colours.

    Parameters
    ----------
    path : str or Path
        The film: .mp4 or .gif.
    classification : Classification
        The field, read from its folder; the images are those that were classified.
    rgb : tuple of str, optional
        Bands of the sky in colour, from the reddest; by default by their wavelengths.
    statistic : {"mean", "votes"}, optional
        Which class maps.
    seconds : float, optional
        How long it is.
    side : int, optional
        Pixels of the longer side of the picture, at most; of larger fields blocks are averaged.
    title : str, optional
        A line above the picture.
    overwrite : bool, optional
        Whether to replace a file that exists.

    Returns
    -------
    Path
        The film.

    Raises
    ------
    OptionError
        If the bands are not known or their order is not, or an option cannot be.
    ImageError
        If an image cannot be read, or is not the one that was classified.
    ProductError
        If the film exists and `overwrite` is false, or cannot be written.
    """
    bands = bands_classified(classification)
    channels = color_channels(bands) if rgb is None else rgb
    if channels is None:
        raise OptionError(
            f"which of {', '.join(bands)} are red, green and blue is not known: give them (--rgb)"
        )
    unknown = [band for band in channels if band not in bands]
    if unknown:
        raise OptionError(f"{', '.join(unknown)}: the bands are {', '.join(bands)}")
    images = read_images(classification, ImageFiles(), only=channels)
    block = averaged_by(classification.shape, side)
    data = {
        image.band: block_means(np.where(classification.mask, np.nan, image.data), block)
        for image in images
    }
    sky = lupton_rgb(*rgb_planes([data[band] for band in channels]))
    before, after = (
        rendered(
            class_figure(
                classification,
                statistic=statistic,
                unclassified="grey",
                title=title,
                max_pixels=side,
                picture=picture,
            )
        )
        for picture in (sky, None)
    )
    still = round(_STILL * seconds * _RATE)
    frames = sweep(
        before, after, n_frames=max(2, round(seconds * _RATE) - 2 * still), n_still=still
    )
    return write_film(path, frames, rate=_RATE, overwrite=overwrite)
