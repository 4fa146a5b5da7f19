"""Pictures: the classes as colours, the sky in colour, and sheets of sources."""

from morpheus.visual.blocks import block_means
from morpheus.visual.colors import UNCLASSIFIED, class_colors, colorize
from morpheus.visual.figure import averaged_by, class_figure, write_classes
from morpheus.visual.files import FORMATS, check_picture_path, rendered, write_picture
from morpheus.visual.film import check_film_path, sweep, write_film
from morpheus.visual.rgb import lupton_rgb, rgb_planes
from morpheus.visual.sources import choose_sources
from morpheus.visual.stamps import stamp_sheet

__all__ = [
    "FORMATS",
    "UNCLASSIFIED",
    "averaged_by",
    "block_means",
    "check_film_path",
    "check_picture_path",
    "choose_sources",
    "class_colors",
    "class_figure",
    "colorize",
    "lupton_rgb",
    "rendered",
    "rgb_planes",
    "stamp_sheet",
    "sweep",
    "write_classes",
    "write_film",
    "write_picture",
]
