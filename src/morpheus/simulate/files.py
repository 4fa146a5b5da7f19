"""A simulated field as files: what a survey delivers, and the truth."""

from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from astropy.io import fits

from morpheus.classes import CLASS_NAMES
from morpheus.mosaic.products import (
    Plane,
    check_targets,
    compressed,
    remove,
    replacing,
    write_hdus,
    write_json,
)
from morpheus.mosaic.report import REPORT_FILE, read_report
from morpheus.mosaic.units import parse_unit
from morpheus.provenance import morpheus_version, now, software
from morpheus.simulate.bands import Band
from morpheus.simulate.field import FieldOptions, SimulatedField, simulate_field
from morpheus.simulate.noise import correlation_factor
from morpheus.simulate.psf import point_source_depth, psf_fwhm, sky_sigma
from morpheus.simulate.surveys import find_survey

__all__ = ["field_files", "image_header", "make_field", "write_field"]

TRUTH_FILE, MAPS_FILE = "truth.fits", "truth_maps.fits"


def field_files(folder: Path, survey: str, *, compress: bool = False) -> list[Path]:
    """List the files of a simulated field.

    Parameters
    ----------
    folder : Path
        Where they are.
    survey : str
        Name of the survey.
    compress : bool, optional
        Whether the images are tile-compressed: .fits.fz.

    Returns
    -------
    list of Path
        Image and weight of every band, catalogue, maps and report.
    """
    bands = [band.name.lower() for band in find_survey(survey).bands]
    images = [folder / f"{band}_{kind}.fits" for band in bands for kind in ("sci", "wht")]
    planes = [*images, folder / MAPS_FILE]
    if compress:
        planes = [path.with_name(f"{path.name}.fz") for path in planes]
    return [*planes[:-1], folder / TRUTH_FILE, planes[-1], folder / REPORT_FILE]


def make_field(
    folder: Path,
    options: FieldOptions,
    *,
    compress: bool = False,
    noiseless: bool = True,
    overwrite: bool = False,
) -> SimulatedField:
    """Simulate a field and write it.

    Parameters
    ----------
    folder : Path
        Where the files go.
    options : FieldOptions
        What to simulate.
    compress : bool, optional
        Whether to tile-compress the images, without loss.
    noiseless : bool, optional
        Whether the truth maps hold the noiseless images.
    overwrite : bool, optional
        Whether files that exist may be replaced.

    Returns
    -------
    SimulatedField
        What was written.

    Raises
    ------
    OptionError
        If an option is out of range.
    ProductError
        If a file exists and `overwrite` is false, or cannot be written. Nothing is simulated
        then.
    """
    options.check()
    check_targets(field_files(folder, options.survey, compress=compress), overwrite=overwrite)
    field = simulate_field(options)
    write_field(folder, field, compress=compress, noiseless=noiseless, overwrite=overwrite)
    return field


def write_field(
    folder: Path,
    field: SimulatedField,
    *,
    compress: bool = False,
    noiseless: bool = True,
    overwrite: bool = False,
) -> list[Path]:
    """Write a simulated field.

    Parameters
    ----------
    folder : Path
        Where the files go.
    field : SimulatedField
        The field.
    compress : bool, optional
        Whether to tile-compress the images, without loss.
    noiseless : bool, optional
        Whether the truth maps hold the noiseless images.
    overwrite : bool, optional
        Whether files that exist may be replaced.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ProductError
        If a file exists and `overwrite` is false, or cannot be written.
    """
    paths = field_files(folder, field.survey.name, compress=compress)
    check_targets(paths, overwrite=overwrite)
    # Those of another survey, or compressed in another way, are not of this truth.
    earlier = read_report(folder).get("simulation", {}).get("products", ())
    stale = (folder / Path(name).name for name in earlier)
    remove([path for path in stale if path not in paths])
    *images, table_path, maps_path, report_path = paths
    targets = iter(images)
    for number, band in enumerate(field.survey.bands):
        header = image_header(field, band)
        image = Plane("SCI", field.images[number], header)
        weight_header = header.copy()
        weight_header["BUNIT"] = (_inverse_square(field.survey.unit), "inverse variance")
        weight = Plane("WHT", field.weights[number], weight_header)
        for plane in (image, weight):
            _write(next(targets), _hdus([plane], compress=compress), overwrite=overwrite)
    table = fits.table_to_hdu(field.catalog)
    table.name = "TRUTH"
    _sign(table.header, field)
    _write(table_path, [fits.PrimaryHDU(), table], overwrite=overwrite)
    maps = _hdus(_map_planes(field, noiseless=noiseless), compress=compress)
    _write(maps_path, maps, overwrite=overwrite)
    write_json(report_path, _report(field, paths), overwrite=overwrite)
    return paths


