"""Pictures out: written whole or not at all, in the format that the file's name says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from morpheus.errors import OptionError, ProductError
from morpheus.mosaic.products import check_targets, replacing
from morpheus.provenance import morpheus_version
from morpheus.visual.style import new_figure, style

__all__ = ["FORMATS", "check_output", "check_picture_path", "rendered", "to_bytes", "write_picture"]

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".pdf": "PDF",
}
"""The suffixes of picture files and the formats that they stand for."""

_MAX_SIDE = {"JPEG": 65_535}  # what the format can hold
_TIFF_DESCRIPTION, _TIFF_SOFTWARE = 270, 305  # TIFF's tags, which EXIF shares
_CHANNELS = 3


def check_picture_path(path: str | Path, *, overwrite: bool = False) -> Path:
    """Find out whether a picture can be written, before any work is done for it.

    Parameters
    ----------
    path : str or Path
        The file.
    overwrite : bool, optional
        Whether it may be replaced if it exists.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    OptionError
        If its suffix is that of no format.
    ProductError
        If it exists and may not be replaced, or its folder cannot be written to.
    """
    return check_output(path, "picture", tuple(FORMATS), overwrite=overwrite)


def check_output(
    path: str | Path, what: str, suffixes: tuple[str, ...], *, overwrite: bool
) -> Path:
    """Find out whether a file of some kind can be written.

    Parameters
    ----------
    path : str or Path
        The file.
    what : str
        What it is to be.
    suffixes : tuple of str
        Those that it may have.
    overwrite : bool
        Whether it may be replaced if it exists.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    OptionError
        If it has another suffix.
    ProductError
        If it exists and may not be replaced, or its folder cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise OptionError(
            f"{path.name}: a {what} is a file that ends in {', '.join(suffixes)}, which says its"
            " format"
        )
    check_targets([path], overwrite=overwrite)
    return path


def write_picture(
    path: str | Path,
    picture: Figure | NDArray[Any],
    *,
    overwrite: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a figure, or an array pixel by pixel.

    Parameters
    ----------
    path : str or Path
        The file: .png, .jpg, .tif (without loss, but for .jpg) or .pdf.
    picture : matplotlib.figure.Figure or ndarray, shape (y, x, 3)
        A figure, in the resolution that it was made with; or an array of uint8, or of floats of 0
        to 1 (clipped; NaN is black), whose first row comes to lie at the bottom.
    overwrite : bool, optional
        Whether to replace a file that exists.
    metadata : mapping of str to str, optional
        What else to write into the file. The program and its version are written in any case.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If the suffix is that of no format, or the array is no picture.
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    path = check_picture_path(path, overwrite=overwrite)
    form = FORMATS[path.suffix.lower()]
    notes = {"Software": f"morpheus {morpheus_version()}", **(metadata or {})}
    if form == "PDF":
        figure = picture if isinstance(picture, Figure) else _as_figure(to_bytes(picture))
        keys = {"Creator": notes.pop("Software")}
        if notes:
            keys["Subject"] = _as_text(notes)
        with style(), replacing(path, overwrite=overwrite) as temporary:
            figure.savefig(temporary, format="pdf", metadata=keys)
        return path
    image = Image.fromarray(
        rendered(picture) if isinstance(picture, Figure) else to_bytes(picture)[::-1]
    )
    if max(image.size) > _MAX_SIDE.get(form, max(image.size)):
        raise ProductError(
            f"cannot write {path}: {form} holds at most {_MAX_SIDE[form]} pixels a side, and this"
            f" picture has {image.width} x {image.height}; write .png or .tif"
        )
    with replacing(path, overwrite=overwrite) as temporary:
        image.save(temporary, form, **_save_options(form, notes))
    return path


def to_bytes(rgb: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn colours of 0 to 1 into those of screens.

    Parameters
    ----------
    rgb : ndarray, shape (y, x, 3)
        Floats of 0 to 1 (clipped; NaN is 0); uint8 is given back as it is.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
        0 to 255, rounded to nearest.

    Raises
    ------
    OptionError
        If the array has another shape, no pixel, or whole numbers other than uint8.
    """
    rgb = np.asarray(rgb)
    number = rgb.dtype == np.uint8 or np.issubdtype(rgb.dtype, np.floating)
    if rgb.ndim != _CHANNELS or rgb.shape[-1] != _CHANNELS or not rgb.size or not number:
        raise OptionError(
            f"a picture is an array (y, x, 3) of uint8 or of floats; got {rgb.dtype} of shape"
            f" {rgb.shape}"
        )
    if rgb.dtype == np.uint8:
        return rgb
    scaled = np.clip(np.nan_to_num(rgb, nan=0.0), 0, 1) * np.float32(255)
    rounded: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return rounded


def rendered(figure: Figure) -> NDArray[np.uint8]:
    """Draw a figure in the resolution that it was made with.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.

    Returns
    -------
    ndarray of uint8, shape (y, x, 3)
        Its pixels, first row on top.
    """
    with style():
        figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
    return np.ascontiguousarray(pixels[..., :_CHANNELS])


def _as_figure(rgb: NDArray[np.uint8]) -> Figure:
    """Put an array into a figure of the same number of pixels."""
    height, width = rgb.shape[:2]
    with style():
        figure = new_figure(width / 64, height / 64, 64)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.imshow(rgb, interpolation="none", aspect="auto")
    return figure


def _as_text(notes: Mapping[str, str]) -> str:
    return "; ".join(f"{key}: {value}" for key, value in notes.items())


def _save_options(form: str, notes: Mapping[str, str]) -> dict[str, Any]:
    if form == "PNG":
        chunks = PngInfo()
        for key, value in notes.items():
            chunks.add_text(key, value)
        return {"pnginfo": chunks}
    # The standards of these two want ASCII.
    text = {key: value.encode("ascii", "replace").decode() for key, value in notes.items()}
    software = text.pop("Software")
    tags = {_TIFF_SOFTWARE: software} | ({_TIFF_DESCRIPTION: _as_text(text)} if text else {})
    if form == "TIFF":
        return {"compression": "tiff_deflate", "tiffinfo": tags}
    exif = Image.Exif()
    exif.update(tags)
    return {"quality": 95, "subsampling": 0, "exif": exif}
