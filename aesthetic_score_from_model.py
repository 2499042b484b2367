"""Score folders of images with trained models; choose, copy, fill in score files, write stars, watch.

python aesthetic_score_from_model.py -d photos -m photos/model.safetensors -o scores.csv
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.common import UserError, number_of, run_script, working
from src.options import (
    SCORE,
    after_scoring,
    model_paths,
    parse_arguments,
    place_of_images,
    scoring_again,
    settings_of,
)
from src.scoring import (
    FillingSettings,
    GallerySettings,
    HandingOnSettings,
    ScoringSettings,
    SelectionSettings,
    StarSettings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from src.features import FeatureCache
    from src.scoring import About, Gallery, Model, Parts, Portion, Scored, State, Unfilled

DESCRIPTION = "Score folders of images with trained models, and choose, sort and rate images by their scores."


def main() -> None:
    arguments = parse_arguments(SCORE, DESCRIPTION)
    if arguments.convert or arguments.export_onnx:
        return write_model(arguments)
    if arguments.merge:
        return put_together(arguments)
    directory, address = place_of_images(arguments)
    check(arguments, address)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch.
    from src.features import is_remote
    from src.scoring import check_readable, choose, is_done, place_of, read_unfilled, states_of, summarise

    outfile, images, paths, shard = images_to_score(arguments, directory, address)
    if shard and outfile and is_done(outfile, shard):
        return print(f"{outfile} is there already, with all that --shard={arguments.shard} asks for.")
    unfilled = read_unfilled(directory, images, settings_of(FillingSettings, arguments))
    with working("Loading torch and the models"):
        models = models_to_ask(arguments, directory)
    cache, parts = stores_of(arguments, directory, outfile)
    seen, start = states_of(directory, images if arguments.watch else []), time.monotonic()
    scored = score(arguments, directory, paths, models, cache, parts)
    check_readable(directory, scored, arguments.watch or arguments.shard)
    chosen = choose(scored, settings_of(SelectionSettings, arguments))
    chosen = use(arguments, directory, scored, chosen, outfile, unfilled, shard)
    summarise(scored, len(chosen), place_of(outfile, arguments.outfile), time.monotonic() - start)
    if parts:
        parts.remove()
    if arguments.watch:
        watch(arguments, directory, seen, cache, outfile, scored.part(chosen))
    elif not (address or arguments.archives or any(map(is_remote, paths))):
        known = [model.path for model in models], outfile, len(scored.paths)
        if following := after_scoring(arguments, directory, *known):
            print(following, file=sys.stderr)


def write_model(arguments: argparse.Namespace) -> None:
    """The one --model in our own format, or as ONNX; nothing is scored."""
    from src.model import Unsaid, convert

    paths = model_paths(arguments, Path(arguments.directory or ".").expanduser())
    unsaid = Unsaid(arguments.head_extractor, arguments.head_input)
    print("\n".join(convert(paths, arguments.convert, arguments.export_onnx, unsaid)))


def put_together(arguments: argparse.Namespace) -> None:
    """The files of all shards as one; nothing is scored."""
    from src.scoring import merge

    if not arguments.outfile:
        raise UserError("--merge needs --outfile, the one that the shards were given")
    print(f"{arguments.outfile}: {merge(arguments.outfile, arguments.score_column)}")


def check(arguments: argparse.Namespace, address: str) -> None:
    """Refuse now what can't go together or can't be, rather than after an hour."""
    from src.scoring import check_gallery, check_handing_on

    check_handing_on(handing_on_of(arguments))
    if arguments.gallery and (arguments.shard or arguments.archives or address):
        raise UserError("--gallery shows images of a folder here; leave out --shard, --archives and addresses, or it")
    if check_gallery(settings_of(GallerySettings, arguments)) and arguments.move_to:
        raise UserError(
            "--gallery shows images where they are, and --move_to takes them away; do one after the other"
        )
    check_engine(arguments)
    for name in ("top", "bottom", "update_scores", "list") if arguments.watch else ():
        if getattr(arguments, name):
            raise UserError(
                f"--{name} needs all images to be there, and with --watch more come; leave one of them out"
            )
    if arguments.watch and arguments.archives:
        raise UserError("--watch waits for files, and sees no images in archives that come; leave out --archives")
    for name in ("top", "bottom", "copy_to", "move_to", "link_to", "update_scores") if arguments.shard else ():
        if getattr(arguments, name):
            raise UserError(f"--{name} needs all images, and --shard={arguments.shard} knows its own; leave one out")
    for name in ("watch", "update_scores") if address else ():
        if getattr(arguments, name):
            raise UserError(
                f"--{name} needs a folder of this machine, and --directory={address} is none; leave it out"
            )
    if arguments.only_passed and not arguments.threshold:
        raise UserError("--only_passed needs a --threshold for each model")


def check_engine(arguments: argparse.Namespace) -> None:
    """UserError where Ray is asked for and can't be had, or can't do what is asked for beside it."""
    if arguments.engine != "ray":
        return
    from src.scoring import check_ray

    if arguments.watch:
        raise UserError("--watch scores a few images now and then, and --engine=ray many at once; leave one out")
    if not arguments.outfile:
        raise UserError("--engine=ray: needs an --outfile, beside which scores are kept as they come; name one")
    check_ray(arguments.ray_address)


def handing_on_of(arguments: argparse.Namespace) -> HandingOnSettings:
    """Where chosen images go."""
    return settings_of(HandingOnSettings, arguments, as_they_come=arguments.watch)


def images_to_score(
    arguments: argparse.Namespace, directory: Path, address: str
) -> "tuple[Path | None, Sequence[str], Sequence[str], About | None]":
    """The outfile, all images of the directory, those to score, and what is known of the shard where they are one.

    UserError where it or they can't be had.
    """
    from src.scoring import Portion, check_names, find_wanted, may_be_over, not_handed_on

    outfile = None
    if arguments.outfile:
        outfile = outfile_of(arguments)
    handing_on = handing_on_of(arguments)
    may_come = arguments.watch or may_be_over(handing_on)
    portion = Portion(arguments.shard) if arguments.shard else None
    limits = arguments.regex, may_come, arguments.exclude, arguments.list, portion, arguments.archives, address
    images, paths = find_wanted(directory, *limits)
    check_own_files(arguments, directory, paths)
    paths = not_handed_on(directory, paths, handing_on)
    if outfile:
        check_names(outfile, paths)
    return outfile, images, paths, about_shard(arguments, directory, portion, paths) if portion else None


def check_own_files(arguments: argparse.Namespace, directory: Path, paths: "Sequence[str]") -> None:
    """UserError where something is to be done with the files of images that have none of their own."""
    from src.features import no_own_files

    asked = [name for name in ("copy_to", "move_to", "link_to", "write_xmp") if getattr(arguments, name)]
    if asked and (found := no_own_files(directory, paths)):
        raise UserError(
            f"--{asked[0]}: {found[0]} is in an archive or a store, where it stays; unpack or fetch it first"
        )


def outfile_of(arguments: argparse.Namespace) -> Path:
    """What --outfile names, or with --shard the file of that beside it."""
    from src.scoring import check_outfile, check_suffix, local_outfile

    here = local_outfile(arguments.outfile, bool(arguments.shard or arguments.watch or arguments.engine == "ray"))
    outfile = check_outfile(here, arguments.watch, arguments.score_column)
    if not arguments.shard:
        return outfile
    check_suffix("shard", outfile)
    return check_outfile(str(arguments.shard.file(outfile)), False, arguments.score_column)


def about_shard(
    arguments: argparse.Namespace, directory: Path, portion: "Portion", paths: "Sequence[str]"
) -> "About":
    """By what it is known whether this shard was scored before."""
    from src.scoring import describe

    asked = arguments.threshold, arguments.gate, vars(settings_of(SelectionSettings, arguments))
    return describe(portion, paths, model_paths(arguments, directory), asked)


def models_to_ask(arguments: argparse.Namespace, directory: Path) -> "list[Model]":
    """The models with their extractors; UserError where the first can't do what is asked for."""
    from src.scoring import check_percentiles, load_models

    models = load_models(model_paths(arguments, directory), settings_of(ScoringSettings, arguments))
    stars, handing_on = settings_of(StarSettings, arguments), handing_on_of(arguments)
    check_percentiles(models[0], stars, handing_on)
    return models


