"""The up-sampling matrix against TensorFlow's definition, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morpheus.model.resample import bicubic_doubling


@given(st.integers(1, 40))
def test_rows_sum_to_one_and_ends_are_kept(n):
    matrix = bicubic_doubling(n)
    assert matrix.shape == (2 * n, n)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    # align_corners: the first and the last pixel are the input's
    np.testing.assert_allclose(matrix[0], np.eye(n)[0], atol=1e-6)
    np.testing.assert_allclose(matrix[-1], np.eye(n)[-1], atol=1e-2 if n == 1 else 1e-3)


def test_weights_of_one_pixel_by_hand():
    # n = 5: output pixel 2 lies at 2 * 4/9 = 0.8889, rounded to 910/1024 from pixel 0.
    d = 910 / 1024
    a = -0.75
    inner = lambda x: (a + 2) * x**3 - (a + 3) * x**2 + 1  # noqa: E731
    outer = lambda x: a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a  # noqa: E731
    expected = [outer(1 + d) + inner(d), inner(1 - d), outer(2 - d), 0, 0]  # left tap: the edge
    np.testing.assert_allclose(bicubic_doubling(5)[2], expected, atol=1e-7)


def test_the_kernel_is_keys_and_not_torch_s_default_grid():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).normal(size=(1, 1, 7, 7)).astype(np.float32)
    ours = bicubic_doubling(7) @ x[0, 0] @ bicubic_doubling(7).T
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(x), size=14, mode="bicubic", align_corners=True
    ).numpy()[0, 0]
    # The same kernel and grid, but for the offsets rounded to 1/1024.
    np.testing.assert_allclose(ours, theirs, atol=5e-3)
    assert np.abs(ours - theirs).max() > 1e-5


def test_the_cached_matrix_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        bicubic_doubling(4)[0, 0] = 3
