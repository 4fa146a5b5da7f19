"""Reader for TensorFlow's checkpoint bundles (V2), without TensorFlow.

An index file in LevelDB's table format maps a variable's name to a `BundleEntryProto` (type, shape,
offset, size, checksum); a data file holds the values. Only what the published network needs is
read: one data file, uncompressed blocks, float32. Everything that is read is checked against the
bundle's own CRC-32C checksums. Formats: `tensorflow/core/protobuf/tensor_bundle.proto` and
LevelDB's `table_format.md`.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from morpheus.errors import ModelError

__all__ = ["read_bundle"]

_FOOTER_SIZE = 48
_TABLE_MAGIC = 0xDB4775248B80FB57
_FLOAT32 = 1  # tensorflow.DataType.DT_FLOAT


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for remainder in range(256):
        for _ in range(8):  # the Castagnoli polynomial, reflected
            remainder = (remainder >> 1) ^ (0x82F63B78 if remainder & 1 else 0)  # noqa: PLW2901
        table.append(remainder)
    return tuple(table)


_CRC32C = _crc32c_table()


def read_bundle(
    index: bytes, data: bytes, *, skip: str | None = None
) -> dict[str, NDArray[np.float32]]:
    """Read the float32 variables of a checkpoint.

    Parameters
    ----------
    index : bytes
        Contents of `<prefix>.index`.
    data : bytes
        Contents of `<prefix>.data-00000-of-00001`.
    skip : str, optional
        Variables whose name contains this are left out (such as an optimiser's).

    Returns
    -------
    dict of str to ndarray of float32
        Values by variable name, in TensorFlow's axis order.

    Raises
    ------
    ModelError
        If a file is truncated, damaged (a checksum differs) or not such a bundle.
    """
    try:
        variables = {}
        for key, entry in _entries(index):
            name = key.decode()
            if not name or (skip is not None and skip in name):
                continue
            variables[name] = _variable(name, dict(_fields(entry)), data)
    except (IndexError, ValueError) as error:
        raise ModelError(f"not a TensorFlow checkpoint, or a truncated one: {error}") from error
    return variables


def _variable(name: str, entry: dict[int, int | bytes], data: bytes) -> NDArray[np.float32]:
    """Values of one variable; `entry` is a BundleEntryProto by field number."""
    dtype, shape, offset, size, checksum = (entry.get(k, 0) for k in (1, 2, 4, 5, 6))
    if dtype != _FLOAT32 or not isinstance(offset, int) or not isinstance(size, int):
        raise ModelError(f"variable {name} of the checkpoint is not float32")
    raw = data[offset : offset + size]
    if len(raw) != size or _masked_crc32c(raw) != checksum:
        raise ModelError(f"checksum of variable {name} differs: the checkpoint is damaged")
    dimensions = [
        int(dict(_fields(value)).get(1, 0))
        for field, value in (_fields(shape) if isinstance(shape, bytes) else ())
        if field == 2 and isinstance(value, bytes)  # noqa: PLR2004 (TensorShapeProto.dim)
    ]
    return np.frombuffer(raw, "<f4").reshape(dimensions).astype(np.float32)


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a LevelDB table, in order."""
    footer = table[-_FOOTER_SIZE:]
    if len(footer) < _FOOTER_SIZE or int.from_bytes(footer[-8:], "little") != _TABLE_MAGIC:
        raise ModelError("not a TensorFlow checkpoint index (its last bytes are not LevelDB's)")
    position = 0
    handle = []
    for _ in range(4):  # offset and size of the metaindex block, then of the index block
        value, position = _varint(footer, position)
        handle.append(value)
    for _, block in _block(table, *handle[2:]):
        offset, position = _varint(block, 0)
        size, _ = _varint(block, position)
        yield from _block(table, offset, size)


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block; keys are stored as what differs from the one before."""
    trailer = table[offset + size : offset + size + 5]
    if _masked_crc32c(table[offset : offset + size + 1]) != int.from_bytes(trailer[1:], "little"):
        raise ModelError("checksum of the checkpoint's index differs: the file is damaged")
    if trailer[0] != 0:
        raise ModelError("the checkpoint's index is compressed, which this reader does not support")
    block = table[offset : offset + size]
    n_restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 * (n_restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a protocol-buffer message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        match tag & 7:
            case 0:
                value, position = _varint(message, position)
                yield tag >> 3, value
            case 2:
                length, position = _varint(message, position)
                yield tag >> 3, message[position : position + length]
                position += length
            case 5:
                yield tag >> 3, int.from_bytes(message[position : position + 4], "little")
                position += 4
            case wire:
                raise ValueError(f"protocol-buffer wire type {wire}")


def _varint(buffer: bytes, position: int) -> tuple[int, int]:
    """Integer in LEB128 at `position`, and the position behind it."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 (the continuation bit)
            return value, position


def _masked_crc32c(raw: bytes) -> int:
    """CRC-32C as LevelDB and TensorFlow store it: rotated and offset."""
    crc = 0xFFFFFFFF
    for byte in raw:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
