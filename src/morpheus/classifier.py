"""The original program's interface, so that scripts that were written for it keep running.

`morpheus-astro` is used through the static methods of `morpheus.classifier.Classifier`, with
dictionaries of arrays. They are here with their names, arguments, defaults and results; the work
is done by `morpheus.classify`, `morpheus.segmentation`, `morpheus.catalog` and `morpheus.visual`,
which new scripts should use: they keep world coordinates, masks and provenance.
"""

import csv
import dataclasses
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from skimage.measure import regionprops

from morpheus.catalog.morphology import SourcePixels, classify_sources
from morpheus.classes import CLASS_NAMES
from morpheus.errors import GridMismatchError, MosaicWarning, OptionError, ProductError
from morpheus.inference import Classification, ClassMaps, InferenceOptions
from morpheus.model.hausen2020 import CONFIG
from morpheus.mosaic import read_mosaic
from morpheus.mosaic.products import Plane, check_targets, replacing, write_planes
from morpheus.pipeline import classify
from morpheus.provenance import morpheus_version
from morpheus.segmentation import SegmentationOptions, segment
from morpheus.visual import class_colors, write_picture

__all__ = ["ArgumentError", "Classifier", "ExistingFileError", "check_new", "write_catalog"]

Classified: TypeAlias = Mapping[str, NDArray[Any]]
Scheme: TypeAlias = Callable[[dict[str, Any], NDArray[Any], NDArray[np.bool_]], Any]

_OUT_TYPES = {"rank_vote": ("",), "mean_var": ("_mean", "_var"), "both": ("", "_mean", "_var")}


class ArgumentError(OptionError, ValueError):
    """Arguments that cannot be used: a `ValueError`, as the original raises it."""


class ExistingFileError(ProductError, FileExistsError):
    """A file that would be overwritten: an `OSError`, as the original raises it."""


