"""UCDs of the bands: in what part of the spectrum a filter lies."""

__all__ = ["flux_ucd", "magnitude_ucd"]

# Filters whose name says their wavelength without doubt. F410M, for one, is in the blue on WFC3
# and at 4 micrometres on NIRCam: such a band gets no word.
_PARTS = {
    "em.UV.200-300nm": ("F225W", "F275W"),
    "em.opt.U": ("F300W", "F336W", "F350LP", "U"),
    "em.opt.B": ("F435W", "F438W", "F450W", "F475W", "B", "G"),
    "em.opt.V": ("F555W", "F606W", "V"),
    "em.opt.R": ("F625W", "F702W", "R"),
    "em.opt.I": ("F775W", "F814W", "F850LP", "F090W", "I", "Z"),
    "em.IR.J": ("F098M", "F105W", "F110W", "F125W", "F115W", "Y", "J"),
    "em.IR.H": ("F140W", "F160W", "F150W", "H"),
    "em.IR.K": ("F200W", "F210M", "K", "KS"),
    "em.IR.3-4um": ("F322W2", "F335M", "F356W", "F360M"),
    "em.IR.4-8um": ("F444W", "F430M", "F460M", "F480M", "F560W", "F770W"),
    "em.IR.8-15um": ("F1000W", "F1130W", "F1280W"),
    "em.IR.15-30um": ("F1500W", "F1800W", "F2100W", "F2550W"),
}
_PART_OF = {band: part for part, bands in _PARTS.items() for band in bands}


def flux_ucd(band: str) -> str:
    """Give the UCD of a flux.

    Parameters
    ----------
    band : str
        Name of the band.

    Returns
    -------
    str
        Such as 'phot.flux;em.IR.H'; 'phot.flux' for a band that is not known.
    """
    return _with_part("phot.flux", band)


def magnitude_ucd(band: str) -> str:
    """Give the UCD of a magnitude.

    Parameters
    ----------
    band : str
        Name of the band.

    Returns
    -------
    str
        Such as 'phot.mag;em.IR.H'; 'phot.mag' for a band that is not known.
    """
    return _with_part("phot.mag", band)


def _with_part(quantity: str, band: str) -> str:
    part = _PART_OF.get(band.upper())
    return quantity if part is None else f"{quantity};{part}"
