"""Score folders of images with trained models; choose, copy, fill in score files, write stars, watch.

python aesthetic_score_from_model.py -d photos -m photos/model.safetensors -o scores.csv
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.common import UserError, run
from src.options import SCORE, image_directory, model_paths, parse_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from src.features import FeatureCache
    from src.model import Unsaid
    from src.scores import ScoreTable
    from src.scoring import Model, Scored, State

DESCRIPTION = "Score folders of images with trained models, and choose, sort and rate images by their scores."


def main() -> None:
    arguments = parse_arguments(SCORE, DESCRIPTION)
    if arguments.convert or arguments.export_onnx:
        write_model(arguments)
        return
    directory = image_directory(arguments)
    check(arguments)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch.
    from src.features import FeatureCache, default_folder
    from src.scoring import check_outfile, choose, load_models, score_images, states_of, terminal_table, write_scores

    column = arguments.score_column
    outfile = check_outfile(arguments.outfile, arguments.watch, column) if arguments.outfile else None
    images, paths = images_to_score(arguments, directory, outfile)
    table = read_scores(arguments, directory, images)
    files, thresholds = model_paths(arguments, directory), arguments.threshold or []
    models = load_models(files, thresholds, arguments.device, unsaid(arguments), arguments.gate)
    check_models(arguments, models)
    cache = FeatureCache(Path(arguments.cache_directory or default_folder(directory)))
    seen, start = states_of(directory, images if arguments.watch else []), time.monotonic()
    scored = score_images(directory, paths, models, cache, arguments.extract_batch_size)
    check_scored(arguments, directory, scored)
    chosen = choose(scored, *limits(arguments))
    if outfile:
        write_scores(outfile, scored.part(chosen))
    elif not (table or arguments.write_xmp or handing_way(arguments)):
        print("\n".join(terminal_table(scored.part(chosen))))
    if table:
        update_scores(arguments, directory, table, scored)
    if arguments.write_xmp:
        write_stars(arguments, directory, scored.part(chosen))
    hand_on(arguments, directory, scored, chosen)
    summarise(scored, len(chosen), outfile, time.monotonic() - start)
    if arguments.watch:
        watch(arguments, directory, seen, scored.models, cache, outfile)


def unsaid(arguments: argparse.Namespace) -> "Unsaid":
    """What to take where another's model file does not say it."""
    from src.model import Unsaid

    return Unsaid(arguments.head_extractor, arguments.head_input)


def write_model(arguments: argparse.Namespace) -> None:
    """The one --model in our own format, or as ONNX; nothing is scored."""
    from src.model import load_predictor, moved, save_converted

    paths = model_paths(arguments, Path(arguments.directory or ".").expanduser())
    targets = {".safetensors": arguments.convert, ".onnx": arguments.export_onnx}
    for suffix, text in targets.items():
        if text and Path(text).suffix != suffix:
            raise UserError(f"--{'export_onnx' if suffix == '.onnx' else 'convert'}={text}: must end with {suffix}")
    if len(paths) > 1:
        raise UserError(f"{len(paths)} models are given, and one can be converted or exported at once")
    predictor, metadata = load_predictor(paths[0], unsaid(arguments))
    if arguments.convert:
        target = Path(arguments.convert).expanduser()
        save_converted(target, predictor, moved(metadata, paths[0], target))
    if arguments.export_onnx:
        from src.model import export_onnx

        export_onnx(predictor, Path(arguments.export_onnx).expanduser(), metadata)
    print("\n".join(f"{paths[0]} is now also {text}" for text in targets.values() if text))
    if arguments.export_onnx and "filter_model" in metadata:
        print(
            f"{arguments.export_onnx} is the second of two stages alone: {metadata['filter_model']} belongs before "
            f"it, and of images that have less than {metadata.get('filter_threshold')} there its scores mean nothing."
        )


