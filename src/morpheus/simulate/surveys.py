"""The surveys, as data."""

import math

from morpheus.errors import OptionError
from morpheus.simulate.bands import Band, Survey, Telescope

__all__ = ["SURVEYS", "find_survey"]

HST = Telescope("HST", 2.4, 0.33, 4, 0.0092)
JWST = Telescope("JWST", 6.5, 0.11, 3, 0.015)
EUCLID = Telescope("Euclid", 1.2, 0.33, 3, 0.01)
RUBIN = Telescope("Rubin", 8.36, 0.61, 4, 0.006)
ROMAN = Telescope("Roman", 2.36, 0.32, 6, 0.02)

_WFC3 = 10000.0  # Angstrom: from here on the pivots are those of WFC3/IR, below of ACS


def _hst(
    exposures: tuple[float, ...], sigmas: tuple[float, ...], correlations: tuple[float, ...]
) -> tuple[Band, ...]:
    """HST's bands, the first four or all six; zero points of electrons / s.

    Blur and halo of F105W and F814W are interpolated between the other bands', not measured.
    """
    # WFC3/IR has a cold stop, which hides more of the mirror than the telescope does.
    facts = (
        # filter, pivot, zero point, blur, halo, its radius
        ("F160W", 15369.18, 25.946, 0.043, 0.060, 0.55),
        ("F125W", 12486.06, 26.230, 0.039, 0.070, 0.30),
        ("F606W", 5921.9, 26.491, 0.031, 0.145, 0.12),
        ("F850LP", 9033.2, 24.857, 0.021, 0.225, 0.13),
        ("F105W", 10551.0, 26.269, 0.037, 0.080, 0.25),
        ("F814W", 8045.5, 25.947, 0.024, 0.190, 0.13),
    )[: len(exposures)]
    bands = []
    for (name, pivot, zero_point, blur, halo, radius), exposure, sigma, correlation in zip(
        facts, exposures, sigmas, correlations, strict=True
    ):
        infrared = pivot > _WFC3
        bands.append(
            Band(
                name,
                "WFC3" if infrared else "ACS",
                pivot,
                f"WFC3_ir_{name}.dat" if infrared else f"ACS_wfc_{name}.dat",
                zero_point,
                gain=exposure,
                exposure=exposure,
                blur=blur,
                detector_pixel=0.128 if infrared else 0.050,
                sky_sigma=sigma,
                correlation=correlation,
                strut_angle=0.0 if infrared else 45.0,
                obscuration=0.42 if infrared else 0.35,
                strut_width=0.03 if infrared else None,
                halo=halo,
                halo_radius=radius,
                saturation=math.inf if infrared else 160.0,
            )
        )
    return tuple(bands)


def _nircam() -> tuple[Band, ...]:
    """NIRCam in MJy / sr at 0.03 arcsec: 1 MJy / sr is 28.087 mag. Gains: 1 h, photons kept 40%."""
    facts = (  # filter, pivot, edges (nm), depth, blur, pixel of the detector
        ("F200W", 19900.0, (1755, 2227), 29.0, 0.012, 0.031),
        ("F115W", 11540.0, (1013, 1282), 28.8, 0.012, 0.031),
        ("F150W", 15010.0, (1331, 1668), 28.9, 0.012, 0.031),
        ("F277W", 27860.0, (2423, 3132), 29.0, 0.022, 0.063),
        ("F356W", 35630.0, (3135, 3981), 29.0, 0.022, 0.063),
        ("F444W", 44210.0, (3881, 4982), 28.6, 0.022, 0.063),
    )
    return tuple(
        Band(
            name,
            "NIRCAM",
            pivot,
            edges,
            28.087,
            gain=_electrons(28.087, 3600, 25.4, 0.4, edges),
            exposure=3600,
            blur=blur,
            detector_pixel=pixel,
            depth=depth,
            correlation=0.2,
            strut_angle=0.0,
        )
        for name, pivot, edges, depth, blur, pixel in facts
    )


def _electrons(
    zero_point: float, exposure: float, area: float, efficiency: float, edges: tuple[float, float]
) -> float:
    """Electrons per image unit: the photons of an AB source, through a top hat."""
    # An AB source of magnitude 0 has 5.48e10 photons / (s m2) per unit of ln(wavelength).
    photons = 5.48e10 * math.log(edges[1] / edges[0]) * 10 ** (-0.4 * zero_point)
    return photons * exposure * area * efficiency


