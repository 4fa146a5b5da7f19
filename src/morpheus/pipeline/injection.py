"""Artificial sources in the user's own images: what of them is found, and as what."""

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table, vstack

from morpheus.catalog import read_band_images
from morpheus.errors import MosaicWarning, OptionError
from morpheus.evaluate import (
    Detections,
    Evaluation,
    Example,
    KnownImage,
    Result,
    Sample,
    Truth,
    truth_of_field,
)
from morpheus.evaluate import score as score_sample
from morpheus.evaluate.injected import Patch, compare_injected
from morpheus.mosaic import Region
from morpheus.pipeline.detectors import Detector, check_detectors
from morpheus.pipeline.injection_files import PassFiles, injected_table
from morpheus.pipeline.injection_options import InjectionOptions
from morpheus.pipeline.injection_scene import Scene, prepare_scene

if TYPE_CHECKING:
    from morpheus.simulate.sources import Source

__all__ = ["Injection", "InjectionOptions", "inject"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Injection(Evaluation):
    """What was injected, and what every detector made of it.

    Parameters
    ----------
    setup, results, examples : Any
        As of an `Evaluation`.
    injected : astropy.table.Table, optional
        A row a source: what it is, where, and what became of it with each detector.
    """

    injected: Table = field(default_factory=Table)


def inject(
    images: Mapping[str, Any],
    detectors: Sequence[Detector],
    *,
    weights: Mapping[str, Any] | None = None,
    rms: Mapping[str, Any] | None = None,
    dq: Mapping[str, Any] | None = None,
    region: Region | str | None = None,
    options: InjectionOptions | None = None,
    keep: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Injection:
    """Put artificial sources into images, and see which of them are found.

    The images are not changed. Detectors are run on them as they are, and then as often as it
    takes to inject all sources without crowding; what was there before is no detection.

    Parameters
    ----------
    images : mapping of str to image
        By band: paths, (array, WCS) pairs or what else `morpheus.read_mosaic` takes. Without a
        model the first is the reference band, and otherwise the first of the first model's.
    detectors : sequence of Detector
        Models, and detectors of other programs.
    weights, rms, dq : mapping of str to image, optional
        Inverse-variance, noise and data-quality maps by band.
    region : Region or str, optional
        Part of the images to use.
    options : InjectionOptions, optional
        What is injected.
    keep : str or Path, optional
        Folder into which the images with the sources in them are written.
    overwrite : bool, optional
        Whether files that exist there may be replaced.
    progress : callable, optional
        Called with what is run, how much is done, and how much there is to do.

    Returns
    -------
    Injection
        An `Evaluation`, with the table of the sources.

    Raises
    ------
    MorpheusError
        If the images, detectors or options cannot be used; the message says what to do.
    """
    options = InjectionOptions() if options is None else options
    options.check()
    bands = _order(images, detectors)
    scene = prepare_scene(
        read_band_images(
            {band: images[band] for band in bands},
            bands=bands,
            weights=weights,
            rms=rms,
            dq=dq,
            region=region,
            zero_points=options.zero_points,
            check_filters=options.check_filters,
        ),
        options,
    )
    files = None if keep is None else PassFiles(Path(keep), scene.images, overwrite=overwrite)
    if files is not None:
        files.check(len(scene.passes))
    results, table, example = _Run(scene, detectors, options, progress).run(files)
    record = _record(scene, options, None if region is None else str(region))
    return Injection(record, results, (example,), table)


def _order(images: Mapping[str, Any], detectors: Sequence[Detector]) -> list[str]:
    """Put the bands of the first model first; check that all models have theirs."""
    check_detectors(detectors)
    if not images:
        raise OptionError("there is no image: give one for each band")
    known = {band.casefold(): band for band in images}
    for detector in detectors:
        detector.check_bands(list(images), "the mosaic")
    order = next((one.bands for one in detectors if one.bands), ())
    first = [known[band.casefold()] for band in order if band.casefold() in known]
    return first + [band for band in images if band not in first]


class _Run:
    """Detectors run before and after."""

    def __init__(
        self,
        scene: Scene,
        detectors: Sequence[Detector],
        options: InjectionOptions,
        progress: Progress | None,
    ) -> None:
        self._scene, self._detectors, self._options = scene, detectors, options
        self._progress = progress
        self._seconds = dict.fromkeys([one.name for one in detectors], 0.0)

    def run(self, files: PassFiles | None) -> tuple[dict[str, Result], Table, Example]:
        """Run all passes; give the results, the table of sources, and the first pass to look at."""
        scene, options = self._scene, self._options
        nothing = scene.image("before", scene.planes(), Truth(Table()))
        # Only the labels of what was there are needed; class maps would be held for all passes.
        before = {
            name: dataclasses.replace(one, probabilities=None, pixels=None)
            for name, one in self._detect(nothing).items()
        }
        samples: dict[str, list[Sample]] = {name: [] for name in before}
        tables: list[Table] = []
        example: Example | None = None
        with warnings.catch_warnings():
            # What is doubtful of the images was said when they were looked at before.
            warnings.simplefilter("ignore", MosaicWarning)
            for number, sources in enumerate(scene.passes):
                title = f"pass {number + 1} of {len(scene.passes)}"
                image, patches, table = self._with_sources(title, sources)
                table["pass"] = number + 1
                tables.append(table)
                if files is not None:
                    files.write(number + 1, image, options.seed, len(sources))
                found = _in_common(self._detect(image), before)
                for name, after in found.items():
                    sample = compare_injected(
                        image.truth,
                        patches,
                        nothing.reference,
                        before[name],
                        after,
                        radius=options.radius,
                        pixel_scale=scene.survey.pixel_scale,
                    )
                    samples[name].append(sample)
                example = example or Example(image, found)
        if example is None:
            raise OptionError("there is no source to inject")
        results = {name: self._result(name, of) for name, of in samples.items()}
        table = vstack(tables, metadata_conflicts="silent")
        return results, injected_table(table, results), example

    def _result(self, name: str, samples: list[Sample]) -> Result:
        total = samples[0]
        for sample in samples[1:]:
            total = total + sample
        description = next(one.description for one in self._detectors if one.name == name)
        return Result(description, total, score_sample(total), self._seconds[name])

    def _with_sources(
        self, title: str, sources: "list[Source]"
    ) -> tuple[KnownImage, list[Patch], Table]:
        """Image with the sources of a pass, their light, and their table."""
        from morpheus.simulate import injection  # noqa: PLC0415 (of the simulate extra)

        scene = self._scene
        planes = scene.planes()
        stamps = injection.add_light(planes, scene.survey, sources, seed=self._options.seed)
        wcs = scene.images[0].wcs
        table = injection.source_table(
            scene.survey, sources, injection.light_inside(stamps, planes), wcs
        )
        truth = truth_of_field(table, scene.survey.bands[0].name)
        truth = dataclasses.replace(truth, complete=False)
        patches = [Patch(stamp.x, stamp.y, stamp.data[0]) for stamp in stamps]
        return scene.image(title, planes, truth), patches, table

    def _detect(self, image: KnownImage) -> dict[str, Detections]:
        found = {}
        for detector in self._detectors:
            start = time.perf_counter()
            title = f"{detector.name}: {image.name}"
            progress = None if self._progress is None else partial(self._progress, title)
            found[detector.name] = detector.detect(image, progress)
            self._seconds[detector.name] += time.perf_counter() - start
        return found


def _in_common(
    found: Mapping[str, Detections], before: Mapping[str, Detections]
) -> dict[str, Detections]:
    """Mask for all what one of them cannot see, so that all are asked the same."""
    masks = [one.mask for one in (*found.values(), *before.values())]
    mask = np.logical_or.reduce(masks)
    return {name: dataclasses.replace(one, mask=mask) for name, one in found.items()}


def _record(scene: Scene, options: InjectionOptions, region: str | None) -> dict[str, Any]:
    """Say what was done."""
    count, survey = len(scene.passes), scene.survey
    by_band = {band.name: band for band in survey.bands}
    return {
        "kind": "injected",
        "survey": survey.name,
        "n": options.n,
        "magnitudes": list(scene.mag),
        "density": options.density,
        "seed": options.seed,
        "pixel_scale": survey.pixel_scale,
        "zero_points": {name: band.zero_point for name, band in by_band.items()},
        "zero_points_from": {
            image.band: image.calibration.zero_point_source for image in scene.images
        },
        "exposures": {name: band.exposure for name, band in by_band.items()},
        "gains": {name: band.gain for name, band in by_band.items()},
        "psfs": {
            name: band.psf_file or f"model of {survey.name}" for name, band in by_band.items()
        },
        "region": region,
        "inputs": [vars(record) for image in scene.images for record in image.inputs],
        "images": [f"pass {number + 1} of {count}" for number in range(count)],
        "reference_band": survey.bands[0].name,
        "match_radius": options.radius,
        "faintest": math.inf,
    }