def check(arguments: argparse.Namespace) -> None:
    """Refuse now what can't go together or can't be, rather than after an hour."""
    from src.scoring import WAYS, check_format, check_target

    ways = [way for way in WAYS if getattr(arguments, f"{way}_to")]
    if len(ways) > 1:
        raise UserError(f"--{ways[0]}_to and --{ways[1]}_to: an image can go one way only; take one of them out")
    if ways:
        check_format(arguments.filename_format)
        check_target(f"{ways[0]}_to", Path(getattr(arguments, f"{ways[0]}_to")).expanduser())
    for name in ("top", "bottom", "copy_to", "move_to", "link_to", "update_scores") if arguments.watch else ():
        if getattr(arguments, name):
            raise UserError(
                f"--{name} needs all images to be there, and with --watch more come; leave one of them out"
            )
    if arguments.only_passed and not arguments.threshold:
        raise UserError("--only_passed needs a --threshold for each model")


def images_to_score(
    arguments: argparse.Namespace, directory: Path, outfile: Path | None
) -> tuple[list[str], list[str]]:
    """All images of the directory, and those that --regex leaves; UserError where there are none, nor will be."""
    from src.features import find_images
    from src.scoring import check_names, matching

    images = find_images(directory)
    paths = matching(images, arguments.regex)
    if not (images or arguments.watch):
        raise UserError(f"{directory}: there are no images; name the folder of your images with --directory")
    if not (paths or arguments.watch):
        patterns = " ".join(f"--regex={pattern}" for pattern in arguments.regex)
        raise UserError(f"{patterns}: finds none of the {len(images)} images in {directory}, such as {images[0]}")
    if outfile:
        check_names(outfile, paths)
    return images, paths


def check_scored(arguments: argparse.Namespace, directory: Path, scored: "Scored") -> None:
    """UserError, behind the reasons, where none of the images could be read."""
    from src.scoring import unreadable_lines

    if scored.unreadable and not (len(scored) or arguments.watch):
        print("\n".join(unreadable_lines(scored)), file=sys.stderr)
        raise UserError(f"{directory}: none of {len(scored.unreadable)} images can be read; see --directory")


def handing_way(arguments: argparse.Namespace) -> str | None:
    """copy, move or link, where one of them was asked for."""
    return next((way for way in ("copy", "move", "link") if getattr(arguments, f"{way}_to")), None)


def limits(arguments: argparse.Namespace) -> tuple[float | None, float | None, int | None, int | None, bool]:
    """What `choose` takes."""
    wanted = arguments.minimum_score, arguments.maximum_score, arguments.top, arguments.bottom
    return *wanted, arguments.only_passed


def check_models(arguments: argparse.Namespace, models: "list[Model]") -> None:
    """Stars, and {percentile} in names, need a model that knows its percentiles."""
    names = handing_way(arguments) and "{percentile" in arguments.filename_format
    if (arguments.write_xmp or names) and models[0].quantiles is None:
        what = "--write_xmp" if arguments.write_xmp else "{percentile} in --filename_format"
        raise UserError(f"{what}: {models[0].path} has no train_score_quantiles in its metadata; train it again")


def read_scores(
    arguments: argparse.Namespace, directory: Path, images: list[str]
) -> "tuple[Path, ScoreTable] | None":
    """The score file to fill in, before hours are spent on scoring."""
    from src.scoring import find, read_table

    if not arguments.update_scores:
        return None
    path = find(arguments.update_scores, directory)
    table, problems = read_table(path, arguments.score_column, images)
    print("\n".join(problems) + "\n" * bool(problems), end="")
    return path, table


def update_scores(
    arguments: argparse.Namespace, directory: Path, table: "tuple[Path, ScoreTable]", scored: "Scored"
) -> None:
    """Fill in the estimates, and say how they were made."""
    from src.scoring import beside, fill, write_filled

    path = table[0] if arguments.in_place else beside(table[0])
    model_scores = dict(zip(scored.paths, scored.scores[:, 0].tolist(), strict=True))
    scores, estimated, rescaling = fill(table[1], model_scores)
    print(rescaling)
    if not arguments.dry_run:
        write_filled(path, table[1], scores, estimated)
    print(f"{estimated.sum()} estimates {'would go' if arguments.dry_run else 'were written'} into {path}")


