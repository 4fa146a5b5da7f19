"""The bundle reader on bundles written here, byte by byte, and on the published one."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morpheus.errors import ModelError
from morpheus.model.tensorflow_bundle import _masked_crc32c, _varint, read_bundle


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def message(*fields):
    """A protocol-buffer message of (field, value): int, bytes, or ('fixed32', int)."""
    out = b""
    for number, value in fields:
        match value:
            case int():
                out += varint(number << 3) + varint(value)
            case bytes():
                out += varint(number << 3 | 2) + varint(len(value)) + value
            case ("fixed32", crc):
                out += varint(number << 3 | 5) + struct.pack("<I", crc)
    return out


def block(entries):
    """A LevelDB block with prefix-compressed keys and one restart point, and its trailer."""
    out, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        out += (
            varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        )
        last = key
    out += struct.pack("<II", 0, 1) + b"\0"
    return out + struct.pack("<I", _masked_crc32c(out))


def bundle(variables, dtype=1):
    """Index and data of a bundle, in the format of TensorFlow's documentation."""
    data, entries = b"", [(b"", message((1, 1)))]
    for name in sorted(variables):
        raw = variables[name].astype("<f4").tobytes()
        shape = message(*((2, message((1, n))) for n in variables[name].shape))
        fields = [(1, dtype), (2, shape), (4, len(data)), (5, len(raw))]
        entries.append((name.encode(), message(*fields, (6, ("fixed32", _masked_crc32c(raw))))))
        data += raw
    first = block(entries)
    size = len(first) - 5
    index = block([(b"z", varint(0) + varint(size))])
    handles = varint(0) + varint(0) + varint(len(first)) + varint(len(index) - 5)
    footer = handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    return first + index + footer, data


VARIABLES = {
    "conv/bias": np.arange(3, dtype=np.float32),
    "conv/kernel": np.random.default_rng(0).normal(size=(3, 3, 2, 3)).astype(np.float32),
    "conv/kernel/Adam": np.ones((40, 5), np.float32),
    "scalar": np.float32(2.5).reshape(()),
}


def test_crc32c_of_the_standard_check_string():
    # RFC 3720, B.4 and the catalogue of CRCs: CRC-32C("123456789") = 0xE3069283
    crc = 0xE3069283
    assert _masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@given(st.integers(0, 2**63))
def test_varint(value):
    assert _varint(b"x" + varint(value) + b"\x80", 1) == (value, 1 + len(varint(value)))


def test_round_trip():
    found = read_bundle(*bundle(VARIABLES))
    assert found.keys() == VARIABLES.keys()
    for name, expected in VARIABLES.items():
        assert np.array_equal(found[name], expected)
        assert found[name].shape == expected.shape


def test_skip():
    assert "conv/kernel/Adam" not in read_bundle(*bundle(VARIABLES), skip="Adam")


@pytest.mark.parametrize("where", [0, 5, 100, -60])
def test_a_flipped_bit_in_the_index_is_noticed(where):
    index, data = bundle(VARIABLES)
    damaged = bytearray(index)
    damaged[where] ^= 4
    with pytest.raises(ModelError, match=r"checksum|not a TensorFlow"):
        read_bundle(bytes(damaged), data)


def test_a_flipped_bit_in_the_data_is_noticed_and_named():
    index, data = bundle(VARIABLES)
    damaged = bytearray(data)
    damaged[1] ^= 1
    with pytest.raises(ModelError, match="variable conv/bias"):
        read_bundle(index, bytes(damaged))


@pytest.mark.parametrize("keep", [0, 10, 47, 60])
def test_truncated_or_foreign_index(keep):
    index, data = bundle(VARIABLES)
    with pytest.raises(ModelError):
        read_bundle(index[:keep], data)


def test_truncated_data():
    index, data = bundle(VARIABLES)
    with pytest.raises(ModelError, match="damaged"):
        read_bundle(index, data[:-4])


def test_other_types_are_refused():
    with pytest.raises(ModelError, match="not float32"):
        read_bundle(*bundle(VARIABLES, dtype=2))


def test_published_bundle(shared):
    folder = shared / "reference/hausen2020/checkpoint"
    index = (folder / "model-440.index").read_bytes()
    data = (folder / "model-440.data-00000-of-00001").read_bytes()
    everything = read_bundle(index, data)
    network = read_bundle(index, data, skip="Adam")
    assert len(everything) == 274
    # 116 variables of the network, and the two powers of the optimiser
    assert len(network) == 118
    assert sum(v.size for v in network.values()) == 76_181 + 2
