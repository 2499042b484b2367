"""Choose the better of two images in the browser; every choice is kept, and ratings are fitted to the choices.

python aesthetic_ab_scorer.py "@arguments.txt"
"""

import argparse
import os
import re
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before numpy: idle threads must not spin on a busy machine

from src.common import UserError, run
from src.options import CHOOSE, comparisons_file, image_directory, model_path, parse_arguments

if TYPE_CHECKING:
    import numpy as np

    from src.ab_page import Closed, Gallery, LiveRatings, Plan, Rating
    from src.features import FeatureCache
    from src.ratings import Assistance, Assistant, Comparisons, Ratings, Registered
    from src.scores import ScoreTable

DESCRIPTION = "Choose the better of two images in the browser; ratings are fitted to your choices."


def main() -> None:
    arguments = parse_arguments(CHOOSE, DESCRIPTION)
    directory = image_directory(arguments)
    scores = check(arguments, directory)
    # Imported only now, so that --help and mistyped options answer at once.
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
        import_scores(arguments, scores, comparisons, registered.ids)
        model_scores = score_with_model(arguments, directory, cache, registered.ids)
        with start_assistant(arguments, gallery, cache) as assistant:
            live = LiveRatings(comparisons, rating(arguments), model_scores, arguments.new_from_model)
            use(assistant, live, wait=arguments.minimum_score is not None)
            allowed = allowed_images(arguments, live, gallery.paths)
            on_close = partial(finish_batch, arguments, scores, registered.ids, live, gallery)
            session = Session(comparisons, live, allowed, plan(arguments), on_close)
            server = Server(session, gallery, arguments.host, listening)
            announce(server.address, int(allowed.sum()), len(live.log))
            try:
                server.run(open_browser=not arguments.no_browser)
            finally:
                assistant.close()  # what comes now comes too late
                session.end()
                write_scores(arguments, scores, registered.ids, live)
                print(f"{live.basis}\nThe scores are in {scores}, the choices in {comparisons.path}.".strip())


def check(arguments: argparse.Namespace, directory: Path) -> Path:
    """The score file that will be written. UserError now rather than after an hour, before anything is read."""
    if arguments.weight_min > arguments.weight_max:
        raise UserError(
            f"--weight_min={arguments.weight_min} is above --weight_max={arguments.weight_max}; "
            "the minimum must not be the larger one"
        )
    names = [arguments.scores] if arguments.scores else ["scores.json", "scores.csv"]
    paths = [directory / Path(name).expanduser() for name in names]
    path = next((path for path in paths if path.exists()), paths[-1])
    if path.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"--scores={arguments.scores}: must end with .csv or .json")
    if not path.parent.is_dir():
        raise UserError(f"--scores={arguments.scores}: there is no folder {path.parent}; make it first")
    return path


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


def import_scores(arguments: argparse.Namespace, path: Path, comparisons: "Comparisons", ids: dict[str, int]) -> None:
    """Scores that another program or a person wrote become starting ratings, once; the file is kept as a copy."""
    import numpy as np

    from src.ratings import rescale_to
    from src.scores import match_images, read_scorefile

    if not path.exists():
        return
    table, problems = match_images(read_scorefile(path, arguments.score_column), list(ids))
    print("\n".join([*table.problems, *problems]))
    if written_here(table) and len(comparisons.log()):
        return  # the choices say more, whoever made them
    log = comparisons.log(arguments.rater)
    started = dict(zip(log.images.tolist(), ~np.isnan(log.starting_ratings), strict=True))
    none = np.zeros(len(table.paths))
    values = rescale_to(table.scores, none, none > 0) if arguments.rescale == "standard" else table.scores
    new = {ids[p]: float(v) for p, v in zip(table.paths, values, strict=True) if not started[ids[p]]}
    if new:
        comparisons.add_starting_ratings(new)
        print(f"{len(new)} scores of {path} are the starting ratings of their images.")


def score_with_model(
    arguments: argparse.Namespace, directory: Path, cache: "FeatureCache", ids: dict[str, int]
) -> dict[int, float] | None:
    """Image id -> model score; None without a model."""
    path = model_path(arguments, directory)
    if not path.exists():
        print(f"note: there is no model {path} yet; train one with aesthetic_predictor_training.py")
        return None
    from src.scoring import load_models, score_images

    models = load_models([path], [], arguments.device)
    scored = score_images(directory, list(ids), models, cache, arguments.extract_batch_size)
    print(f"{len(scored)} images have a score of the model {path}.")
    return {ids[p]: float(score) for p, score in zip(scored.paths, scored.scores[:, 0], strict=True)}


