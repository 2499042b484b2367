"""What models foresee of the choices that were held out while somebody chose: an honest number for any model."""

from collections.abc import Sequence
from pathlib import Path

from ..features import FeatureCache, find_images
from ..ratings import consistency, foreseen, headline, read_log, values_of
from ..scoring import LookSettings, ScoringSettings, load_models, score_images


def print_held_out(
    comparisons: Path,
    rater: str,
    directory: Path,
    exclude: Sequence[str],
    files: Sequence[Path],
    cache: FeatureCache,
    settings: LookSettings,
) -> list[str]:
    """A sentence for each model, printed and returned; none where nothing is held out (docs/ratings.md).

    files: the models. Images that are held out have no score, so they are looked up and scored here.
    """
    paths = find_images(directory, exclude, say=False)
    log, ids = read_log(comparisons, rater, directory, paths, cache)
    held = {path: ids[path] for path in paths if path in ids and log.held_out[log.rows([ids[path]])[0]]}
    if not files or not held or not (log.held_out[log.pairs.winners]).any():
        return []
    lines = []
    for model in load_models(files, ScoringSettings(gate=False, device=settings.device)):
        scored = score_images(directory, list(held), [model], cache, settings.extract_batch_size, progress=False)
        scores = {held[p]: float(score) for p, score in zip(scored.paths, scored.scores[:, 0], strict=True)}
        if line := headline(foreseen(log, values_of(log.images, scores)), consistency(log)):
            lines.append(line if len(files) == 1 else f"{model.name}: {line}")
    print("\n".join(["", *lines]))
    return lines
