"""The columns of a catalogue. The one place where they are listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from morpheus.catalog.ucds import flux_ucd, magnitude_ucd
from morpheus.classes import BACKGROUND, CLASS_NAMES
from morpheus.segmentation.flags import FLAG_MEANINGS

__all__ = [
    "Column",
    "Dtype",
    "catalog_columns",
    "catalog_reference",
    "fixed_dtypes",
    "survey_columns",
]

Dtype: TypeAlias = Literal["int", "float", "str"]

_CLASSES = tuple(name for i, name in enumerate(CLASS_NAMES) if i != BACKGROUND)


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name : str
        Its name.
    unit : str or None
        Unit as astropy writes it; None for pure numbers and text.
    dtype : {'int', 'float', 'str'}
        Of its values: int64 (the flags and sizes too), float64 (NaN where undefined) or text.
    description : str
        What it holds.
    ucd : str
        Unified content descriptor (IVOA UCD1+).
    """

    name: str
    unit: str | None
    dtype: Dtype
    description: str
    ucd: str


def catalog_columns(
    bands: Sequence[str],
    *,
    units: Sequence[str | None] | None = None,
    apertures: Sequence[float] = (0.5, 1.0),
    aperture_unit: str = "arcsec",
    classes: Sequence[str] = _CLASSES,
    positions: Dtype | None = None,
) -> list[Column]:
    """List the columns of a catalogue, in order.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands.
    units : sequence of (str or None), optional
        Unit of each band's fluxes.
    apertures : sequence of float, optional
        Diameters of the circular apertures.
    aperture_unit : str, optional
        Their unit: 'arcsec' or 'pix'.
    classes : sequence of str, optional
        Names of the classes, without background.
    positions : {'int', 'float', 'str'}, optional
        Type of the identifiers in a guided segmentation; there are none without.

    Returns
    -------
    list of Column
        Identity, position, shape, photometry band by band, classes, flags.
    """
    columns = [*_identity(positions), *_position(), *_shape()]
    given = units if units is not None else [None] * len(bands)
    for band, unit in zip(bands, given, strict=True):
        columns += _photometry(band, unit, apertures, aperture_unit)
    columns += _morphology(classes)
    columns.append(
        Column("flags", None, "int", "what to beware of: bits that add up", "meta.code.qual")
    )
    return columns


def fixed_dtypes() -> dict[str, Dtype]:
    """Tell the types of the columns that are not numbers with a fraction.

    Returns
    -------
    dict of str to str
        By name, for the columns that every catalogue, or every survey's, has; all others are
        'float', but for `position_id`, which can be any.
    """
    columns = (*catalog_columns(()), *survey_columns())
    return {c.name: c.dtype for c in columns if c.dtype != "float"}


def survey_columns() -> list[Column]:
    """List the columns by which the catalogue of a survey tells its sources apart.

    Returns
    -------
    list of Column
        The first columns, in order. `id` has another meaning than in the catalogue of a field.
    """
    return [
        Column("tile", None, "str", "name of the tile", "meta.id;obs.field"),
        Column("id", None, "int", "number of the source in the survey", "meta.id;meta.main"),
        Column(
            "tile_id", None, "int", "number of the source in the tile: its label there", "meta.id"
        ),
    ]


def _identity(positions: Dtype | None) -> list[Column]:
    columns = [
        Column(
            "id", None, "int", "number of the source: its label in the map", "meta.id;meta.main"
        ),
        Column(
            "parent",
            None,
            "int",
            "number of the region it was part of before deblending",
            "meta.id.parent",
        ),
    ]
    if positions is not None:
        columns.append(
            Column(
                "position_id",
                None,
                positions,
                "identifier of the external position; -1 or empty if there is none",
                "meta.id.cross",
            )
        )
    return columns


def _position() -> list[Column]:
    def pixel(name: str, axis: str, description: str, ucd: str) -> Column:
        dtype: Dtype = "float" if name in "xy" else "int"
        return Column(name, "pix", dtype, description, ucd.format(axis))

    where = "pos.cartesian.{}"
    return [
        pixel("x", "x", "flux-weighted centroid, first pixel centre at 0", where + ";instr.det"),
        pixel("y", "y", "flux-weighted centroid, first pixel centre at 0", where + ";instr.det"),
        Column("ra", "deg", "float", "right ascension, ICRS", "pos.eq.ra;meta.main"),
        Column("dec", "deg", "float", "declination, ICRS", "pos.eq.dec;meta.main"),
        pixel("x_min", "x", "first column with a pixel of the source", where + ";stat.min"),
        pixel("x_max", "x", "last column with a pixel of the source", where + ";stat.max"),
        pixel("y_min", "y", "first row with a pixel of the source", where + ";stat.min"),
        pixel("y_max", "y", "last row with a pixel of the source", where + ";stat.max"),
        Column("area", "pix2", "int", "number of pixels", "phys.angArea"),
    ]