def start_assistant(arguments: argparse.Namespace, gallery: "Gallery", cache: "FeatureCache") -> "Assistant":
    """Begin to get features, in another process, where the ratings are to be assisted by them."""
    from src.ratings import Assistant, Task

    task = Task(
        directory=gallery.directory,
        images=gallery.paths,
        cache=cache.folder,
        extractor=arguments.feature_extractor_model,
        hidden_states=arguments.hidden_states_used,
        device=arguments.device,
        fp16=arguments.fp16_features,
        batch_size=arguments.extract_batch_size,
    )
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


def allowed_images(arguments: argparse.Namespace, live: "LiveRatings", paths: dict[int, str]) -> "np.ndarray":
    """(N,) bool, rows of the log: the images that may be shown."""
    import numpy as np

    pattern = re.compile(arguments.regex or "")
    wanted = [image for image, path in paths.items() if pattern.search(path)]
    allowed = np.isin(live.log.images, wanted) & ~live.log.excluded
    if arguments.minimum_score is not None:
        allowed &= rescaled(arguments, live.ratings)[0] >= arguments.minimum_score
    return allowed


def rating(arguments: argparse.Namespace) -> "Rating":
    """How ratings are computed."""
    from src.ab_page import Rating
    from src.ratings import SpeedWeights

    speed = SpeedWeights(arguments.default_seconds, arguments.weight_min, arguments.weight_max)
    return Rating(arguments.rating, arguments.k, speed if arguments.weight_by_speed else None)


def plan(arguments: argparse.Namespace) -> "Plan":
    """What is shown."""
    from dataclasses import fields

    from src.ab_page import Plan

    return Plan(**{one.name: getattr(arguments, one.name) for one in fields(Plan)})


def rescaled(arguments: argparse.Namespace, ratings: "Ratings") -> tuple["np.ndarray", "np.ndarray"]:
    """Scores and their errors, (N,) each, on the scale of `--rescale`."""
    from src.ratings import deviation, standardise

    if arguments.rescale == "none":
        return ratings.rating, ratings.error
    rated = ratings.comparisons > 0
    return standardise(ratings.rating, rated), ratings.error / deviation(ratings.rating, rated)


def write_scores(arguments: argparse.Namespace, path: Path, ids: dict[str, int], live: "LiveRatings") -> None:
    """Replace the score file, atomically: all it held, and score, comparisons, score_error of every image here.

    An image which was never compared, nor had a score before, has none.
    """
    import numpy as np

    from src.scores import add_images, match_images, new_table, read_scorefile, write_scorefile
    from src.scores import assisted as assisted_scores

    ratings, rated = live.latest(), live.rated()
    if not rated.any():
        return
    table = new_table(list(ids), path.name)
    if path.exists():
        everything = read_scorefile(path, arguments.score_column)
        keep_original(path, everything)
        table = add_images(match_images(everything, list(ids), keep_unscored=True)[0], ids)
    rows = np.searchsorted(ratings.images, [ids[p] for p in table.paths])
    scores, errors = rescaled(arguments, ratings)
    known = rated | ~np.isnan(live.log.starting_ratings)
    columns = {
        arguments.score_column: np.where(known, scores, np.nan)[rows],
        "comparisons": ratings.comparisons[rows],
        "score_error": np.where(rated, errors, np.nan)[rows],
        **assisted_scores.column(table, live.assisted_by, known[rows]),
    }
    write_scorefile(path, table, columns)


def written_here(table: "ScoreTable") -> bool:
    """Whether this script wrote the score file; either column alone may be a person's own."""
    return {"comparisons", "score_error"} <= set(table.document.columns)


def keep_original(path: Path, table: "ScoreTable") -> None:
    """A score file which this script did not write is copied beside itself before it is written over."""
    from src.common import copy_to

    copy = path.with_name(f"{path.stem}.before_choosing{path.suffix}")
    if not written_here(table) and not copy.exists():
        copy_to(path, copy)
        print(f"What {path.name} held before is kept as {copy.name}.")


def finish_batch(
    arguments: argparse.Namespace,
    scores: Path,
    ids: dict[str, int],
    live: "LiveRatings",
    gallery: "Gallery",
    closed: "Closed",
) -> None:
    """What happens after each batch."""
    show(closed, gallery.paths)
    write_stats(arguments, gallery.directory, closed)
    write_scores(arguments, scores, ids, live)


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
    from src.ratings import number_of

    print(f"{images} images may be shown; {number_of(choices, 'comparison')} so far. Choose at {address}")
    print("Finish with Q on the page or Ctrl-C here; every choice is on the disk at once.", flush=True)


def write_stats(arguments: argparse.Namespace, directory: Path, closed: "Closed") -> None:
    """A row in ab_stats.csv."""
    from src.ratings import append_stats

    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    about = {"finished_at": now, "rater": arguments.rater, "batch": closed.number}
    try:
        append_stats(directory / "ab_stats.csv", {**about, **closed.batch.row()})
    except UserError as error:
        print(f"note: {error}")  # the choices are safe; statistics must not stop them


if __name__ == "__main__":
    run(main)
