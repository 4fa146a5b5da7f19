"""A simulated field as files: what a survey delivers, and the truth."""

from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from astropy.io import fits

from morpheus.classes import CLASS_NAMES
from morpheus.mosaic.products import Plane, check_targets, replacing, write_json
from morpheus.mosaic.report import REPORT_FILE
from morpheus.provenance import morpheus_version, now, software
from morpheus.simulate.bands import Band
from morpheus.simulate.field import FieldOptions, SimulatedField, simulate_field
from morpheus.simulate.noise import correlation_factor
from morpheus.simulate.psf import point_source_depth, psf_fwhm, sky_sigma
from morpheus.simulate.surveys import find_survey

__all__ = ["field_files", "make_field", "write_field"]

TRUTH_FILE, MAPS_FILE = "truth.fits", "truth_maps.fits"


def field_files(folder: Path, survey: str) -> list[Path]:
    """List the files of a simulated field.

    Parameters
    ----------
    folder : Path
        Where they are.
    survey : str
        Name of the survey.

    Returns
    -------
    list of Path
        Image and weight of every band, catalogue, maps and report.
    """
    bands = [band.name.lower() for band in find_survey(survey).bands]
    images = [folder / f"{band}_{kind}.fits" for band in bands for kind in ("sci", "wht")]
    return [*images, folder / TRUTH_FILE, folder / MAPS_FILE, folder / REPORT_FILE]


def make_field(folder: Path, options: FieldOptions, *, overwrite: bool = False) -> SimulatedField:
    """Simulate a field and write it.

    Parameters
    ----------
    folder : Path
        Where the files go.
    options : FieldOptions
        What to simulate.
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
    check_targets(field_files(folder, options.survey), overwrite=overwrite)
    field = simulate_field(options)
    write_field(folder, field, overwrite=overwrite)
    return field


def write_field(folder: Path, field: SimulatedField, *, overwrite: bool = False) -> list[Path]:
    """Write a simulated field.

    Parameters
    ----------
    folder : Path
        Where the files go.
    field : SimulatedField
        The field.
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
    paths = field_files(folder, field.survey.name)
    check_targets(paths, overwrite=overwrite)
    for number, band in enumerate(field.survey.bands):
        name = band.name.lower()
        header = _header(field, band)
        image = Plane("SCI", field.images[number], header)
        weight_header = header.copy()
        weight_header["BUNIT"] = (f"1/({field.survey.unit})**2", "inverse variance of the sky")
        weight = Plane("WHT", field.weights[number], weight_header)
        _write(folder / f"{name}_sci.fits", [_primary(image)], overwrite=overwrite)
        _write(folder / f"{name}_wht.fits", [_primary(weight)], overwrite=overwrite)
    table = fits.table_to_hdu(field.catalog)
    table.name = "TRUTH"
    _sign(table.header, field)
    _write(folder / TRUTH_FILE, [fits.PrimaryHDU(), table], overwrite=overwrite)
    maps = [fits.ImageHDU(p.data, p.header, name=p.name) for p in _map_planes(field)]
    _write(folder / MAPS_FILE, [fits.PrimaryHDU(), *maps], overwrite=overwrite)
    write_json(folder / REPORT_FILE, _report(field, paths), overwrite=overwrite)
    return paths


def _primary(plane: Plane) -> fits.PrimaryHDU:
    hdu = fits.PrimaryHDU(plane.data, plane.header)
    hdu.name = plane.name
    return hdu


def _write(path: Path, hdus: list[Any], *, overwrite: bool) -> None:
    """Write with checksums that do not tell the time: the same field is the same bytes."""
    for hdu in hdus:
        hdu.add_checksum(when="of a simulated field")
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        fits.HDUList(hdus).writeto(file)


def _header(field: SimulatedField, band: Band) -> fits.Header:
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


def _map_planes(field: SimulatedField) -> list[Plane]:
    header = field.wcs.to_header()
    _sign(header, field)
    header["THRESH"] = (field.options.truth_threshold, "of the noise: a pixel is a source's")
    planes = [
        Plane(name.upper(), share, header.copy())
        for name, share in zip(CLASS_NAMES, field.truth.classes, strict=True)
    ]
    planes.append(Plane("OWNER", field.truth.owner, header.copy()))
    for band, light in zip(field.survey.bands, field.noiseless, strict=True):
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
