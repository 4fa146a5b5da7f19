"""Distillation: what a model says of the sources of a dataset, as labels for another to learn."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.dataset import Batch, Dataset
from morpheus.dataset.build import array_specs
from morpheus.dataset.layout import ARRAYS, CELLS, CLASSES_DTYPE, SOURCE_CLASSES
from morpheus.dataset.rows import column_units, table_rows
from morpheus.dataset.store import Partial, check_inputs, check_target
from morpheus.errors import DatasetError, OptionError, ProductError
from morpheus.inference import InferenceOptions, make_engine, predict
from morpheus.inference.options import Progress
from morpheus.model import ModelConfig, find_model, load_model
from morpheus.model.normalise import needs_sky, prepare_normaliser
from morpheus.mosaic.choice import BandChoice, choose_bands
from morpheus.mosaic.sky import measure_skies
from morpheus.mosaic.units import parse_unit, same_unit
from morpheus.provenance import now, software
from morpheus.simulate import find_survey
from morpheus.simulate.noise import correlated_noise
from morpheus.simulate.psf import sky_sigma

__all__ = ["DistillationOptions", "distil"]

_STRIDE = 4  # of the lattice of windows: its source classes are as good as those of every window
_SCALE_TOLERANCE = 0.05  # how far the dataset's pixel scale may be from the model's
_SEEN_SHARE = 0.5  # of the flux of a source that is seen
_VOTES = tuple(f"votes_{name}" for name in SOURCE_CLASSES)


@dataclass(frozen=True)
class DistillationOptions:
    """How labels are mixed with what a model says.

    Parameters
    ----------
    share : float, optional
        The model's share of the labels of a source; the rest is what they were.
    depth : str, optional
        Survey whose noise the images are given before the model sees them, where they have less;
        none if empty. It is converted by the zero points. A model is to be asked about images as it
        was trained on.
    faintest : float or None, optional
        AB magnitude in the first band of the faintest sources that the model is asked about; of
        all if None. Networks are unsure of sources near their limit, and say what most of those
        are that they were trained on.
    border : int, optional
        Outer pixels of an example that the model is not shown; sources there keep their labels.
    seed : int, optional
        Of the noise; not below 0.
    threads : int or None, optional
        Processor cores to use; they do not change the result.
    """

    share: float = 0.5
    depth: str = "candels-deep"
    faintest: float | None = None
    border: int = 0
    seed: int = 0
    threads: int | None = None

    def check(self, size: int) -> None:
        """Check the values.

        Parameters
        ----------
        size : int
            Side of an example, in pixels.

        Raises
        ------
        OptionError
            If one is out of range, or the survey is unknown.
        """
        if not (math.isfinite(self.share) and 0 < self.share <= 1):
            raise OptionError(f"the share is {self.share:g}; it must be above 0, and at most 1")
        if not 0 <= self.border < size / 4:
            raise OptionError(f"the border is {self.border} pixels; it must be less than a quarter")
        if self.faintest is not None and not math.isfinite(self.faintest):
            raise OptionError(f"the faintest source is of {self.faintest:g} mag")
        if self.seed < 0:
            raise OptionError(f"the seed is {self.seed}; it must not be below 0")
        if self.depth:
            find_survey(self.depth)


def distil(
    path: Path | str,
    source: Path | str,
    model: str | Path,
    options: DistillationOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Copy a dataset, with the labels of its sources mixed with what a model says of them.

    The model classifies each example. The class of a source is the mean of its pixels'
    probabilities, weighted by their flux in the first band, where P(background) is below 0.5; the
    sky and the outlines of the sources stay as they were, and so do sources that the model does
    not see: those with less than half of their flux in such pixels. A call that was ended is gone
    on with by the same call.

    Parameters
    ----------
    path : Path or str
        Of the new Zarr store.
    source : Path or str
        The dataset.
    model : str or Path
        Name of an installed model, or a model folder.
    options : DistillationOptions, optional
        How labels are mixed.
    overwrite : bool, optional
        Whether a dataset that exists may be replaced.
    progress : callable, optional
        Is told the number of examples that are done, and of all.

    Returns
    -------
    dict
        The card of the new dataset; under `distilled`, how many sources the model was `asked`
        about, and of how many it `changed` the labels.

    Raises
    ------
    DatasetError
        If the source is no dataset, or does not fit the model: it lacks bands, has other pixels or
        another unit, or it is not known how its noise compares with that of the survey.
    ModelError
        If there is no such model, or it is damaged.
    OptionError
        If an option is out of range.
    ProductError
        If something exists that may not be replaced, or a file cannot be written.
    """
    path, options = Path(path), DistillationOptions() if options is None else options
    check_inputs(path, [source])
    check_target(path, overwrite=overwrite)
    dataset = Dataset.open(source)
    n, size, bands = len(dataset), int(dataset.card["size"]), list(dataset.card["bands"])
    options.check(size)
    teacher = _Teacher(dataset, model, options)
    chosen = {key: value for key, value in asdict(options).items() if key != "threads"}
    sha256 = teacher.config.weights_sha256
    begun = {"dataset": dataset.card["checksum"], "model": sha256, **chosen}
    begun["morpheus"] = software()["morpheus"]
    table, group = dataset.sources, dataset.chunk
    try:
        with Partial(path, begun, overwrite=overwrite) as partial:
            partial.create(array_specs(n, len(bands), size), group)
            for start in range(partial.done * group, n, group):
                stop = min(n, start + group)
                batch, rows = dataset.read(start, stop), table_rows(table, start, stop)
                classes = _relabel(batch, rows, start, teacher)
                arrays = {name: getattr(batch, name) for name in ARRAYS}
                arrays |= {"classes": classes, CELLS: dataset.areas[start:stop]}
                partial.write(arrays, rows)
                if progress is not None:
                    progress(stop, n)
            left_out = {"format", "counts", "checksum", "created", "software"}
            card = {key: value for key, value in dataset.card.items() if key not in left_out}
            card["distilled"] = {"model": teacher.config.name, "weights_sha256": sha256, **chosen}
            card["distilled"]["dataset"] = dataset.card["checksum"]
            asked = teacher.asked({name: np.asarray(table[name]) for name in table.colnames})
            changed = np.any([partial.column(n) != np.asarray(table[n]) for n in _VOTES], axis=0)
            card["distilled"]["asked"] = int(asked.sum())
            card["distilled"]["changed"] = int((asked & changed).sum())
            card["distilled"]["bands"] = teacher.choice.record()
            card["distilled"]["precision"] = teacher.engine.precision
            versions = {**software(), "zarr": metadata.version("zarr")}
            whole = {**card, "software": versions, "created": now()}
            return partial.finish(whole, column_units(table))
    except OSError as error:
        raise ProductError(f"cannot write {path}: {error.strerror or error}") from error


