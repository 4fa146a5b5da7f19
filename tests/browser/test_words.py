"""How positions and numbers are read and written."""

from decimal import Decimal

import numpy as np
import pytest

HALF_MINUTE = 0.5 / 60
POSITIONS = {
    "53.12 -27.80": (53.12, -27.8),
    "53.12, \N{MINUS SIGN}27.80": (53.12, -27.8),
    "0 +0": (0, 0),
    "359.9999999 90": (359.9999999, 90),
    "3:32:28.8 -27:48:00": (53.12, -27.8),
    "3h32m28.8s-27d48m00s": (53.12, -27.8),
    "3 32 28.8 +27 48 00": (53.12, 27.8),
    "23:59:59.999 0:0:0": (360 - 0.015 / 3600, 0),
    "00:00:00 -00:00:30": (0, -HALF_MINUTE),
    "0h0m0s -0d0m30s": (0, -HALF_MINUTE),
    "0 0 0 \N{MINUS SIGN}0 0 30": (0, -HALF_MINUTE),
}
NO_POSITIONS = [
    "360 0", "360.000000 0", "-1 0", "0 90.1", "0 -90.1", "24:00:00 0:0:0", "24 0 0 0 0 0",
    "3:60:00 0:0:0", "3:0:60 0:0:0", "3:0:0 1:60:0", "3:0:0 1:0:60", "3:0:0 90:0:1",
    "1.5:0:0 0:0:0", "3:-1:0 0:0:0", "3:0:0 1:-1:0", "13d7m12s 1d0m0s", "3:32 -27:48",
    "1e2 3", "0x10 3", "1", "M 31",
]  # fmt: skip
WRITTEN = [
    (53.12, -27.8, "53.120000 -27.800000", "03:32:28.800 -27:48:00.00"),
    (359.9999999, 0, "0.000000 +0.000000", "00:00:00.000 +00:00:00.00"),
    (29.9999999, 59.9999999, "30.000000 +60.000000", "02:00:00.000 +60:00:00.00"),
    (0.2499999, -0.0166666, "0.250000 -0.016667", "00:01:00.000 -00:01:00.00"),
    (0, -1e-9, "0.000000 +0.000000", "00:00:00.000 +00:00:00.00"),
    (0, -HALF_MINUTE, "0.000000 -0.008333", "00:00:00.000 -00:00:30.00"),
]


@pytest.fixture(scope="module")
def ask(browser, address):
    """Evaluates in a page, with the modules there."""
    page = browser.new_page()
    page.goto(f"{address}icon.svg")

    def evaluate(module, expression, argument):
        return page.evaluate(
            f"async (argument) => {{ const module = await import('/app/{module}.js');"
            f" return {expression}; }}",
            argument,
        )

    yield evaluate
    page.close()


def test_positions_are_read(ask):
    found = ask("sky", "argument.map(module.parsePosition)", list(POSITIONS))
    np.testing.assert_allclose(found, list(POSITIONS.values()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("text", NO_POSITIONS)
def test_slips_are_not_read(ask, text):
    assert ask("sky", "module.parsePosition(argument)", text) is None


@pytest.mark.parametrize(("ra", "dec", "degrees", "sexagesimal"), WRITTEN)
def test_positions_are_written(ask, ra, dec, degrees, sexagesimal):
    write = "[false, true].map((one) => module.formatPosition(...argument, one))"
    assert ask("sky", write, [ra, dec]) == [degrees, sexagesimal]


def test_what_is_written_is_read(ask):
    rng = np.random.default_rng(4)
    positions = np.stack([rng.uniform(0, 360, 500), rng.uniform(-90, 90, 500)], axis=1)
    positions[0] = 359.99999999, -0.00000001
    both = """[false, true].map((one) => argument.map(
      (position) => module.parsePosition(module.formatPosition(...position, one))))"""
    for found in ask("sky", both, positions.tolist()):
        away = np.abs(np.array(found) - positions)
        away[:, 0] = np.minimum(away[:, 0], 360 - away[:, 0])
        assert away.max() < 0.0075 / 3600


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_numbers_are_written_short_and_exact(ask, kind):
    rng = np.random.default_rng(5)
    many = rng.normal(size=300) * 10.0 ** rng.integers(-30, 30, 300)
    values = np.concatenate([many, [0, 0.1, 1 / 3, 16777217, 25, -1]]).astype(kind)
    texts = ask(
        "exporting", f"argument.map((value) => module.shortest(value, '{kind}'))", values.tolist()
    )
    np.testing.assert_array_equal(np.array(texts, dtype=kind), values)
    digits = [len(Decimal(text).normalize().as_tuple().digits) for text in texts]
    assert max(digits) <= {"f4": 9, "f8": 17}[kind]
    assert texts[301] == "0.1"
