from pathlib import Path

import pytest
from astropy.io.votable.ucd import check_ucd

from morpheus.catalog import catalog_columns, catalog_reference, measure
from morpheus.catalog.ucds import _PART_OF

DOCUMENT = Path(__file__).parents[2] / "docs/catalog.md"


def test_the_document_has_the_columns():
    assert DOCUMENT.read_text(encoding="utf-8").endswith(catalog_reference())


def test_ucds_are_in_the_vocabulary():
    for band in (*_PART_OF, "F410M"):
        for column in catalog_columns((band,), positions="int"):
            assert check_ucd(column.ucd, check_controlled_vocabulary=True, has_colon=True), (
                column.name,
                column.ucd,
            )


def test_the_table_is_the_schema_s(field):
    table = measure(*field).table
    columns = catalog_columns(("F160W", "F606W"), units=("electrons/s", "electrons/s"))
    assert table.colnames == [c.name for c in columns]
    for column in columns:
        assert table[column.name].description == column.description
        assert table[column.name].dtype.kind == {"int": "i", "float": "f", "str": "U"}[column.dtype]
    assert len(set(table.colnames)) == len(table.colnames)
    assert str(table["f160w_flux_kron"].unit) == "electron / s"


def test_an_unknown_unit_is_kept_as_text(field):
    import dataclasses

    segmentation, classification, images = field
    images = [dataclasses.replace(image, unit="furlongs") for image in images]
    table = measure(segmentation, classification, images).table
    assert table["f160w_flux_iso"].unit is None
    assert "[furlongs]" in table["f160w_flux_iso"].description


@pytest.mark.parametrize(("band", "ucd"), [("F160W", "phot.flux;em.IR.H"), ("F410M", "phot.flux")])
def test_ucd_of_a_flux(band, ucd):
    columns = {c.name: c for c in catalog_columns((band,))}
    assert columns[f"{band.lower()}_flux_iso"].ucd == ucd