class _Teacher:
    """Asks a model about examples."""

    def __init__(self, dataset: Dataset, model: str | Path, options: DistillationOptions) -> None:
        trained = load_model(find_model(model))
        self.config, self.options = trained.config, options
        bands = list(dataset.card["bands"])
        self.choice = _choose(dataset, self.config)
        _check_fit(dataset, self.config)
        if self.config.classes != CLASS_NAMES:
            raise DatasetError(f"{self.config.name} has other classes than the dataset")
        self.magnitude = f"mag_{bands[0].lower()}"
        if options.faintest is not None and self.magnitude not in dataset.sources.colnames:
            raise DatasetError(
                f"{dataset.path} has no magnitudes: no column {self.magnitude}, by which faint"
                " sources are told"
            )
        places = [band.casefold() for band in bands]
        self.channels = [places.index(band.casefold()) for band in self.choice.given]
        depth = options.depth
        self.noise = _survey_noise(dataset, self.channels, depth) if depth else []
        placement: dict[str, Any] = (
            {} if self.config.is_dense else {"stride": _STRIDE, "lattice": True, "edges": "pad"}
        )
        inference = InferenceOptions(**placement, precision="auto", threads=options.threads)
        self.inference, self.engine = inference, make_engine(trained, inference)

    def asked(self, rows: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Tell which sources the model is asked about: those that have labels."""
        labelled = np.sum([np.asarray(rows[name], float) for name in _VOTES], axis=0) > 0
        if self.options.faintest is None:
            return np.asarray(labelled)
        return np.asarray(labelled & (rows[self.magnitude] <= self.options.faintest))

    def ask(self, images: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        """Give the probabilities of every pixel, NaN where there are none."""
        border, size = self.options.border, images.shape[-1]
        inner = slice(border, size - border)
        data = images[self.channels, inner, inner]
        mask = np.asarray(~np.isfinite(data).all(axis=0))
        maps = np.full((len(CLASS_NAMES), size, size), np.nan, np.float32)
        if mask.all():
            return maps
        data = np.where(mask, np.float32(0), data)
        if self.options.depth:
            self._raise_noise(data, mask, np.random.default_rng([self.options.seed, number]))
        bands = self.choice.bands
        normaliser = prepare_normaliser(self.config, data, mask, bands=bands)
        found = predict(data, mask, self.config, self.engine, self.inference, normaliser=normaliser)
        maps[:, inner, inner] = found.mean
        return maps

    def _raise_noise(
        self, data: NDArray[np.float32], mask: NDArray[np.bool_], rng: np.random.Generator
    ) -> None:
        """Add noise where there is less than wanted; what is 0 in every band stays empty."""
        empty = ~data.any(axis=0)
        skies = measure_skies(self.choice.given, data, mask)
        for k, ((sigma, correlation), sky) in enumerate(zip(self.noise, skies, strict=True)):
            unit = correlated_noise(rng, mask.shape, correlation)
            missing = math.sqrt(max(0.0, sigma**2 - sky.noise**2))
            data[k] += np.where(empty, 0, missing * unit).astype(np.float32)


def _choose(dataset: Dataset, config: ModelConfig) -> BandChoice:
    """Find what stands for each band of the model: some if it does with fewer, or else all."""
    there = {band.casefold(): band for band in dataset.card["bands"]}
    others = config.alternatives if config.takes_missing_bands else {}
    known = [*config.bands, *(other for names in others.values() for other in names)]
    names = [band for band in known if band.casefold() in there]
    missing = [band for band in config.bands if band.casefold() not in there]
    if not names or (missing and not config.takes_missing_bands):
        raise DatasetError(
            f"{dataset.path} has no {missing[0]}, which {config.name} needs; it has"
            f" {', '.join(dataset.card['bands'])}"
        )
    return choose_bands(names, config.bands, others)


def _check_fit(dataset: Dataset, config: ModelConfig) -> None:
    """Refuse another pixel scale than the model's, and another unit where it matters."""
    scale = dataset.card["pixel_scale"]
    if scale is not None and abs(scale / config.pixel_scale - 1) > _SCALE_TOLERANCE:
        raise DatasetError(
            f"{dataset.path} has {scale:.4g} arcsec per pixel, but {config.name} was trained at"
            f" {config.pixel_scale:g}: what it says means little there"
        )
    if needs_sky(config):
        return
    for band, unit in zip(dataset.card["bands"], _units(dataset), strict=True):
        if unit and not same_unit(unit, config.unit):
            raise DatasetError(
                f"{band} of {dataset.path} is in {unit}, but {config.name} was trained on"
                f" {config.unit}: what it says means little there"
            )


def _units(dataset: Dataset) -> list[str]:
    card = dataset.card
    return [unit or "" for unit in card.get("units", [card["unit"]] * len(card["bands"]))]


def _survey_noise(
    dataset: Dataset, channels: Sequence[int], depth: str
) -> list[tuple[float, float]]:
    """Give the noise of a survey's pixels in the unit of the dataset, and its correlation."""
    survey, found = find_survey(depth), []
    for channel in channels:
        name = dataset.card["bands"][channel]
        band = next((b for b in survey.bands if b.name.casefold() == name.casefold()), None)
        if band is None:
            raise OptionError(
                f"{survey.name} has no {name}, whose noise is to be raised; give another --depth,"
                " or '' to leave it as it is (depth='')"
            )
        zero_point = dataset.card["zero_points"][channel]
        unit = parse_unit(_units(dataset)[channel])
        if zero_point is None and (unit is None or unit != parse_unit(survey.unit)):
            raise DatasetError(
                f"{dataset.path} has no zero point of {name}, and is in"
                f" {_units(dataset)[channel] or 'no known unit'}, not {survey.unit}: its noise"
                f" cannot be compared with that of {survey.name}. Build it with --zero-point, or"
                " give --depth '' to leave the noise as it is (depth='')"
            )
        magnitudes = 0.0 if zero_point is None else zero_point - band.zero_point
        found.append((sky_sigma(survey, band) * 10 ** (0.4 * magnitudes), band.correlation))
    return found


def _relabel(
    batch: Batch,
    rows: dict[str, NDArray[Any]],
    start: int,
    teacher: _Teacher,
) -> NDArray[np.float16]:
    """Mix the labels of a group of examples, in its rows too; give the shares of its pixels."""
    votes = np.array([rows[name] for name in _VOTES], float).T
    share, asked = teacher.options.share, teacher.asked(rows)
    classes = batch.classes.astype(np.float32)
    for k, owner in enumerate(batch.owner):
        here = np.flatnonzero((rows["example"] == start + k) & asked)
        said = _by_source(teacher.ask(batch.images[k], start + k), batch.images[k][0], owner)
        labels = np.zeros((int(owner.max(initial=0)) + 1, len(SOURCE_CLASSES)))
        changed = np.zeros(len(labels), bool)
        for row in here:
            number = int(rows["id"][row])
            # A source that the model does not see stays as it is.
            if number < len(said) and np.isfinite(said[number]).all():
                votes[row] = (1 - share) * votes[row] + share * said[number]
                labels[number], changed[number] = votes[row], True
        pixels = changed[owner] & (classes[k].sum(0) > 0)
        source = 1 - classes[k][BACKGROUND]
        mixed = labels[owner].transpose(2, 0, 1) * source
        classes[k][:BACKGROUND] = np.where(pixels, mixed, classes[k][:BACKGROUND])
    for column, name in enumerate(_VOTES):
        rows[name] = votes[:, column].astype(rows[name].dtype)
    known = votes.sum(axis=1) > 0
    rows["class"] = np.where(known, votes.argmax(axis=1), rows["class"]).astype(np.int8)
    return classes.astype(CLASSES_DTYPE)


def _by_source(
    maps: NDArray[np.float32], image: NDArray[np.float32], owner: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Flux-weighted mean of the classes over each source; NaN where less than half is seen."""
    seen = maps[BACKGROUND] < 0.5  # noqa: PLR2004 (False where NaN)
    whole = np.where(np.isfinite(image), np.clip(image, 0, None), 0).astype(float)
    flux = np.where(seen, whole, 0)
    n = int(owner.max(initial=0)) + 1
    sums = np.array(
        [
            np.bincount(owner.ravel(), (flux * np.nan_to_num(plane)).ravel(), n)
            for plane in maps[:BACKGROUND]
        ]
    ).T
    total = sums.sum(axis=1, keepdims=True)
    means: NDArray[np.float64] = np.divide(
        sums, total, out=np.full_like(sums, np.nan), where=total > 0
    )
    parts = (np.bincount(owner.ravel(), one.ravel(), n) for one in (flux, whole))
    means[next(parts) < _SEEN_SHARE * next(parts)] = np.nan
    return means
