"""What people can say of a source. The one place where the answers are listed."""

from dataclasses import dataclass

from morpheus.classes import BACKGROUND, CLASSES
from morpheus.dataset.layout import UNKNOWN

__all__ = ["ANSWERS", "ANSWER_NAMES", "NO_SOURCE", "Answer"]

NO_SOURCE = "no_source"
"""Name of the answer that there is nothing."""


@dataclass(frozen=True)
class Answer:
    """One answer.

    Parameters
    ----------
    name : str
        Identifier; for the classes, theirs.
    label : str
        How a page writes it.
    key : str
        Which key gives it, beside its number.
    meaning : str
        When to give it.
    """

    name: str
    label: str
    key: str
    meaning: str


_MEANINGS = {
    "spheroid": ("s", "round or elliptical and smooth, brightest at the centre"),
    "disk": ("d", "flat: a disk, seen from any side, with or without spiral arms or a bulge"),
    "irregular": ("i", "neither: disturbed, clumpy, merging"),
    "point_source": ("p", "a star, or too compact to tell from one"),
}

ANSWERS = (
    *(Answer(c.name, c.label, *_MEANINGS[c.name]) for c in CLASSES[:BACKGROUND]),
    Answer(NO_SOURCE, "No source", "x", "noise, an artefact, or a part of another source"),
    Answer(UNKNOWN, "Can't tell", "u", "a source, but of which class cannot be said"),
)
"""In the order in which they are shown."""

ANSWER_NAMES = tuple(answer.name for answer in ANSWERS)
