"""Augmentation: the same sky at other depths, turned, blurred, misaligned, with bands missing.

All of it works on a batch of tensors, on whatever device they are. Each number is drawn from one
generator, so that a batch depends on its seed only.
"""

import math

import torch
from torch import Tensor, nn

from morpheus.classes import BACKGROUND
from morpheus.train.examples import Example
from morpheus.train.options import AugmentOptions, ModelOptions
from morpheus.train.prepared import Prepared

__all__ = ["augment", "padded_side"]

_ENOUGH_SKY = 64  # pixels, to measure the sky in
_SAMPLED = 72  # pixels along each axis are enough for that
_CLIPS = 5
_MAD = 1.4826  # standard deviations of a Gaussian in a median absolute deviation
_RAISED = 1.2  # noise that is raised by less leaves the truth as it is
_KERNEL = 4  # radius of the largest kernel, in pixels


def padded_side(crop: int, options: AugmentOptions) -> int:
    """Give the side that examples are cut out with, so that turned crops are full of data.

    Parameters
    ----------
    crop : int
        Side of the crop, in pixels.
    options : AugmentOptions
        What is done to examples.

    Returns
    -------
    int
        In pixels.
    """
    diagonal = math.sqrt(2) if options.rotate > 0 else 1.0
    return math.ceil(crop * diagonal / min(1.0, options.scale[0])) + 2


class _Dice:
    """Random numbers of one generator, on one device."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self.generator, self.device = generator, device

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        drawn = torch.rand(shape, generator=self.generator, device=self.generator.device)
        return (low + (high - low) * drawn).to(self.device)

    def normal(self, *shape: int) -> Tensor:
        drawn = torch.randn(shape, generator=self.generator, device=self.generator.device)
        return drawn.to(self.device)

    def happens(self, share: float, *shape: int) -> Tensor:
        return self.uniform(*shape) < share


def augment(
    batch: Example,
    crop: int,
    model: ModelOptions,
    options: AugmentOptions,
    generator: torch.Generator,
) -> Prepared:
    """Make what a network is trained on out of examples.

    Parameters
    ----------
    batch : Example
        With a first axis for the examples; bands as `needed_bands` lists them.
    crop : int
        Side of the result, in pixels.
    model : ModelOptions
        Its bands, the first of which says what is bright enough to be a source.
    options : AugmentOptions
        What is done.
    generator : torch.Generator
        Where the random numbers are from.

    Returns
    -------
    Prepared
        One plane for each band of the model. Where noise was raised, pixels whose light is now
        below one standard deviation of it are background.
    """
    dice = _Dice(generator, batch.images.device)
    images, valid, classes, owner, weight, asked = _resample(batch, crop, options, dice)
    images = _blur(images, valid, options, dice)
    sky_pixels = (classes[:, BACKGROUND] > 0.5)[:, None] & valid  # noqa: PLR2004
    level, noise = _measure(images, sky_pixels, valid)
    light = images[:, 0] - level[:, 0, None, None]
    images, raised = _raise_noise(images, noise, batch.noise, options, dice)
    level, noise = _measure(images, sky_pixels, valid, otherwise=noise * raised)
    classes = _follow_noise(classes, light, noise[:, 0], raised[:, 0], valid[:, 0])
    shown = torch.where(valid, images, torch.nan)
    chosen = _choose_bands(valid, model, options, dice)
    rows = torch.arange(len(chosen), device=chosen.device)[:, None]
    images, valid, level, noise = (one[rows, chosen] for one in (images, valid, level, noise))
    n, n_bands = noise.shape
    images = images + _hot_pixels(images, noise, options, dice)
    level, noise = _as_measured(images, valid, level, noise, options, dice)
    offset = options.sky_offset * noise * dice.normal(n, n_bands)
    # The level is measured better than the noise.
    level = level + offset + 0.2 * options.noise_error * noise * dice.normal(n, n_bands)
    noise = noise * torch.exp(options.noise_error * dice.normal(n, n_bands))
    valid = _mask(valid, options, dice) & _keep_bands(valid, options, dice)
    seen = valid.any(1)
    return Prepared(
        images=torch.where(valid, images, 0.0),
        valid=valid,
        sky=level,
        noise=noise,
        classes=classes * seen[:, None],
        owner=owner,
        weight=weight,
        asked=asked,
        shown=shown,
    )


def _resample(
    batch: Example, crop: int, options: AugmentOptions, dice: _Dice
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Cut, turn, mirror and scale; shift bands against the first."""
    n, n_bands, side, _ = batch.images.shape
    free = dice.happens(options.rotate, n)
    quarters = (
        torch.floor(dice.uniform(n, high=4.0)) if options.flip else torch.zeros(n).to(free.device)
    )
    angle = torch.where(free, dice.uniform(n, high=2 * math.pi), quarters * (math.pi / 2))
    low, high = (math.log(limit) for limit in options.scale)
    scale = torch.where(free, torch.exp(dice.uniform(n, low=low, high=high)), 1.0)
    mirror = torch.where(dice.happens(0.5, n) & options.flip, -1.0, 1.0)
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    offset = torch.arange(crop, device=free.device) - (crop - 1) / 2
    dy, dx = torch.meshgrid(offset, offset, indexing="ij")
    # Whole pixels where nothing is turned by other than right angles: no interpolation there.
    center = (side - 1) / 2 if (side - crop) % 2 == 0 else side / 2
    x = center + mirror[:, None, None] * cos[:, None, None] * dx - sin[:, None, None] * dy
    y = center + mirror[:, None, None] * sin[:, None, None] * dx + cos[:, None, None] * dy
    grid = torch.stack([x, y], -1)  # n, crop, crop, 2
    # Interpolation smooths, so that bands that are in place must stay untouched.
    shift = options.misalign * dice.normal(n, n_bands, 1, 1, 2)
    shift = torch.where(dice.happens(options.misaligned, n, n_bands, 1, 1, 1), shift, 0.0)
    shift[:, 0] = 0
    by_band = (grid[:, None] + shift).flatten(0, 1)
    data, shape = batch.images.flatten(0, 1)[:, None], (n, n_bands, crop, crop)
    # By whole pixels, values are copied.
    mode = "bilinear" if options.rotate > 0 or options.misalign > 0 else "nearest"
    values = _sample(torch.nan_to_num(data), by_band, mode).reshape(shape)
    share = _sample((~data.isnan()).float(), by_band, mode).reshape(shape)
    others = torch.stack([batch.weight, batch.owner.float(), batch.asked.float()], 1)
    planes = torch.cat([batch.classes, others], 1)
    planes = _sample(planes, grid, "nearest")
    valid = share > 0.999  # noqa: PLR2004 (no part of a pixel is without data)
    weight, owner, asked = planes[:, -3:].unbind(1)
    return values, valid, planes[:, :-3], owner.int(), weight, asked > 0


