"""Classes as colours: the colour image of Hausen & Robertson (2020), section 4.5."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morpheus.classes import BACKGROUND, CLASSES
from morpheus.errors import OptionError
from morpheus.inference.classification import Classification
from morpheus.visual.style import NO_DATA

__all__ = ["UNCLASSIFIED", "class_colors", "colorize", "row_blocks"]

UNCLASSIFIED = {"black": 0.0, "white": 1.0, "grey": NO_DATA}
"""What pixels that were not classified can look like, and their level in each channel."""

_BLOCK_PIXELS = 1 << 20  # what is worked on at once: temporaries stay at tens of megabytes


def colorize(
    classification: Classification, *, statistic: str = "mean", unclassified: str = "black"
) -> NDArray[np.float32]:
    """Draw what a classification says about every pixel.

    Hausen & Robertson (2020), section 4.5: the hue is that of the most probable of the source
    classes, the saturation how far it leads over the second, and the value 1 - P(background).

    Parameters
    ----------
    classification : Classification
        The maps.
    statistic : {"mean", "votes"}, optional
        Which of the maps.
    unclassified : {"black", "white", "grey"}, optional
        Colour of the pixels where `n` is 0.

    Returns
    -------
    ndarray of float32, shape (y, x, 3)
        Red, green and blue, 0 to 1, never NaN; rows from the bottom up, as the maps have them.

    Raises
    ------
    OptionError
        If the statistic or the colour is not one of those, or there is no such class.
    """
    return class_colors(
        classification.maps(statistic), hidden=classification.n == 0, unclassified=unclassified
    )


def class_colors(
    maps: Mapping[str, ArrayLike],
    *,
    hidden: NDArray[np.bool_] | None = None,
    unclassified: str = "black",
) -> NDArray[np.float32]:
    """Draw class maps; see `colorize`.

    Parameters
    ----------
    maps : mapping of str to array, shape (y, x)
        A map for each class: the background and at least one other. Values beyond 0 to 1 are
        clipped.
    hidden : ndarray of bool, shape (y, x), optional
        True where a pixel was not classified. Pixels where a map is NaN or infinite are that in
        any case.
    unclassified : {"black", "white", "grey"}, optional
        Colour of those pixels.

    Returns
    -------
    ndarray of float32, shape (y, x, 3)
        Red, green and blue, 0 to 1, never NaN; in the order of the maps' rows.

    Raises
    ------
    OptionError
        If a name is no class, the background or all others are missing, the maps differ in shape,
        or there is no such colour.

    Notes
    -----
    Where all maps are 0, as the original program leaves pixels that it did not classify, the
    colour is white: no class leads, and the background is not probable. Give `hidden` there.
    """
    if unclassified not in UNCLASSIFIED:
        raise OptionError(f"unclassified is {unclassified!r}; it can be {', '.join(UNCLASSIFIED)}")
    sources, background = _checked_maps(maps)
    if hidden is not None and hidden.shape != background.shape:
        raise OptionError(
            f"hidden has the shape {hidden.shape}, the maps have {background.shape} (y, x)"
        )
    rgb = np.empty((*background.shape, 3), np.float32)
    for rows in row_blocks(background.shape):
        block = _mix({name: plane[rows] for name, plane in sources.items()}, background[rows])
        empty = ~np.isfinite(block).all(axis=2)
        if hidden is not None:
            empty |= hidden[rows]
        block[empty] = UNCLASSIFIED[unclassified]
        rgb[rows] = block
    return rgb


def row_blocks(shape: tuple[int, ...], multiple: int = 1) -> Iterator[slice]:
    """Divide an image into blocks of whole rows, of about a million pixels.

    Parameters
    ----------
    shape : tuple of int
        Shape (y, x, ...) of the image.
    multiple : int, optional
        The number of rows of each block but the last is a multiple of it.

    Yields
    ------
    slice
        Rows, in order, without gaps.
    """
    step = max(1, _BLOCK_PIXELS // max(1, shape[1] * multiple)) * multiple
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def _mix(sources: dict[str, NDArray[Any]], background: NDArray[Any]) -> NDArray[np.float32]:
    """Colours of a few rows; NaN where any map is not finite."""
    first = np.full(background.shape, -np.inf, np.float32)
    second = np.full(background.shape, -np.inf, np.float32)
    pure = np.zeros((*background.shape, 3), np.float32)
    finite = np.isfinite(background)
    colors = {c.name: np.array(c.rgb, np.float32) for c in CLASSES}
    for name, plane in sources.items():
        finite &= np.isfinite(plane)
        leads = plane > first
        second = np.where(leads, first, np.maximum(second, plane))
        first = np.where(leads, plane, first)
        pure[leads] = colors[name]
    second = np.maximum(second, 0)  # with a single class there is no second
    with np.errstate(invalid="ignore"):  # infinite minus infinite, which `finite` knows of
        lead = np.clip(first - second, 0, 1)
        value = np.clip(1 - background, 0, 1)
    # For a given hue, HSV is linear in the saturation: from white to the pure colour.
    rgb: NDArray[np.float32] = value[..., None] * (1 - lead[..., None] * (1 - pure))
    rgb[~finite] = np.nan
    return rgb


def _checked_maps(
    maps: Mapping[str, ArrayLike],
) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Check the maps; give those of the source classes, and the background's."""
    background = CLASSES[BACKGROUND].name
    names = [c.name for c in CLASSES if c.name in maps]
    unknown = [str(name) for name in maps if name not in names]
    if unknown or background not in names or len(names) == 1:
        problem = f"{', '.join(unknown)}: no such class" if unknown else f"got {names}"
        raise OptionError(
            f"{problem}; to draw classes takes {background} and one or more of"
            f" {', '.join(c.name for c in CLASSES if c.name != background)}"
        )
    planes = {name: np.asarray(maps[name]) for name in names}
    shapes = sorted({plane.shape for plane in planes.values()})
    if len(shapes) > 1 or len(shapes[0]) != 2:  # noqa: PLR2004 (an image)
        raise OptionError(f"class maps have the shapes {shapes}; they must share one (y, x)")
    return planes, planes.pop(background)
