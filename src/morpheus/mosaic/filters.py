"""Filters: whether the headers name the bands that the images are given as."""

from collections.abc import Sequence

from astropy.io import fits

from morpheus.errors import GridMismatchError

__all__ = ["check_band_filters", "header_filters"]

_UNKNOWN = ("", "N/A", "NONE", "UNKNOWN", "MULTIPLE")


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
