"""Pictures: the classes as colours, the sky in colour, and sheets of sources."""

from morpheus.visual.colors import UNCLASSIFIED, class_colors, colorize
from morpheus.visual.figure import class_figure, write_classes
from morpheus.visual.files import FORMATS, check_picture_path, write_picture
from morpheus.visual.rgb import lupton_rgb, rgb_planes
from morpheus.visual.sources import choose_sources
from morpheus.visual.stamps import stamp_sheet

__all__ = [
    "FORMATS",
    "UNCLASSIFIED",
    "check_picture_path",
    "choose_sources",
    "class_colors",
    "class_figure",
    "colorize",
    "lupton_rgb",
    "rgb_planes",
    "stamp_sheet",
    "write_classes",
    "write_picture",
]
