"""Choose the better of two images in the browser; every choice is kept, and ratings are fitted to the choices.

python aesthetic_ab_scorer.py "@arguments.txt"
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before numpy: idle threads must not spin on a busy machine

from src.common import (
    UserError,
    check_writable,
    end_on_signals,
    number_of,
    run_script,
    shown_path,
    working,
)
from src.options import (
    CHOOSE,
    after_choosing,
    comparisons_file,
    image_directory,
    model_path,
    parse_arguments,
    settings_of,
)
from src.ratings import PairingSettings, RatingSettings

if TYPE_CHECKING:
    import numpy as np

    from src.ab_page import Closed, Gallery, LiveRatings, ModelView, Session, Words
    from src.choosing import ChosenModel, ScoreFile
    from src.features import FeatureCache
    from src.ratings import Assistance, Assistant, Comparisons, ModelPrior, Registered

DESCRIPTION = "Choose the better of two images in the browser; ratings are fitted to your choices."


def main() -> None:
    arguments = parse_arguments(CHOOSE, DESCRIPTION)
    directory = image_directory(arguments)
    rating, pairing = settings_of(RatingSettings, arguments), settings_of(PairingSettings, arguments)
    print(f"Looking for images in {directory} ...", flush=True)
    # Imported only now, so that --help and mistyped options answer at once.
    from src.scores import chosen_file

    scores = chosen_file(directory, arguments.scores)
    from src.ab_page import LiveRatings, Server, Session, listen, make_gallery
    from src.choosing import ScoreFile, import_scores
    from src.features import FeatureCache, default_folder
    from src.ratings import Comparisons

    listening = listen(arguments.host, arguments.port)
    cache = FeatureCache(Path(arguments.cache_directory or default_folder(directory)))
    hashes = hash_images(directory, arguments.exclude, arguments.follow_links, cache)
    with Comparisons(comparisons_file(arguments, directory), arguments.rater) as comparisons:
        registered = comparisons.register(hashes)
        report_images(hashes, registered)
        gallery = make_gallery(directory, registered.ids, arguments.follow_links)
        import_scores(scores, arguments.score_column, rating.rescale, comparisons, registered.ids, directory)
        hold_out(comparisons, pairing)
        model_scores = score_with_model(arguments, directory, cache, registered.ids)
        preview = preview_gallery(arguments)
        with (
            start_assistant(arguments, gallery, cache) as assistant,
            start_model(arguments, directory, cache, preview) as model,
        ):
            live = LiveRatings(comparisons, rating, model_scores)
            use(assistant, live, model, wait=arguments.minimum_score is not None)
            allowed = allowed_images(live, gallery.paths, arguments.regex or "", arguments.minimum_score)
            file = ScoreFile(scores, arguments.score_column, registered.ids, live, directory)
            on_close = partial(finish_batch, gallery, file, model, arguments.rater)
            session = Session(comparisons, live, allowed, pairing, on_close)
            words, view = words_of(arguments, directory, scores, comparisons.path), view_of(model, file, preview)
            server = Server(session, gallery, arguments.host, listening, words, view)
            with ending(assistant, session, file, model, words.command):
                announce(server.address, int(session.allowed.sum()), len(live.log), arguments.host)
                server.run(open_browser=not arguments.no_browser)


def words_of(arguments: argparse.Namespace, directory: Path, scores: Path, choices: Path) -> "Words":
    """What the page asks, and says at the end: where all is, and the command that trains on it."""
    from src.ab_page import Words

    shown = shown_path(scores.resolve()), shown_path(choices.resolve())
    return Words(arguments.question, *shown, after_choosing(directory, scores, arguments.feature_extractor_model))


def view_of(model: "ChosenModel", file: "ScoreFile", preview: "Gallery | None") -> "ModelView":
    """What the page shows of the model."""
    from src.ab_page import ModelView

    return ModelView(partial(model.ask, file.rated), model.page, preview)


def hash_images(directory: Path, exclude: list[str], follow_links: bool, cache: "FeatureCache") -> dict[str, str]:
    """Relative path -> content hash of every image; those that can't be read or shown are named."""
    from src.features import find_images, leading_out
    from src.scores import listing

    paths = find_images(directory, exclude)
    if not follow_links and (out := leading_out(directory, paths)):
        paths = sorted({*paths} - {*out})
        print(f"left out, links that lead out of the folder: {listing(out)}; --follow_links shows them")
    if not paths:
        raise UserError(f"{directory}: there are no images; name the folder of your images with --directory")
    print(f"{number_of(len(paths), 'image')}; those not known yet are read once ...", flush=True)
    hashes, unreadable = cache.hashes(directory, paths)
    for path, reason in unreadable.items():
        print(f"left out, can't be read: {path}: {reason}")
    return hashes


