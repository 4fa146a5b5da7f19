"""What a survey is: its telescope, its bands, and how good its images are."""

import math
from dataclasses import dataclass

__all__ = ["Band", "Survey", "Telescope"]


@dataclass(frozen=True)
class Telescope:
    """What shapes the diffraction pattern.

    Parameters
    ----------
    name : str
        As headers write it (TELESCOP).
    diameter : float
        Of the primary mirror, in metres.
    obscuration : float
        Linear fraction of it that is hidden.
    n_struts : int
        Vanes that carry the secondary mirror; they make the spikes.
    strut_width : float
        Of a vane, as a fraction of the diameter.
    """

    name: str
    diameter: float
    obscuration: float
    n_struts: int
    strut_width: float


@dataclass(frozen=True)
class Band:
    """One band of a survey.

    Parameters
    ----------
    name : str
        Filter, as headers write it.
    instrument : str
        As headers write it (INSTRUME).
    pivot : float
        Pivot wavelength, in Angstrom.
    throughput : str or tuple of float
        File of GalSim's bandpass, 'roman:' and the name of a bandpass of `galsim.roman`, or the
        edges of a top hat in nm.
    zero_point : float
        AB magnitude of one image unit.
    gain : float
        Electrons per image unit: of electrons / s, the exposure time.
    exposure : float
        In seconds.
    blur : float
        Sigma, in arcsec, of the Gaussian of jitter, charge diffusion and drizzle.
    detector_pixel : float
        Side of a pixel of the detector, in arcsec.
    sky_sigma : float or None, optional
        Noise of a blank pixel, in image units; None: from `depth`.
    depth : float or None, optional
        AB magnitude of a point source of 5 sigma (with optimal weights).
    correlation : float, optional
        Correlation of the noise of a pixel with that of the next along an axis; below 0.7.
    strut_angle : float, optional
        Of the spikes, in degrees.
    obscuration, strut_width : float or None, optional
        As of a `Telescope`, where stops inside the camera hide more; None: the telescope's.
    halo : float, optional
        Fraction of the light in wings that fall as the third power of the radius: light that
        mirrors and detectors scatter.
    halo_radius : float, optional
        In arcsec: half of the halo lies within 1.7 times it.
    seeing : float, optional
        FWHM of the atmosphere, in arcsec; 0 in space.
    saturation : float, optional
        Level at which a pixel is full, in image units.
    psf_file : str or None, optional
        FITS image of the PSF with the pixel, at the pixel scale of the images; None: the model.
    """

    name: str
    instrument: str
    pivot: float
    throughput: str | tuple[float, float]
    zero_point: float
    gain: float
    exposure: float
    blur: float
    detector_pixel: float
    sky_sigma: float | None = None
    depth: float | None = None
    correlation: float = 0.0
    strut_angle: float = 45.0
    obscuration: float | None = None
    strut_width: float | None = None
    halo: float = 0.0
    halo_radius: float = 0.3
    seeing: float = 0.0
    saturation: float = math.inf
    psf_file: str | None = None

    @property
    def photflam(self) -> float:
        """Inverse sensitivity (erg/s/cm2/A for one image unit): the AB zero point, inverted."""
        return 10 ** (-0.4 * (self.zero_point + 2.408)) / self.pivot**2


@dataclass(frozen=True)
class Survey:
    """One survey, and how good its images are.

    Parameters
    ----------
    name : str
        Name.
    telescope : Telescope
        With which it was taken.
    bands : tuple of Band
        Reference band of the truth maps first.
    pixel_scale : float
        In arcsec.
    unit : str
        BUNIT of the images.
    faintest : float
        F160W AB magnitude to which sources are drawn.
    misalignment : float, optional
        Sigma of the offset of a band, in pixels along an axis.
    sky_residual : float, optional
        Amplitude of the sky's level and gradient, in units of the noise of a pixel.
    depth_variation : float, optional
        Relative amplitude of the variation of the exposure over the field.
    cosmic_rays : float, optional
        Residuals per square arcminute in each band.
    holes : float, optional
        Holes in the coverage per square arcminute.
    """

    name: str
    telescope: Telescope
    bands: tuple[Band, ...]
    pixel_scale: float
    unit: str
    faintest: float
    misalignment: float = 0.1
    sky_residual: float = 0.1
    depth_variation: float = 0.1
    cosmic_rays: float = 2.0
    holes: float = 0.05
