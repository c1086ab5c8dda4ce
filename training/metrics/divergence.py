"""Divergence: how a classifier's answers to clips differ from those to their references, and from one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from training.errors import DataError
from training.metrics.interval import NORMAL, Array, Interval, mean_of, rows

FLOOR = 1e-6  # added to a probability before its logarithm, as AudioLDM's evaluation does
SPLITS = 10


def softmax(logits: Array) -> Array:
    """Probabilities `[n, classes]`, each row summing to 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def sigmoid(logits: Array) -> Array:
    """Probabilities `[n, classes]`, each class for itself."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def kl(reference: ArrayLike, made: ArrayLike) -> Interval:
    """Mean KL(reference || made) in nats over pairs of logits `[n, classes]`, classes taken to exclude each other.

    Row i of both belongs to one pair (AudioLDM, arXiv 2301.12503, section 5). Raises DataError.
    """
    first, second = _pairs(reference, made)
    p, q = softmax(first), softmax(second)
    return _mean((p * (np.log(np.maximum(p, 1e-300)) - np.log(q + FLOOR))).sum(axis=1))


def kl_sigmoid(reference: ArrayLike, made: ArrayLike) -> Interval:
    """Mean sum over classes of p ln(p / q) over pairs of logits `[n, classes]`, each class for itself.

    As AudioLDM's evaluation counts it, without the classes' complements: so it is no divergence and falls below 0
    where the clips' answers are surer than the references'. Raises DataError.
    """
    first, second = _pairs(reference, made)
    p, q = sigmoid(first), sigmoid(second)
    return _mean((p * (np.log(np.maximum(p, 1e-300)) - np.log(q + FLOOR))).sum(axis=1))


def inception_score(logits: ArrayLike, splits: int = SPLITS, seed: int = 0) -> Interval:
    """exp of the mean KL of each answer from the mean answer: 1 (all alike) to the number of classes.

    Mean over `splits` parts of a shuffled set of logits `[n, classes]` (Salimans et al. 2016), the interval from
    the spread between the parts. A figure of its set's size too: the highest possible is that of a part. Raises
    DataError for fewer sounds than two in each part.
    """
    array = rows(logits, "answers", 2 * splits)
    p = softmax(array[np.random.default_rng(seed).permutation(len(array))])
    scores = []
    for part in np.array_split(p, splits):
        gain = part * (np.log(np.maximum(part, 1e-300)) - np.log(np.maximum(part.mean(axis=0), 1e-300)))
        scores.append(float(np.exp(gain.sum(axis=1).mean())))
    mean = float(np.mean(scores))
    if splits == 1:
        return Interval(mean, None, None, len(array))
    reach = NORMAL * float(np.std(scores, ddof=1) / np.sqrt(splits))
    return Interval(mean, mean - reach, mean + reach, len(array))


# Inside -------------------------------------------------------------------------------------------------


def _pairs(reference: ArrayLike, made: ArrayLike) -> tuple[Array, Array]:
    first, second = rows(reference, "reference answers", 1), rows(made, "answers", 1)
    if first.shape != second.shape:
        raise DataError(
            f"Answers of the shapes {first.shape} and {second.shape} are no pairs: pair them first."
        )
    return first, second


def _mean(values: Array) -> Interval:
    found = mean_of(values)
    assert found is not None
    return found
