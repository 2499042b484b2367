"""What Spotlight shows, as files: it runs in an environment of its own, which has none of our requirements."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..scores import ScoreTable
from ..scoring import ModelScores, ranks

TABLE, FEATURES = "table.json", "features.npy"


def write_data(
    folder: Path, directory: Path, table: ScoreTable, models: Sequence[ModelScores], split: np.ndarray
) -> None:
    """Write `columns` as table.json and the first model's features, (N, W) float32, as features.npy."""
    found = columns(directory, table, models, split)
    (folder / TABLE).write_text(json.dumps(found), encoding="utf-8")
    inputs = models[0].inputs
    if inputs is not None:
        np.save(folder / FEATURES, inputs.reshape(len(inputs), -1).astype(np.float32))


def columns(
    directory: Path, table: ScoreTable, models: Sequence[ModelScores], split: np.ndarray
) -> dict[str, list[Any]]:
    """N values each. error is model score minus score; ranks count from 1, the best; rank_error is model_rank - rank:
    above 0 where the model puts the image too far down. Of further models only the score, as model_score NAME."""
    first, rank = models[0].scores, ranks(table.scores)
    return {
        "relative_path": list(table.paths),
        "image": [str((directory / path).resolve()) for path in table.paths],
        "score": table.scores.tolist(),
        "model_score": first.tolist(),
        "error": (first - table.scores).tolist(),
        "rank": rank.tolist(),
        "model_rank": ranks(first).tolist(),
        "rank_error": (ranks(first) - rank).tolist(),
        "split": split.tolist(),
        **{f"model_score {model.name}": model.scores.tolist() for model in models[1:]},
    }
