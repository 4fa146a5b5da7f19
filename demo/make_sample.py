"""Make the sample field that `morpheus.data.get_sample` gives.

`python demo/make_sample.py` writes `src/morpheus/data/sample.fits.fz`: a small, crowded piece of
sky as `morpheus simulate field` makes it, but without defects, four bands in one file. The seed is
the first one whose sources brighter than 24 mag are of all classes and are all given their true
class by the published network; so the sample shows what the classes look like, and not how often
the network is right.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from astropy.io import fits

from morpheus.mosaic.products import Plane, compressed
from morpheus.simulate import FieldOptions, image_header, simulate_field

OPTIONS = FieldOptions(size=150, seed=103, density=400, defects=False)
SAMPLE = Path(__file__).parents[1] / "src/morpheus/data/sample.fits.fz"


def make_sample(path: Path) -> None:
    """Write the sample; one that is there is replaced."""
    field = simulate_field(OPTIONS)
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for band, image in zip(field.survey.bands, field.images, strict=True):
        hdus.append(compressed(Plane(band.name, image, image_header(field, band))))
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
