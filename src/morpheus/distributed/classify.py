"""Stage 1 on a chunk: images in, class maps out."""

import numpy as np

from morpheus.distributed.chunks import Chunk
from morpheus.distributed.records import Record
from morpheus.distributed.spec import FieldSpec
from morpheus.distributed.stored import StoredField
from morpheus.inference import Place, predict
from morpheus.inference.accumulate import Statistics
from morpheus.inference.once import seen_around
from morpheus.model.normalise import prepare_normaliser
from morpheus.mosaic.images import Section

__all__ = ["classify_chunk", "maps_of"]


def maps_of(*, dense: bool, n_classes: int) -> dict[str, tuple[str, int, object]]:
    """List the maps that a run stores: type, planes, and what they hold before.

    That is what no pixel has: Zarr writes no file for a chunk that holds nothing else, and a file
    that is missing is to be noticed.

    Parameters
    ----------
    dense : bool
        Whether the model sees every pixel once.
    n_classes : int
        Number of its classes.

    Returns
    -------
    dict of str to (str, int, object)
        As `FieldStore.create` takes it.
    """
    statistics = ("mean",) if dense else ("mean", "variance", "votes")
    return {
        **dict.fromkeys(statistics, ("float32", n_classes, -1.0)),
        "n": ("uint32", 1, np.iinfo(np.uint32).max),
        "mask": ("uint8", 1, np.iinfo(np.uint8).max),
        "regions": ("int32", 1, -1),
        "sources": ("int64", 1, -1),
    }


def classify_chunk(spec: FieldSpec, chunk: Chunk) -> Record:
    """Classify the pixels of a chunk; what comes out is what the whole image gives.

    Parameters
    ----------
    spec : FieldSpec
        The field.
    chunk : Chunk
        Which part of it.

    Returns
    -------
    dict of str to ndarray
        Digests of the maps; numbers of pixels that are masked, classified, and 0 in every band;
        the most windows that saw a pixel; what evaluated the network.
    """
    field = StoredField(spec)
    model, engine = field.model()
    window = model.config.window
    wanted = spec.in_images(chunk.section)
    if model.config.is_dense:
        read = seen_around(wanted, spec.image_shape, model.config)
    else:
        read = _widened(wanted, window.size - window.margin - 1, spec.image_shape)
    core = _within(wanted, read)
    pixels = field.pixels(read)
    mask = pixels.mask[core]
    if mask.all():
        statistics = _nothing(model.config.is_dense, len(model.config.classes), mask.shape)
    else:
        normaliser = prepare_normaliser(
            model.config, pixels.data, pixels.mask, bands=spec.model_bands, skies=spec.skies
        )
        statistics = predict(
            pixels.data,
            pixels.mask,
            model.config,
            engine,
            spec.inference,
            normaliser=normaliser,
            place=Place((read[0].start, read[1].start), core, spec.image_shape),
        )
    maps = {**vars(statistics), "mask": mask}
    empty = ~pixels.data[:, *core].any(axis=0) & ~mask
    return {
        **{
            f"sha256_{name}": np.array(field.store.write(name, chunk, block))
            for name, block in maps.items()
            if block is not None
        },
        "masked": np.array(np.count_nonzero(mask)),
        "classified": np.array(np.count_nonzero(statistics.n)),
        "empty": np.array(np.count_nonzero(empty)),
        "n_max": np.array(statistics.n.max()),
        "engine": np.array([engine.name, engine.precision, str(engine.batch_size)]),
    }


def _widened(wanted: Section, context: int, shape: tuple[int, int]) -> Section:
    """Find what all overlapping windows see that see something of a section."""
    rows, columns = (
        slice(max(0, part.start - context), min(n, part.stop + context))
        for part, n in zip(wanted, shape, strict=True)
    )
    return rows, columns


def _within(wanted: Section, read: Section) -> Section:
    """Give a section in coordinates of one that was read around it."""
    rows, columns = (
        slice(part.start - around.start, part.stop - around.start)
        for part, around in zip(wanted, read, strict=True)
    )
    return rows, columns


def _nothing(dense: bool, n_classes: int, shape: tuple[int, ...]) -> Statistics:
    """Say what there is to say of pixels that are all masked."""
    unknown = np.full((n_classes, *shape), np.nan, np.float32)
    more = None if dense else unknown
    return Statistics(unknown, more, more, np.zeros(shape, np.uint32))
