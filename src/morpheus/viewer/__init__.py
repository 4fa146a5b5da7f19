"""Pages that show a run in the browser: the map, and what serves it."""

from morpheus.viewer.kept import keep
from morpheus.viewer.pyramid import TILE, Pyramid
from morpheus.viewer.run import ViewedBand, ViewedRun
from morpheus.viewer.server import run_routes, serve, static_route
from morpheus.viewer.site import export_site, n_files
from morpheus.viewer.sources import SourceColumns
from morpheus.viewer.tile_sets import (
    Reader,
    TileSet,
    band_set,
    label_set,
    picture_set,
    share_sets,
)
from morpheus.viewer.workers import Workers

__all__ = [
    "TILE",
    "Pyramid",
    "Reader",
    "SourceColumns",
    "TileSet",
    "ViewedBand",
    "ViewedRun",
    "Workers",
    "band_set",
    "export_site",
    "keep",
    "label_set",
    "n_files",
    "picture_set",
    "run_routes",
    "serve",
    "share_sets",
    "static_route",
]
