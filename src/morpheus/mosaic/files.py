"""FITS files: opening them, finding the right HDU, saying what is wrong with them."""

import hashlib
import os
import re
import threading
import warnings
import zlib
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from morpheus.errors import ImageError
from morpheus.mosaic.mosaic import Kind

__all__ = [
    "HDU_TYPES",
    "READ_ERRORS",
    "FitsFiles",
    "HduKey",
    "astropy_chatter_off",
    "choose_hdu",
    "hdu_label",
    "split_hdu",
]

HduKey: TypeAlias = int | str | tuple[str, int]

HDU_TYPES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)
"""The HDUs that can hold an image."""

READ_ERRORS = (
    OSError,
    EOFError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    fits.VerifyError,
    zlib.error,
)
"""What astropy raises on damaged files (a cut memory map is a TypeError)."""

_READERS, _BLOCK = 4, 1 << 22  # files at once, and bytes of one

_WITH_HDU = re.compile(r"(?P<path>.+)\[(?P<hdu>[^\[\]]+)\]")
_DAMAGE = (
    "File may have been truncated",
    "Error validating header",
    "Checksum verification failed",
    "Datasum verification failed",
)
# What surveys call these extensions. Without this, the default weight map of a drizzled
# file (SCI, WHT, CTX) would be its image.
_NAMES: dict[Kind, tuple[str, ...]] = {
    "image": ("SCI",),
    "weight": ("WHT",),
    "rms": ("RMS", "ERR"),
    "dq": ("DQ",),
}


