"""A run's folder opened for a page that shows it: nothing is read until it is asked for."""

import hashlib
import json
import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.catalog import Catalog
from morpheus.catalog.formats import FORMATS
from morpheus.errors import ImageError, OptionError, ProductError
from morpheus.inference.product import STATISTICS
from morpheus.mosaic import MosaicWarning, parse_region
from morpheus.mosaic.calibration import calibrate
from morpheus.mosaic.files import FitsFiles
from morpheus.mosaic.images import Image, Section, open_image
from morpheus.mosaic.products import write_json
from morpheus.mosaic.report import files_of_stage, read_report
from morpheus.mosaic.scale import pixel_scale
from morpheus.pipeline.field import color_channels
from morpheus.segmentation import GUIDED_FILE, SEGMENTATION_FILE
from morpheus.viewer import (
    Pyramid,
    Reader,
    SourceColumns,
    TileSet,
    ViewedBand,
    ViewedRun,
    band_set,
    label_set,
    picture_set,
    share_sets,
)
from morpheus.visual.rgb import color_scale, rgb_planes, sky_level

__all__ = ["TILES_FOLDER", "check_same_grid", "open_run"]

TILES_FOLDER = "tiles"
"""Where in a run's folder the halved maps are kept."""

_CODING = "1"  # of the tiles: another one makes all maps anew
_SAMPLE = 2_000_000  # pixels that skies and colours are measured on
_SHAPE = 2  # axes of an image


@contextmanager
def open_run(folder: Path, *, tiles: Path | None = None) -> Iterator[ViewedRun]:
    """Open the folder of a run for a page.

    Parameters
    ----------
    folder : Path
        What `morpheus classify` or `morpheus run` made, whole or not: without a segmentation map
        there are no outlines, without a catalogue no sources, without the images no sky.
    tiles : Path, optional
        Where the halved maps are kept; by default in the folder, or, where nothing can be written
        there, in a temporary one.

    Yields
    ------
    ViewedRun
        Valid until the context ends.

    Raises
    ------
    ProductError
        If the folder holds no classification, or a product in it is damaged.
    ImageError
        If an image has changed since it was classified.

    Warns
    -----
    MosaicWarning
        If the images are not there.
    """
    report = _report_of(folder)
    with ExitStack() as stack:
        files = stack.enter_context(FitsFiles())
        maps = _Maps.of(folder, report, files)
        images = _images(report, files)
        kept = tiles or stack.enter_context(_place_of_tiles(folder))
        catalog = _catalog(folder)
        labels = _labels(folder, catalog, files)
        signature = _signature(report, [*images.values(), *maps.all(), labels])
        _check_unchanged(report, images, files, kept, signature)
        shape, wcs = maps.shape, maps.wcs
        views: dict[str, Reader] = {
            band: partial(_read_band, image, _origin(report, image), threading.Lock())
            for band, image in images.items()
        }
        masked = partial(_read_map, maps.mask, threading.Lock())
        bands, sets = _shown_bands(images, views, shape)
        yield ViewedRun(
            title=folder.resolve().name,
            pyramid=Pyramid(
                kept,
                shape,
                [
                    *_picture(views, masked, shape),
                    *maps.sets(),
                    *([] if labels is None else [label_set(_locked(labels))]),
                    *sets,
                ],
                signature,
            ),
            classes=maps.classes,
            bands=tuple(bands),
            sources=None if catalog is None else SourceColumns(catalog.table),
            wcs=wcs,
            pixel_scale=None if wcs is None else pixel_scale(wcs),
            facts={
                "model": report.get("model", {}).get("name"),
                "started": report.get("started"),
                "version": report.get("software", {}).get("morpheus"),
                "detection_band": None
                if catalog is None
                else catalog.provenance.get("detection_band"),
            },
        )