def stores_of(
    arguments: argparse.Namespace, directory: Path, outfile: Path | None
) -> "tuple[FeatureCache | None, Parts | None]":
    """Where it is kept what a killed run goes on from: features, or with --engine=ray the scores that came back."""
    from src.features import FeatureCache, default_folder
    from src.scoring import parts_of

    if outfile and arguments.engine == "ray":
        return None, parts_of(outfile, model_paths(arguments, directory), settings_of(ScoringSettings, arguments))
    return FeatureCache(Path(arguments.cache_directory or default_folder(directory))), None


def score(
    arguments: argparse.Namespace,
    directory: Path,
    paths: "Sequence[str]",
    models: "list[Model]",
    cache: "FeatureCache | None",
    parts: "Parts | None",
) -> "Scored":
    """What the models say of all images; this process asks them, or Ray where there are parts."""
    from src.scoring import score_images, score_on_ray

    if parts is None:
        return score_images(directory, paths, models, cache, arguments.extract_batch_size)
    settings = settings_of(ScoringSettings, arguments)
    return score_on_ray(directory, paths, models, settings, parts, arguments.ray_address)


def use(
    arguments: argparse.Namespace,
    directory: Path,
    scored: "Scored",
    chosen: "np.ndarray",
    outfile: Path | None,
    unfilled: "Unfilled | None",
    shard: "About | None" = None,
) -> "np.ndarray":
    """What was asked for: the outfile, estimates, stars, copies; else a table here. Returns whom it was done with."""
    from src.scoring import (
        best_first,
        fill_in,
        hand_on,
        table_head,
        table_lines,
        upload,
        what_is_left,
        write_about,
        write_scores,
        write_stars,
    )

    stars, handing_on = settings_of(StarSettings, arguments), handing_on_of(arguments)
    asked = arguments.model, arguments.regex, arguments.threshold, vars(settings_of(SelectionSettings, arguments))
    chosen, outfile = what_is_left(directory, scored.paths, chosen, outfile, handing_on, asked)
    if outfile and shard:
        write_about(outfile, replace(shard, rows=len(chosen), unreadable=len(scored.unreadable)))
    if outfile:
        write_scores(outfile, scored.part(chosen))
        upload(outfile, arguments.outfile)
    elif not (unfilled or stars.write_xmp or handing_on.folder or arguments.gallery):
        print("\n".join([table_head(scored.models), *table_lines(best_first(scored.part(chosen)))]))
    if unfilled:
        fill_in(unfilled, scored, settings_of(FillingSettings, arguments))
    if stars.write_xmp:
        write_stars(directory, scored.part(chosen), stars)
    if gallery := gallery_of(arguments, directory, scored.part(chosen)):
        show_gallery(gallery)
    if handing_on.folder:
        hand_on(directory, scored, chosen, handing_on, asked)
    return chosen


