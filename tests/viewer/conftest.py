"""Small runs on disk, as `morpheus run` leaves them, and what decodes tiles."""

import io
import shutil
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

import morpheus
from morpheus.classes import CLASS_NAMES
from morpheus.inference import Classification, ClassMaps
from morpheus.mosaic import read_mosaic

BANDS = ("F160W", "F125W", "F606W")
SHAPE = (270, 310)  # no multiple of a tile; one halving

# Where the tests run in the background, SIGINT is ignored, which children inherit.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from morpheus.cli import main; main()"
)


def make_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (155.5, 135.5)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    return wcs


def write_images(folder):
    """Bands with nine sources; their light."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE)
    light = sum(
        10 / (2 * np.pi * 9) * np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2) / 9)
        for x0 in (40, 150, 257)
        for y0 in (30, 130, 240)
    )
    header = make_wcs().to_header()
    header["BUNIT"] = "ELECTRONS/S"
    header["PHOTFLAM"], header["PHOTPLAM"] = 1.9276e-20, 15369.0
    for band, color in zip(BANDS, (1.0, 0.8, 0.4), strict=True):
        header["FILTER"] = band
        image = (color * light + rng.normal(0, 0.005, SHAPE)).astype(np.float32)
        fits.writeto(folder / f"{band}.fits", image, header)
        weight = np.full(SHAPE, 0.005**-2, np.float32)
        weight[:3, :3] = 0
        fits.writeto(folder / f"{band}_wht.fits", weight, header)
    return light


def write_run(root, out, *, region=None, **how):
    """Classify the images in root/in with a rule instead of a network, and measure the sources."""
    images = {band: root / f"in/{band}.fits" for band in BANDS}
    weights = {band: root / f"in/{band}_wht.fits" for band in BANDS}
    mosaic = read_mosaic(images, bands=BANDS, weights=weights, region=region)
    source = np.clip(mosaic.data[0] / 0.05, 0, 1)
    share = np.array([0.6, 0.2, 0.1, 0.1], np.float32)
    maps = np.concatenate([share[:, None, None] * source, (1 - source)[None]]).astype(np.float32)
    maps[:, mosaic.mask] = np.nan
    classification = Classification(
        mean=ClassMaps(CLASS_NAMES, maps),
        variance=ClassMaps(CLASS_NAMES, maps * (1 - maps) / 4),
        votes=ClassMaps(CLASS_NAMES, maps),
        n=np.where(mosaic.mask, 0, 9).astype(np.uint32),
        mask=mosaic.mask,
        wcs=mosaic.wcs,
        provenance={
            "started": "2026-01-01T00:00:00",
            "software": {"morpheus": "0"},
            "model": {
                "name": "made-up",
                "bands": list(BANDS),
                "classes": list(CLASS_NAMES),
                "weights_sha256": "0" * 64,
                "window": {"size": 4},
            },
            "options": {"stride": 1, "lattice": False, "edges": "pad"},
            "engine": {"name": "none", "precision": "float32"},
            "region": region,
            "inputs": [vars(record) for record in mosaic.inputs],
        },
    )
    classification.write(out, **how)
    segmentation = morpheus.segment(classification, mosaic.data[0])
    segmentation.write(out)
    bands = morpheus.read_band_images(images, bands=BANDS, weights=weights, region=region)
    measured = morpheus.measure(segmentation, classification, bands, detection_band=BANDS[0])
    measured.write(out / "catalog.fits")
    return out


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Folder with in/<band>.fits and the run out/, with a catalogue; not to be written into."""
    root = tmp_path_factory.mktemp("viewed")
    write_images(root / "in")
    write_run(root, root / "out")
    return root


@pytest.fixture
def make_run(made, tmp_path):
    """Gives a run in a folder of the test's own, of the same images or of copies of them."""

    def make(name="out", *, own_images=False, catalog=True, **how):
        out = tmp_path / name
        if how:
            return write_run(made, out, **how)
        shutil.copytree(made / "out", out, ignore=shutil.ignore_patterns("tiles", "secret.txt"))
        report = out / "report.json"
        if not catalog:
            (out / "catalog.fits").unlink()
            (out / "segmap.fits").unlink()
        if own_images:
            shutil.copytree(made / "in", tmp_path / "in")
            text = report.read_text().replace(str(made / "in"), str(tmp_path / "in"))
            report.write_text(text)
        return out

    return make


def decoded(content):
    """Codes of a tile (y, x, 3), rows from the bottom up."""
    return np.asarray(Image.open(io.BytesIO(content)))[::-1]


@pytest.fixture(scope="session")
def decode():
    return decoded


class Server:
    """`morpheus view` in a process of its own."""

    def __init__(self, *arguments):
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (a pipe that none reads fills)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "view", *map(str, arguments), "--no-browser", "-q"],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.address = self.process.stdout.readline().split(" ")[0]
        assert self.address.startswith("http://127.0.0.1:")
        self.port = int(self.address.rstrip("/").rpartition(":")[2])

    def end(self, how=signal.SIGTERM):
        """End it; give its exit code and what it said."""
        self.process.send_signal(how)
        self.process.wait(timeout=60)
        self.process.stdout.close()
        self.errors.seek(0)
        said = self.errors.read()
        self.errors.close()
        return self.process.returncode, said


@pytest.fixture(scope="session")
def serve():
    """Starts servers; those that still run are ended after the tests."""
    servers = []

    def start(*arguments):
        servers.append(Server(*arguments))
        return servers[-1]

    yield start
    for one in servers:
        if one.process.poll() is None:
            one.end()