def write_stars(arguments: argparse.Namespace, directory: Path, chosen: "Scored") -> None:
    """xmp:Rating of each image into its sidecars, by its percentile among the training images."""
    from src.scoring import NotXmp, sidecars, stars, write_rating

    changed = same = 0
    ratings = stars(chosen.models[0].percentiles(chosen.scores[:, 0]), arguments.stars).tolist()
    for path, rating in zip(chosen.paths, ratings, strict=True):
        for sidecar in sidecars(directory / path, arguments.xmp_name):
            if arguments.dry_run:
                print(f"{'*' * rating:<5} would go into {sidecar}")
                continue
            try:
                written = write_rating(sidecar, rating)
            except NotXmp as problem:
                print(f"note: {sidecar}: {problem}; it is left as it is", file=sys.stderr)
                continue
            changed, same = changed + written, same + (not written)
    if not arguments.dry_run:
        counts = ", ".join(f"{ratings.count(rating)} with {rating}" for rating in range(5, 0, -1))
        print(f"Stars: {changed} sidecars written, {same} had them already ({counts}).")


def hand_on(arguments: argparse.Namespace, directory: Path, scored: "Scored", chosen: "np.ndarray") -> None:
    """Copy, move or link the chosen images, best first."""
    from src.scores import shown
    from src.scoring import carry_out, columns_of, new_name, plan, ranks, rows_of

    way = handing_way(arguments)
    if way is None:
        return
    target = Path(getattr(arguments, f"{way}_to")).expanduser()
    rank = ranks(scored.scores[:, 0])
    order = chosen[rank[chosen].argsort()]
    scores, percentiles = scored.scores[:, 0], scored.models[0].percentiles(scored.scores[:, 0])
    values = [{"rank": int(rank[i]), "score": float(scores[i]), "percentile": float(percentiles[i])} for i in order]
    paths = [scored.paths[i] for i in order]
    names = [new_name(arguments.filename_format, path, value) for path, value in zip(paths, values, strict=True)]
    steps = plan(directory, target, list(zip(paths, names, strict=True)))
    if arguments.dry_run:
        print("\n".join(f"would {way} {shown(step.path)} -> {shown(str(step.target))}" for step in steps))
        return
    columns = ["relative_path", "source", "rank", *columns_of(list(scored.models))[1:]]
    known = zip(steps, rank[order].tolist(), rows_of(scored.part(order)), strict=True)
    rows = [[step.target.name, step.path, place, *row[1:]] for step, place, row in known]
    table = carry_out(way, target, steps, columns, rows)
    done = {"copy": "copied", "move": "moved", "link": "linked"}[way]
    print(f"{len(steps)} images {done} to {target}; see {table.name} there.")


def summarise(scored: "Scored", chosen: int, outfile: Path | None, seconds: float) -> None:
    """How much was new, and what was left out and why; on stderr, so that tables can be piped."""
    from src.scoring import summary_lines, unreadable_lines

    lines = [*unreadable_lines(scored), *summary_lines(scored, chosen, seconds)]
    print("\n".join([*lines, f"Scores are in {outfile}"] if outfile else lines), file=sys.stderr)


def watch(
    arguments: argparse.Namespace,
    directory: Path,
    seen: "Mapping[str, State | None]",
    models: "Sequence[Model]",
    cache: "FeatureCache",
    outfile: Path | None,
) -> None:
    """Score what comes, until Ctrl-C. seen: the files as they were before the first pass."""
    from src.scores import shown
    from src.scoring import Watch, append_line, choose, line_for_people, matching, rows_of, score_images

    def handle(paths: list[str]) -> dict[str, str]:
        wanted = matching(paths, arguments.regex)
        new = score_images(directory, wanted, models, cache, arguments.extract_batch_size, progress=False)
        chosen = new.part(choose(new, *limits(arguments)))
        for row in rows_of(chosen):
            if outfile:
                append_line(outfile, row)
            print(line_for_people(row), flush=True)
        if arguments.write_xmp and len(chosen):
            write_stars(arguments, directory, chosen)
        return new.unreadable

    def report(path: str, reason: str) -> None:
        print(f"note: {shown(path)}: {reason}; not scored unless it changes", file=sys.stderr, flush=True)

    print(f"Watching {directory}; Ctrl-C stops.", file=sys.stderr, flush=True)
    waiting = Watch(directory, seen, handle, report)
    try:
        waiting.run()
    except KeyboardInterrupt:
        waiting.give_up()
        print("Stopped.", file=sys.stderr)


if __name__ == "__main__":
    run(main)
