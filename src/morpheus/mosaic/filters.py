"""Filters: whether the headers name the bands that the images are given as."""

from collections.abc import Sequence

from astropy.io import fits

from morpheus.errors import GridMismatchError

__all__ = ["check_band_filters", "header_filters", "wavelength"]

_UNKNOWN = ("", "N/A", "NONE", "UNKNOWN", "MULTIPLE")

# Pivot wavelengths in micrometres, to tell the red bands from the blue ones.
_WAVELENGTHS = {
    "F225W": 0.237, "F275W": 0.271, "F336W": 0.335, "F435W": 0.433, "F475W": 0.475,
    "F606W": 0.592, "F775W": 0.769, "F814W": 0.805, "F850LP": 0.903, "F098M": 0.986,
    "F105W": 1.055, "F110W": 1.153, "F125W": 1.249, "F140W": 1.392, "F160W": 1.537,
    "F070W": 0.704, "F090W": 0.902, "F115W": 1.154, "F150W": 1.501, "F200W": 1.988,
    "F277W": 2.776, "F356W": 3.565, "F410M": 4.083, "F444W": 4.402,
    "F062": 0.620, "F087": 0.869, "F106": 1.060, "F129": 1.293, "F146": 1.464,
    "F158": 1.577, "F184": 1.842, "F213": 2.125,
    "VIS": 0.715, "NISP-Y": 1.081, "NISP-J": 1.367, "NISP-H": 1.773,
    "U": 0.37, "G": 0.48, "R": 0.62, "I": 0.76, "Z": 0.90, "Y": 1.02,
    "J": 1.25, "H": 1.63, "K": 2.19, "KS": 2.16,
}  # fmt: skip


def wavelength(band: str) -> float | None:
    """Tell roughly where a band lies.

    Parameters
    ----------
    band : str
        Its name, in any case: a filter of HST (from 0.2 micrometres), JWST, Roman or Euclid, or a
        letter.

    Returns
    -------
    float or None
        Its wavelength in micrometres; None for a band of another name.
    """
    return _WAVELENGTHS.get(band.upper())


def header_filters(headers: Sequence[fits.Header]) -> tuple[str, ...]:
    """Read the filters of an exposure.

    Parameters
    ----------
    headers : sequence of Header
        Where to look; an earlier one has precedence.

    Returns
    -------
    tuple of str
        Values of FILTER, FILTER1 and FILTER2 (of HST's ACS), and PUPIL (of JWST, where the
        narrower filter can stand in the pupil wheel), upper-case. Clear positions and values
        that name no filter are left out, so it can be empty.
    """

    def value(keyword: str) -> str:
        found = next((header[keyword] for header in headers if keyword in header), "")
        return str(found).strip().upper()

    keywords = ["FILTER", "FILTER1", "FILTER2"]
    if value("TELESCOP") == "JWST":
        keywords.append("PUPIL")
    values = dict.fromkeys(value(keyword) for keyword in keywords)
    return tuple(v for v in values if v not in _UNKNOWN and not v.startswith("CLEAR"))


def check_band_filters(
    bands: Sequence[str], filters: Sequence[tuple[str, ...]], names: Sequence[str]
) -> None:
    """Check that each image was taken in the band that it was given as.

    Parameters
    ----------
    bands : sequence of str
        The bands, in the model's order.
    filters : sequence of tuple of str
        What `header_filters` found for each. Images without any are taken on trust.
    names : sequence of str
        What messages call the images.

    Raises
    ------
    GridMismatchError
        If an image was taken in another band; says so if images look swapped.
    """
    said = [_band_in_header(*pair, bands) for pair in zip(bands, filters, strict=True)]
    for band, found, name in zip(bands, said, names, strict=True):
        if found in ("", band):
            continue
        problem = f"{name} was given as {band} but its header says {found}"
        if sorted(said) == sorted(bands):
            raise GridMismatchError(
                f"the files look swapped: {problem}; "
                f"give them as --band {band}=... or in the order {' '.join(bands)}"
            )
        raise GridMismatchError(
            f"{problem}; give the {band} image, or accept this one with check_filters=False "
            "(--no-check-filters)"
        )


def _band_in_header(band: str, filters: tuple[str, ...], bands: Sequence[str]) -> str:
    """Give the band of a header, in the spelling of the model if it is one of its bands."""
    for name in (band, *bands):
        if name.upper() in filters:
            return name
    return "/".join(filters)
