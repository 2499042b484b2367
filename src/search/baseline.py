"""What a person would have without the search: ridge regression on the same features, and the mean."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.linear_model import RidgeCV

from ..common import Steps, ab, draw_landmarks, mse, one_blas_thread, principal_components, spearman, standardisation
from ..model import Predictor, PredictorConfig, fold_scaling
from .dataset import Dataset

ALPHAS = np.logspace(0, 6, 25)
# The fit takes memory and time of the order of rows squared; more rows than this hardly change it.
MOST_ROWS = 10_000
WHOLE_UP_TO, COMPONENTS = 2000, 1024  # rows that are fitted as they are; of more, in so many principal components


@dataclass(frozen=True)
class Ridge:
    """score = ((x - shift) / scale) @ weights + bias, of images' features in one row, x (W,). alpha: the penalty."""

    shift: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float
    alpha: float

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """(N, ...) -> (N,) float64."""
        flat = inputs.reshape(len(inputs), -1)
        with one_blas_thread():
            return ((flat - self.shift) / self.scale) @ self.weights + self.bias


def fit_ridge(inputs: np.ndarray, scores: np.ndarray, split: np.ndarray, seed: int) -> Ridge:
    """Fitted on the train split alone.

    inputs: (N, ...), flattened to one row an image and standardised on the train split as the network's are; the
    penalty is chosen by leave-one-out (scikit-learn's RidgeCV) from 10^0 to 10^6. Beyond 2,000 train rows it is
    fitted in the 1,024 leading principal components of 2,000 of them, which the penalty leaves most of its weight;
    beyond 10,000, a random 10,000 are used.
    """
    rows = np.flatnonzero(split == "train")
    if len(rows) > MOST_ROWS:
        rows = np.random.default_rng(seed).choice(rows, MOST_ROWS, replace=False)
    flat = inputs[rows].reshape(len(rows), -1)
    shift, scale = standardisation(flat)
    x = (flat - shift) / scale
    with one_blas_thread():
        if len(x) <= WHOLE_UP_TO or x.shape[1] <= COMPONENTS:
            found = RidgeCV(ALPHAS).fit(x, scores[rows])
            return Ridge(shift, scale, found.coef_, float(found.intercept_), float(found.alpha_))
        components = principal_components(x[draw_landmarks(len(x), WHOLE_UP_TO, WHOLE_UP_TO, seed)], COMPONENTS)
        found = RidgeCV(ALPHAS).fit(x @ components.T, scores[rows])
        return Ridge(shift, scale, found.coef_ @ components, float(found.intercept_), float(found.alpha_))


def ridge_scores(inputs: np.ndarray, scores: np.ndarray, split: np.ndarray, seed: int) -> np.ndarray:
    """Scores (N,) that ridge regression predicts for all rows; see `fit_ridge`."""
    return fit_ridge(inputs, scores, split, seed).predict(inputs)


@torch.no_grad()
def ridge_predictor(ridge: Ridge, config: PredictorConfig) -> Predictor:
    """Ridge regression as a predictor without hidden layers. config: in mode join or average, its sizes aside."""
    plain = replace(config, layers=(), dropouts=(0.0,), output_channels=1, high_end_fix="none")
    predictor = Predictor(plain)
    weight, bias = predictor.main_process.parameters()
    weight.copy_(torch.from_numpy(ridge.weights)[None])
    bias.fill_(ridge.bias)
    fold_scaling(predictor, torch.from_numpy(ridge.shift), torch.from_numpy(ridge.scale), 0.0, 1.0)
    return predictor


def held_out_ridge(data: Dataset, seed: int, whole: Ridge | None = None, steps: Steps | None = None) -> np.ndarray:
    """Scores (N,) of ridge regression on the train split; with folds, those of each fold by the others.

    whole: what was fitted on the train split already, if it was. steps: counts the folds.
    """
    inputs = data.inputs.cpu().numpy()
    found = (whole or fit_ridge(inputs, data.scores, data.split, seed)).predict(inputs)
    for part in (steps or Steps()).through(data.parts() if data.folds is not None else ()):
        rows = part.rows("eval")
        found[rows] = ridge_scores(inputs, data.scores, part.split, seed)[rows]
    return found


def baselines(data: Dataset, held_out: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """How these scores (N,) by name, and the mean score of the train split, do on the eval images.

    Without what is undefined, such as the mean's Spearman.
    """
    scores, rows = data.scores, data.rows("eval")
    mean = np.full(len(scores), scores[data.rows("train")].mean())
    found = {name: eval_metrics(scores[rows], values[rows]) for name, values in {**held_out, "mean": mean}.items()}
    return {name: {key: value for key, value in each.items() if np.isfinite(value)} for name, each in found.items()}


def eval_metrics(scores: np.ndarray, model_scores: np.ndarray) -> dict[str, float]:
    """What baselines are compared by; nan where undefined."""
    if len(scores) < 2:
        return {}
    measures = {"eval_mse": mse, "eval_spearman": spearman, "eval_ab": ab}
    return {name: float(measure(scores, model_scores)) for name, measure in measures.items()}