def report_images(hashes: dict[str, str], registered: "Registered") -> None:
    """What is new or different since last time."""
    from src.scores import listing

    added, moved, new = len(registered.added), registered.moved, registered.replaced
    copies = len(hashes) - len(set(hashes.values()))
    notes = [
        f"{number_of(added, 'image', 'is')} new" if added else "",
        f"{number_of(copies, 'file', 'has')} the content of another, and no rating of its own" if copies else "",
        f"{number_of(len(moved), 'image', 'was')} moved or renamed, history kept: {listing(moved)}" if moved else "",
        f"{number_of(len(new), 'image', 'has')} new content, rated anew: {listing(new)}" if new else "",
    ]
    print("\n".join(note for note in notes if note))


def score_with_model(
    arguments: argparse.Namespace, directory: Path, cache: "FeatureCache", ids: dict[str, int]
) -> "ModelPrior | None":
    """What the model says of each image; None without a model, or where it says what the ratings say."""
    from src.choosing import is_from_choices

    path = model_path(arguments, directory)
    if not path.exists() or (is_from_choices(path) and not arguments.new_from_model):
        return None
    from src.ratings import ModelPrior

    with working(f"Loading the model {path}"):
        from src.scoring import ScoringSettings, held_out_correlation, load_models, score_images

        models = load_models([path], ScoringSettings(gate=False, device=arguments.device))
    scored = score_images(directory, list(ids), models, cache, arguments.extract_batch_size)
    print(f"{number_of(len(scored), 'image', 'has')} a score of the model {path}.")
    scores = {ids[p]: float(score) for p, score in zip(scored.paths, scored.scores[:, 0], strict=True)}
    return ModelPrior(scores, path.name, held_out_correlation(models[0].metadata))


def start_assistant(arguments: argparse.Namespace, gallery: "Gallery", cache: "FeatureCache") -> "Assistant":
    """Begin to get features, in another process, where the ratings are to be assisted by them."""
    from src.ratings import Assistant, Task

    task = settings_of(Task, arguments, directory=gallery.directory, images=gallery.paths, cache=cache.folder)
    return Assistant(task if arguments.rating == "assisted" else None)


def preview_gallery(arguments: argparse.Namespace) -> "Gallery | None":
    """The images of --preview, numbered from 1; None where there are none to look at."""
    if not arguments.preview or arguments.no_model or arguments.rating != "assisted":
        return None
    from src.ab_page import make_gallery
    from src.features import find_images

    folder = Path(arguments.preview).expanduser()
    paths = find_images(folder, arguments.exclude) if folder.is_dir() else []
    if not paths:
        raise UserError(
            f"--preview={arguments.preview}: there is no such folder with images; name one, or leave it out"
        )
    return make_gallery(folder, {path: number for number, path in enumerate(paths, 1)})


def start_model(
    arguments: argparse.Namespace, directory: Path, cache: "FeatureCache", preview: "Gallery | None"
) -> "ChosenModel":
    """What makes the --model from the choices, in another process, where one is wanted."""
    from src.choosing import ChosenModel, Place

    if arguments.no_model or arguments.rating != "assisted":
        return ChosenModel(None)
    path, about = model_path(arguments, directory), {"score_column": arguments.score_column, "rater": arguments.rater}
    check_writable("modelpath" if arguments.modelpath else "model", path)
    shown = (preview.directory, tuple(preview.paths.values())) if preview else (None, ())
    device, at_once = arguments.device, arguments.extract_batch_size
    place = Place(path, directory, cache.folder, device, at_once, shown[0], shown[1], about, arguments.seed)
    return ChosenModel(place)


