"""Classes and probabilities against outcomes: accuracy, ranking, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from knuckle.errors import InputError
from knuckle.results import FloatArray

IntArray = npt.NDArray[np.intp]


def accuracy(predicted: Sequence[Any], true: Sequence[Any]) -> FloatArray:
    """Whether each predicted class, such as "Left", is the labelled one, (n,): 1 or 0, NaN where the label is None."""
    pairs = zip(predicted, true, strict=True)
    return np.array([np.nan if label is None else float(guess == label) for guess, label in pairs], np.float64)


def auroc(scores: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties count half; NaN if there is only one class.

    The area under the ROC curve, (R₊ − n₊(n₊+1)/2) / (n₊ n₋) with R₊ the sum of the positives' ranks: Hanley & McNeil
    (1982), "The meaning and use of the area under a receiver operating characteristic curve"; Fawcett (2006), part 7.

    Args:
        scores: (n,) in any monotone unit. outcomes: (n,) True for positives.
    """
    values, positive = np.asarray(scores, np.float64), np.asarray(outcomes, bool)
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    _, rank_of, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[rank_of]
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def brier(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> FloatArray:
    """Squared difference of each probability and its outcome, (n,); the mean is the Brier score.

    1/n Σ (p − o)²: 0 is perfect, 0.25 is what a constant 0.5 gets. Brier (1950), "Verification of forecasts expressed
    in terms of probability".

    Args:
        probabilities: (n,) 0..1. outcomes: (n,) 0 or 1.
    """
    squared: FloatArray = (np.asarray(probabilities, np.float64) - np.asarray(outcomes, np.float64)) ** 2
    return squared


def std_factor(errors: npt.ArrayLike, expected: npt.ArrayLike, share: float = 0.683) -> float:
    """The factor that turns expected errors into standard deviations, so that `share` of the errors are below them.

    The `share` quantile of |e| / expected. 68.3 % of a normal distribution lie within one standard deviation. A few
    gross errors would decide a root mean square, but not a quantile. Kuleshov et al. (2018), "Accurate uncertainties
    for deep learning using calibrated regression".

    Args:
        errors: (n,) signed errors. expected: (n,) in the same unit, above 0.
        share: 0..1.
    """
    ratios = np.abs(np.asarray(errors, np.float64)) / np.asarray(expected, np.float64)
    ratios = ratios[np.isfinite(ratios)]
    return float(np.quantile(ratios, share)) if len(ratios) else float("nan")


class Reliability(NamedTuple):
    """Per bin of probability: mean probability and frequency of the outcome (NaN in empty bins), number of samples."""

    probability: FloatArray
    frequency: FloatArray
    samples: IntArray


def reliability(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike, bins: int = 10) -> Reliability:
    """How often the outcome happened, for each bin of predicted probability.

    Bins of equal width over 0..1, the last one with its upper edge: Niculescu-Mizil & Caruana (2005), "Predicting good
    probabilities with supervised learning"; Guo et al. (2017), "On calibration of modern neural networks".

    Raises:
        InputError: a probability is not within 0..1.
    """
    p, o = np.asarray(probabilities, np.float64), np.asarray(outcomes, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError("probabilities must be within 0..1; pass scores of another range through a sigmoid first")
    bin_of = np.minimum((p * bins).astype(np.intp), bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    some = np.where(count > 0, count, np.nan)
    probability, frequency = (np.bincount(bin_of, weights, bins) / some for weights in (p, o))
    return Reliability(probability, frequency, count)