def _lsst() -> tuple[Band, ...]:
    """Rubin's ten-year depths in nJy, 31.4 mag; area 35 m2 (effective 6.4 m)."""
    facts = (  # filter, pivot, depth, seeing, exposure, edges for the gain (nm), efficiency
        ("i", 7537.7, 26.8, 0.80, 5520, (691, 818), 0.45),
        ("g", 4799.0, 27.4, 0.87, 2400, (402, 552), 0.40),
        ("r", 6231.2, 27.5, 0.83, 5520, (552, 691), 0.45),
        ("z", 8690.4, 26.1, 0.78, 4800, (818, 922), 0.40),
    )
    return tuple(
        Band(
            name,
            "LSSTCam",
            pivot,
            f"LSST_{name}.dat",
            31.4,
            gain=_electrons(31.4, exposure, 32.2, efficiency, edges),
            exposure=exposure,
            blur=0.0,
            detector_pixel=0.2,
            depth=depth,
            correlation=0.1,
            seeing=seeing,
        )
        for name, pivot, depth, seeing, exposure, edges, efficiency in facts
    )


def _roman() -> tuple[Band, ...]:
    """WFI in nJy, depths of the wide survey; collecting area 3.757 m2, photons kept 65%."""
    facts = (  # filter, GalSim's name, pivot, depth, edges for the gain (nm)
        ("F158", "H158", 15791.0, 26.9, (1380, 1774)),
        ("F129", "J129", 12936.0, 26.9, (1131, 1454)),
        ("F106", "Y106", 10595.0, 26.7, (927, 1192)),
        ("F184", "F184", 18418.0, 26.2, (1683, 2000)),
    )
    return tuple(
        Band(
            name,
            "WFI",
            pivot,
            f"roman:{bandpass}",
            31.4,
            gain=_electrons(31.4, 900, 3.757, 0.65, edges),
            exposure=900,
            blur=0.03,
            detector_pixel=0.11,
            depth=depth,
            correlation=0.1,
            strut_angle=0.0,
        )
        for name, bandpass, pivot, depth, edges in facts
    )


_VIS = Band(
    "VIS",
    "VIS",
    7150.0,
    (550.0, 900.0),
    31.4,
    gain=_electrons(31.4, 2264, 0.98, 0.55, (550, 900)),
    exposure=2264,
    blur=0.035,
    detector_pixel=0.1,
    depth=26.2,
    correlation=0.05,
)

_CORRELATED = (0.54, 0.54, 0.14, 0.14)

SURVEYS = {
    survey.name: survey
    for survey in (
        Survey(
            "candels-deep",
            HST,
            _hst((5000, 4500, 6000, 14000), (0.0039, 0.0039, 0.0047, 0.00225), _CORRELATED),
            pixel_scale=0.06,
            unit="ELECTRONS/S",
            faintest=28.0,
        ),
        Survey(
            "candels-wide",
            HST,
            _hst((3200, 2900, 6000, 14000), (0.0050, 0.0052, 0.0050, 0.00205), _CORRELATED),
            pixel_scale=0.06,
            unit="ELECTRONS/S",
            faintest=28.0,
        ),
        Survey(
            "xdf",
            HST,
            _hst(
                (236100, 112500, 174400, 421600),
                (0.00042, 0.00062, 0.00097, 0.00044),
                (0.54, 0.54, 0.02, 0.03),
            ),
            pixel_scale=0.06,
            unit="ELECTRONS/S",
            faintest=30.0,
            misalignment=0.05,
        ),
        Survey(
            "candels-6",
            HST,
            _hst(
                (5000, 4500, 6000, 14000, 5400, 14000),
                (0.0039, 0.0039, 0.0047, 0.00225, 0.0040, 0.0045),
                (*_CORRELATED, 0.54, 0.14),
            ),
            pixel_scale=0.06,
            unit="ELECTRONS/S",
            faintest=28.0,
        ),
        Survey(
            "xdf-6",
            HST,
            _hst(
                (236100, 112500, 174400, 421600, 266700, 50800),
                (0.00042, 0.00062, 0.00097, 0.00044, 0.00060, 0.0012),
                (0.54, 0.54, 0.02, 0.03, 0.54, 0.03),
            ),
            pixel_scale=0.06,
            unit="ELECTRONS/S",
            faintest=30.0,
            misalignment=0.05,
        ),
        Survey("nircam", JWST, _nircam(), pixel_scale=0.03, unit="MJy/sr", faintest=29.5),
        Survey("euclid-vis", EUCLID, (_VIS,), pixel_scale=0.1, unit="nJy", faintest=27.5),
        Survey("roman", ROMAN, _roman(), pixel_scale=0.11, unit="nJy", faintest=28.0),
        Survey("lsst", RUBIN, _lsst(), pixel_scale=0.2, unit="nJy", faintest=28.0),
    )
}
"""The surveys by name."""


def find_survey(name: str) -> Survey:
    """Find a survey by its name.

    Parameters
    ----------
    name : str
        Such as 'candels-deep'.

    Returns
    -------
    Survey
        The survey.

    Raises
    ------
    OptionError
        If it is unknown; lists the known.
    """
    try:
        return SURVEYS[name]
    except KeyError:
        raise OptionError(f"unknown survey {name!r}; known are {', '.join(SURVEYS)}") from None
