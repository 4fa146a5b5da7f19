"""A film: the classes sweep over the sky."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from morpheus.errors import ProductError, missing_package
from morpheus.mosaic.products import replacing
from morpheus.provenance import morpheus_version
from morpheus.visual.files import check_output

__all__ = ["check_film_path", "sweep", "write_film"]

_FORMATS = (".mp4", ".gif")
_LINE = 3  # pixels: width of the line between the two pictures
_WHITE = 255
_RATE = 15  # pictures a second of a .gif, whose players are slow
_QUALITY = "18"  # of H.264: 0 is without loss, 23 its default


def check_film_path(path: str | Path, *, overwrite: bool = False) -> Path:
    """Find out whether a film can be written, before any work is done for it.

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
        If its suffix is that of no format, or what writes .mp4 is not installed.
    ProductError
        If it exists and may not be replaced, or its folder cannot be written to.
    """
    path = check_output(path, "film", _FORMATS, overwrite=overwrite)
    if path.suffix.lower() == ".mp4":
        _import_av()
    return path


def sweep(
    before: NDArray[np.uint8], after: NDArray[np.uint8], n_frames: int, n_still: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """Let one picture take the place of another from the left to the right.

    Parameters
    ----------
    before, after : ndarray of uint8, shape (y, x, 3)
        The pictures. Where they are equal, such as in a legend, nothing moves.
    n_frames : int
        Number of pictures of the way, 2 or more.
    n_still : int, optional
        For how many pictures the first is shown before, and the last after it.

    Yields
    ------
    ndarray of uint8, shape (y, x, 3)
        The pictures of the film.
    """
    differs = (before != after).any(axis=2)
    columns, rows = np.flatnonzero(differs.any(axis=0)), np.flatnonzero(differs.any(axis=1))
    for _ in range(n_still):
        yield before
    if len(columns):
        first, last = int(columns[0]), int(columns[-1]) + 1
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        for i in range(n_frames):
            # Slow at both ends, so that the eye can follow.
            way = (1 - np.cos(np.pi * i / (n_frames - 1))) / 2
            edge = first + round(float(way) * (last - first))
            frame = before.copy()
            frame[:, :edge] = after[:, :edge]
            if first < edge < last:
                frame[part, edge : min(last, edge + _LINE)] = _WHITE
            yield frame
    for _ in range(n_still):
        yield after


def write_film(
    path: str | Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    rate: int = 30,
    overwrite: bool = False,
) -> Path:
    """Write pictures as a film.

    Parameters
    ----------
    path : str or Path
        The file: .mp4 (H.264, which every browser and program for talks plays) or .gif (endless,
        at 15 pictures a second).
    frames : iterable of ndarray of uint8, shape (y, x, 3)
        The pictures, first row on top, all of one shape; at least one.
    rate : int, optional
        Pictures a second.
    overwrite : bool, optional
        Whether to replace a file that exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If the suffix is that of no format.
    ProductError
        If the file exists and `overwrite` is false, or cannot be written.
    """
    path = check_film_path(path, overwrite=overwrite)
    write = _write_mp4 if path.suffix.lower() == ".mp4" else _write_gif
    with replacing(path, overwrite=overwrite) as temporary:
        write(temporary, frames, rate)
    return path


def _write_mp4(path: Path, frames: Iterable[NDArray[np.uint8]], rate: int) -> None:
    av = _import_av()
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as film:
            film.metadata["comment"] = f"morpheus {morpheus_version()}"
            stream = film.add_stream("libx264", rate=rate, options={"crf": _QUALITY})
            stream.pix_fmt = "yuv420p"  # the only one that all players know
            for picture in frames:
                even = _even(picture)
                if not stream.codec_context.is_open:
                    stream.height, stream.width = even.shape[:2]
                for packet in stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")):
                    film.mux(packet)
            for packet in stream.encode():
                film.mux(packet)
    except av.FFmpegError as error:
        raise ProductError(f"cannot write the film: {error}") from error


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row and column where their number is odd, as H.264 needs it."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _write_gif(path: Path, frames: Iterable[NDArray[np.uint8]], rate: int) -> None:
    every = max(1, round(rate / _RATE))
    chosen = [frame for i, frame in enumerate(frames) if i % every == 0]
    # One palette for all, or colours flicker; the last picture has all colours of the classes.
    both = Image.fromarray(np.concatenate([chosen[0], chosen[-1]]))
    palette = both.quantize(256, method=Image.Quantize.MEDIANCUT)
    pictures = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in chosen
    ]
    pictures[0].save(
        path,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=10 * round(100 * every / rate),  # GIF counts hundredths of a second
        loop=0,
    )


def _import_av() -> Any:
    try:
        import av  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        raise missing_package(error, "a film as .mp4 (not as .gif)", "film") from error
    return av
