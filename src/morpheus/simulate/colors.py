"""Magnitudes of spectra in bands, through redshift."""

from functools import cache
from pathlib import Path

import galsim
import galsim.roman
import numpy as np
from numpy.typing import NDArray

from morpheus.simulate.bands import Band

__all__ = ["COUNTS_BANDPASS", "color", "quasar_color", "star_color"]

Array = NDArray[np.float64]

COUNTS_BANDPASS = "WFC3_ir_F160W.dat"
"""The band in which magnitudes are drawn."""

# Coleman, Wu & Weedman (1980), extended: from ellipticals to irregulars.
_TEMPLATES = tuple(f"CWW_{kind}_ext.sed" for kind in ("E", "Sbc", "Scd", "Im"))
_ROMAN = "roman:"
_REDSHIFTS = np.linspace(0, 8, 161)
_TEMPERATURES = np.linspace(2800, 8000, 53)  # K
_LYMAN_ALPHA, _LYMAN_LIMIT = 121.567, 91.18  # nm
_RED_SLOPE = -3.0  # of f_lambda, beyond the templates' 2.2 micrometres
_H_C_OVER_K = 1.438777e7  # nm K


def color(band: Band, kind: float, redshift: float) -> float:
    """Give the colour of a galaxy.

    Parameters
    ----------
    band : Band
        The band.
    kind : float
        Spectral type from 0 (elliptical) to 3 (irregular) and 4: young stars alone. Between
        templates, magnitudes are interpolated.
    redshift : float
        From 0 to 8.

    Returns
    -------
    float
        AB magnitude in the band less that in F160W.
    """
    table = _galaxies(band.throughput) - _galaxies(COUNTS_BANDPASS)
    at_redshift = [float(np.interp(redshift, _REDSHIFTS, row)) for row in table]
    return float(np.interp(kind, np.arange(len(at_redshift)), at_redshift))


def star_color(band: Band, temperature: float) -> float:
    """Give the colour of a star: a black body.

    Parameters
    ----------
    band : Band
        The band.
    temperature : float
        In K, from 2800 to 8000.

    Returns
    -------
    float
        AB magnitude in the band less that in F160W.
    """
    table = _stars(band.throughput) - _stars(COUNTS_BANDPASS)
    return float(np.interp(temperature, _TEMPERATURES, table))


def quasar_color(band: Band, redshift: float) -> float:
    """Give the colour of a quasar: ``f_nu ~ nu^-0.5`` behind the intergalactic medium.

    Parameters
    ----------
    band : Band
        The band.
    redshift : float
        From 0 to 8.

    Returns
    -------
    float
        AB magnitude in the band less that in F160W.
    """
    table = _quasars(band.throughput) - _quasars(COUNTS_BANDPASS)
    return float(np.interp(redshift, _REDSHIFTS, table))


@cache
def _bandpass(throughput: str | tuple[float, float]) -> tuple[Array, Array]:
    """Wavelengths in nm, and the throughput on them."""
    if isinstance(throughput, str):
        found = _find_bandpass(throughput)
        wave = np.linspace(found.blue_limit, found.red_limit, 600)
        return wave, np.asarray(found(wave))
    return np.linspace(*throughput, 200), np.ones(200)


def _find_bandpass(name: str) -> galsim.Bandpass:
    if name.startswith(_ROMAN):
        return galsim.roman.getBandpasses()[name.removeprefix(_ROMAN)]
    path = Path(galsim.meta_data.share_dir) / "bandpasses" / name
    return galsim.Bandpass(str(path), wave_type="nm")


def _magnitude(wave: Array, f_lambda: Array, throughput: Array) -> float:
    """AB magnitude but for a constant: photons per photon of a flat f_nu."""
    photons = np.trapezoid(f_lambda * throughput * wave, wave)
    return float(-2.5 * np.log10(photons / np.trapezoid(throughput / wave, wave) + 1e-40))


def _transmission(rest: Array, redshift: float) -> Array:
    """Mean of the intergalactic medium: one depth for the forest, none below the Lyman limit."""
    depth = 0.0036 * (rest * (1 + redshift) / _LYMAN_ALPHA) ** 3.46  # Madau (1995), Lyman alpha
    forest = np.where(rest < _LYMAN_ALPHA, np.exp(-depth), 1.0)
    return np.where(rest < _LYMAN_LIMIT, 0.0, forest)


@cache
def _galaxies(throughput: str | tuple[float, float]) -> Array:
    wave, response = _bandpass(throughput)
    table = np.empty((len(_TEMPLATES) + 1, _REDSHIFTS.size))
    for row, name in enumerate(_TEMPLATES):
        path = Path(galsim.meta_data.share_dir) / "SEDs" / name
        sed = galsim.SED(str(path), wave_type="Ang", flux_type="flambda")
        grid = np.linspace(max(sed.blue_limit, 20), sed.red_limit, 20000)
        light = np.asarray(sed(grid)) / grid  # photons to energy
        for column, z in enumerate(_REDSHIFTS):
            rest = wave / (1 + z)
            flux = np.interp(rest, grid, light)
            red = rest > grid[-1]
            flux[red] = light[-1] * (rest[red] / grid[-1]) ** _RED_SLOPE
            table[row, column] = _magnitude(wave, flux * _transmission(rest, z), response)
    # Faint galaxies are bluer than the bluest of the templates, all of which are near: young
    # stars without dust have f_nu of one level.
    for column, z in enumerate(_REDSHIFTS):
        young = wave**-2.0 * _transmission(wave / (1 + z), z)
        table[-1, column] = _magnitude(wave, young, response)
    return table


@cache
def _quasars(throughput: str | tuple[float, float]) -> Array:
    wave, response = _bandpass(throughput)
    return np.array(
        [
            _magnitude(wave, wave**-1.5 * _transmission(wave / (1 + z), z), response)
            for z in _REDSHIFTS
        ]
    )


@cache
def _stars(throughput: str | tuple[float, float]) -> Array:
    wave, response = _bandpass(throughput)
    return np.array(
        [
            _magnitude(wave, wave**-5 / np.expm1(_H_C_OVER_K / (wave * t)), response)
            for t in _TEMPERATURES
        ]
    )
