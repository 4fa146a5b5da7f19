"""Examples: simulated fields cut into pieces, each with its truth and its own table of sources.

A field of a few hundred pixels a side costs little more per pixel than a large one. Made alone, an
example would be mostly margin: 3 arcsec around 84 pixels of CANDELS are four times its area.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from morpheus.dataset.layout import CLASSES_DTYPE, NATURES, SOURCE_CLASSES
from morpheus.errors import OptionError
from morpheus.simulate.bands import Survey
from morpheus.simulate.dataset_options import KINDS, DatasetOptions
from morpheus.simulate.field import draw_shifts, image_field
from morpheus.simulate.population import MARGIN, counts, draw_population
from morpheus.simulate.render import Stamp, render
from morpheus.simulate.sources import Source
from morpheus.simulate.surveys import find_survey
from morpheus.simulate.truth import Scene, truth_table

__all__ = ["Group", "field_seed", "make_group"]

Array = NDArray[np.float64]

_FIELDS, _ORDER, _TARGETS = range(3)  # streams of the seed
_EDGE = -0.5  # where the first pixel begins
_DRAWN = 8.0  # sources that are drawn at a time for one that goes to a centre, on average
_ATTEMPTS = 10_000  # of these, until one is of a class
_CODES = {"nature": NATURES, "class": SOURCE_CLASSES}


@dataclass(frozen=True)
class Group:
    """Examples of one field.

    Parameters
    ----------
    arrays : dict of str to ndarray, shape (n, ...)
        'images' and 'weights' (n, band, y, x), 'classes' (n, 5, y, x) and 'owner' (n, y, x).
    columns : dict of str to ndarray, shape (sources,)
        Of the table of sources.
    """

    arrays: dict[str, NDArray[Any]]
    columns: dict[str, NDArray[Any]]


def field_seed(options: DatasetOptions, number: int) -> int:
    """Give the seed of a field.

    Parameters
    ----------
    options : DatasetOptions
        What the dataset is to hold.
    number : int
        Of the group, from 0.

    Returns
    -------
    int
        The field of stamps, or the random pieces, are those of `DatasetOptions.field` with it.
    """
    return _seed(options, _FIELDS, number)


def make_group(options: DatasetOptions, number: int) -> Group:
    """Make the examples of one field.

    Parameters
    ----------
    options : DatasetOptions
        What the dataset is to hold.
    number : int
        Of the group, from 0.

    Returns
    -------
    Group
        Its examples; it depends on nothing else. The last group has as many as are wanted.

    Raises
    ------
    OptionError
        If there are next to no sources of a class to put at the centre.
    """
    survey, field = find_survey(options.survey), options.field(field_seed(options, number))
    shifts = draw_shifts(field, survey)
    scene, light = Scene(len(survey.bands), field.size), _LightByPiece(options)
    around = draw_population(survey, field.size, seed=field.seed, density=field.density)
    for source, stamp in zip(around, render(survey, around, shifts), strict=True):
        scene.add(source, stamp)
        light.add(source, stamp)
    # Pieces in a random order, so that a store's first examples are from all over a field.
    rng = np.random.default_rng(_seed(options, _ORDER, number))
    order = rng.permutation(options.group_size)
    order = order[: options.n - number * options.group_size]
    if options.kind == "stamps":
        centers = list(_targets(options, survey, number, order, len(around)))
        for piece, source, stamp in zip(
            order, centers, render(survey, centers, shifts), strict=True
        ):
            own = light.cut(stamp, int(piece))
            scene.add(source, own)
            light.add(source, own, first=True)
    made = image_field(field, survey, scene, sky=not options.alone)

    def cut(field: NDArray[Any]) -> NDArray[Any]:
        """Cut; the pieces come first, in their order."""
        m, size = options.pieces, options.size
        pieces = field.reshape(-1, m, size, m, size).transpose(1, 3, 0, 2, 4)
        return pieces.reshape(m * m, -1, size, size)[order]

    owner, columns = _number(survey, cut(made.truth.owner)[:, 0], order, light)
    columns["example"] += np.int64(number * options.group_size)
    arrays = {
        "images": cut(made.images),
        "weights": cut(made.weights),
        "classes": cut(made.truth.classes).astype(CLASSES_DTYPE),
        "owner": owner,
    }
    return Group(arrays, columns)


class _LightByPiece:
    """Whose light is in which piece of a field.

    Parameters
    ----------
    options : DatasetOptions
        How the field is cut.
    """

    def __init__(self, options: DatasetOptions) -> None:
        self._pieces, self.size = options.pieces, options.size
        self.sources: list[list[tuple[Source, Array]]] = [[] for _ in range(options.group_size)]

    def corner(self, piece: int) -> tuple[int, int]:
        """Give x and y of a piece's first pixel."""
        y, x = divmod(piece, self._pieces)
        return x * self.size, y * self.size

    def add(self, source: Source, stamp: Stamp, *, first: bool = False) -> None:
        """Add a source; the first of a piece is its number 1."""
        side = stamp.data.shape[1]
        rows, columns = (
            range(max(0, low // self.size), min(self._pieces, (low + side - 1) // self.size + 1))
            for low in (stamp.y, stamp.x)
        )
        for piece in (row * self._pieces + column for row in rows for column in columns):
            flux = stamp.data[(slice(None), *self._inside(stamp, piece))].sum((1, 2), dtype=float)
            if flux.any():
                self.sources[piece].insert(0 if first else len(self.sources[piece]), (source, flux))

    def cut(self, stamp: Stamp, piece: int) -> Stamp:
        """Keep the light in one piece only."""
        data, inside = np.zeros_like(stamp.data), (slice(None), *self._inside(stamp, piece))
        data[inside] = stamp.data[inside]
        return replace(stamp, data=data)

    def _inside(self, stamp: Stamp, piece: int) -> tuple[slice, slice]:
        x, y = self.corner(piece)
        return (
            slice(max(0, y - stamp.y), max(0, y + self.size - stamp.y)),
            slice(max(0, x - stamp.x), max(0, x + self.size - stamp.x)),
        )


def _number(
    survey: Survey, owner: NDArray[np.int32], order: NDArray[np.int64], light: _LightByPiece
) -> tuple[NDArray[np.int32], dict[str, NDArray[Any]]]:
    """Give numbers to the sources that lie in an example or own a pixel of it."""
    rows, fluxes, examples, numbered = [], [], [], np.zeros_like(owner)
    for example, piece in enumerate(order):
        corner_x, corner_y = light.corner(int(piece))
        owners, number = set(np.unique(owner[example]).tolist()), 0
        for source, flux in light.sources[piece]:
            x, y = source.x - corner_x, source.y - corner_y
            lies = min(x, y) >= _EDGE and max(x, y) < light.size + _EDGE
            if not lies and source.id not in owners:
                continue
            number += 1
            rows.append(replace(source, id=number, x=x, y=y))
            fluxes.append(flux)
            examples.append(example)
            if source.id in owners:
                numbered[example][owner[example] == source.id] = number
    # Where on the sky an example lies means nothing: any coordinates will do.
    table = truth_table(survey, rows, fluxes, WCS(naxis=2))
    columns = {"example": np.array(examples, dtype=np.int64)}
    for name in table.colnames:
        values = np.asarray(table[name])
        if name in _CODES:
            codes = [_CODES[name].index(value) for value in values]
            columns[name] = np.array(codes, dtype=np.int8)
        elif name not in ("ra", "dec"):
            columns[name] = values
    return numbered, columns


def _targets(
    options: DatasetOptions, survey: Survey, number: int, order: NDArray[np.int64], taken: int
) -> Iterator[Source]:
    """Draw the sources at the centres, with numbers above those that are taken."""
    shallow = replace(survey, faintest=options.faintest)
    grid = np.linspace(18, options.faintest, 401)
    area = ((1 + 2 * MARGIN / survey.pixel_scale) * survey.pixel_scale / 60) ** 2
    density = _DRAWN / (area * float(np.trapezoid(counts(grid, density=1.0), grid)))
    light = _LightByPiece(options)
    for place, piece in enumerate(order):
        example = number * options.group_size + place
        wanted = example % len(SOURCE_CLASSES) if options.balance else None
        source = _draw(options, shallow, density, example, wanted)
        rng = np.random.default_rng(_seed(options, _TARGETS, example))
        dx, dy = rng.uniform(-options.shift, options.shift, 2)
        x, y = (corner + (options.size - 1) / 2 for corner in light.corner(int(piece)))
        yield replace(source, id=taken + place + 1, x=float(x + dx), y=float(y + dy))


def _draw(
    options: DatasetOptions, survey: Survey, density: float, example: int, wanted: int | None
) -> Source:
    """Draw a source as there are in the sky: the first of a small population."""
    for attempt in range(_ATTEMPTS):
        seed = _seed(options, _TARGETS, example, attempt)
        for source in draw_population(survey, 1, seed=seed, density=density):
            if wanted is None or int(np.argmax(source.votes)) == wanted:
                return source
    name = "source" if wanted is None else SOURCE_CLASSES[wanted]
    raise OptionError(f"found no {name} to {survey.faintest:g} mag; give a fainter --faintest")


def _seed(options: DatasetOptions, *stream: int) -> int:
    """Seed of 128 bits that depends on the dataset's seed, its kind and a stream."""
    entropy = [options.seed, KINDS.index(options.kind), *stream]
    words = np.random.SeedSequence(entropy).generate_state(4)
    return sum(int(word) << (32 * place) for place, word in enumerate(words))
