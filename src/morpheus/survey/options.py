"""How a survey is done, and what its results depend on."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from morpheus.catalog.formats import check_catalog_path
from morpheus.errors import OptionError
from morpheus.inference import preset
from morpheus.model import ModelConfig
from morpheus.mosaic.choice import choose_bands
from morpheus.pipeline.field import FieldOptions
from morpheus.provenance import morpheus_version
from morpheus.segmentation import detection_thresholds, open_positions
from morpheus.survey.table import Tile

__all__ = ["SurveyOptions", "survey_record"]

_FORMAT = 1
_LARGEST_RADIUS = 2.0


@dataclass(frozen=True)
class SurveyOptions:
    """How a survey is done.

    Parameters
    ----------
    field : FieldOptions
        How each tile is done. What it says of a band is for the tiles that have the band.
    match_radius : float
        Within how many arcsec positions of a source that two tiles see may differ, or within half
        of its half-light radius if that is larger. Above 0, at most 2.
    check_filters : bool
        Whether a FILTER header that contradicts the band is an error.
    """

    field: FieldOptions = dataclasses.field(default_factory=FieldOptions)
    match_radius: float = 0.3
    check_filters: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.match_radius <= _LARGEST_RADIUS:
            raise OptionError(
                f"match radius is {self.match_radius!r} arcsec; it is above 0 and at most"
                f" {_LARGEST_RADIUS:g}"
            )

    def check(self, config: ModelConfig, tiles: Sequence[Tile]) -> None:
        """Find out before any work is done what cannot be done.

        Parameters
        ----------
        config : ModelConfig
            The model.
        tiles : sequence of Tile
            The tiles.

        Raises
        ------
        OptionError
            If options cannot be used.
        """
        field = self.field
        name = field.catalog_file
        check_catalog_path(Path(name), readable=True)
        there = {band for tile in tiles for band in tile.images}
        bands = tuple(band for band in config.bands if band in there)
        bands += tuple(sorted(there - set(bands)))
        field.catalog.check_bands(bands)
        detection_thresholds(dataclasses.asdict(config.detection), field.segmentation)
        if field.positions is not None:
            open_positions(field.positions)

    def for_tile(self, config: ModelConfig, tile: Tile) -> FieldOptions:
        """Leave out what is said of bands that a tile does not have.

        Parameters
        ----------
        config : ModelConfig
            The model.
        tile : Tile
            The tile.

        Returns
        -------
        FieldOptions
            How it is done.
        """
        field = self.field
        if not config.takes_missing_bands:
            return field
        there = choose_bands(list(tile.images), config.bands, config.alternatives).given
        catalog = field.catalog
        zero_points, exposure, saturation = (
            {band: value for band, value in by_band.items() if band in there}
            for by_band in (catalog.zero_points, catalog.exposure, catalog.saturation)
        )
        catalog = dataclasses.replace(
            catalog, zero_points=zero_points, exposure=exposure, saturation=saturation
        )
        rgb = field.rgb if field.rgb is not None and set(field.rgb) <= set(there) else None
        return dataclasses.replace(field, catalog=catalog, rgb=rgb)


def survey_record(config: ModelConfig, options: SurveyOptions) -> dict[str, Any]:
    """Say what the results of tiles depend on beside their inputs.

    Parameters
    ----------
    config : ModelConfig
        The model.
    options : SurveyOptions
        How the survey is done.

    Returns
    -------
    dict
        What JSON can hold. The matching radius is not in it: no tile depends on it.
    """
    field = options.field
    given = field.inference
    inference = dataclasses.asdict(preset(given) if isinstance(given, str) else given)
    for name in ("threads", "batch_size", "device"):  # which make no difference
        del inference[name]
    return {
        "format": _FORMAT,
        "morpheus": morpheus_version(),
        "model": config.as_dict(),
        "inference": inference,
        "segmentation": dataclasses.asdict(field.segmentation),
        "positions_sha256": _digest_of_positions(field.positions),
        "catalog": dataclasses.asdict(field.catalog),
        "catalog_file": field.catalog_file,
        "rgb": field.rgb,
        "check_filters": options.check_filters,
    }


def _digest_of_positions(positions: Any) -> str | None:
    if positions is None:
        return None
    if isinstance(positions, str | Path):
        with Path(positions).expanduser().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    table = open_positions(positions)
    text = repr([(name, table[name].tolist()) for name in table.colnames])
    return hashlib.sha256(text.encode()).hexdigest()
