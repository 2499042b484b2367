"""Choose the better of two images in the browser; every choice is kept, and ratings are fitted to the choices.

python aesthetic_ab_scorer.py "@arguments.txt"
"""

import argparse
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before numpy: idle threads must not spin on a busy machine

from src.common import UserError, command_of, number_of, run_script, working
from src.options import CHOOSE, comparisons_file, image_directory, model_path, parse_arguments, settings_of
from src.ratings import PairingSettings, RatingSettings

if TYPE_CHECKING:
    from types import FrameType

    import numpy as np

    from src.ab_page import Closed, Gallery, LiveRatings, Session, Words
    from src.features import FeatureCache
    from src.ratings import Assistance, Assistant, Comparisons, ModelPrior, Ratings, Registered

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
        model_scores = score_with_model(arguments, directory, cache, registered.ids)
        with start_assistant(arguments, gallery, cache) as assistant:
            live = LiveRatings(comparisons, rating, model_scores)
            use(assistant, live, wait=arguments.minimum_score is not None)
            allowed = allowed_images(live, gallery.paths, arguments.regex or "", arguments.minimum_score)
            file = ScoreFile(scores, arguments.score_column, registered.ids, live, directory)
            on_close = partial(finish_batch, gallery, file, arguments.rater)
            session = Session(comparisons, live, allowed, pairing, on_close)
            words = words_of(arguments, directory, scores, comparisons.path)
            server = Server(session, gallery, arguments.host, listening, words)
            with ending(assistant, session, file, words.command):
                announce(server.address, int(session.allowed.sum()), len(live.log), arguments.host)
                server.run(open_browser=not arguments.no_browser)


def words_of(arguments: argparse.Namespace, directory: Path, scores: Path, choices: Path) -> "Words":
    """What the page asks, and says at the end: where all is, and the command that trains on it."""
    from src.ab_page import Words

    script = Path(__file__).resolve().with_name("aesthetic_predictor_training.py")
    files = [f"@{Path(word[1:]).resolve()}" for word in sys.argv[1:] if word.startswith("@")]
    named = [f"--directory={directory.resolve()}", f"--scores={scores.resolve()}"]
    command = command_of(["python", str(script), *files, *named])
    return Words(arguments.question, str(scores.resolve()), str(choices.resolve()), command)


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
    path: Path,
    score_column: str,
    rescale: str,
    comparisons: "Comparisons",
    ids: dict[str, int],
    directory: Path | None = None,
) -> None:
    """Scores that another program or a person wrote become starting ratings, once. directory: the images'."""
    import numpy as np

    from src.ratings import start_from
    from src.scores import begun_at, is_chosen, match_images, read_scorefile

    if not path.exists():
        return
    table, problems = match_images(read_scorefile(path, score_column, directory), list(ids))
    print("\n".join([*table.problems, *problems]))
    if is_chosen(table):
        if len(comparisons.log()):
            return  # the choices say more, whoever made them
        print(
            f"note: {path} comes from choices, and {comparisons.path} holds none: if it was lost, moved or emptied, "
            "put it back before you choose"
        )
    images = np.array([ids[image] for image in table.paths], dtype=np.int64)
    if begun := start_from(comparisons, images, table.scores, rescale, begun_at(table)):
        print(f"{begun} scores of {path} are the starting ratings of their images.")


def score_with_model(
    arguments: argparse.Namespace, directory: Path, cache: "FeatureCache", ids: dict[str, int]
) -> "ModelPrior | None":
    """What the model says of each image; None without a model."""
    path = model_path(arguments, directory)
    if not path.exists():
        print(f"note: there is no model {path} yet; train one with aesthetic_predictor_training.py")
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


def use(assistant: "Assistant", live: "LiveRatings", wait: bool) -> None:
    """Let the ratings be assisted as soon as there are features. wait: for them, and for those ratings."""
    from src.scores import listing

    def ready(found: "Assistance") -> None:
        if found.unreadable:
            print(f"{number_of(len(found.unreadable), 'image', 'has')} no features: {listing(found.unreadable)}")
        live.assist(found.extractor, found.similarity)

    assistant.report(ready, live.go_without)
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


