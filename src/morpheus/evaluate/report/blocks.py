"""What a page is made of: sections of paragraphs, tables and figures, with their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup
from matplotlib.figure import Figure

__all__ = ["Cell", "Document", "Grid", "Paragraph", "Picture", "Section"]


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Parameters
    ----------
    text : str
        What it says; escaped unless it is Markup.
    note : str, optional
        A second line, in small print.
    best : bool, optional
        Whether it is the best of its row.
    number : bool, optional
        Whether it is a number in a table of words.
    """

    text: str
    note: str = ""
    best: bool = False
    number: bool = False


@dataclass(frozen=True)
class Paragraph:
    """A paragraph.

    Parameters
    ----------
    text : str
        Escaped unless it is Markup.
    remark : bool, optional
        Whether it says why something is not there.
    """

    text: str
    remark: bool = False
    kind: str = "paragraph"


@dataclass(frozen=True)
class Grid:
    """A table.

    Parameters
    ----------
    number : int
        Its number.
    caption : str
        What it shows.
    head : sequence of str
        Titles of the columns.
    rows : sequence of sequence of Cell
        The first cell of each is its title.
    words : bool, optional
        Whether the columns hold words, which begin at the left, and not numbers.
    """

    number: int
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: bool = False
    kind: str = "grid"


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure.

    Parameters
    ----------
    number : int
        Its number.
    name : str
        Of its files.
    figure : matplotlib.figure.Figure
        The figure.
    caption : str
        What it shows, and what to look for.
    alt : str
        The same in a few words, for who cannot see it.
    pixels : bool, optional
        Whether it is made of pictures rather than of lines.
    """

    number: int
    name: str
    figure: Figure
    caption: str
    alt: str
    pixels: bool = False
    kind: str = "picture"


@dataclass
class Section:
    """A section.

    Parameters
    ----------
    key : str
        Its anchor.
    title : str
        Its heading.
    blocks : list
        What it holds.
    """

    key: str
    title: str
    blocks: list[Paragraph | Grid | Picture] = field(default_factory=list)


class Document:
    """Sections, in which tables and figures are numbered as they come.

    Attributes
    ----------
    sections : list of Section
        In their order.
    """

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self._tables = self._figures = 0

    @property
    def pictures(self) -> list[Picture]:
        """All figures."""
        return [
            block
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Picture)
        ]

    def begin(self, key: str, title: str) -> None:
        """Begin a section.

        Parameters
        ----------
        key : str
            Its anchor.
        title : str
            Its heading.
        """
        self.sections.append(Section(key, title))

    def say(self, *sentences: str, remark: bool = False) -> None:
        """Add a paragraph.

        Parameters
        ----------
        *sentences : str
            Escaped unless they are Markup; empty ones are left out.
        remark : bool, optional
            Whether it says why something is not there.
        """
        text = Markup(" ").join(sentence for sentence in sentences if sentence)
        if text:
            self.sections[-1].blocks.append(Paragraph(text, remark))

    def table(
        self,
        caption: str,
        head: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        *,
        words: bool = False,
    ) -> None:
        """Add a table, unless it is empty.

        Parameters
        ----------
        caption : str
            What it shows.
        head : sequence of str
            Titles of the columns.
        rows : sequence of sequence of Cell
            The first cell of each is its title.
        words : bool, optional
            Whether the columns hold words.
        """
        if rows:
            self._tables += 1
            self.sections[-1].blocks.append(Grid(self._tables, caption, head, rows, words))

    def picture(
        self, name: str, figure: Figure | None, caption: str, alt: str, *, pixels: bool = False
    ) -> None:
        """Add a figure, if there is one.

        Parameters
        ----------
        name : str
            Of its files.
        figure : matplotlib.figure.Figure or None
            The figure.
        caption : str
            What it shows, and what to look for.
        alt : str
            The same in a few words.
        pixels : bool, optional
            Whether it is made of pictures rather than of lines.
        """
        if figure is not None:
            self._figures += 1
            self.sections[-1].blocks.append(
                Picture(self._figures, name, figure, caption, alt, pixels)
            )

    @property
    def next_figure(self) -> int:
        """Number of the figure that comes next."""
        return self._figures + 1

    @property
    def next_table(self) -> int:
        """Number of the table that comes next."""
        return self._tables + 1
