"""A model on disk: a folder with `config.json`, `weights.safetensors` and a card, `README.md`."""

import dataclasses
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from morpheus.errors import ModelError
from morpheus.model.config import ModelConfig

__all__ = ["CARD_FILE", "CONFIG_FILE", "WEIGHTS_FILE", "Model", "load_model", "save_model"]

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "README.md"


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model.

    Parameters
    ----------
    config : ModelConfig
        Bands, network, normaliser, window recipe.
    weights : dict of str to ndarray of float32
        The arrays that `config.network.parameter_shapes` names.
    """

    config: ModelConfig
    weights: dict[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        config = self.config
        expected = config.network.parameter_shapes(len(config.bands), len(config.classes))
        found = {name: array.shape for name, array in self.weights.items()}
        for name, array in self.weights.items():
            if array.dtype != np.float32:
                raise ModelError(f"{name} of the weights is {array.dtype}, not float32")
        if found != expected:
            wrong = sorted(
                name for name in {*expected, *found} if expected.get(name) != found.get(name)
            )
            raise ModelError(
                f"the weights do not fit the configuration: {wrong[0]} has shape"
                f" {found.get(wrong[0], 'none')}, expected {expected.get(wrong[0], 'none')}"
                + (f" ({len(wrong)} arrays differ)" if len(wrong) > 1 else "")
            )

    @property
    def n_parameters(self) -> int:
        """Number of stored values, batch normalisation's statistics included."""
        return sum(array.size for array in self.weights.values())


def save_model(model: Model, folder: Path, card: str, *, overwrite: bool = False) -> Model:
    """Write a model folder, all of it or nothing.

    Parameters
    ----------
    model : Model
        What to write; its `weights_sha256` is set to the file's.
    folder : Path
        Where to; parents are made.
    card : str
        The model card, in Markdown.
    overwrite : bool, optional
        Whether to replace a folder that stands there.

    Returns
    -------
    Model
        The model as written, with its checksum.

    Raises
    ------
    ModelError
        If the folder exists and `overwrite` is false, or cannot be written.
    """
    if folder.exists() and not overwrite:
        raise ModelError(f"{folder} exists; remove it or allow overwriting (--overwrite)")
    raw = save_safetensors(dict(sorted(model.weights.items())))
    config = dataclasses.replace(model.config, weights_sha256=hashlib.sha256(raw).hexdigest())
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
            new = Path(temporary) / "new"
            new.mkdir()
            (new / WEIGHTS_FILE).write_bytes(raw)
            (new / CONFIG_FILE).write_text(config.to_json(), encoding="utf-8")
            (new / CARD_FILE).write_text(card, encoding="utf-8")
            old = Path(temporary) / "old"
            if folder.exists():
                folder.rename(old)
            try:
                new.rename(folder)
            except OSError:
                if old.exists():
                    old.rename(folder)
                raise
    except OSError as error:
        raise ModelError(f"cannot write the model folder {folder}: {error}") from error
    return Model(config, model.weights)


def load_model(folder: Path) -> Model:
    """Read a model folder.

    Parameters
    ----------
    folder : Path
        A folder with `config.json` and `weights.safetensors`.

    Returns
    -------
    Model
        The model, its weights checked against the checksum in `config.json`.

    Raises
    ------
    ModelError
        If a file is missing or damaged, the checksum differs, or the weights do not fit.
    """
    if folder.is_file():
        raise ModelError(
            f"{folder} is a file; a model is a folder with {CONFIG_FILE} and {WEIGHTS_FILE}."
            " Pickles and PyTorch checkpoints (.pt, .pth, .pkl) are never opened,"
            " since they can run code"
        )
    if folder.is_dir() and not (folder / CONFIG_FILE).is_file():
        raise ModelError(f"{folder} is not a model folder: there is no {CONFIG_FILE} in it")
    try:
        config = ModelConfig.from_json((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        raw = (folder / WEIGHTS_FILE).read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder} is not a readable model folder: {error}") from error
    if hashlib.sha256(raw).hexdigest() != config.weights_sha256:
        raise ModelError(
            f"{folder / WEIGHTS_FILE} does not match the sha256 in {CONFIG_FILE}: it is damaged or"
            " was altered; remove the folder and fetch or import the model again"
        )
    try:
        weights = load_safetensors(raw)
    except (SafetensorError, LookupError) as error:  # LookupError: a type that NumPy lacks
        raise ModelError(
            f"{folder / WEIGHTS_FILE} is not a usable safetensors file: {error}"
        ) from error
    return Model(config, weights)
