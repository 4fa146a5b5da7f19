"""Where the windows lie, and in which portions they are worked off."""

from collections.abc import Iterator
from dataclasses import dataclass

from morpheus.errors import OptionError
from morpheus.inference.options import LATTICE_SHEAR
from morpheus.model import WindowRecipe

__all__ = ["Run", "Tile", "WindowPlan"]

# A tile's accumulators (88 bytes a pixel for five classes) are to stay in the processor's cache
# while being large against the overlap with its neighbours.
_TILE_ROWS, _TILE_COLUMNS = 64, 256


@dataclass(frozen=True)
class Run:
    """Windows in a row at equal distances: their first pixels are `(y, x + i * step)`.

    Parameters
    ----------
    y, x : int
        First pixel of the first window.
    step : int
        Distance between windows in pixels.
    count : int
        Number of windows.
    """

    y: int
    x: int
    step: int
    count: int

    def divide(self, count: int) -> tuple["Run", "Run | None"]:
        """Divide into the first `count` windows and the rest, if there is one.

        Parameters
        ----------
        count : int
            At least 1.

        Returns
        -------
        first : Run
            At most `count` windows.
        rest : Run or None
            What remains.
        """
        if count >= self.count:
            return self, None
        rest = Run(self.y, self.x + count * self.step, self.step, self.count - count)
        return Run(self.y, self.x, self.step, count), rest


@dataclass(frozen=True)
class Tile:
    """A portion of work: the windows whose first pixel lies in a rectangle.

    Parameters
    ----------
    y, x : int
        First pixel that any of the windows could cover.
    height, width : int
        Extent in pixels that the windows could cover.
    runs : tuple of Run
        The windows; positions count from the image's first pixel.
    """

    y: int
    x: int
    height: int
    width: int
    runs: tuple[Run, ...]

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return sum(run.count for run in self.runs)


@dataclass(frozen=True)
class WindowPlan:
    """All window positions over an image.

    On a square grid the windows start at multiples of `stride`; on a lattice, those in row `y`
    start where `x = a y (mod stride**2)`. Wherever the spacing does not reach the last possible
    position (and on a lattice the first), windows are added, so that every pixel that is covered
    at stride 1 is covered.

    Parameters
    ----------
    height, width : int
        Shape of the image in pixels, at least one window.
    recipe : WindowRecipe
        Size and margin of the windows.
    stride : int
        Spacing.
    lattice : bool
        Sheared lattice instead of square grid.
    rows, columns : range or None
        Where the windows start that are wanted; all if None.

    Raises
    ------
    OptionError
        If the spacing would leave pixels uncovered.
    """

    height: int
    width: int
    recipe: WindowRecipe
    stride: int = 1
    lattice: bool = False
    rows: range | None = None
    columns: range | None = None

    def __post_init__(self) -> None:
        if min(self.height, self.width) < self.recipe.size:
            raise OptionError(
                f"an image of {self.width} x {self.height} pixels is smaller than a window of"
                f" {self.recipe.size}"
            )
        if self.step > self.recipe.inner:
            kind = f"lattice of spacing {self.stride}" if self.lattice else f"stride {self.stride}"
            raise OptionError(
                f"{kind} leaves gaps: a window classifies {self.recipe.inner} pixels in a row, and"
                f" the next is {self.step} pixels away"
            )

    @property
    def n_rows(self) -> int:
        """Number of possible window positions along y."""
        return self.height - self.recipe.size + 1

    @property
    def n_columns(self) -> int:
        """Number of possible window positions along x."""
        return self.width - self.recipe.size + 1

    @property
    def step(self) -> int:
        """Distance between the windows of one row, in pixels."""
        return self.stride**2 if self.lattice else self.stride

    def tiles(self) -> Iterator[Tile]:
        """Portion the windows.

        Yields
        ------
        Tile
            Each window is in exactly one tile; tiles without a window are left out.
        """
        reach = self.recipe.size - 1
        rows, columns = self._wanted()
        for y0 in range(rows.start, rows.stop, _TILE_ROWS):
            y1 = min(y0 + _TILE_ROWS, rows.stop)
            for x0 in range(columns.start, columns.stop, _TILE_COLUMNS):
                x1 = min(x0 + _TILE_COLUMNS, columns.stop)
                runs = tuple(run for y in range(y0, y1) for run in self._row(y, x0, x1))
                if runs:
                    yield Tile(y0, x0, y1 - y0 + reach, x1 - x0 + reach, runs)

    def n_windows(self) -> int:
        """Count the windows.

        Returns
        -------
        int
            Number of windows in all tiles.
        """
        rows, columns = self._wanted()
        return sum(run.count for y in rows for run in self._row(y, columns.start, columns.stop))

    def _wanted(self) -> tuple[range, range]:
        rows = range(self.n_rows) if self.rows is None else self.rows
        return rows, range(self.n_columns) if self.columns is None else self.columns

    def _row(self, y: int, x0: int, x1: int) -> Iterator[Run]:
        """Windows of row `y` that start in columns `x0` to `x1` (exclusive)."""
        last_row, last_column = self.n_rows - 1, self.n_columns - 1
        if self.lattice:
            phase = LATTICE_SHEAR[self.stride] * y % self.step
            # Both ends of every `step`-th row and of the last: with the ends of the first row, that
            # is what it takes to cover the image's corners and edges.
            ends = {0, last_column} if y % self.step == 0 or y == last_row else set()
        elif y % self.stride == 0 or y == last_row:
            phase, ends = 0, {last_column}
        else:
            return
        first = x0 + (phase - x0) % self.step
        if first < x1:
            yield Run(y, first, self.step, (x1 - 1 - first) // self.step + 1)
        for x in sorted(ends):
            if x0 <= x < x1 and x % self.step != phase:
                yield Run(y, x, self.step, 1)