@dataclass
class ScoreFile:
    """The score file: what is written there, and when it isn't. ids: relative path -> image id. directory: theirs."""

    path: Path
    column: str
    ids: dict[str, int]
    live: "LiveRatings"
    directory: Path | None = None
    written: "Ratings | None" = None
    estimated: int = 0  # scores that are a model's still

    def write(self) -> str:
        """Write the scores if there are new choices; what became of the file, in words.

        Scores that features assisted stay where the new ones would lack that, unless that is asked for.
        """
        from src.scores import holds_assisted

        if not self._is_new():
            return f"There is no new choice, and {self.path} stays as it is." if self.path.exists() else ""
        ratings, assisted_by = self.live.latest_and_by()
        if self.live.settings.rating == "assisted" and not assisted_by and holds_assisted(self.path, self.column):
            return (
                f"{self.path} keeps its scores, as features assisted those and are missing now. Your new choices are "
                "stored, and count there once features can be had; --rating=bradley_terry does without."
            )
        if ratings is not self.written:
            self._replace(ratings, assisted_by)
            self.written = ratings
        more = f"; {self.estimated} of them more a model's than yours by now" if self.estimated else ""
        return f"The scores are in {self.path}{more}."

    def _is_new(self) -> bool:
        from src.scores import is_behind

        log = self.live.log
        if not log.comparisons.any() and not self.path.exists():
            return False
        counts = log.comparisons[log.rows(list(self.ids.values()))]
        if self.live.changed or self.written is not None:
            return True
        back = self.live.taken_back(list(self.ids.values()))
        return is_behind(self.path, self.column, list(self.ids), counts, back, self.directory)

    def _replace(self, ratings: "Ratings", assisted_by: str) -> None:
        """An image never compared, nor scored before, has no score."""
        import numpy as np

        from src.ratings import rescaled
        from src.scores import ChosenScores, write_chosen

        rated = ratings.comparisons > 0
        rows = np.searchsorted(ratings.images, list(self.ids.values()))
        scores, errors = rescaled(ratings, self.live.settings.rescale)
        scores = np.where(rated | ~np.isnan(self.live.log.starting_ratings), scores, np.nan)
        errors = np.where(rated, errors, np.nan)
        columns = scores[rows], errors[rows], ratings.comparisons[rows]
        began_at, share = self.live.log.began_at[rows].tolist(), ratings.choice_share
        chosen = ChosenScores(list(self.ids), *columns, assisted_by, began_at, None if share is None else share[rows])
        write_chosen(self.path, self.column, chosen, self.directory)
        self.estimated = int(chosen.estimated.sum())


@contextmanager
def ending(assistant: "Assistant", session: "Session", file: ScoreFile, command: str) -> Iterator[None]:
    """What comes after choosing, however that ended: the open batch, features that are still to come, the scores."""
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
        session.end()
        if session.live.waits and session.live.changed and not hurry:
            wait_for_features(assistant)
        assistant.close()  # what comes now comes too late
        session.live.close()
        with working("Fitting the ratings to all choices", session.live.steps):
            said = file.write()
        basis = session.live.basis if session.live.changed else ""
        print(f"{basis}\n{said}\nThe choices are in {session.comparisons.kept_in}.".strip())
        if file.path.exists():
            print(f"Next, to train a model on them:\n{command}")


def end_on_signals() -> None:
    """SIGTERM, and a terminal that is closed, end the scorer with all done; not where nohup ignores them."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # Windows has no SIGHUP
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end_on_signal)


def end_on_signal(number: int, frame: "FrameType | None") -> None:
    """Once: what is being written by then is written to its end."""
    signal.signal(number, signal.SIG_IGN)
    if number != signal.SIGTERM:  # the terminal is gone, and with it who reads what is printed
        nothing = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nothing, stream)
    sys.exit(128 + number)


def wait_for_features(assistant: "Assistant") -> None:
    """Another Ctrl-C gives up."""
    print("Waiting for the features of your pictures, which assist the scores; Ctrl-C: not any more ...", flush=True)
    with suppress(KeyboardInterrupt):
        assistant.wait()


def finish_batch(gallery: "Gallery", file: ScoreFile, rater: str, closed: "Closed") -> None:
    """What happens after each batch."""
    show(closed, gallery.paths)
    write_stats(gallery.directory, rater, closed)
    file.write()


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
