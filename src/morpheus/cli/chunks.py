"""Whether and how a field is worked on in chunks: options of `morpheus run`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from morpheus.errors import MorpheusError, OptionError

if TYPE_CHECKING:
    from morpheus.inference import InferenceOptions
    from morpheus.model import ModelConfig
    from morpheus.pipeline import Execution

__all__ = ["Chunk", "Keep", "Memory", "Resume", "Scheduler", "execution_options", "is_large"]

CHUNKS = "Large fields"
_LARGE = 4_000_000  # pixels; below, all is done in memory, where nothing has to be started
_MANY_WINDOWS = 500_000  # minutes of work, which a crash would cost

Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="What all processes together may take, such as 2GB: chunks are as large as that"
        " allows.",
        rich_help_panel=CHUNKS,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="A Dask cluster that does the work, such as tcp://head:8786; its workers see the same"
        " files. Or, on this machine: processes (default), threads or serial.",
        rich_help_panel=CHUNKS,
    ),
]
Chunk = Annotated[
    int | None,
    typer.Option(
        metavar="PIXELS",
        help="Side of a chunk, instead of what the memory allows. Results do not depend on it.",
        rich_help_panel=CHUNKS,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a run that was interrupted: what was done is verified and kept.",
        rich_help_panel=CHUNKS,
    ),
]
Keep = Annotated[
    bool,
    typer.Option(
        "--keep-chunks",
        help="Keep the folder `unfinished` when all is done.",
        rich_help_panel=CHUNKS,
    ),
]


def execution_options(
    memory: str | None, scheduler: str | None, chunk: int | None, *, resume: bool, keep: bool
) -> "Execution | None":
    """Read the options.

    Parameters
    ----------
    memory, scheduler, chunk : optional
        As they were given.
    resume, keep : bool
        Whether those were given.

    Returns
    -------
    Execution or None
        None if nothing asks for chunks.

    Raises
    ------
    OptionError
        If a value cannot be understood.
    """
    if memory is None and scheduler is None and chunk is None and not resume and not keep:
        return None
    from morpheus.pipeline import Execution

    return Execution(scheduler or "processes", _bytes(memory), chunk, keep)


def _bytes(memory: str | None) -> int | None:
    if memory is None:
        return None
    from dask.utils import parse_bytes

    try:
        return int(parse_bytes(memory))
    except ValueError:
        raise OptionError(f"--memory {memory}: give a size such as 2GB or 800MB") from None


def is_large(
    images: Any, config: "ModelConfig", options: "InferenceOptions", region: str | None
) -> bool:
    """Tell whether a field is better worked on in chunks.

    Parameters
    ----------
    images : mapping or sequence of paths
        The images; the size of the first decides.
    config : ModelConfig
        The model.
    options : InferenceOptions
        How windows are placed.
    region : str or None
        A part of the images, which is taken to be small.

    Returns
    -------
    bool
        True for more than 4 million pixels, or half a million windows.
    """
    from morpheus.mosaic.files import FitsFiles
    from morpheus.mosaic.images import open_image

    if region is not None or not images:
        return False
    first = next(iter(images.values())) if isinstance(images, Mapping) else images[0]
    try:
        with FitsFiles() as files:
            height, width = open_image(first, label="the image", kind="image", files=files).shape
    except MorpheusError:  # which is said, with more of what is wrong, by who reads them all
        return False
    n_windows = 0 if config.is_dense else height * width / options.stride**2
    return height * width > _LARGE or n_windows > _MANY_WINDOWS