def _inverse_square(unit: str) -> str:
    """Write the unit of an inverse variance so that astropy reads it."""
    known = parse_unit(unit)
    return f"1/({unit})**2" if known is None else str(known**-2)


def _hdus(planes: list[Plane], *, compress: bool) -> list[Any]:
    """Make one plane the primary HDU; several, or compressed ones, extensions."""
    if compress:
        return [fits.PrimaryHDU(), *(compressed(plane) for plane in planes)]
    if len(planes) == 1:
        primary = fits.PrimaryHDU(planes[0].data, planes[0].header)
        primary.name = planes[0].name
        return [primary]
    return [
        fits.PrimaryHDU(),
        *(fits.ImageHDU(plane.data, plane.header, name=plane.name) for plane in planes),
    ]


def _write(path: Path, hdus: list[Any], *, overwrite: bool) -> None:
    """Write with checksums that do not tell the time: the same field is the same bytes.

    But for compressed images: their checksums are made on writing, and gzip tells the time.
    """
    packed = any(isinstance(hdu, fits.CompImageHDU) for hdu in hdus)
    if packed:
        write_hdus(path, fits.HDUList(hdus), overwrite=overwrite)
        return
    for hdu in hdus:
        hdu.add_checksum(when="of a simulated field")
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        fits.HDUList(hdus).writeto(file)


def image_header(field: SimulatedField, band: Band) -> fits.Header:
    """Make the header of an image.

    Parameters
    ----------
    field : SimulatedField
        The field.
    band : Band
        One of its bands.

    Returns
    -------
    astropy.io.fits.Header
        World coordinates, filter, unit, calibration and where it is from.
    """
    survey = field.survey
    header = field.wcs.to_header()
    header["BUNIT"] = survey.unit
    header["TELESCOP"], header["INSTRUME"] = survey.telescope.name, band.instrument
    header["FILTER"] = band.name
    header["EXPTIME"] = (band.exposure, "[s]")
    if survey.unit == "ELECTRONS/S":
        header["PHOTFLAM"] = (band.photflam, "[erg/s/cm2/Angstrom] for 1 electron/s")
    header["PHOTPLAM"] = (band.pivot, "[Angstrom] pivot wavelength")
    header["ABMAGZP"] = (round(band.zero_point, 4), "AB magnitude of 1 image unit")
    if band.saturation < float("inf"):
        header["SATURATE"] = (band.saturation, "pixels are full from here on")
    factor = correlation_factor(band.correlation)
    header["NOISCORR"] = (round(1 / factor, 4), "noise of a pixel * sqrt(its weight)")
    _sign(header, field)
    return header


def _sign(header: fits.Header, field: SimulatedField) -> None:
    options = field.options
    header["SURVEY"], header["SEED"] = options.survey, options.seed
    header["HISTORY"] = "Simulated: not an observation."
    header["HISTORY"] = f"Made by Morpheus {morpheus_version()}."


def _map_planes(field: SimulatedField, *, noiseless: bool) -> list[Plane]:
    header = field.wcs.to_header()
    _sign(header, field)
    header["THRESH"] = (field.options.truth_threshold, "of the noise: a pixel is a source's")
    planes = [
        Plane(name.upper(), share, header.copy())
        for name, share in zip(CLASS_NAMES, field.truth.classes, strict=True)
    ]
    planes.append(Plane("OWNER", field.truth.owner, header.copy()))
    lights = field.noiseless if noiseless else ()
    for band, light in zip(field.survey.bands, lights, strict=noiseless):
        lit = header.copy()
        lit["BUNIT"] = field.survey.unit
        planes.append(Plane(f"NOISELESS_{band.name.upper()}", light, lit))
    return planes


def _report(field: SimulatedField, paths: list[Path]) -> dict[str, object]:
    survey = field.survey
    bands = {
        band.name: {
            "zero_point": round(band.zero_point, 4),
            "sky_sigma": sky_sigma(survey, band),
            "psf_fwhm": round(psf_fwhm(survey, band), 4),
            "point_source_depth": round(point_source_depth(survey, band), 3),
            "noise_correlation": band.correlation,
            "misalignment": [round(float(value), 4) for value in shift],
        }
        for band, shift in zip(survey.bands, field.shifts, strict=True)
    }
    return {
        "created": now(),
        "simulation": {
            "options": asdict(field.options),
            "unit": survey.unit,
            "pixel_scale": survey.pixel_scale,
            "bands": bands,
            "n_sources": len(field.catalog),
            "products": [path.name for path in paths],
        },
        "software": {**software(), "galsim": metadata.version("galsim")},
    }