@dataclass(frozen=True, eq=False)
class _Maps:
    """The class maps of a folder, not read yet."""

    classes: tuple[str, ...]
    by_statistic: dict[str, dict[str, Image]]
    n: Image
    mask: Image

    @classmethod
    def of(cls, folder: Path, report: dict[str, Any], files: FitsFiles) -> "_Maps":
        try:
            classes = tuple(report["model"]["classes"])
            products = [folder / Path(name).name for name in report["products"]]
            statistics = tuple(report.get("statistics", STATISTICS))
        except (KeyError, TypeError) as error:
            raise ProductError(
                f"{folder} holds no complete classification (no {error} in its report.json);"
                " morpheus run makes one"
            ) from error
        places: dict[str, str] = {}
        for path in products:
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
                raise ProductError(f"{folder} holds no complete classification: no {name}")
            return open_image(places[name.upper()], label=name, kind="image", files=files)

        return cls(
            classes,
            {s: {c: image(f"{c}_{s}") for c in classes} for s in statistics},
            image("n"),
            image("mask"),
        )

    @property
    def shape(self) -> tuple[int, int]:
        return self.n.shape

    @property
    def wcs(self) -> WCS | None:
        return self.n.wcs

    def all(self) -> list[Image]:
        return [self.mask, *(i for images in self.by_statistic.values() for i in images.values())]

    def sets(self) -> list[TileSet]:
        sets: list[TileSet] = []
        for statistic, kind in (("mean", "share"), ("variance", "scatter")):
            readers = {c: _locked(i) for c, i in self.by_statistic.get(statistic, {}).items()}
            sets += share_sets(readers, "share" if kind == "share" else "scatter")
        return sets


def _report_of(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ProductError(f"{folder} is not there; morpheus run makes such a folder")
    return read_report(folder)


def _images(report: dict[str, Any], files: FitsFiles) -> dict[str, Image]:
    """Open the images that were classified; none if one is missing."""
    images = {}
    for entry in report.get("inputs", ()):
        if entry["kind"] != "image":
            continue
        path = entry["path"]
        if path is None or not Path(path).exists():
            what = "were no files" if path is None else f"are not all there: {path} is missing"
            warnings.warn(
                f"the images that were classified {what}; the map is without them. Paths are those"
                " of the folder in which it was classified: run it from there",
                MosaicWarning,
                stacklevel=4,
            )
            return {}
        source = f"{path}[{entry['hdu']}]" if entry["hdu"] else path
        images[entry["band"]] = open_image(source, label=path, kind="image", files=files)
    return images


def _origin(report: dict[str, Any], image: Image) -> tuple[int, int]:
    """Find where in an image the field begins."""
    if report.get("region") is None:
        return 0, 0
    if image.wcs is None:
        raise ImageError(f"{image.name} has no WCS, and a region of it was classified")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MosaicWarning)  # said when it was classified
        rows, columns = parse_region(report["region"]).section(image.wcs, image.shape)
    return rows.start, columns.start


def _read_band(
    image: Image, origin: tuple[int, int], lock: threading.Lock, section: Section
) -> NDArray[np.float32]:
    rows, columns = (
        slice(part.start + start, part.stop + start)
        for part, start in zip(section, origin, strict=True)
    )
    with lock:  # astropy's sections share the position in a file
        return image.read((rows, columns)).astype(np.float32)


def _read_map(image: Image, lock: threading.Lock, section: Section) -> NDArray[Any]:
    with lock:
        return image.read(section)


def _locked(image: Image) -> Reader:
    return partial(_read_map, image, threading.Lock())


def _shown_bands(
    images: dict[str, Image], views: dict[str, Reader], shape: tuple[int, int]
) -> tuple[list[ViewedBand], list[TileSet]]:
    bands, sets = [], []
    for number, (band, image) in enumerate(images.items()):
        sky = sky_level(_sample(views[band], shape))
        sets.append(band_set(number, band, views[band], sky))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MosaicWarning)  # said when it was classified
            zero_point = calibrate(image.headers, image.unit, image.wcs).zero_point
        bands.append(ViewedBand(band, image.unit, sky.level, sky.noise, zero_point, sets[-1].name))
    return bands, sets