def _sample(planes: Tensor, grid: Tensor, mode: str) -> Tensor:
    """Take values at pixel positions (x, y); 0 outside."""
    side = planes.shape[-1]
    return nn.functional.grid_sample(
        planes, grid * (2 / side) + (1 / side - 1), mode=mode, padding_mode="zeros",
        align_corners=False,
    )  # fmt: skip


def _choose_bands(
    valid: Tensor, model: ModelOptions, options: AugmentOptions, dice: _Dice
) -> Tensor:
    """Give the planes of the model's bands, or of what stands in for them."""
    n, n_model = len(valid), len(model.bands)
    chosen = torch.arange(n_model, device=valid.device).repeat(n, 1)
    following = n_model
    for place, band in enumerate(model.bands):
        others = len(model.alternatives.get(band, ()))
        if others:
            there = valid[:, following : following + others].flatten(2).any(-1)
            score = torch.where(there, dice.uniform(n, others), -1.0)
            which = following + score.argmax(1)
            absent = ~valid[:, place].flatten(1).any(-1)
            swap = there.any(1) & (dice.happens(options.swap_band, n) | absent)
            chosen[:, place] = torch.where(swap, which, chosen[:, place])
        following += others
    return chosen


def _blur(images: Tensor, valid: Tensor, options: AugmentOptions, dice: _Dice) -> Tensor:
    """Convolve some of the bands with Gaussians."""
    n, n_bands = images.shape[:2]
    sigma = options.blur_sigma * dice.uniform(n, n_bands)
    sigma[:, 0] *= options.blur_first / max(options.blur_sigma, 1e-9)
    sigma = torch.where(dice.happens(options.blur, n, n_bands), sigma, 0.0)
    if not bool((sigma > 0).any()):
        return images
    level, _ = _middle(images, valid)
    level = torch.nan_to_num(level)[..., None, None]
    kernel = _gaussian(sigma)
    # What has no data is filled with sky, so that no edge is smeared into what has.
    filled = torch.where(valid, images - level, 0.0)
    blurred = _convolved(filled, kernel / kernel.sum(-1, keepdim=True)) + level
    return torch.where(sigma[..., None, None] > 0, blurred, images)


