"""A field full of sources, small models that see them, and what tells whether two runs agree."""

import itertools
import json
import socket
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage

import morpheus
from morpheus.model import (
    DenseConfig,
    Model,
    ModelConfig,
    UNetConfig,
    WindowRecipe,
    save_model,
)
from morpheus.model.config import DetectionThresholds
from morpheus.pipeline import Execution, FieldOptions, run_in_chunks

BANDS = ("F160W", "F125W", "F606W")
NOISE = 0.01
PSF = 1.3
PLAIN = FieldOptions()

# ---- models


def make_weights(config, seed):
    """Small random weights, and batch normalisation that does nothing."""
    rng = np.random.default_rng(seed)
    shapes = config.network.parameter_shapes(len(config.bands), len(config.classes))
    weights = {}
    for name, shape in shapes.items():
        if name.endswith(("norm.weight", "running_var")):
            values = np.ones(shape)
        elif name.endswith((".bias", "running_mean")):
            values = np.zeros(shape)
        else:
            values = rng.normal(0, 0.5 / np.sqrt(np.prod(shape[1:])), shape)
        weights[name] = values.astype(np.float32)
    return weights


def dense_model():
    """A model whose P(source) follows the flux, the classes of which are of random weights."""
    config = ModelConfig(
        name="dense",
        bands=BANDS,
        pixel_scale=0.06,
        unit="electron / s",
        window=WindowRecipe(size=40, margin=8, stride=24),
        normaliser="sky-noise",
        network=DenseConfig(widths=(6,), down_convolutions=(1,)),
        detection=DetectionThresholds(seed=0.7, grow=0.5, min_area=5),
    )
    weights = make_weights(config, 1)
    weights["down.0.0.conv.weight"][0] = 0
    weights["down.0.0.conv.weight"][0, :3, 1:3, 1:3] = np.array([2, 1, 1])[:, None, None] / 16
    background = slice(4 * config.classes.index("background"), None)
    weights["head.weight"][background, 0, 1, 1] = -4
    weights["head.bias"][background] = 3.4
    return Model(config, weights)