def _picture(views: dict[str, Reader], masked: Reader, shape: tuple[int, int]) -> Iterator[TileSet]:
    """Give the sky in colour, if it is known which band is which colour."""
    channels = color_channels(tuple(views)) if views else None
    if not channels:
        return

    def valid(read: Reader, section: Section) -> NDArray[np.float32]:
        return np.where(masked(section) > 0, np.float32(np.nan), read(section))

    readers: list[Reader] = [partial(valid, views[band]) for band in channels]
    if len(readers) == 2:  # noqa: PLR2004 (green is the mean of the two)
        red, blue = readers
        readers = [red, lambda section: rgb_planes([red(section), blue(section)])[1], blue]
    elif len(readers) == 1:
        readers *= 3
    samples = [_sample(read, shape) for read in readers]
    good = np.isfinite(samples).all(axis=0)
    if good.any():
        names = (channels[0], channels[len(channels) // 2], channels[-1])
        yield picture_set(names, readers, color_scale([sample[good] for sample in samples]))


def _sample(read: Reader, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Read evenly spaced rows, of about two million pixels."""
    height, width = shape
    step = max(1, height * width // _SAMPLE)
    rows = [read((slice(y, y + 1), slice(0, width))) for y in range(step // 2, height, step)]
    return np.concatenate(rows).ravel()


def _catalog(folder: Path) -> Catalog | None:
    for path in files_of_stage(folder, "catalog"):
        known = FORMATS.get(path.suffix.lower())
        if known is not None and known.read is not None:
            catalog = Catalog.read(path)
            if "segmentation" in catalog.provenance:  # .csv and .mrt do not keep it
                return catalog
    return None


def _labels(folder: Path, catalog: Catalog | None, files: FitsFiles) -> Image | None:
    wanted = None if catalog is None else catalog.provenance["segmentation"].get("file")
    for name in (wanted, SEGMENTATION_FILE, GUIDED_FILE):
        if name is not None and (folder / Path(name).name).exists():
            path = folder / Path(name).name
            return open_image(f"{path}[SEGMAP]", label=name, kind="image", files=files)
    return None


def _signature(report: dict[str, Any], images: list[Image | None]) -> str:
    """Tell one state of the files from any other, without reading them."""
    state: list[Any] = [_CODING, report.get("started"), str(report.get("region"))]
    for image in images:
        if image is not None and image.path is not None:
            found = image.path.stat()
            state.append((image.path.name, image.hdu, found.st_size, found.st_mtime_ns))
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def _check_unchanged(
    report: dict[str, Any],
    images: dict[str, Image],
    files: FitsFiles,
    kept: Path,
    signature: str,
) -> None:
    """Make sure that the images are those that were classified; once for a state of the files."""
    record = kept / "checked.json"
    try:
        if json.loads(record.read_text(encoding="utf-8")) == {"signature": signature}:
            return
    except (OSError, ValueError):
        pass
    known = {e["band"]: e["sha256"] for e in report["inputs"] if e["kind"] == "image"}
    for band, image in images.items():
        if image.path is not None and files.sha256(image.path) != known[band]:
            raise ImageError(
                f"{image.path} has changed since it was classified; classify it again, or bring"
                " the image back"
            )
    write_json(record, {"signature": signature}, overwrite=True)


@contextmanager
def _place_of_tiles(folder: Path) -> Iterator[Path]:
    if os.access(folder, os.W_OK):
        yield folder / TILES_FOLDER
        return
    with tempfile.TemporaryDirectory(prefix="morpheus-tiles-") as temporary:
        yield Path(temporary)


def check_same_grid(runs: list[ViewedRun]) -> None:
    """Make sure that two runs can be compared pixel by pixel.

    Parameters
    ----------
    runs : list of ViewedRun
        The runs.

    Raises
    ------
    OptionError
        If their sizes or classes differ.
    """
    first, *others = runs
    for other in others:
        if other.pyramid.shape != first.pyramid.shape:
            raise OptionError(
                f"{first.title} and {other.title} are of other sizes: {first.pyramid.shape} and"
                f" {other.pyramid.shape} pixels (y, x); only runs on one pixel grid are compared"
            )
        if other.classes != first.classes:
            raise OptionError(
                f"{first.title} and {other.title} have other classes; they cannot be compared"
            )
