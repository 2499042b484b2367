"""Choose the better of two images in the browser; every choice is kept, and ratings are fitted to the choices.

python aesthetic_ab_scorer.py "@arguments.txt"
"""

import argparse
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before numpy: idle threads must not spin on a busy machine

from src.common import UserError, run_script
from src.options import CHOOSE, comparisons_file, image_directory, model_path, parse_arguments, settings_of
from src.ratings import PairingSettings, RatingSettings

if TYPE_CHECKING:
    import numpy as np

    from src.ab_page import Closed, Gallery, LiveRatings
    from src.features import FeatureCache
    from src.ratings import Assistance, Assistant, Comparisons, Registered

DESCRIPTION = "Choose the better of two images in the browser; ratings are fitted to your choices."


def main() -> None:
    arguments = parse_arguments(CHOOSE, DESCRIPTION)
    directory = image_directory(arguments)
    rating, pairing = settings_of(RatingSettings, arguments), settings_of(PairingSettings, arguments)
    # Imported only now, so that --help and mistyped options answer at once.
    from src.scores import chosen_file

    scores = chosen_file(directory, arguments.scores)
    from src.ab_page import LiveRatings, Server, Session, listen, make_gallery
    from src.features import FeatureCache, default_folder
    from src.ratings import Comparisons

    listening = listen(arguments.host, arguments.port)
    cache = FeatureCache(Path(arguments.cache_directory or default_folder(directory)))
    hashes = hash_images(directory, cache)
    with Comparisons(comparisons_file(arguments, directory), arguments.rater) as comparisons:
        registered = comparisons.register(hashes)
        report_images(hashes, registered)
        gallery = make_gallery(directory, registered.ids)
        import_scores(scores, arguments.score_column, rating.rescale, comparisons, registered.ids)
        model_scores = score_with_model(arguments, directory, cache, registered.ids)
        with start_assistant(arguments, gallery, cache) as assistant:
            live = LiveRatings(comparisons, rating, model_scores)
            use(assistant, live, wait=arguments.minimum_score is not None)
            allowed = allowed_images(live, gallery.paths, arguments.regex or "", arguments.minimum_score)
            write = partial(write_scores, scores, arguments.score_column, registered.ids, live)
            session = Session(
                comparisons, live, allowed, pairing, partial(finish_batch, gallery, write, arguments.rater)
            )
            server = Server(session, gallery, arguments.host, listening)
            announce(server.address, int(allowed.sum()), len(live.log))
            try:
                server.run(open_browser=not arguments.no_browser)
            finally:
                assistant.close()  # what comes now comes too late
                session.end()
                write()
                print(f"{live.basis}\nThe scores are in {scores}, the choices in {comparisons.path}.".strip())


def hash_images(directory: Path, cache: "FeatureCache") -> dict[str, str]:
    """Relative path -> content hash of every image; those that can't be read are named."""
    from src.features import find_images

    paths = find_images(directory)
    if not paths:
        raise UserError(f"{directory}: there are no images; name the folder of your images with --directory")
    print(f"{len(paths)} images in {directory}; those not known yet are read once ...", flush=True)
    hashes, unreadable = cache.hashes(directory, paths)
    for path, reason in unreadable.items():
        print(f"left out, can't be read: {path}: {reason}")
    return hashes


def report_images(hashes: dict[str, str], registered: "Registered") -> None:
    """What is new or different since last time."""
    from src.scores import listing

    added, moved, replaced = len(registered.added), registered.moved, registered.replaced
    copies = len(hashes) - len(set(hashes.values()))
    notes = [
        f"{added} are new" if added else "",
        f"{copies} are copies of others and count as one" if copies else "",
        f"{len(moved)} were moved or renamed and keep their history: {listing(moved)}" if moved else "",
        f"{len(replaced)} have a new content and begin anew: {listing(replaced)}" if replaced else "",
    ]
    print("\n".join(note for note in notes if note))


def import_scores(
    path: Path, score_column: str, rescale: str, comparisons: "Comparisons", ids: dict[str, int]
) -> None:
    """Scores that another program or a person wrote become starting ratings, once."""
    import numpy as np

    from src.ratings import start_from
    from src.scores import is_chosen, match_images, read_scorefile

    if not path.exists():
        return
    table, problems = match_images(read_scorefile(path, score_column), list(ids))
    print("\n".join([*table.problems, *problems]))
    if is_chosen(table) and len(comparisons.log()):
        return  # the choices say more, whoever made them
    images = np.array([ids[image] for image in table.paths], dtype=np.int64)
    if begun := start_from(comparisons, images, table.scores, rescale):
        print(f"{begun} scores of {path} are the starting ratings of their images.")


