"""Losses for soft labels."""

import torch
from torch import Tensor

from morpheus.classes import BACKGROUND
from morpheus.train.options import LossOptions

__all__ = ["LOSSES", "factorised", "of_classes", "of_sources", "published"]


def factorised(logits: Tensor, target: Tensor, weight: Tensor, options: LossOptions) -> Tensor:
    r"""Cross-entropy of source against background, plus that of the classes of sources.

    With :math:`b` the background, :math:`s = 1 - t_b` the share of a pixel that is source and
    :math:`w` its weight,

    .. math::

        L = -\frac{\lambda}{N} \sum \left[t_b \log p_b + s \log (1 - p_b)\right]
            - \frac{\sum w \sum_{c \ne b} t_c \log \frac{p_c}{1 - p_b}}{\sum w\, s} .

    Both are proper scores: for any weight that does not depend on the class the least loss is at
    the true probabilities. The split keeps the many pixels of sky from outweighing the classes.

    Parameters
    ----------
    logits, target : Tensor, shape (n, 5, y, x)
        Network's output, and shares of the classes; all 0 where nothing is known.
    weight : Tensor, shape (n, y, x)
        Of the class of a pixel.
    options : LossOptions
        The weight :math:`\lambda`.

    Returns
    -------
    Tensor
        A number.
    """
    classes = of_classes(logits[:, :BACKGROUND], target[:, :BACKGROUND], weight)
    return options.detection * of_sources(logits, target) + classes


def of_sources(logits: Tensor, target: Tensor) -> Tensor:
    """Compute the mean cross-entropy of source and background: the first part of `factorised`.

    Parameters
    ----------
    logits, target : Tensor, shape (n, 5, y, x)
        Network's output, and shares of the classes; all 0 where nothing is known.

    Returns
    -------
    Tensor
        A number.
    """
    log_p = torch.log_softmax(logits.float(), 1)
    log_source = torch.logsumexp(log_p[:, :BACKGROUND], 1)
    share = target[:, :BACKGROUND].sum(1)
    known = (target.sum(1) > 0).float().sum().clamp(min=1)
    return -(target[:, BACKGROUND] * log_p[:, BACKGROUND] + share * log_source).sum() / known


def of_classes(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Compute the mean cross-entropy of the classes of sources: the second part of `factorised`.

    Parameters
    ----------
    logits, target : Tensor, shape (n, 4, y, x)
        Network's output, and shares of the classes; all 0 where nothing is known.
    weight : Tensor, shape (n, y, x)
        Of a pixel.

    Returns
    -------
    Tensor
        A number.
    """
    entropy = -(target * torch.log_softmax(logits.float(), 1)).sum(1)
    return (weight * entropy).sum() / (weight * target.sum(1)).sum().clamp(min=1e-6)


def published(logits: Tensor, target: Tensor, weight: Tensor, options: LossOptions) -> Tensor:
    r"""Cross-entropy over all classes plus Dice loss of the background.

    The loss of Hausen & Robertson (2020), section 3.5, from logits: the logarithms are finite for
    any finite logits, and the Dice coefficient is that of soft labels, 1 where both agree.

    .. math::

        L = (1 - \lambda_D) \left\langle -\sum_c t_c \log p_c \right\rangle
            + \lambda_D \left(1 - \frac{2 \sum p_b t_b}{\sum p_b^2 + \sum t_b^2}\right)

    Parameters
    ----------
    logits, target : Tensor, shape (n, 5, y, x)
        Network's output, and shares of the classes; all 0 where nothing is known.
    weight : Tensor, shape (n, y, x)
        Not used: all pixels of sources weigh the same.
    options : LossOptions
        The weights of the Dice loss and of the background.

    Returns
    -------
    Tensor
        A number.
    """
    del weight
    log_p = torch.log_softmax(logits.float(), 1)
    total = target.sum(1)
    by_pixel = total + (options.background - 1) * target[:, BACKGROUND]
    entropy = -(by_pixel * (target * log_p).sum(1)).sum() / by_pixel.sum().clamp(min=1e-6)
    p, t = log_p[:, BACKGROUND].exp() * total, target[:, BACKGROUND]
    dice = 1 - 2 * (p * t).sum() / (p.square().sum() + t.square().sum()).clamp(min=1e-6)
    return (1 - options.dice) * entropy + options.dice * dice


LOSSES = {"factorised": factorised, "published": published}
"""The losses by name."""