def gallery_of(arguments: argparse.Namespace, directory: Path, shown: "Scored") -> "Gallery | None":
    """The page of --gallery, of these images; it isn't written yet."""
    from src.scoring import Gallery, check_gallery

    settings = settings_of(GallerySettings, arguments)
    page = check_gallery(settings)
    again = scoring_again(arguments, directory, [model.path for model in shown.models])
    return Gallery(page, directory, shown, settings, again, arguments.watch) if page else None


def show_gallery(gallery: "Gallery") -> None:
    """Write it, open it where that is asked for, and say where it is."""
    from src.scoring import show_page

    gallery.write()
    how = "" if gallery.settings.open and show_page(gallery.page) else " (open it in a browser)"
    print(f"{number_of(len(gallery.shown), 'image')}, best first: {gallery.page.resolve()}{how}", flush=True)


def watch(
    arguments: argparse.Namespace,
    directory: Path,
    seen: "Mapping[str, State | None]",
    cache: "FeatureCache",
    outfile: Path | None,
    known: "Scored",
) -> None:
    """Score what comes, until Ctrl-C. seen: the files as they were before the first pass, which chose `known`."""
    from src.scoring import (
        choose,
        hand_on,
        keep_watching,
        matching,
        not_handed_on,
        score_images,
        table_head,
        write_rows,
        write_stars,
    )

    selection, stars = settings_of(SelectionSettings, arguments), settings_of(StarSettings, arguments)
    handing_on, gallery = handing_on_of(arguments), gallery_of(arguments, directory, known)

    def handle(paths: list[str]) -> dict[str, str]:
        wanted = not_handed_on(directory, matching(paths, arguments.regex), handing_on, say=False)
        new = score_images(directory, wanted, known.models, cache, arguments.extract_batch_size, progress=False)
        chosen = choose(new, selection)
        write_rows(outfile, new.part(chosen))
        if stars.write_xmp and len(chosen):
            write_stars(directory, new.part(chosen), stars)
        if gallery and len(new):
            gallery.add(new, chosen)
        if handing_on.folder and len(chosen):
            hand_on(directory, new, chosen, handing_on)
        return new.unreadable

    keep_watching(directory, seen, handle, table_head(known.models), arguments.exclude)


if __name__ == "__main__":
    run_script(main)
