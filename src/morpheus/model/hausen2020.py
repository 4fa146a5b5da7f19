"""The published network: from the original program's checkpoint to a model."""

import hashlib
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ModelError
from morpheus.model.config import ModelConfig, UNetConfig, WindowRecipe
from morpheus.model.folder import Model
from morpheus.model.tensorflow_bundle import read_bundle

__all__ = ["CARD", "CONFIG", "REQUIREMENT", "convert_checkpoint", "read_checkpoint"]

REQUIREMENT = (
    "morpheus-astro==0.5.1"
    " --hash=sha256:38b5138a9c1a49a2a12d05861a7d88b88b157d9095103e6e1398c898fd5a3e3f"  # wheel
    " --hash=sha256:6e782504df09548b6e4bc450c9db9e453cd38d887726a2080706f82ddf5a7382"  # sdist
)
"""The PyPI package that carries the checkpoint, as a line of a requirements file."""

_NETWORK = UNetConfig()
CONFIG = ModelConfig(
    name="hausen2020",
    bands=("F160W", "F125W", "F606W", "F850LP"),
    pixel_scale=0.06,
    unit="electron / s",
    window=WindowRecipe(size=40, margin=5, stride=1),
    normaliser="joint-window",
    network=_NETWORK,
)

_FILES = ("model-440.index", "model-440.data-00000-of-00001")
_INDEX_SHA256 = "98babf211fb0784f57215b339e10362e80d418a5c1b7ae89c9450f2a18309db5"
_DATA_SHA256 = "2dc955d48dcf25e1a21f4a9824c1bea2629ba85c996dff6be96f112b6d2cef1e"
_ARCHIVE_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,  # of zipfile, for compressions that it does not know
    RuntimeError,  # of zipfile, for encrypted members
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)

CARD = """\
# hausen2020

The network that was published with Morpheus (Hausen & Robertson 2020), converted from the
TensorFlow checkpoint in the PyPI package `morpheus-astro` 0.5.1.

- **Input**: F160W, F125W, F606W, F850LP at 0.06 arcsec per pixel, in electrons per second; windows
  of 40 x 40 pixels, standardised jointly over the four bands.
- **Output**: spheroid, disk, irregular, point source / compact, background, for the inner 30 x 30
  pixels of a window.
- **Network**: U-Net with 76,181 stored values.
- **Trained on** HST CANDELS GOODS-S with the expert votes of Kartaltepe et al. (2015).
- **Limits**: four bands and one pixel scale; a galaxy larger than a window is seen in parts; the
  outermost 5 pixels of an image are not classified as published; other depths, point-spread
  functions and band-passes than CANDELS' are outside of what it was trained for.

## Citation

Hausen, R. & Robertson, B. E. 2020, ApJS 248, 20, doi:10.3847/1538-4365/ab8868, arXiv:1906.11248

## Licence

MIT License, Copyright (c) 2018 Ryan Hausen (the licence of the original program, which the weights
are a part of).
"""


def read_checkpoint(path: Path) -> tuple[bytes, bytes]:
    """Find the published checkpoint in a wheel, an sdist or a folder.

    Nothing is extracted or executed: the two files are read by name.

    Parameters
    ----------
    path : Path
        `morpheus_astro-0.5.1*.whl`, `morpheus-astro-0.5.1.tar.gz`, or a folder that holds
        `model-440.index` and `model-440.data-00000-of-00001`, at any depth.

    Returns
    -------
    index : bytes
        Contents of the index file.
    data : bytes
        Contents of the data file.

    Raises
    ------
    ModelError
        If there is no such file or folder, it is damaged, or the checkpoint is not in it.
    """
    try:
        if path.is_dir():
            members = {p.name: p for p in sorted(path.rglob("model-440.*"))}
            found = {name: members[name].read_bytes() for name in _FILES if name in members}
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = {PurePosixPath(name).name: name for name in archive.namelist()}
                found = {name: archive.read(names[name]) for name in _FILES if name in names}
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                infos = {PurePosixPath(i.name).name: i for i in tar.getmembers() if i.isfile()}
                readers = {n: tar.extractfile(infos[n]) for n in _FILES if n in infos}
                found = {name: reader.read() for name, reader in readers.items() if reader}
        else:
            raise ModelError(
                f"{path} is neither a wheel, an sdist nor a checkpoint folder. Pickles and PyTorch"
                " checkpoints are never opened, since they can run code"
            )
    except _ARCHIVE_ERRORS as error:
        raise ModelError(f"cannot read {path}: {error}") from error
    if len(found) < len(_FILES):
        missing = next(name for name in _FILES if name not in found)
        raise ModelError(f"{path} does not hold the published checkpoint ({missing} is missing)")
    return found[_FILES[0]], found[_FILES[1]]


def convert_checkpoint(index: bytes, data: bytes) -> Model:
    """Convert the published checkpoint.

    Parameters
    ----------
    index, data : bytes
        As `read_checkpoint` gives them.

    Returns
    -------
    Model
        The network with PyTorch's axis order (out, in, y, x).

    Raises
    ------
    ModelError
        If the data is not the published one, bit by bit.
    """
    for part, content, published in (
        ("index", index, _INDEX_SHA256),
        ("data", data, _DATA_SHA256),
    ):
        if (found := hashlib.sha256(content).hexdigest()) != published:
            raise ModelError(
                f"this is not the published checkpoint: its {part} file has sha256 {found[:12]}...,"
                f" the published one {published[:12]}..."
            )
    variables = read_bundle(index, data, skip="Adam")
    weights: dict[str, NDArray[np.float32]] = {}
    n_bands = len(CONFIG.bands)
    for block in _NETWORK.block_channels(n_bands):
        scope = _scope(block)
        norm = f"{scope}/batch_normalization"
        weights |= {
            f"{block}.norm.weight": variables[f"{norm}/gamma"],
            f"{block}.norm.bias": variables[f"{norm}/beta"],
            f"{block}.norm.running_mean": variables[f"{norm}/moving_mean"],
            f"{block}.norm.running_var": variables[f"{norm}/moving_variance"],
            f"{block}.conv.weight": _kernel(variables[f"{scope}/conv/kernel"]),
            f"{block}.conv.bias": variables[f"{scope}/conv/bias"],
        }
    weights["head.weight"] = _kernel(variables["final_conv/conv/kernel"])
    weights["head.bias"] = variables["final_conv/conv/bias"]
    return Model(CONFIG, weights)


def _scope(block: str) -> str:
    """Name of a block in the original graph."""
    if block == "middle":
        return "intermediate-conv"
    part, i, j = block.split(".")
    return f"{part}conv-{i}/conv-{j}"


def _kernel(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
