"""Make the sample field that `morpheus.data.get_sample` gives.

`python demo/make_sample.py` writes `src/morpheus/data/sample.fits.fz`: a part of the sky as
`make_field.py` simulates it, but observed everywhere, four bands in one file. The seed is one for
which the published network finds every one of the seven sources and gives it its true class (36 of
the first 40 seeds are), so the sample shows what the classes look like, and not how often the
network is right.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from make_field import BANDS, draw_sources, make_header, make_wcs, observe, place, render

SIZE, SEED = 150, 13
SAMPLE = Path(__file__).parents[1] / "src/morpheus/data/sample.fits.fz"


def make_sample(path: Path) -> None:
    """Write the sample; one that is there is replaced."""
    rng = np.random.default_rng(SEED)
    wcs, observed = make_wcs(SIZE), np.ones((SIZE, SIZE), bool)
    sources = place(rng, draw_sources(rng, SIZE), observed)
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for band in BANDS:
        image, _ = observe(rng, band, render(band, sources, SIZE), observed)
        header = make_header(band, wcs, SEED)
        header["BUNIT"] = "ELECTRONS/S"
        header["HISTORY"] = f"Size {SIZE} pixels, no gaps: see demo/make_sample.py."
        hdus.append(
            fits.CompImageHDU(
                image, header, name=band.name, compression_type="GZIP_2", quantize_level=0
            )
        )
    hdus.writeto(path, overwrite=True, checksum=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and make the sample."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path, nargs="?", default=SAMPLE, help="%(default)s")
    options = parser.parse_args(arguments)
    make_sample(options.path)
    print(f"Wrote {options.path}: {options.path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