def score_with_model(
    arguments: argparse.Namespace, directory: Path, cache: "FeatureCache", ids: dict[str, int]
) -> dict[int, float] | None:
    """Image id -> model score; None without a model."""
    path = model_path(arguments, directory)
    if not path.exists():
        print(f"note: there is no model {path} yet; train one with aesthetic_predictor_training.py")
        return None
    from src.scoring import ScoringSettings, load_models, score_images

    models = load_models([path], ScoringSettings(gate=False, device=arguments.device))
    scored = score_images(directory, list(ids), models, cache, arguments.extract_batch_size)
    print(f"{len(scored)} images have a score of the model {path}.")
    return {ids[p]: float(score) for p, score in zip(scored.paths, scored.scores[:, 0], strict=True)}


def start_assistant(arguments: argparse.Namespace, gallery: "Gallery", cache: "FeatureCache") -> "Assistant":
    """Begin to get features, in another process, where the ratings are to be assisted by them."""
    from src.ratings import Assistant, Task

    task = settings_of(Task, arguments, directory=gallery.directory, images=gallery.paths, cache=cache.folder)
    return Assistant(task if arguments.rating == "assisted" else None)


def use(assistant: "Assistant", live: "LiveRatings", wait: bool) -> None:
    """Let the ratings be assisted as soon as there are features. wait: for them, and for those ratings."""
    from src.scores import listing

    def ready(found: "Assistance") -> None:
        if found.unreadable:
            print(f"{len(found.unreadable)} images have no features: {listing(found.unreadable)}")
        live.assist(found.extractor, found.similarity)

    assistant.report(ready, live.go_without)
    if wait and assistant.busy:
        print("Waiting for the features of the images, as --minimum_score is about ratings that they assist ...")
        assistant.wait()
        live.fit()


def allowed_images(
    live: "LiveRatings", paths: dict[int, str], regex: str, minimum_score: float | None
) -> "np.ndarray":
    """(N,) bool, rows of the log: the images that may be shown."""
    import numpy as np

    from src.ratings import rescaled

    pattern = re.compile(regex)
    wanted = [image for image, path in paths.items() if pattern.search(path)]
    allowed = np.isin(live.log.images, wanted) & ~live.log.excluded
    if minimum_score is not None:
        allowed &= rescaled(live.ratings, live.settings.rescale)[0] >= minimum_score
    return allowed


def write_scores(path: Path, score_column: str, ids: dict[str, int], live: "LiveRatings") -> None:
    """Write the scores once there are choices; an image never compared, nor scored before, has none."""
    import numpy as np

    from src.ratings import rescaled
    from src.scores import ChosenScores, write_chosen

    ratings, rated = live.latest(), live.rated()
    if not rated.any():
        return
    scores, errors = rescaled(ratings, live.settings.rescale)
    scores = np.where(rated | ~np.isnan(live.log.starting_ratings), scores, np.nan)
    errors = np.where(rated, errors, np.nan)
    rows = np.searchsorted(ratings.images, list(ids.values()))
    chosen = ChosenScores(list(ids), scores[rows], errors[rows], ratings.comparisons[rows], live.assisted_by)
    write_chosen(path, score_column, chosen)


def finish_batch(gallery: "Gallery", write: Callable[[], None], rater: str, closed: "Closed") -> None:
    """What happens after each batch. write: replaces the score file."""
    show(closed, gallery.paths)
    write_stats(gallery.directory, rater, closed)
    write()


def show(closed: "Closed", paths: dict[int, str]) -> None:
    """The statistics, and the ten best and the ten worst images by name, as the page shows them."""
    import numpy as np

    from src.ratings import extremes
    from src.scores import listing

    ratings = closed.ratings
    here = (ratings.comparisons > 0) & closed.allowed & np.isin(ratings.images, list(paths))
    best, worst = (
        listing([paths[image] for image in ratings.images[rows].tolist()], 10)
        for rows in extremes(ratings.rating, here)
    )
    print(f"\nBatch {closed.number}\n{closed.batch.text()}\nbest: {best}\nworst: {worst}", flush=True)


def announce(address: str, images: int, choices: int) -> None:
    """Where to choose, and how to stop."""
    from src.common import number_of

    print(f"{images} images may be shown; {number_of(choices, 'comparison')} so far. Choose at {address}")
    print("Finish with Q on the page or Ctrl-C here; every choice is on the disk at once.", flush=True)


def write_stats(directory: Path, rater: str, closed: "Closed") -> None:
    """A row in ab_stats.csv."""
    from src.ratings import append_batch

    try:
        append_batch(directory / "ab_stats.csv", rater, closed.number, closed.batch)
    except UserError as error:
        print(f"note: {error}")  # the choices are safe; statistics must not stop them


if __name__ == "__main__":
    run_script(main)
