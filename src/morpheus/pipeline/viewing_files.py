"""The files of a run, opened and not yet read: class maps, segmentation map, images."""

import functools
import hashlib
import json
import threading
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.catalog import Catalog
from morpheus.errors import ImageError, MosaicWarning, ProductError
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.images import Image, Section, open_image
from morpheus.pipeline.viewing_record import RunRecord
from morpheus.segmentation import GUIDED_FILE, SEGMENTATION_FILE
from morpheus.viewer import Reader, TileSet, share_sets

__all__ = ["ClassImages", "RunFiles", "open_files", "reader"]

_CODING = "1"  # of the tiles: another one makes all maps anew
_SHAPE = 2  # axes of an image
_ROWS = 1024  # that are digested at a time


@dataclass(frozen=True, eq=False)
class ClassImages:
    """The class maps of a run.

    Parameters
    ----------
    mean, variance : dict of str to Image
        By class; no variances if there are none.
    n, mask : Image
        How often pixels were classified, and which were not.
    """

    mean: dict[str, Image]
    variance: dict[str, Image]
    n: Image
    mask: Image

    @property
    def shape(self) -> tuple[int, int]:
        """Size (y, x) of the field in pixels."""
        return self.n.shape

    @property
    def wcs(self) -> WCS | None:
        """Where on the sky its pixels are."""
        return self.n.wcs

    def sets(self) -> tuple[TileSet, ...]:
        """Give what tiles of the maps are made of.

        Returns
        -------
        tuple of TileSet
            Of the probabilities, then of their scatter.
        """
        mean, variance = (
            {name: reader(image) for name, image in images.items()}
            for images in (self.mean, self.variance)
        )
        return (*share_sets(mean, "share"), *share_sets(variance, "scatter"))


@dataclass(frozen=True, eq=False)
class RunFiles:
    """The files of a run.

    Parameters
    ----------
    record : RunRecord
        What the run says of itself.
    maps : ClassImages
        The class maps.
    images : dict of str to Image
        By band, the images that were classified; none if one is missing.
    labels : Image or None
        The segmentation map.
    digest : str or None
        Of the labels of which the catalogue is; None without a catalogue.
    files : FitsFiles
        What has opened them.
    """

    record: RunRecord
    maps: ClassImages
    images: dict[str, Image]
    labels: Image | None
    digest: str | None
    files: FitsFiles

    def signature(self) -> str:
        """Tell one state of the files from any other, without reading them.

        Returns
        -------
        str
            SHA-256, hexadecimal.
        """
        state: list[Any] = [_CODING, self.record.started, self.record.region, self.digest]
        maps = (*self.maps.mean.values(), *self.maps.variance.values(), self.maps.mask)
        for image in (*self.images.values(), *maps, self.labels):
            if image is not None and image.path is not None:
                found = image.path.stat()
                state.append((image.path.name, image.hdu, found.st_size, found.st_mtime_ns))
        return hashlib.sha256(json.dumps(state).encode()).hexdigest()

    def check(self) -> None:
        """Make sure that images and segmentation map are those of the run; reads all of them.

        Raises
        ------
        ImageError
            If an image is not the one that was classified.
        ProductError
            If the segmentation map is not the one that the catalogue was made from.
        """
        known = {
            image.path: one.sha256
            for one in self.record.images
            if (image := self.images.get(one.band)) is not None and image.path is not None
        }
        for path, digest in self.files.digest(known).items():
            if digest != known[path]:
                raise ImageError(
                    f"{path} has changed since it was classified; classify it again, or"
                    " bring the image back"
                )
        if self.labels is None or self.digest is None:
            return
        if _labels_digest(self.labels) != self.digest:
            raise ProductError(
                f"the catalogue was made from another segmentation map than {self.labels.path};"
                f" make it again with morpheus catalog {self.record.folder}"
            )


def open_files(record: RunRecord, catalog: Catalog | None, files: FitsFiles) -> RunFiles:
    """Open the files of a run.

    Parameters
    ----------
    record : RunRecord
        What it says of itself.
    catalog : Catalog or None
        Its catalogue.
    files : FitsFiles
        Opens them, and closes them.

    Returns
    -------
    RunFiles
        The files.

    Raises
    ------
    ProductError
        If a class map is not there or damaged.
    ImageError
        If an image or the segmentation map is damaged.

    Warns
    -----
    MosaicWarning
        If the images are not there.
    """
    made_from = {} if catalog is None else catalog.provenance["segmentation"]
    return RunFiles(
        record,
        _open_maps(record, files),
        _open_images(record, files),
        _open_labels(record.folder, made_from.get("file"), files),
        None if catalog is None else str(made_from.get("labels_sha256")),
        files,
    )


def reader(image: Image) -> Reader:
    """Give what reads an image, by several threads too.

    Parameters
    ----------
    image : Image
        The image.

    Returns
    -------
    callable
        Gives the pixels of a section.
    """
    return partial(_read, image, _lock(image.path))


@functools.cache
def _lock(path: Path | None) -> threading.Lock:
    """Give the lock of a file: sections of all its images share the position in it."""
    _ = path
    return threading.Lock()


def _read(image: Image, lock: threading.Lock, section: Section) -> NDArray[Any]:
    with lock:
        return image.read(section)


def _open_maps(record: RunRecord, files: FitsFiles) -> ClassImages:
    places: dict[str, str] = {}
    for path in record.products:
        try:
            hdus = files.open(path)
        except ImageError as error:
            raise ProductError(f"the classification cannot be read: {error}") from error
        places |= {
            hdu.name.upper(): f"{path}[{i}]"
            for i, hdu in enumerate(hdus)
            if len(getattr(hdu, "shape", ())) == _SHAPE
        }

    def image(name: str) -> Image:
        if name.upper() not in places:
            raise ProductError(f"{record.folder} holds no complete classification: no {name}")
        return open_image(places[name.upper()], label=name, kind="image", files=files)

    def of_classes(statistic: str) -> dict[str, Image]:
        if statistic not in record.statistics:
            return {}
        return {name: image(f"{name}_{statistic}") for name in record.classes}

    return ClassImages(of_classes("mean"), of_classes("variance"), image("n"), image("mask"))


def _open_images(record: RunRecord, files: FitsFiles) -> dict[str, Image]:
    images = {}
    for one in record.images:
        if one.path is None or not Path(one.path).exists():
            what = "were no files"
            if one.path is not None:
                what = f"are not all there: {one.path} is missing"
            warnings.warn(
                f"the images that were classified {what}; the map is without them. Paths are those"
                " of the folder in which it was classified: run it from there",
                MosaicWarning,
                stacklevel=5,
            )
            return {}
        source = f"{one.path}[{one.hdu}]" if one.hdu else one.path
        images[one.band] = open_image(source, label=one.path, kind="image", files=files)
    return images


def _open_labels(folder: Path, wanted: str | None, files: FitsFiles) -> Image | None:
    """Open the map that the catalogue names, or else the one that is there."""
    for name in sorted((SEGMENTATION_FILE, GUIDED_FILE), key=lambda name: name != wanted):
        if (folder / name).exists():
            return open_image(f"{folder / name}[SEGMAP]", label=name, kind="image", files=files)
    return None


def _labels_digest(labels: Image) -> str:
    """Digest labels as `Segmentation.sha256` does, a few rows at a time."""
    digest, (height, width) = hashlib.sha256(), labels.shape
    for start in range(0, height, _ROWS):
        rows = labels.read((slice(start, min(start + _ROWS, height)), slice(0, width)))
        digest.update(np.ascontiguousarray(rows, "<i4").data)
    return digest.hexdigest()
