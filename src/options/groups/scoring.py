"""Options of scoring: which images are chosen, and what is done with them."""

from ...scoring import (
    MOST_SHARDS,
    FillingSettings,
    GallerySettings,
    HandingOnSettings,
    ScoringSettings,
    SelectionSettings,
    Shard,
    StarSettings,
)
from ..kinds import ON_OFF, STARS, TEXT, Kind, choice, number, whole
from ..option import LOOK, SCORE, WAYS_TO, Group, of, scoring

# What --convert and --export_onnx heed; nothing is scored.
OF_A_MODEL = ("convert", "export_onnx", "model", "modelpath", "directory", "head_extractor", "head_input")

OF_A_MERGE = ("merge", "outfile", "directory", "model", "modelpath", "score_column")
SHARD = Kind(Shard.read, f"a part and their number, such as 1/64, at most {MOST_SHARDS}", "I/N")

SCORING = Group(
    "Scoring",
    (
        scoring(
            "--list", "only the images that this file names: a path a line, or a column of a .csv or .parquet", TEXT
        ),
        scoring(
            "--archives",
            "images in the directory's tar files and zip archives are scored too, where they are",
            ON_OFF,
            False,
            idle_with=("list",),
        ),
        scoring("-o --outfile", "write the scores to this .csv, .json or .parquet (none: a table here)", TEXT),
        scoring("--gallery", "write a page of the chosen images, best first, such as gallery.html", TEXT),
        scoring(
            "--open",
            "show that page in the browser, where there is a screen",
            ON_OFF,
            GallerySettings.open,
            needs=("gallery",),
        ),
        scoring(
            "--shard",
            "score only this part of the images, the first of four with 1/4, into a file beside the --outfile",
            SHARD,
            needs=("outfile",),
            idle_with=("watch",),
        ),
        scoring(
            "--merge",
            "only put the files of all shards together, as the --outfile",
            ON_OFF,
            False,
            needs=("outfile",),
            alone=OF_A_MERGE,
        ),
        scoring(
            "--engine",
            "what images go through: threads of this process, or Ray, here or on a cluster (requirements-ray.txt)",
            choice("threads", "ray"),
            "threads",
        ),
        scoring(
            "--ray_address",
            "the Ray cluster to join: auto, or its head's host:port (none: Ray is started on this machine)",
            TEXT,
            needs=("engine=ray",),
        ),
        scoring(
            "--convert",
            "only write the --model, whoever made it, to this file in our own format",
            TEXT,
            alone=OF_A_MODEL,
        ),
        scoring(
            "--export_onnx",
            "only write the --model, from features to score, to this .onnx file",
            TEXT,
            alone=OF_A_MODEL,
        ),
        scoring("--head_extractor", "the image model of a --model that does not name its own", TEXT),
        scoring(
            "--head_input",
            "what is done with the features of an image for a --model that does not say: l2 divides them by "
            "their length",
            choice("none", "l2"),
        ),
        scoring("--maximum_score", "choose images of at most this model score", number()),
        scoring("--top", "choose so many of the best", whole(1)),
        scoring("--bottom", "choose so many of the worst (with --top: both)", whole(1)),
        of(SCORE, LOOK)(
            "--threshold",
            "the model score from which an image passes: one for all models, or one for each --model in their order",
            number(),
            None,
            (SCORE, LOOK),
        ),
        scoring(
            "--only_passed",
            "choose images that pass every model's --threshold",
            ON_OFF,
            SelectionSettings.only_passed,
        ),
        scoring(
            "--gate",
            "images that the filter of a model (--filter_model in training) fails get the filter's score",
            ON_OFF,
            ScoringSettings.gate,
        ),
        scoring("--copy_to", "copy the chosen images into this folder, with a scores.csv", TEXT),
        scoring("--move_to", "move them there", TEXT),
        scoring("--link_to", "link to them there", TEXT),
        scoring(
            "--filename_format",
            "their names there, of rank (not with --watch), score, percentile, name, extension",
            TEXT,
            HandingOnSettings.filename_format,
            needs=WAYS_TO,
        ),
        scoring(
            "--with_siblings",
            "files that belong to an image by their names go along: captions (.txt), .xmp, .json, .npz, .AAE, ...",
            ON_OFF,
            HandingOnSettings.with_siblings,
            needs=WAYS_TO,
        ),
        scoring(
            "--dry_run",
            "only print what would be copied, moved, linked, rated or filled in",
            ON_OFF,
            HandingOnSettings.dry_run,
            needs=(*WAYS_TO, "write_xmp", "update_scores"),
        ),
        scoring(
            "--update_scores",
            "fill in this score file: images without a score get the model's, rescaled",
            TEXT,
        ),
        scoring(
            "--in_place",
            "change that score file itself, instead of writing beside it",
            ON_OFF,
            FillingSettings.in_place,
            needs=("update_scores",),
        ),
        scoring("--write_xmp", "write stars (xmp:Rating) into sidecar files", ON_OFF, StarSettings.write_xmp),
        scoring(
            "--overwrite_ratings",
            "stars also replace ratings that you gave yourself",
            ON_OFF,
            StarSettings.overwrite_ratings,
            needs=("write_xmp",),
        ),
        scoring(
            "--stars",
            "percentiles where 2, 3, 4 and 5 stars begin",
            STARS,
            StarSettings.stars,
            needs=("write_xmp", "gallery"),
        ),
        scoring(
            "--xmp_name",
            "a new sidecar of a.jpg: full is a.jpg.xmp, stem is a.xmp",
            choice("full", "stem"),
            StarSettings.xmp_name,
            needs=("write_xmp",),
        ),
        scoring(
            "--watch", "stay, and score (copy, move, link, show) images as they appear, until Ctrl-C", ON_OFF, False
        ),
    ),
)
