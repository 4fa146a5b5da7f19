"""The five classes: their order, names and colours. The one place where they are listed."""

from dataclasses import dataclass

__all__ = ["BACKGROUND", "CLASSES", "CLASS_NAMES", "MorphologicalClass"]


@dataclass(frozen=True)
class MorphologicalClass:
    """One class of pixel.

    Parameters
    ----------
    name : str
        Identifier, used for keys, file names and FITS extensions.
    label : str
        How the class is written for people.
    color : str
        Hexadecimal RGB: the hues of Hausen & Robertson (2020), section 4.5 (spheroid red, disk
        blue, irregular green, point source yellow, background black).
    """

    name: str
    label: str
    color: str


CLASSES = (
    MorphologicalClass("spheroid", "Spheroid", "#ff0000"),
    MorphologicalClass("disk", "Disk", "#0000ff"),
    MorphologicalClass("irregular", "Irregular", "#00ff00"),
    MorphologicalClass("point_source", "Point source / compact", "#ffff00"),
    MorphologicalClass("background", "Background", "#000000"),
)
"""The classes in the order of the network's output channels."""

CLASS_NAMES = tuple(c.name for c in CLASSES)
BACKGROUND = CLASS_NAMES.index("background")