def _gaussian(sigma: Tensor) -> Tensor:
    """Give the values of Gaussians along a new axis."""
    offset = torch.arange(-_KERNEL, _KERNEL + 1, device=sigma.device)
    return torch.exp(-(offset**2) / (2 * sigma[..., None].clamp(min=0.05) ** 2))


def _convolved(images: Tensor, kernel: Tensor) -> Tensor:
    """Convolve every plane with a kernel of its own, along both axes."""
    n, n_bands, length = kernel.shape
    flat, kernels = images.reshape(1, n * n_bands, *images.shape[2:]), kernel.reshape(-1, 1, length)
    pad = length // 2
    flat = nn.functional.pad(flat, (pad, pad, pad, pad), mode="replicate")
    flat = nn.functional.conv2d(flat, kernels[:, :, None], groups=n * n_bands)
    flat = nn.functional.conv2d(flat, kernels[..., None], groups=n * n_bands)
    return flat.reshape(images.shape)


def _measure(
    images: Tensor, sky: Tensor, valid: Tensor, otherwise: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Median, and standard deviation from the median deviation, of the pixels of sky."""
    level, noise = _middle(images, sky)
    few = sky.flatten(2).sum(-1) < _ENOUGH_SKY
    if bool(few.any()):  # the median of all is better than nothing
        middle, spread = _middle(images, valid)
        level = torch.where(few, middle, level)
        noise = torch.where(few, spread if otherwise is None else otherwise, noise)
    # A band without data has no sky; nothing is made of these numbers.
    return torch.nan_to_num(level), torch.nan_to_num(noise).clamp(min=1e-30)


def _middle(images: Tensor, chosen: Tensor, clips: int = 0) -> tuple[Tensor, Tensor]:
    """Median and scaled median deviation of some of the pixels, clipped at 3 of the latter."""
    step = -(-images.shape[-1] // _SAMPLED)  # a part of the pixels is enough; medians are slow
    flat = torch.where(chosen, images, torch.nan)[..., ::step, ::step].flatten(2)
    for clip in range(clips + 1):
        level = flat.nanmedian(-1, keepdim=True).values
        noise = _MAD * (flat - level).abs().nanmedian(-1, keepdim=True).values
        if clip < clips:
            flat = torch.where((flat - level).abs() < 3 * noise, flat, torch.nan)
    return level[..., 0], noise[..., 0]


def _as_measured(
    images: Tensor,
    valid: Tensor,
    level: Tensor,
    noise: Tensor,
    options: AugmentOptions,
    dice: _Dice,
) -> tuple[Tensor, Tensor]:
    """Give level and noise as `morpheus.mosaic.sky` measures them, more or less.

    That clips what is bright and takes the rest for sky, so both come out too high, the more so
    the more of an image sources cover: from hardly at all in a whole mosaic to much in a stamp.
    The crop measured so is the one end, its true sky the other.
    """
    if not options.measured:
        return level, noise
    found, spread = _middle(images, valid, _CLIPS)
    usable = torch.isfinite(found) & (spread > 0)
    part = (1.5 * dice.uniform(len(level), 1)).clamp(max=1.0)
    found = level + part * (found - level)
    spread = noise * (spread / noise).clamp(min=1e-3) ** part
    return torch.where(usable, found, level), torch.where(usable, spread, noise)


def _raise_noise(
    images: Tensor, noise: Tensor, ranges: Tensor, options: AugmentOptions, dice: _Dice
) -> tuple[Tensor, Tensor]:
    """Add noise; tell by how many times it is higher then."""
    n, n_bands = noise.shape
    low, high = ranges.unbind(-1)
    factor = low * (high / low) ** dice.uniform(n, 1)
    scatter = 10 ** (options.noise_scatter * dice.normal(n, n_bands))
    factor = torch.where(high > 1, (factor * scatter).clamp(min=1.0), 1.0)
    if not bool((factor > 1).any()):
        return images, factor
    w = options.correlation * dice.uniform(n, n_bands, 1)
    kernel = torch.cat([w, torch.ones_like(w), w], -1)
    if options.smooth > 0:
        smooth = dice.happens(options.smooth, n, 1, 1)
        wide = _gaussian(options.smooth_sigma * dice.uniform(n, n_bands))
        kernel = torch.where(smooth, wide, nn.functional.pad(kernel, (_KERNEL - 1, _KERNEL - 1)))
    kernel = kernel / kernel.square().sum(-1, keepdim=True).sqrt()
    unit = _convolved(dice.normal(*images.shape), kernel)
    added = noise * (factor.square() - 1).clamp(min=0).sqrt()
    return images + added[..., None, None] * unit, factor


def _follow_noise(
    classes: Tensor, light: Tensor, noise: Tensor, raised: Tensor, valid: Tensor
) -> Tensor:
    """Make background of what has drowned in the noise."""
    smooth = nn.functional.avg_pool2d(light[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
    drowned = (smooth < noise[:, None, None]) & (raised > _RAISED)[:, None, None] & valid
    drowned = drowned & (classes.sum(1) > 0)
    background = torch.zeros_like(classes)
    background[:, BACKGROUND] = 1
    return torch.where(drowned[:, None], background, classes)


def _hot_pixels(images: Tensor, noise: Tensor, options: AugmentOptions, dice: _Dice) -> Tensor:
    """Draw a few pixels of 5 to 100 times the noise."""
    n, n_bands, height, width = images.shape
    rate = 10 ** dice.uniform(n, n_bands, low=-4.5, high=-3.2)
    rate = torch.where(dice.happens(options.cosmic_rays, n, n_bands), rate, 0.0)
    hit = dice.uniform(n, n_bands, height, width) < rate[..., None, None]
    height_in_noise = 5 * 20 ** dice.uniform(n, n_bands, 1, 1)
    return torch.where(hit, height_in_noise * noise[..., None, None], 0.0)


def _mask(valid: Tensor, options: AugmentOptions, dice: _Dice) -> Tensor:
    """Mask a half-plane, a bar or a disk of some examples, in all bands."""
    n, _, height, width = valid.shape
    y, x = (
        torch.arange(length, device=valid.device, dtype=torch.float32) - (length - 1) / 2
        for length in (height, width)
    )
    angle = dice.uniform(n, high=2 * math.pi)[:, None, None]
    along = torch.cos(angle) * x + torch.sin(angle) * y[:, None]
    across = torch.cos(angle) * y[:, None] - torch.sin(angle) * x
    place, size = dice.uniform(2, n, 1, 1)
    bar = (along - (place - 0.5) * width).abs() < 1 + 3 * size
    edge = along > (0.15 + 0.35 * place) * width
    radius = torch.hypot(along - (place - 0.5) * width, across - (size - 0.5) * height)
    hole = radius < 2 + 8 * size
    kind = torch.floor(dice.uniform(n, 1, 1, high=3.0))
    hidden = torch.where(kind == 0, bar, torch.where(kind == 1, edge, hole))
    hidden = hidden & dice.happens(options.mask, n, 1, 1)
    return valid & ~hidden[:, None]


def _keep_bands(valid: Tensor, options: AugmentOptions, dice: _Dice) -> Tensor:
    """Leave out some of the bands of some examples, though never all that have data."""
    n, n_bands = valid.shape[:2]
    there = valid.flatten(2).any(-1)
    draw = dice.uniform(n, 1)
    kept = dice.happens(0.5, n, n_bands) & there
    # If chance left none, one of those that are there stays.
    score = torch.where(there, dice.uniform(n, n_bands), -1.0)
    best = nn.functional.one_hot(score.argmax(1), n_bands).bool()
    kept = torch.where(kept.any(1, keepdim=True), kept, best)
    first = torch.zeros_like(kept)
    first[:, 0] = True
    kept = torch.where(draw < options.drop_band, kept, torch.ones_like(kept))
    kept = torch.where((draw >= options.drop_band) & (draw < options.drop_band + options.only_first)
                       & there[:, :1], first, kept)  # fmt: skip
    return kept[..., None, None]
