"""Ridge regression on the same features: what a person would have without the network."""

import numpy as np
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from src.scaling import standardisation

ALPHAS = np.logspace(0, 6, 25)
# The fit takes memory and time of the order of rows squared; more rows than this hardly change it.
MOST_ROWS = 10_000


def ridge_scores(inputs: np.ndarray, scores: np.ndarray, split: np.ndarray, seed: int) -> np.ndarray:
    """Scores (N,) that ridge regression predicts for all rows, fitted on the train split alone.

    inputs: (N, ...), flattened to one row an image and standardised on the train split as the network's are; the
    penalty is chosen by leave-one-out (scikit-learn's RidgeCV) from 10^0 to 10^6. Beyond 10,000 train rows, a random
    10,000 are used.
    """
    rows = np.flatnonzero(split == "train")
    if len(rows) > MOST_ROWS:
        rows = np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False)
    flat = inputs.reshape(len(inputs), -1)
    shift, scale = standardisation(flat[rows])
    flat = (flat - shift) / scale
    with threadpool_limits(limits=1, user_api="blas"):  # threads of BLAS wait for each other on a busy machine
        return RidgeCV(ALPHAS).fit(flat[rows], scores[rows]).predict(flat)