@contextmanager
def astropy_chatter_off() -> Iterator[None]:
    """Silence astropy's remarks on headers that it repairs while it reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        yield


def split_hdu(source: str | Path) -> tuple[Path, HduKey | None]:
    """Split ``file.fits[SCI,2]`` into the file and the HDU.

    Parameters
    ----------
    source : str or Path
        A file, with or without the name or number of an HDU in brackets.

    Returns
    -------
    path : Path
        The file.
    hdu : int, str, (str, int) or None
        Number, name, or name and EXTVER of the HDU; None if `source` names none.

    Raises
    ------
    ImageError
        If the brackets hold something else.
    """
    path = Path(os.path.expanduser(source))  # noqa: PTH111 (Path's raises for unknown users)
    match = _WITH_HDU.fullmatch(str(path))
    if match is None or path.exists():
        return path, None
    name, _, version = (part.strip() for part in match["hdu"].partition(","))
    if version and not (version.isdecimal() and not name.isdecimal()):
        raise ImageError(f"{source}: an HDU is given as [NAME], [NAME,VERSION] or [NUMBER]")
    key: HduKey = name
    if name.isdecimal():
        key = int(name)
    elif version:
        key = (name, int(version))
    return Path(match["path"]), key


class FitsFiles:
    """The FITS files of one read: each is opened and hashed once, all are closed together.

    Parameters
    ----------
    verify : bool, optional
        Whether CHECKSUM and DATASUM are verified, for which the whole file is read.
    """

    def __init__(self, *, verify: bool = False) -> None:
        self._verify = verify
        self._stack = ExitStack()
        self._opened: dict[Path, fits.HDUList] = {}
        self._digests: dict[Path, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def open(self, path: Path) -> fits.HDUList:
        """Open a file, memory-mapped; the headers of all its HDUs are read.

        Parameters
        ----------
        path : Path
            The file, compressed or not.

        Returns
        -------
        HDUList
            Its HDUs, valid until this object is closed.

        Raises
        ------
        ImageError
            If it is missing, unreadable, no FITS file or truncated.
        """
        if path not in self._opened:
            self._opened[path] = self._open(path)
        return self._opened[path]

    def digest(self, paths: Collection[Path]) -> dict[Path, str]:
        """Digest files, as they stand on disk, a few beside each other.

        Parameters
        ----------
        paths : collection of Path
            The files.

        Returns
        -------
        dict of Path to str
            SHA-256 of each, hexadecimal.
        """
        todo = [path for path in dict.fromkeys(paths) if path not in self._digests]
        stopped = threading.Event()
        # Digests are computed without the interpreter's lock.
        with ThreadPoolExecutor(max(1, min(len(todo), _READERS))) as beside:
            try:
                found = beside.map(partial(_sha256, stopped=stopped), todo)
                self._digests.update(zip(todo, found, strict=True))
            finally:
                stopped.set()  # at once after Ctrl-C, not after gigabytes
        return {path: self._digests[path] for path in paths}

    def _open(self, path: Path) -> fits.HDUList:
        try:
            if path.is_dir():
                raise ImageError(f"{path} is a folder; give the FITS file in it")
            if path.stat().st_size == 0:
                raise ImageError(f"{path} is empty (0 bytes); copy or download it again")
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                hdus = self._stack.enter_context(fits.open(path, checksum=self._verify))
                len(hdus)  # astropy reads headers lazily: look at all of them
        except FileNotFoundError:
            raise ImageError(
                f"{path}: no such file; check the path (relative ones start in {Path.cwd()})"
            ) from None
        except PermissionError:
            raise ImageError(f"{path}: permission denied; make it readable (chmod u+r)") from None
        except READ_ERRORS as error:
            raise ImageError(
                f"{path} is no FITS file, or a damaged one ({_one_line(error)}); "
                "if it should be one, copy or download it again"
            ) from error
        damage = [w.message for w in caught if str(w.message).startswith(_DAMAGE)]
        if damage:
            raise ImageError(
                f"{path} is truncated or damaged ({_one_line(damage[0])}); "
                "copy or download it again"
            )
        return hdus


def choose_hdu(hdus: fits.HDUList, key: HduKey | None, *, kind: Kind, name: str) -> int:
    """Find the HDU that holds an image.

    Without a key it is the only HDU with 2-D data; of several, the one that is named for
    what it holds (SCI for images, WHT for weights, RMS or ERR, DQ), of these the first EXTVER.

    Parameters
    ----------
    hdus : HDUList
        The HDUs of a file.
    key : int, str, (str, int) or None
        Number, name, or name and EXTVER of an HDU.
    kind : {"image", "weight", "rms", "dq"}
        What is sought.
    name : str
        What messages call the file.

    Returns
    -------
    int
        Index of the HDU. Its data may have any number of axes.

    Raises
    ------
    ImageError
        If there is no such HDU, or the choice is not clear; lists the HDUs.
    """
    if key is not None:
        return _named_hdu(hdus, key, name)
    images = [i for i, hdu in enumerate(hdus) if isinstance(hdu, HDU_TYPES) and hdu.shape]
    planes = [i for i in images if len(hdus[i].shape) == 2]  # noqa: PLR2004 (two axes)
    candidates = planes or images
    if not candidates:
        raise ImageError(f"{name} holds no image: {_listing(hdus)}")
    if len(candidates) == 1:
        return candidates[0]
    for extension in _NAMES[kind]:
        fitting = [i for i in candidates if hdus[i].name == extension]
        if fitting:
            return min(fitting, key=lambda i: hdus[i].ver)
    raise ImageError(
        f"{name} holds several images: {_listing(hdus)}; choose one, "
        f"e.g. {name}[{hdu_label(hdus, candidates[0])}]"
    )


def hdu_label(hdus: fits.HDUList, index: int) -> str:
    """Name an HDU so that ``file.fits[label]`` finds it again.

    Parameters
    ----------
    hdus : HDUList
        The HDUs of a file.
    index : int
        Which one.

    Returns
    -------
    str
        NAME, NAME,VERSION, or its number where these are missing or not unique.
    """
    hdu = hdus[index]
    if not hdu.name or hdus.index_of((hdu.name, hdu.ver)) != index:
        return str(index)
    # A name without a version means the first HDU of that name, whatever its EXTVER.
    return str(hdu.name) if hdus.index_of(hdu.name) == index else f"{hdu.name},{hdu.ver}"


def _named_hdu(hdus: fits.HDUList, key: HduKey, name: str) -> int:
    try:
        index = int(hdus.index_of(key))
        hdu = hdus[index]
    except (KeyError, IndexError):
        raise ImageError(f"{name}: there is no such HDU; the file holds {_listing(hdus)}") from None
    if not (isinstance(hdu, HDU_TYPES) and hdu.shape):
        raise ImageError(f"{name} is no image; the file holds {_listing(hdus)}")
    return index


def _listing(hdus: fits.HDUList) -> str:
    def content(hdu: fits.PrimaryHDU) -> str:
        if not isinstance(hdu, HDU_TYPES):
            return "table"
        return "x".join(str(n) for n in reversed(hdu.shape)) or "no data"

    return ", ".join(f"[{hdu_label(hdus, i)}] {content(hdu)}" for i, hdu in enumerate(hdus))


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _sha256(path: Path, stopped: threading.Event) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as file:
        while (n := file.readinto(buffer)) and not stopped.is_set():
            digest.update(buffer[:n])
    return digest.hexdigest()
