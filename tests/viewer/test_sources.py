"""Columns and rows of the catalogue, as the page gets them."""

import json

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from morpheus.viewer import SourceColumns
from morpheus.viewer.sources import ROWS

N = 2 * ROWS + 3


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    table = Table(
        {
            "id": np.arange(1, N + 1) * 1_000_003,
            "x": rng.uniform(0, 1e5, N),
            "ra": rng.uniform(0, 360, N),
            "flux": rng.normal(0, 1e3, N),
            "big": np.full(N, 1e30),
            "class": np.where(np.arange(N) % 2, "disk", "sphère <b>"),
            "single": rng.normal(0, 1, N).astype(np.float32),
            "short": np.arange(N).astype(np.int16),
            "good": np.arange(N) % 3 == 0,
            "n": MaskedColumn(np.arange(N), mask=np.arange(N) % 5 == 0),
        }
    )
    table["name"] = MaskedColumn(["a"] * N, mask=np.arange(N) == 1)
    table["flux"][:3] = np.nan, np.inf, -np.inf
    table["flux"].unit = "uJy"
    table["flux"].description = "of it"
    return table


def test_description(table):
    about = SourceColumns(table).description()
    assert (about["n"], about["rows"]) == (N, ROWS)
    columns = {c["name"]: c for c in about["columns"]}
    assert list(columns) == table.colnames
    assert columns["flux"] == {
        "name": "flux",
        "unit": "uJy",
        "description": "of it",
        "type": "f8",
    }
    assert columns["id"]["unit"] is None
    assert columns["id"]["description"] == ""
    types = {name: c["type"] for name, c in columns.items()}
    assert [types[name] for name in ("id", "x", "ra", "flux", "big", "n")] == ["f8"] * 6
    assert [types[name] for name in ("single", "short", "good")] == ["f4"] * 3
    assert [types[name] for name in ("class", "name")] == ["text"] * 2
    assert {flag["name"]: flag["bit"] for flag in about["flags"]}["DEBLENDED"] == 4
    json.dumps(about, allow_nan=False)


def test_columns(table):
    sources = SourceColumns(table)
    for number, about in enumerate(sources.description()["columns"]):
        content, true = sources.column(number), table[about["name"]]
        if about["type"] == "text":
            values = json.loads(content)
            assert len(values) == N
            assert all(isinstance(value, str) for value in values)
            if about["name"] == "class":
                assert values == list(true)
        else:
            values = np.frombuffer(content, f"<{about['type']}")
            # The file's values, to the last digit.
            np.testing.assert_array_equal(values, np.ma.filled(np.ma.asarray(true, float), np.nan))
    with pytest.raises(IndexError):
        sources.column(len(table.columns))


def test_rows(table):
    sources = SourceColumns(table)
    parts = [json.loads(sources.rows(part)) for part in range(sources.n_parts)]
    assert [len(part) for part in parts] == [ROWS, ROWS, 3]
    rows = [row for part in parts for row in part]
    for number, name in enumerate(table.colnames):
        for row, true in zip(rows, table[name], strict=True):
            if true is np.ma.masked or (name == "flux" and not np.isfinite(true)):
                assert row[number] is None
            else:
                assert row[number] == true  # to the last digit
    for part in (-1, 3, 10**6):
        with pytest.raises(IndexError):
            sources.rows(part)


def test_no_sources(table):
    sources = SourceColumns(table[:0])
    assert sources.n_parts == 0
    assert sources.column(0) == b""
    assert json.loads(sources.column(table.colnames.index("class"))) == []
    with pytest.raises(IndexError):
        sources.rows(0)
