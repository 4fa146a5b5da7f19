"""A field with labelled sources: its images, its segments, and the votes for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from morpheus.dataset.cells import cell_number, grid_places, sky_places
from morpheus.dataset.labelled import LabelledOptions, LabelledSources
from morpheus.dataset.layout import SOURCE_CLASSES, UNKNOWN
from morpheus.dataset.provided import read_images, read_plane, text_digest
from morpheus.dataset.targets import UNSEEN, compact_labels, match_segments
from morpheus.dataset.votes import read_votes
from morpheus.errors import ImageError, OptionError
from morpheus.mosaic import Mosaic
from morpheus.mosaic.sky import measure_skies
from morpheus.segmentation import read_positions

__all__ = ["LabelledField", "read_field"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelledField:
    """A field with labelled sources. What there is for each segment has a first entry for the sky.

    Parameters
    ----------
    mosaic : Mosaic
        The images.
    noise : tuple of float, or None
        Of the sky in each band; None where the mosaic has weights.
    labels : ndarray of int32, shape (y, x)
        As `compact_labels` gives them.
    segments : astropy.table.Table
        `number`, `x`, `y`, `ra`, `dec`, `source_id`, `votes` (shape (4,), NaN where none count),
        `unknown`, `n_experts`, `cell`.
    centers : ndarray of int
        Segments whose votes count, in the order of their cells.
    counts : dict of str to int
        What became of the rows of the labels.
    inputs : list of dict
        What was read: files, HDUs and digests.
    """

    mosaic: Mosaic
    noise: tuple[float, ...] | None
    labels: NDArray[np.int32]
    segments: Table
    centers: NDArray[np.int64]
    counts: dict[str, int]
    inputs: list[dict[str, Any]]


def read_field(sources: LabelledSources, options: LabelledOptions) -> LabelledField:
    """Read a field, and find out which segment is which source.

    Parameters
    ----------
    sources : LabelledSources
        The images, the segmentation map and the votes.
    options : LabelledOptions
        Which votes count.

    Returns
    -------
    LabelledField
        With one labelled source at least.

    Raises
    ------
    ImageError
        If an image or a map cannot be read, or is on other pixels.
    OptionError
        If the votes cannot be used, or no source of the image has votes that count.
    """
    votes = read_votes(sources.votes, sources.columns, kind=sources.vote_kind)
    mosaic = read_images(sources)
    segmap, record = read_plane(sources.segmap, "segmap", mosaic)
    inputs = [*(dict(vars(one)) for one in mosaic.inputs), record]
    unknown = None
    if sources.known is not None:
        known, record = read_plane(sources.known, "known", mosaic)
        unknown = ~np.isfinite(known) | (known == 0)
        inputs.append(record)
    labels, numbers = compact_labels(segmap, unknown)
    if (labels == UNSEEN).all():
        raise OptionError("it is nowhere known what there is: the map is below 0, or not known")
    segments = _segments(labels, numbers)
    counts = _take_votes(votes, segments, labels, mosaic, options)
    centers = _place(segments, mosaic, options, inputs)
    inputs.append(
        {
            "kind": "labels",
            "path": None if isinstance(sources.votes, Table) else str(sources.votes),
            "sha256": None if isinstance(sources.votes, Table) else text_digest(sources.votes),
        }
    )
    return LabelledField(
        mosaic,
        _noise(sources, mosaic, labels),
        labels,
        segments,
        centers,
        counts,
        inputs,
    )


def _segments(labels: NDArray[np.int32], numbers: NDArray[np.int64]) -> Table:
    """Give each segment its centre; nothing is known of them yet."""
    n = len(numbers)
    rows, columns = np.nonzero(labels > 0)
    own = labels[rows, columns]
    area = np.maximum(np.bincount(own, minlength=n), 1)
    table = Table({"number": numbers})
    table["x"] = np.bincount(own, columns, n) / area
    table["y"] = np.bincount(own, rows, n) / area
    table["ra"], table["dec"] = np.full((2, n), np.nan)
    table["source_id"] = np.full(n, "", dtype=object)
    table["votes"] = np.full((n, len(SOURCE_CLASSES)), np.nan)
    table["unknown"] = np.full(n, np.nan)
    table["n_experts"] = np.zeros(n, np.int32)
    table["cell"] = np.zeros(n, np.int64)
    return table


def _take_votes(
    votes: Table,
    segments: Table,
    labels: NDArray[np.int32],
    mosaic: Mosaic,
    options: LabelledOptions,
) -> dict[str, int]:
    """Give segments their votes; tell what became of the rows."""
    positioned = {"ra", "x"} & set(votes.colnames)
    if positioned:
        found = read_positions(votes, mosaic.wcs, what="labels")
        x, y = np.asarray(found["x"], float), np.asarray(found["y"], float)
        own, ambiguous = match_segments(x, y, labels, options.match_radius)
        outside = ~_inside(x, y, labels.shape)
    else:
        found = votes
        own, ambiguous = _by_number(votes, segments)
        x, y = np.asarray(segments["x"])[own], np.asarray(segments["y"])[own]
        outside = np.zeros(len(votes), bool)
    matched = own > 0
    counts = {
        "rows": len(votes) + votes.meta["no_answer"],
        "no_answer": votes.meta["no_answer"],
        "outside": int(outside.sum()),
        "no_segment": int((~matched & ~ambiguous & ~outside).sum()),
        "ambiguous": int(ambiguous.sum()),
    }
    _check_matched(counts, matched, labels.shape, positioned=bool(positioned))
    shares = np.array([votes[name] for name in SOURCE_CLASSES]).T
    unknown = np.asarray(votes[UNKNOWN], float)
    counts_in = np.isfinite(shares).all(axis=1) & (unknown <= options.most_unknown)
    for row in np.flatnonzero(matched):
        segment = segments[int(own[row])]
        segment["x"], segment["y"] = x[row], y[row]
        segment["source_id"] = str(found["id"][row])
        segment["unknown"], segment["n_experts"] = unknown[row], votes["n_experts"][row]
        if counts_in[row]:
            segment["votes"] = shares[row]
    counts["unclassifiable"] = int((matched & ~counts_in).sum())
    counts["used"] = int((matched & counts_in).sum())
    if not counts["used"]:
        raise OptionError(
            f"more than {options.most_unknown:g} of the votes for each of the"
            f" {int(matched.sum())} sources in the image say that it cannot be classified"
        )
    return counts


def _inside(x: Array, y: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    edge = 0.5
    here: NDArray[np.bool_] = (x >= -edge) & (y >= -edge)
    return here & (x < shape[1] - edge) & (y < shape[0] - edge)


def _by_number(votes: Table, segments: Table) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    try:
        ids = [int(str(name)) for name in votes["id"]]
    except ValueError as error:
        raise OptionError(
            "the labels have no positions, so that their identifiers must be the numbers of the"
            f" segmentation map; there are {', '.join(votes.colnames)}"
        ) from error
    places = {int(number): place for place, number in enumerate(segments["number"]) if number > 0}
    own = np.array([places.get(one, 0) for one in ids], np.int32)
    ambiguous = (own > 0) & (np.bincount(own)[own] > 1)
    return np.where(ambiguous, 0, own).astype(np.int32), ambiguous


def _check_matched(
    counts: Mapping[str, int],
    matched: NDArray[np.bool_],
    shape: tuple[int, ...],
    *,
    positioned: bool,
) -> None:
    n, (height, width) = len(matched), shape
    if matched.any():
        return
    if counts["outside"] == n:
        raise OptionError(
            f"none of the {n} labelled sources lies in the image ({width} x {height} pixels):"
            " are these the labels of this image?"
        )
    if counts["ambiguous"]:
        raise OptionError("each segment with labelled sources has several: whose are its pixels?")
    where = (
        "the labelled sources in the image lie in no segment, nor near one (--match-radius)"
        if positioned
        else "no identifier of the labels is a number of the segmentation map"
    )
    raise OptionError(f"{where}: is this the segmentation map of this image?")


def _place(
    segments: Table,
    mosaic: Mosaic,
    options: LabelledOptions,
    inputs: Sequence[Mapping[str, Any]],
) -> NDArray[np.int64]:
    """Find the places on the sky, and in which cell each source is; give the order of the cells."""
    x, y = np.asarray(segments["x"]), np.asarray(segments["y"])
    key: tuple[object, ...]
    if mosaic.wcs is not None:
        sky = mosaic.wcs.pixel_to_world(x, y).icrs
        segments["ra"], segments["dec"] = sky.ra.deg, sky.dec.deg
        bad = ~np.isfinite(sky.ra.deg[1:])
        if bad.any():
            raise ImageError("the WCS gives no sky position for a source of the image")
        places = sky_places(np.nan_to_num(sky.ra.deg), np.nan_to_num(sky.dec.deg), options.cell)
        key = ("sky", options.cell)
    else:
        scale = options.pixel_scale
        places = grid_places(x, y, None if scale is None else options.cell / scale)
        key = ("image", options.cell, [str(one["sha256"]) for one in inputs])
    segments["cell"] = [cell_number(*key, *place) for place in places]
    counting = np.flatnonzero(np.isfinite(segments["votes"]).all(axis=1))
    order = sorted(counting.tolist(), key=lambda number: (places[number], number))
    return np.array(order, np.int64)


def _noise(
    sources: LabelledSources, mosaic: Mosaic, labels: NDArray[np.int32]
) -> tuple[float, ...] | None:
    """Measure the noise of the sky where no map tells it."""
    if mosaic.weight is not None:
        return None
    if sources.weights is not None or sources.rms is not None:
        raise OptionError("give a weight or rms map for every band, or for none")
    seen = ~mosaic.mask & (labels != UNSEEN)
    sky = seen & (labels == 0)
    unused = ~(sky if sky.any() else seen)
    return tuple(sky.noise for sky in measure_skies(mosaic.bands, mosaic.data, unused))