def windowed_model():
    """The same with windows that overlap, each normalised by itself."""
    config = ModelConfig(
        name="windowed",
        bands=BANDS,
        pixel_scale=0.06,
        unit="electron / s",
        window=WindowRecipe(size=20, margin=4, stride=1),
        network=UNetConfig(
            down_filters=(4,),
            down_convolutions=1,
            up_filters=(4,),
            up_convolutions=1,
            middle_filters=3,
        ),
        detection=DetectionThresholds(seed=0.7, grow=0.5, min_area=5),
    )
    weights = make_weights(config, 2)
    weights["down.0.0.conv.weight"][0] = 0
    weights["down.0.0.conv.weight"][0, :, 1, 1] = np.array([2, 1, 1]) / 2
    weights["up.0.0.conv.weight"][0] = 0
    weights["up.0.0.conv.weight"][0, :3, 1, 1] = 0.1
    weights["up.0.0.conv.weight"][0, 3, 1, 1] = 1
    background = config.classes.index("background")
    weights["head.weight"][background, 0, 1, 1] = -3
    weights["head.bias"][background] = 4
    return Model(config, weights)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders of two models."""
    root = tmp_path_factory.mktemp("models")
    for model in (dense_model(), windowed_model()):
        save_model(model, root / model.config.name, "")
    return {path.name: path for path in root.iterdir()}


# ---- fields


def make_wcs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (53.12, -27.8), (101.0, 91.0)
    wcs.wcs.cdelt = -0.06 / 3600, 0.06 / 3600
    return wcs


def make_light(shape, n_sources, seed):
    """Round galaxies, many of them beside another one, and one long bar across the field."""
    rng = np.random.default_rng(seed)
    light = np.zeros(shape)
    y, x = np.indices(shape)
    places = rng.uniform((2, 2), (shape[0] - 3, shape[1] - 3), (n_sources, 2))
    # Neighbours of the first third; and some where chunks of 48, 24 and 72 pixels meet.
    places = np.concatenate([places, places[: n_sources // 3] + rng.uniform(4, 7, 2)])
    places = np.concatenate([places, [(48, 48), (24, 96), (72, 71.5), (95.5, 96.5)]])
    for y0, x0 in places:
        sigma, peak = rng.uniform(1.0, 2.0), rng.uniform(0.25, 2.5)
        near = (
            slice(max(0, int(y0) - 15), int(y0) + 16),
            slice(max(0, int(x0) - 15), int(x0) + 16),
        )
        light[near] += peak * np.exp(-((x[near] - x0) ** 2 + (y[near] - y0) ** 2) / (2 * sigma**2))
    row = shape[0] * 2 // 3
    light[row : row + 3, shape[1] // 8 : shape[1] * 7 // 8] += 0.3
    return ndimage.gaussian_filter(light, PSF)


def write_field(folder, shape, n_sources, seed, *, holes=True):
    """Write bands and their weight maps, with pixels that are NaN or weigh nothing."""
    folder.mkdir()
    rng = np.random.default_rng(seed + 1)
    header = make_wcs().to_header()
    header["BUNIT"] = "ELECTRONS/S"
    header["PHOTFLAM"], header["PHOTPLAM"] = 1.9276e-20, 15369.0
    light = make_light(shape, n_sources, seed) if n_sources else np.zeros(shape)
    for band, color in zip(BANDS, (1.0, 0.7, 0.4), strict=True):
        image = color * light + rng.normal(0.02, NOISE, shape)
        weight = np.full(shape, NOISE**-2)
        if holes:
            image[shape[0] // 5, shape[1] // 3 : shape[1] // 3 + 9] = np.nan
            weight[: shape[0] // 3, -shape[1] // 4 :] = 0  # more than a chunk
            weight[-7:, :11] = 0
        header["FILTER"] = band
        fits.writeto(folder / f"{band}.fits", image.astype(np.float32), header)
        fits.writeto(folder / f"{band}_wht.fits", weight.astype(np.float32), header)
    return folder


@pytest.fixture(scope="session")
def fields(tmp_path_factory):
    """Folders of fields: `large`, `small` and `empty`, which is noise."""
    root = tmp_path_factory.mktemp("fields")
    return {
        "large": write_field(root / "large", (170, 203), 45, 3),
        "small": write_field(root / "small", (80, 104), 14, 5),
        "empty": write_field(root / "empty", (60, 70), 0, 7, holes=False),
    }


def inputs_of(folder, bands=BANDS):
    """Give images and weight maps as `run` takes them."""
    return {
        "images": {band: folder / f"{band}.fits" for band in bands},
        "weights": {band: folder / f"{band}_wht.fits" for band in bands},
    }


@pytest.fixture(scope="session")
def inputs():
    return inputs_of


@pytest.fixture(scope="session")
def arguments(models):
    """Gives the command line of a run."""

    def give(folder, output, *more, model="dense"):
        images = [w for band in BANDS for w in ("--band", f"{band}={folder}/{band}.fits")]
        weights = [w for band in BANDS for w in ("--weight", f"{band}={folder}/{band}_wht.fits")]
        return [
            str(word)
            for word in ("run", "-m", models[model], *images, *weights, "-o", output, *more)
        ]

    return give


# ---- runs and what they made


@pytest.fixture(scope="session")
def whole(fields, models, tmp_path_factory):
    """Runs a field in one piece, once in a session for the same arguments."""
    done = {}

    def run(field="large", model="dense", options=PLAIN, bands=BANDS, region=None, tag=None):
        key = (field, model, str(options), bands, region, tag)
        if key not in done:
            output = tmp_path_factory.mktemp("whole") / "out"
            given = inputs_of(fields[field], bands)
            result = morpheus.run(
                given["images"],
                output,
                model=models[model],
                weights=given["weights"],
                options=options,
                region=region,
            )
            done[key] = (output, result)
        return done[key]

    return run


@pytest.fixture
def in_chunks(fields, models, tmp_path):
    """Runs a field in chunks of a size; serially, unless told otherwise."""
    numbers = itertools.count()

    def run(size, field="large", model="dense", options=PLAIN, bands=BANDS, **more):
        output = tmp_path / f"chunks-{next(numbers)}"
        given = inputs_of(fields[field], bands)
        execution = more.pop("execution", None) or Execution("serial", chunk=size)
        result = run_in_chunks(
            given["images"],
            output,
            model=models[model],
            weights=given["weights"],
            options=options,
            execution=execution,
            **more,
        )
        return output, result

    return run


CLOCKS = {"DATE", "CHECKSUM", "DATASUM"}


def check_same_fits(one, other):
    """Compare pixels, rows and headers, but for times."""
    with fits.open(one) as a, fits.open(other) as b:
        assert [hdu.name for hdu in a] == [hdu.name for hdu in b], one.name
        for left, right in zip(a, b, strict=True):
            headers = [
                [
                    (c.keyword, c.value, c.comment)
                    for c in hdu.header.cards
                    if c.keyword not in CLOCKS
                ]
                for hdu in (left, right)
            ]
            assert headers[0] == headers[1], f"{one.name}[{left.name}]"
            if left.data is None:
                assert right.data is None
            else:
                assert left.data.dtype == right.data.dtype
                assert left.data.tobytes() == right.data.tobytes(), f"{one.name}[{left.name}]"


def check_same_catalog(one, other):
    a, b = (morpheus.Catalog.read(path) for path in (one, other))
    assert a.provenance | {"started": ""} == b.provenance | {"started": ""}
    check_same_tables(a.table, b.table)


def check_same_tables(a, b):
    assert a.colnames == b.colnames
    assert len(a) == len(b)
    for name in a.colnames:
        left, right = (np.ma.filled(t[name], 0) if t.masked else t[name].data for t in (a, b))
        assert left.dtype == right.dtype, name
        assert left.tobytes() == right.tobytes(), name
        assert a[name].unit == b[name].unit


def agreed(report, pictures):
    """Give what a report says but for times, machines and who did it."""
    left_out = {"started", "seconds", "run"}
    engine = {k: v for k, v in report["engine"].items() if k not in {"workers", "batch_size"}}
    kept = {key: value for key, value in report.items() if key not in left_out}
    files = {
        name: {k: v for k, v in entry.items() if k not in {"started", "seconds"}}
        for name, entry in report["files"].items()
        if pictures or not name.endswith(".png")
    }
    return kept | {"engine": engine, "files": files}


def check_same_products(one, other, *, pictures=True):
    """Make sure that two folders hold the same products and nothing else."""
    names = [
        sorted(p.name for p in folder.iterdir() if pictures or p.suffix != ".png")
        for folder in (one, other)
    ]
    assert names[0] == names[1]
    for name in names[0]:
        a, b = one / name, other / name
        if name == "report.json":
            reports = [agreed(json.loads(path.read_text()), pictures) for path in (a, b)]
            assert reports[0] == reports[1]
        elif name == "catalog.fits":
            check_same_catalog(a, b)
        elif a.suffix == ".fits":
            check_same_fits(a, b)
        else:
            images = [matplotlib.image.imread(path) for path in (a, b)]
            assert np.array_equal(*images), name


@pytest.fixture(scope="session")
def check_same():
    return check_same_products


@pytest.fixture
def without_pictures(monkeypatch):
    """Draw nothing, which takes most of the time of a run of a small field."""
    monkeypatch.setattr("morpheus.pipeline.chunked.draw", lambda *_, **__: [])
    monkeypatch.setattr("morpheus.pipeline.field._draw", lambda *_, **__: [])


@pytest.fixture
def expected(whole, without_pictures):
    """Gives the products of a field in one piece, without pictures."""
    return lambda field: whole(field, tag=("no pictures", None))[0]


# ---- a cluster, and commands of their own


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Cluster:
    """A Dask scheduler and two workers, each a process of its own."""

    def __init__(self, folder, n_workers=2):
        self.folder, self.processes = folder, []
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.scheduler = self.start(
            "scheduler", "--host", "127.0.0.1", "--port", self.address.rpartition(":")[2]
        )
        self.workers = [self.start_worker() for _ in range(n_workers)]

    def start(self, kind, *arguments):
        path = self.folder / f"{kind}-{len(self.processes)}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "dask", kind, "--no-dashboard"),
                    *arguments,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        self.processes.append(process)
        return process

    def start_worker(self):
        return self.start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1",
            "--local-directory", str(self.folder), "--memory-limit", "0",
        )  # fmt: skip

    def wait(self, n_workers):
        """Wait until there are workers."""
        import distributed

        with distributed.Client(self.address, timeout=120, set_as_default=False) as client:
            client.wait_for_workers(n_workers, timeout=300)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def make_cluster(tmp_path_factory):
    """Starts clusters, and ends them with the file of tests."""
    made = []

    def make(n_workers=2):
        cluster = Cluster(tmp_path_factory.mktemp("cluster"), n_workers)
        made.append(cluster)
        if n_workers:
            cluster.wait(n_workers)
        return cluster

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture(scope="module")
def cluster(make_cluster):
    """Two workers that all tests share."""
    return make_cluster()
