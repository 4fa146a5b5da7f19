"""A folder with what the pages name: images, tables of labels, a run with votes, datasets."""

import shutil
from contextlib import chdir
from itertools import product

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import Table
from astropy.wcs import WCS

import morpheus
from morpheus.dataset import LabelledOptions, LabelledSources, build_dataset
from morpheus.model.config import DenseConfig, WindowRecipe
from morpheus.pipeline.voting import open_votes
from morpheus.train import (
    DataOptions,
    ModelOptions,
    OptimiserOptions,
    TrainOptions,
    ValidationOptions,
)

from .blocks import ROOT

DEMO = ROOT / "demo/field"
PART = slice(80, 208)  # of its rows and columns: a dozen sources are quick
BANDS = {"F160W": "h", "F125W": "j", "F606W": "v", "F850LP": "z"}
PLACE = 53.12, -27.80  # of the pages' --region; the declination parts two areas of `dataset build`


def make_sandbox(folder):
    """Make the folder of a part of the demo's field, moved to where the pages are on the sky."""
    folder.mkdir()
    with chdir(folder):
        for (band, letter), kind in product(BANDS.items(), ("sci", "wht")):
            write_image(band.lower(), letter, kind)
        copies = ("big", "frames/a", "01", "02", "03")
        for copy, path in product(copies, [f"{letter}.fits" for letter in BANDS.values()]):
            (folder / copy).mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, f"{copy}/{path}")
        shutil.copy2("h_wht.fits", "01/h_wht.fits")
        (folder / "tiles.csv").write_text("tile,F160W,F125W\na,01/h.fits,01/j.fits\n")
        (folder / "demo").symlink_to(ROOT / "demo")
        images = {band: f"{letter}.fits" for band, letter in BANDS.items()}
        weights = {band: f"{letter}_wht.fits" for band, letter in BANDS.items()}
        morpheus.run(images, "out", weights=weights)
        shutil.copytree("out", "other")
        fits.writeto("seg.fits", *fits.getdata("out/segmap.fits", header=True))
        shutil.copy2("out/catalog.fits", "cat.fits")
        write_labels(Table.read("out/catalog.fits"))
        shown = open_votes(folder / "out", None)
        for (place, who), source in product(enumerate("AB"), shown.catalog.table["id"]):
            answer = ("disk", "spheroid", "disk")[(int(source) + place) % 3]
            shown.store.vote(f"{who}. Voter", int(source), answer, f"{who}{source}")
        sources = LabelledSources(images, segmap="seg.fits", votes="votes.csv")
        build_dataset("mine.zarr", sources, LabelledOptions(size=64))
        (folder / "config.toml").write_text(short_training("mine.zarr").to_toml())


def write_image(band, letter, kind):
    name = f"{letter}.fits" if kind == "sci" else f"{letter}_wht.fits"
    with fits.open(DEMO / f"{band}_{kind}.fits.fz") as hdus:
        data, header = hdus[1].data[PART, PART], hdus[1].header
        header["CRVAL1"], header["CRVAL2"] = PLACE
        header["CRPIX1"] = header["CRPIX2"] = (len(data) + 1) / 2
        image = fits.ImageHDU(data, header, name=kind.upper())
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(name)
    shutil.copy2(name, f"{band}.fits" if kind == "sci" else f"{band}_wht.fits")


def write_labels(catalog):
    """Write what experts might have said of the sources, as each of the tables has it."""
    votes = Table({name: np.asarray(catalog[name]) for name in ("ra", "dec")})
    shares = np.random.default_rng(1).dirichlet(np.ones(4), len(catalog)).T
    classes = "spheroid", "disk", "irregular", "point_source"
    for name, short, share in zip(classes, ("sph", "disk", "irr", "ps"), shares, strict=True):
        votes[name] = votes[f"f_{short}"] = share
    votes["frame"], votes["n_experts"] = "a", 5
    for name in ("votes.csv", "labels.csv"):
        votes.write(name, format="ascii.csv")
    votes["ra", "dec"][::2].write("mine.csv", format="ascii.csv")
    own = ["ra", "dec", *(name for name in votes.colnames if name.startswith("f_"))]
    votes[own].write("kartaltepe2015.csv", format="ascii.csv")
    zoo = votes["ra", "dec"]
    for answer, share in zip(("a0_smooth", "a1_features", "a2_artifact"), shares, strict=False):
        zoo[f"t00_smooth_or_featured_{answer}_frac"] = share
    zoo.write("gzcandels.csv", format="ascii.csv")


def short_training(data):
    return TrainOptions(
        "mine",
        (DataOptions(data),),
        model=ModelOptions(network=DenseConfig(widths=(4, 8)), window=WindowRecipe(64, 16, 32)),
        optimiser=OptimiserOptions(epochs=1, steps=2, batch=2, crop=64, warmup=1),
        validation=ValidationOptions(share=0.5, examples=2),
    )


def names():
    """What the pages' Python supposes without saying how it was made."""
    (h, header), (array, _), (z, _) = (
        fits.getdata(f"{letter}.fits", "SCI", header=True, memmap=False) for letter in "hjz"
    )
    wcs = WCS(header)
    return {
        "__name__": "__main__",
        "h_hdu": fits.ImageHDU(h, header),
        "array": array,
        "wcs": wcs,
        "ccd_data": CCDData(z, unit="electron / s", wcs=wcs),
        "images": {band: f"{letter}.fits" for band, letter in BANDS.items()},
    }
