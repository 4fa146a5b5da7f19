"""What is known of a catalogue before a pixel is looked at."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from astropy.table import Table
from astropy.wcs import WCS

from morpheus.catalog.options import CatalogOptions
from morpheus.catalog.schema import Column, Dtype, catalog_columns
from morpheus.mosaic.scale import pixel_scale
from morpheus.provenance import now, software

__all__ = ["CatalogSetup", "position_dtype"]


@dataclass(frozen=True, eq=False)
class CatalogSetup:
    """What a catalogue is measured of, and how.

    Parameters
    ----------
    bands : tuple of str
        Names of the bands.
    units : tuple of str or None
        Unit of the pixels of each.
    classes : tuple of str
        Names of the classes, background among them.
    detection : str
        The band for shapes and weights.
    statistic : {'mean', 'votes'}
        Which class probabilities are used.
    options : CatalogOptions
        How to measure.
    wcs : astropy.wcs.WCS or None
        World coordinates of the field.
    model : mapping, optional
        Name and digest of the model, for the provenance.
    segmentation : mapping, optional
        File and digest of the labels, for the provenance.
    started : str, optional
        When; now.

    Attributes
    ----------
    scale : float or None
        Side of a pixel in arcsec; None without world coordinates. A number that is kept: world
        coordinates lose their last digits when they are sent to another process.
    """

    bands: tuple[str, ...]
    units: tuple[str | None, ...]
    classes: tuple[str, ...]
    detection: str
    statistic: str
    options: CatalogOptions
    wcs: WCS | None
    model: Mapping[str, Any] = field(default_factory=dict)
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    started: str = field(default_factory=now)
    scale: float | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", pixel_scale(self.wcs))

    @property
    def radii(self) -> tuple[float, ...]:
        """Radii of the circular apertures in pixels."""
        return tuple(0.5 * size / (self.scale or 1.0) for size in self.options.apertures)

    def columns(self, sources: Table) -> list[Column]:
        """List the columns of the catalogue.

        Parameters
        ----------
        sources : astropy.table.Table
            The sources of the segmentation, which may have external positions.

        Returns
        -------
        list of Column
            In the order of the table.
        """
        return catalog_columns(
            self.bands,
            units=self.units,
            apertures=self.options.apertures,
            aperture_unit="pix" if self.scale is None else "arcsec",
            classes=[name for name in self.classes if name != "background"],
            positions=position_dtype(sources),
        )

    def record(self, n_sources: int, bands: Mapping[str, Any]) -> dict[str, Any]:
        """Say what made the catalogue.

        Parameters
        ----------
        n_sources : int
            Number of sources.
        bands : mapping of str to mapping
            What was done in each band.

        Returns
        -------
        dict
            The provenance.
        """
        # Programs only: a catalogue is the same on every machine, and says nothing of it.
        programs = {k: v for k, v in software().items() if k not in ("platform", "processor")}
        return {
            "started": self.started,
            "software": programs,
            "model": dict(self.model),
            "statistic": self.statistic,
            "detection_band": self.detection,
            "pixel_scale": self.scale,
            "options": dataclasses.asdict(self.options),
            "n_sources": n_sources,
            "segmentation": dict(self.segmentation),
            "bands": dict(bands),
        }


def position_dtype(sources: Table) -> Dtype | None:
    """Tell what the identifiers of external positions are.

    Parameters
    ----------
    sources : astropy.table.Table
        The sources of a segmentation.

    Returns
    -------
    {'int', 'float', 'str'} or None
        Their type; None if the segmentation was not guided by positions.
    """
    if "position_id" not in sources.colnames:
        return None
    kind = sources["position_id"].dtype.kind
    return "int" if kind in "iu" else "float" if kind == "f" else "str"