class Classifier:
    """Classify images, and make segmentation maps, colour images and catalogues of them.

    The interface of the original program, `morpheus-astro`. See `morpheus.classify` and what it
    names for the present one.
    """

    @staticmethod
    def classify(  # noqa: PLR0917 (the original's)
        h: NDArray[Any] | str | Path | None = None,
        j: NDArray[Any] | str | Path | None = None,
        z: NDArray[Any] | str | Path | None = None,
        v: NDArray[Any] | str | Path | None = None,
        out_dir: str | Path | None = None,
        batch_size: int = 1000,
        out_type: str = "rank_vote",
        gpus: Sequence[int] | None = None,
        cpus: int | None = None,
        parallel_check_interval: float = 1,  # noqa: ARG004 (there are no processes to wait for)
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Classify every pixel with the published network; see `morpheus.classify`.

        Parameters
        ----------
        h, j, z, v : ndarray of float, shape (y, x), or str
            The bands F160W, F125W, F850LP and F606W: arrays, or FITS files. Mind the order: z
            comes before v. Files whose FILTER says another band are refused.
        out_dir : str, optional
            Where to write the results too; for files, if None, the current folder.
        batch_size : int, optional
            Windows that a GPU gets at once. Processors are fastest with a number of the program's
            choice. The results do not depend on it.
        out_type : {"rank_vote", "mean_var", "both"}, optional
            Which statistics over the windows.
        gpus : sequence of int, optional
            Numbers of GPUs. The first is used, through PyTorch.
        cpus : int, optional
            Number of processor cores. All are used if None.
        parallel_check_interval : float, optional
            Not needed any more.
        progress : callable, optional
            Called with the number of windows done and their total number.

        Returns
        -------
        dict of str to ndarray, shape (y, x)
            `<class>` (votes), `<class>_mean` and `<class>_var` (float32), and `n` (int16), the
            number of windows that saw a pixel. All are 0 where it was not classified.

        Raises
        ------
        ArgumentError
            If a band is missing, bands are arrays and files mixed, or differ in shape or sky
            position, or options are unknown or contradict each other; it is a `ValueError`.
        ExistingFileError
            If a result exists in `out_dir`; it is an `OSError`.
        MorpheusError
            If the images cannot be used, or the model is not installed.
        """
        images = {"h": h, "j": j, "v": v, "z": z}
        of_files = _are_files(images)
        if out_type not in _OUT_TYPES:
            raise ArgumentError(
                f"out_type is {out_type!r}; choose one of {', '.join(map(repr, _OUT_TYPES))}"
            )
        options = _inference_options(batch_size, gpus, cpus)
        keys = _keys(out_type)
        folder = Path() if out_dir is None and of_files else out_dir
        paths = {} if folder is None else {key: Path(folder) / f"{key}.fits" for key in keys}
        check_new(paths.values())
        try:
            result = classify(
                dict(zip(CONFIG.bands, images.values(), strict=True)),
                model=CONFIG.name,
                options=options,
                progress=progress,
            )
        except GridMismatchError as error:
            raise ArgumentError(str(error)) from error
        classified = {key: _plain(result, key) for key in keys}
        header = _header(result.wcs, result.provenance)
        for key, path in paths.items():
            write_planes(path, [Plane(key.upper(), classified[key], header)])
        return classified

    @staticmethod
    def segmap_from_classified(
        classified: Classified,
        flux: NDArray[Any] | str | Path,
        bkg_src_threshold: float = 0.0,
        out_dir: str | Path | None = None,
        min_distance: int = 20,  # noqa: ARG004 (see the docstring)
        mask: NDArray[np.bool_] | None = None,
        deblend: bool = True,
    ) -> NDArray[np.int32]:
        """Make a segmentation map; see `morpheus.segmentation.segment`.

        Parameters
        ----------
        classified : mapping of str to ndarray, shape (y, x)
            What `Classifier.classify` gives.
        flux : ndarray of float, shape (y, x), or str
            The image (or FITS file) that decides where neighbours are separated: H.
        bkg_src_threshold : float, optional
            Largest background of the pixels that seed sources, 0 or more and less than 1.
        out_dir : str, optional
            Where to write the map too, as `segmap.fits`.
        min_distance : int, optional
            Not needed any more: the depth of the gap between two peaks decides whether they are
            separated, and not their distance.
        mask : ndarray of bool, shape (y, x), optional
            Where to look, of the pixels that were classified; if None, at all of them.
        deblend : bool, optional
            Whether to separate neighbours that touch.

        Returns
        -------
        ndarray of int32, shape (y, x)
            0 for the sky, 1 to N for the sources, and -1 where not classified or outside of
            `mask`.

        Raises
        ------
        ArgumentError
            If the threshold is out of range, or the arrays do not fit each other; it is a
            `ValueError`.
        ExistingFileError
            If the file exists; it is an `OSError`.
        ImageError
            If the image cannot be used.

        Notes
        -----
        Votes are segmented by the published method. The means of `out_type="mean_var"`, whose
        background is hardly ever exactly 1 or 0, cannot be (see `published_regions`): they are
        segmented by probability, with the thresholds of the model; `bkg_src_threshold`, if it is
        not 0, takes the place of the threshold that seeds, and lowers the other to no more than it.
        """
        if not 0 <= bkg_src_threshold < 1:
            raise ArgumentError(
                f"bkg_src_threshold is {bkg_src_threshold!r}; it is 0 or more and less than 1"
            )
        path = None if out_dir is None else Path(out_dir) / "segmap.fits"
        check_new([] if path is None else [path])
        maps, are_means = _class_maps(classified)
        image, wcs = _open_flux(flux, maps.array.shape[1:])
        valid = _valid(classified, mask, maps.array.shape[1:])
        unknown = np.broadcast_to(np.float32(np.nan), maps.array.shape)
        classification = Classification(
            mean=maps,
            votes=maps,
            variance=ClassMaps(maps.classes, unknown),
            n=valid.astype(np.uint32),
            mask=~valid,
        )
        options = _segmentation_options(float(bkg_src_threshold), deblend, are_means)
        labels = segment(classification, image, options=options).labels.copy()
        labels[~valid] = -1
        if path is not None:
            write_planes(path, [Plane("SEGMAP", labels, _header(wcs, {}))])
        return labels

    @staticmethod
    def catalog_from_classified(
        classified: Classified,
        flux: NDArray[Any] | str | Path,
        segmap: NDArray[np.integer[Any]],
        aggregation_scheme: Scheme | None = None,
        out_file: str | Path | None = None,
    ) -> list[dict[str, Any]]:
        """Make a catalogue of positions and classes; see `morpheus.catalog.measure`.

        Parameters
        ----------
        classified : mapping of str to ndarray, shape (y, x)
            What `Classifier.classify` gives.
        flux : ndarray of float, shape (y, x), or str
            The image (or FITS file) to weight with and to find the brightest pixel in: H.
        segmap : ndarray of int, shape (y, x)
            1 or more for the sources.
        aggregation_scheme : callable, optional
            Takes, cut out around a source, the dictionary of maps, the flux (0 outside of the
            source) and a mask of bool (True in the source and in the sky that it encloses), and
            gives the probabilities of spheroid, disk, irregular and point source. None:
            `aggregation_scheme_flux_weighted`.
        out_file : str, optional
            Where to write the catalogue too: `.csv` or `.json`.

        Returns
        -------
        list of dict
            For each source `id`, its number in `segmap`; `location`, [y, x] of its brightest
            pixel; and `morphology`, what the scheme gives.

        Raises
        ------
        ArgumentError
            If the file has another suffix, or the arrays do not fit each other; it is a
            `ValueError`.
        ExistingFileError
            If the file exists; it is an `OSError`.
        """
        path = None if out_file is None else Path(out_file)
        if path is not None:
            if path.suffix not in {".csv", ".json"}:
                raise ArgumentError(f"{path}: a catalogue ends in .csv or .json")
            check_new([path])
        segmap = np.asarray(segmap)
        if segmap.dtype.kind not in "iu":
            raise ArgumentError(f"segmap holds {segmap.dtype} data; it holds whole numbers")
        image, _ = _open_flux(flux, segmap.shape)
        for key, plane in classified.items():
            _check_shape(key, plane, segmap.shape)
        scheme = aggregation_scheme or Classifier.aggregation_scheme_flux_weighted
        catalog = []
        for region in regionprops(segmap.astype(np.int64)):
            box, own = region.slice, region.image
            cutout = image[box]
            inside = np.where(own, np.nan_to_num(cutout, nan=0.0, posinf=0.0, neginf=0.0), 0)
            # A hole may be another source; the original counts that one's pixels too.
            filled = own | (region.image_filled & (segmap[box] == 0))
            data = {key: np.array(plane[box]) for key, plane in classified.items()}
            known = own & np.isfinite(cutout)
            brightest = np.where(known if known.any() else own, inside, -np.inf).argmax()
            y, x = np.unravel_index(brightest, own.shape)
            catalog.append(
                {
                    "id": int(region.label),
                    "location": [int(y) + box[0].start, int(x) + box[1].start],
                    "morphology": scheme(data, inside, filled),
                }
            )
        if path is not None:
            write_catalog(path, catalog)
        return catalog

    @staticmethod
    def colorize_classified(
        classified: Classified,
        out_dir: str | Path | None = None,
        hide_unclassified: bool = True,
    ) -> NDArray[np.float32]:
        """Draw the classes as colours; see `morpheus.visual.colorize`.

        Parameters
        ----------
        classified : mapping of str to ndarray, shape (y, x)
            What `Classifier.classify` gives; its votes are drawn, or without them its means.
        out_dir : str, optional
            Where to write the image too, as `colorized.png`. The first row of the array is on
            top there, as in the original: upside down beside what shows FITS images.
        hide_unclassified : bool, optional
            Whether pixels that were not classified are black; else they are white.

        Returns
        -------
        ndarray of float32, shape (y, x, 3)
            Red, green and blue, 0 to 1.

        Raises
        ------
        ArgumentError
            If the maps are not those of a classification; it is a `ValueError`.
        ExistingFileError
            If the file exists; it is an `OSError`.
        """
        path = None if out_dir is None else Path(out_dir) / "colorized.png"
        check_new([] if path is None else [path])
        maps, _ = _class_maps(classified)
        rgb = class_colors(
            maps,
            hidden=~_valid(classified, None, maps.array.shape[1:]),
            unclassified="black" if hide_unclassified else "white",
        )
        if path is not None:
            write_picture(path, rgb[::-1])  # which puts the first row at the bottom
        return rgb

    @staticmethod
    def aggregation_scheme_flux_weighted(
        data: Classified, flux: NDArray[Any], segmap: NDArray[np.bool_]
    ) -> list[float]:
        """Give a source the flux-weighted mean class of its pixels; see `classify_sources`.

        Parameters
        ----------
        data : mapping of str to ndarray, shape (y, x)
            What `Classifier.classify` gives, cut out around the source.
        flux : ndarray of float, shape (y, x)
            The flux. Negative flux weighs nothing; without any positive, all pixels count alike.
        segmap : ndarray of bool, shape (y, x)
            True in the source.

        Returns
        -------
        list of float
            Probability of spheroid, disk, irregular and point source; they add up to 1.
        """
        maps, _ = _class_maps(data)
        inside = np.asarray(segmap, bool)
        pixels = SourcePixels(inside.astype(np.int32), 1)
        # The scatter gives errors, which are not asked for.
        found = classify_sources(pixels, np.asarray(flux, np.float64)[inside], maps, scatter=maps)
        morphology: list[float] = found.probability[:, 0].tolist()
        return morphology


def check_new(paths: Iterable[Path]) -> None:
    """Make sure that nothing is overwritten and the folder can be written to, before any work.

    Parameters
    ----------
    paths : iterable of Path
        Files that will be written, in one folder.

    Raises
    ------
    ExistingFileError
        If one exists.
    ProductError
        If the folder cannot be written to.
    """
    targets = list(paths)
    for path in targets:
        if path.exists():
            raise ExistingFileError(
                f"{path} exists and is not overwritten; move it away or choose another folder"
            )
    if targets:
        check_targets(targets, overwrite=False)


def write_catalog(path: Path, catalog: Iterable[Mapping[str, Any]]) -> None:
    """Write a catalogue as the original does.

    Parameters
    ----------
    path : Path
        The file: JSON if it ends in `.json`, else comma-separated values.
    catalog : iterable of mapping
        What `Classifier.catalog_from_classified` gives.

    Raises
    ------
    ProductError
        If the file exists or cannot be written.
    """
    rows = [
        (source["id"], source["location"], [float(p) for p in source["morphology"]])
        for source in catalog
    ]
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        if path.suffix == ".json":
            keys = ("id", "location", "morphology")
            json.dump([dict(zip(keys, row, strict=True)) for row in rows], file)
        else:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("source_id", "y", "x", "sph", "dsk", "irr", "ps"))
            table.writerows((number, *place, *morphology) for number, place, morphology in rows)


def _are_files(images: Mapping[str, Any]) -> bool:
    """Tell whether the images are files or arrays; they are all the same."""
    missing = [name for name, image in images.items() if image is None]
    if missing:
        raise ArgumentError(f"{', '.join(missing)} missing (None): give all of h, j, v and z")
    files = [isinstance(image, str | Path) for image in images.values()]
    arrays = [isinstance(image, np.ndarray) for image in images.values()]
    if not all(files) and not all(arrays):
        kinds = ", ".join(f"{name}: {type(image).__name__}" for name, image in images.items())
        raise ArgumentError(f"give four arrays or four names of FITS files, not {kinds}")
    return all(files)


def _inference_options(
    batch_size: int, gpus: Sequence[int] | None, cpus: int | None
) -> InferenceOptions:
    if gpus is not None and cpus is not None:
        raise ArgumentError("give gpus or cpus, not both")
    if gpus is not None and len(gpus) == 0:
        raise ArgumentError("gpus is empty; give the number of a GPU, such as [0]")
    try:
        if gpus is None:
            return InferenceOptions(threads=None if cpus is None else int(cpus))
        options = InferenceOptions(device=f"cuda:{int(gpus[0])}", batch_size=int(batch_size))
    except (OptionError, TypeError, ValueError) as error:
        raise ArgumentError(str(error)) from error
    if len(gpus) > 1:
        warnings.warn(f"one GPU is used, {options.device}", MosaicWarning, stacklevel=3)
    return options


def _keys(out_type: str) -> list[str]:
    """List the maps of an output type, in the original's order."""
    return [f"{name}{suffix}" for suffix in _OUT_TYPES[out_type] for name in CLASS_NAMES] + ["n"]


def _plain(result: Classification, key: str) -> NDArray[Any]:
    """Give a map as the original names and has it: 0 where not classified."""
    if key == "n":
        return result.n.astype(np.int16)  # at most 900 windows of 30 x 30 pixels see a pixel
    if key.endswith("_mean"):
        plane = result.mean[key.removesuffix("_mean")]
    elif key.endswith("_var"):
        plane = result.variance[key.removesuffix("_var")]
    else:
        plane = result.votes[key]
    return np.where(result.n > 0, plane, np.float32(0))


def _class_maps(classified: Classified) -> tuple[ClassMaps, bool]:
    """Take the votes, or else the means, and tell whether it is the means."""
    for suffix in ("", "_mean"):
        keys = [f"{name}{suffix}" for name in CLASS_NAMES]
        if all(key in classified for key in keys):
            planes = [classified[key] for key in keys]
            for key, plane in zip(keys, planes, strict=True):
                _check_shape(key, plane, np.shape(planes[0]))
            return ClassMaps(CLASS_NAMES, np.stack(planes).astype(np.float32)), suffix == "_mean"
    raise ArgumentError(
        "classified holds neither votes (spheroid, ..., background) nor means (spheroid_mean, ...)"
        " of all classes; give what Classifier.classify returned"
    )


def _valid(
    classified: Classified, mask: NDArray[np.bool_] | None, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Tell which pixels were classified and are to be looked at."""
    n = classified.get("n")
    if n is None:
        raise ArgumentError("classified holds no n; give what Classifier.classify returned")
    _check_shape("n", n, shape)
    valid = np.asarray(n) > 0
    if mask is not None:
        _check_shape("mask", mask, shape)
        valid &= np.asarray(mask, bool)
    return valid


def _check_shape(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if np.shape(array) != shape:
        raise ArgumentError(
            f"{name} has the shape {np.shape(array)} and not {tuple(shape)}; give maps and images"
            " of one field"
        )


def _open_flux(
    flux: NDArray[Any] | str | Path, shape: tuple[int, ...]
) -> tuple[NDArray[Any], WCS | None]:
    """Read a flux image, with its world coordinates, if it is a file."""
    if not isinstance(flux, str | Path):
        _check_shape("flux", flux, shape)
        return np.asarray(flux), None
    mosaic = read_mosaic({"flux": flux}, bands=("flux",), check_filters=False)
    _check_shape("flux", mosaic.data[0], shape)
    return np.where(mosaic.mask, np.float32(np.nan), mosaic.data[0]), mosaic.wcs


def _segmentation_options(threshold: float, deblend: bool, are_means: bool) -> SegmentationOptions:
    if not are_means:
        return SegmentationOptions(
            method="published", background_threshold=threshold, deblend=bool(deblend)
        )
    thresholds = dataclasses.asdict(CONFIG.detection)
    if threshold > 0:
        thresholds["seed"] = 1 - threshold
        thresholds["grow"] = min(thresholds["grow"], 1 - threshold)
    return SegmentationOptions(method="probability", deblend=bool(deblend), **thresholds)


def _header(wcs: WCS | None, provenance: Mapping[str, Any]) -> fits.Header:
    """World coordinates, and what made it."""
    header = fits.Header() if wcs is None else wcs.to_header(relax=True)
    header["CREATOR"] = (f"morpheus {morpheus_version()}", "program")
    if provenance:
        header["DATE"] = (provenance["started"], "UTC when the run started")
        header["MODEL"] = (provenance["model"]["name"], "model")
        header["MODELSHA"] = provenance["model"]["weights_sha256"]  # no room for a comment
    return header
