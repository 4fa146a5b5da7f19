"""The five classes: their order, names and colours. The one place where they are listed."""

import colorsys
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
    hue : float or None
        Hue, 0 to 1, of the HSV colours of Hausen & Robertson (2020), section 4.5, with the numbers
        of their program; None for the background, which is black.
    safe_color : str
        In hexadecimal, a colour that people who confuse red and green tell from the others, after
        Okabe & Ito (2008), as printed by Wong (2011, Nature Methods 8, 441).
    """

    name: str
    label: str
    hue: float | None
    safe_color: str

    @property
    def rgb(self) -> tuple[float, float, float]:
        """Red, green and blue of the class at full saturation and value, each 0 to 1."""
        return (0.0, 0.0, 0.0) if self.hue is None else colorsys.hsv_to_rgb(self.hue, 1, 1)

    @property
    def color(self) -> str:
        """The same in hexadecimal, such as '#ff0000'."""
        return "#" + "".join(f"{round(255 * part):02x}" for part in self.rgb)


CLASSES = (
    MorphologicalClass("spheroid", "Spheroid", 0.0, "#d55e00"),  # red
    MorphologicalClass("disk", "Disk", 0.7, "#56b4e9"),  # blue
    MorphologicalClass("irregular", "Irregular", 0.3, "#009e73"),  # green
    MorphologicalClass("point_source", "Point source / compact", 0.18, "#f0e442"),  # yellow
    MorphologicalClass("background", "Background", None, "#000000"),
)
"""The classes in the order of the network's output channels."""

CLASS_NAMES = tuple(c.name for c in CLASSES)
BACKGROUND = CLASS_NAMES.index("background")