def _shape() -> list[Column]:
    return [
        Column(
            "semi_major",
            "pix",
            "float",
            "standard deviation of the light along the major axis",
            "phys.angSize.smajAxis",
        ),
        Column(
            "semi_minor",
            "pix",
            "float",
            "standard deviation of the light along the minor axis",
            "phys.angSize.sminAxis",
        ),
        Column("ellipticity", None, "float", "1 - semi_minor / semi_major", "src.ellipticity"),
        Column(
            "position_angle",
            "deg",
            "float",
            "major axis, from north through east, 0 to 180; without a WCS from y towards -x",
            "pos.posAng",
        ),
        Column(
            "half_light_radius",
            "pix",
            "float",
            "radius of the circle with half of the Kron flux, not corrected for the PSF",
            "phys.angSize;src",
        ),
        Column(
            "half_light_radius_arcsec",
            "arcsec",
            "float",
            "the same on the sky",
            "phys.angSize;src",
        ),
        Column(
            "concentration",
            None,
            "float",
            "5 log10(r80 / r20), radii of circles with 80 and 20% of the Kron flux",
            "src.morph.param",
        ),
        Column(
            "kron_semi_major",
            "pix",
            "float",
            "semi-major axis of the Kron aperture",
            "phys.angSize.smajAxis;src",
        ),
    ]


def _photometry(
    band: str, unit: str | None, apertures: Sequence[float], aperture_unit: str
) -> list[Column]:
    prefix = band.lower()
    kinds = [
        ("iso", f"{band} flux of the source's own pixels"),
        ("kron", f"{band} flux in the Kron aperture of the detection band"),
    ]
    kinds += [
        (f"aper_{i}", f"{band} flux in a circle of {size:g} {aperture_unit} diameter")
        for i, size in enumerate(apertures, start=1)
    ]
    columns = []
    for kind, description in kinds:
        name, ucd = f"{prefix}_flux_{kind}", flux_ucd(band)
        columns.append(Column(name, unit, "float", description, ucd))
        columns.append(
            Column(f"{name}_err", unit, "float", f"error of {name}", f"stat.error;{ucd}")
        )
    for kind, where in (("iso", "the source's own pixels"), ("kron", "the Kron aperture")):
        name, ucd = f"{prefix}_mag_{kind}", magnitude_ucd(band)
        description = f"{band} AB magnitude in {where}"
        columns.append(Column(name, "mag", "float", description, ucd))
        columns.append(
            Column(f"{name}_err", "mag", "float", f"error of {name}", f"stat.error;{ucd}")
        )
    columns.append(
        Column(
            f"{prefix}_snr",
            None,
            "float",
            f"{band} Kron flux over its error; isophotal where there is no Kron flux",
            f"stat.snr;{flux_ucd(band)}",
        )
    )
    return columns


def _morphology(classes: Sequence[str]) -> list[Column]:
    columns = []
    for name in classes:
        label = name.replace("_", " ")
        columns += [
            Column(
                f"p_{name}",
                None,
                "float",
                f"probability of {label}: flux-weighted mean of the pixels",
                "stat.probability;src.morph.type",
            ),
            Column(
                f"p_{name}_err",
                None,
                "float",
                f"error of p_{name}, from the scatter between windows; none if each pixel is seen"
                " once",
                "stat.error;stat.probability;src.morph.type",
            ),
        ]
    return [
        *columns,
        Column("class", None, "str", "most probable class", "src.morph.type;meta.main"),
        Column(
            "margin",
            None,
            "float",
            "probability of the most probable class minus that of the second",
            "stat.value;src.morph.type",
        ),
        Column(
            "agreement",
            None,
            "float",
            "1 - entropy / ln(number of classes): 0 if all are equally probable, 1 if one is sure",
            "stat.value;src.morph.type",
        ),
        Column(
            "p_background",
            None,
            "float",
            "mean probability of background over the pixels",
            "stat.probability;instr.background",
        ),
    ]


def catalog_reference() -> str:
    """Write the reference of the columns and flags, from which docs/catalog.md is made.

    Returns
    -------
    str
        Markdown tables.
    """
    lines = ["| column | unit | type | meaning | UCD |", "|---|---|---|---|---|"]
    columns = catalog_columns(("BAND",), units=("image unit",), positions="str")
    for c in columns:
        # Apertures are numbered; the reference shows how, not how many.
        name = c.name.replace("band_", "*band*_")
        dtype = "int or str" if c.name == "position_id" else c.dtype
        text = c.description.replace("BAND ", "").replace("band_", "*band*_")
        lines.append(f"| {name} | {c.unit or ''} | {dtype} | {text} | {c.ucd} |")
    lines += ["", "| bit | flag | meaning |", "|---|---|---|"]
    lines += [f"| {int(bit)} | {bit.name} | {text} |" for bit, text in FLAG_MEANINGS.items()]
    return "\n".join(lines) + "\n"