def hold_out(comparisons: "Comparisons", pairing: PairingSettings) -> None:
    """Draw the images of --held_out_screens, before anything is chosen of them; say how many there are."""
    if not pairing.held_out_screens:
        return
    comparisons.hold_out(pairing.held_out_screens, pairing.seed)
    if (there := int(comparisons.log(comparisons.rater).held_out.sum())) < pairing.number_to_compare:
        raise UserError(
            f"--held_out_screens={pairing.held_out_screens:g}: {number_of(there, 'image')} could be held out, of "
            f"those not compared yet, and a screen shows {pairing.number_to_compare}; ask for a larger share, or "
            "leave it out"
        )
    held = number_of(there, "image", "is")
    print(f"{held} held out: neither ratings nor model learn of them, and the model is checked there.")


def use(assistant: "Assistant", live: "LiveRatings", model: "ChosenModel", wait: bool) -> None:
    """Let ratings and model use features as soon as there are any. wait: for them, and for those ratings."""
    from src.scores import listing

    def ready(found: "Assistance") -> None:
        if found.unreadable:
            print(f"{number_of(len(found.unreadable), 'image', 'has')} no features: {listing(found.unreadable)}")
        live.assist(found.extractor, found.similarity)
        model.use(found)

    def failed(reason: str) -> None:
        live.go_without(reason)
        model.go_without(reason)

    assistant.report(ready, failed)
    if wait and assistant.busy:
        print("Waiting for the features of the images, as --minimum_score is about ratings that they assist ...")
        assistant.wait()
        live.fit()


def allowed_images(
    live: "LiveRatings", paths: dict[int, str], regex: str, minimum_score: float | None
) -> "np.ndarray":
    """(N,) bool, rows of the log: the images that may be shown, those excluded among them."""
    import numpy as np

    from src.ratings import rescaled

    pattern = re.compile(regex)
    wanted = [image for image, path in paths.items() if pattern.search(path)]
    allowed = np.isin(live.log.images, wanted)
    if minimum_score is not None:
        allowed &= rescaled(live.ratings, live.settings.rescale)[0] >= minimum_score
    return allowed


@contextmanager
def ending(
    assistant: "Assistant", session: "Session", file: "ScoreFile", model: "ChosenModel", command: str
) -> Iterator[None]:
    """What comes after choosing, however that ended: the open batch, features still to come, scores and model."""
    hurry = False
    end_on_signals()
    try:
        yield
    except SystemExit:  # whoever sends SIGTERM or SIGHUP may soon send SIGKILL
        hurry = True
        raise
    finally:
        if hurry:
            assistant.close()
            model.close()
        session.end()
        if session.live.waits and session.live.changed and not hurry:
            wait_for_features(assistant)
        assistant.close()  # what comes now comes too late
        if session.live.waits:
            model.go_without("they were not ready in time")
        session.live.close()
        try:
            with working("Fitting the ratings to all choices", session.live.steps):
                said = file.write()
        except KeyboardInterrupt:
            print(f"The choices are in {session.comparisons.kept_in}; {file.path} may lack some of them yet:")
            print("start the scorer again and finish with Q, and it has them.", flush=True)
            raise
        if session.live.changed and not hurry:
            with working("Making the model of your choices"):
                model.ask(file.rated)
                model.wait()
        basis = session.live.basis if session.live.changed else ""
        told = [basis, said, model.text, f"The choices are in {session.comparisons.kept_in}."]
        print("\n".join(line for line in told if line))
        if file.path.exists():
            print(f"Next, to train a model on them:\n{command}")


def wait_for_features(assistant: "Assistant") -> None:
    """Another Ctrl-C gives up."""
    print("Waiting for the features of your pictures, which assist the scores; Ctrl-C: not any more ...", flush=True)
    with suppress(KeyboardInterrupt):
        assistant.wait()


def finish_batch(gallery: "Gallery", file: "ScoreFile", model: "ChosenModel", rater: str, closed: "Closed") -> None:
    """What happens after each batch."""
    show(closed, gallery.paths)
    write_stats(gallery.directory, rater, closed)
    file.write()
    model.ask(file.rated)


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


def announce(address: str, images: int, choices: int, host: str) -> None:
    """Where to choose, and how to stop."""
    from src.ab_page import is_loopback, qr_code
    from src.common import number_of

    print(f"{images} images may be shown; {number_of(choices, 'comparison')} so far. Choose at {address}")
    if not is_loopback(host) and (code := qr_code(address, sys.stdout.encoding or "ascii")):
        print(f"The same for a phone in your network:\n{code}")
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
