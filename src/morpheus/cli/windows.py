"""How the classification is computed: options that its commands share."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from morpheus.inference import InferenceOptions

__all__ = [
    "BatchSize",
    "Device",
    "Edges",
    "Lattice",
    "Precision",
    "Preset",
    "Stride",
    "Threads",
    "inference_options",
]

WINDOWS = "How it is computed"

Preset = Annotated[
    str,
    typer.Option(
        metavar="exact|fast",
        help="exact: the published result, a window at every pixel. fast: a window per 9"
        " pixels on a lattice, bfloat16 where the processor has it. A dense model sees every pixel"
        " once in either; fast allows it bfloat16.",
        rich_help_panel=WINDOWS,
    ),
]
Stride = Annotated[
    int | None,
    typer.Option(
        help="Pixels between windows; on a lattice, one window per stride squared pixels. Not for"
        " dense models, nor are --lattice and --edges.",
        rich_help_panel=WINDOWS,
    ),
]
Lattice = Annotated[
    bool | None,
    typer.Option(
        "--lattice/--grid",
        help="Windows on a sheared lattice (strides 2, 3, 4) or on a square grid.",
        rich_help_panel=WINDOWS,
    ),
]
Edges = Annotated[
    str | None,
    typer.Option(
        metavar="skip|pad",
        help="skip: the outermost pixels stay unclassified, as published. pad: they are"
        " classified from reflected windows.",
        rich_help_panel=WINDOWS,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="float32|bfloat16|auto",
        help="Arithmetic of the network; auto: bfloat16 where the processor has it.",
        rich_help_panel=WINDOWS,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="cpu, or a PyTorch device such as cuda; for chunks (run) also several: cuda:0,1.",
        rich_help_panel=WINDOWS,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(help="Processor cores to use; default all.", rich_help_panel=WINDOWS),
]
BatchSize = Annotated[
    int | None,
    typer.Option(help="Windows per evaluation of the network.", rich_help_panel=WINDOWS),
]


def inference_options(preset: str, **chosen: Any) -> "InferenceOptions":
    """Take a preset and what overrides it.

    Parameters
    ----------
    preset : str
        Its name.
    **chosen : Any
        Fields of `InferenceOptions`; None leaves what the preset has.

    Returns
    -------
    InferenceOptions
        The options, validated.

    Raises
    ------
    OptionError
        If there is no such preset or a value is out of range.
    """
    import dataclasses

    from morpheus.inference import preset as find_preset

    given = {name: value for name, value in chosen.items() if value is not None}
    return dataclasses.replace(find_preset(preset), **given)
