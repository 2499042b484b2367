"""Every option of the toolkit: names, what it means, what is allowed, its default, and whose it is.

One argument file serves all scripts, so all of them know all options. The order is that of arguments-example.txt.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .kinds import ANY_TEXT, BALANCE, NUMBERS, ON_OFF, REGEX, STARS, STATES, TEXT, Kind, choice, number, whole

TRAIN = "aesthetic_predictor_training.py"
CHOOSE = "aesthetic_ab_scorer.py"
SCORE = "aesthetic_score_from_model.py"
LOOK = "aesthetic_data_analysis.py"
SPOTLIGHT = "aesthetic_spotlight.py"
SCRIPTS = (CHOOSE, TRAIN, SCORE, LOOK, SPOTLIGHT)

# Scripts that take several models.
USING_MODELS = (SCORE, LOOK, SPOTLIGHT)
DEFAULT_MODEL = "model.safetensors"

# What copies, moves or links the chosen images.
WAYS_TO = ("copy_to", "move_to", "link_to")

METRICS = ("mse", "wmse", "nll", "ab", "spearman", "pearson", "accuracy", "choices")


@dataclass(frozen=True)
class Option:
    """One option; the last of its names is the one shown in messages and written to files."""

    names: tuple[str, ...]
    help: str
    kind: Kind
    default: Any = None
    scripts: frozenset[str] = frozenset({TRAIN})
    repeatable: frozenset[str] = frozenset()  # in these scripts the value is a list of all that were given
    needs: tuple[str, ...] = ()  # without one of these, each an option or option=value, it does nothing

    @property
    def dest(self) -> str:
        return self.names[-1].lstrip("-")


@dataclass(frozen=True)
class Group:
    """Options that belong together, under one heading."""

    title: str
    options: tuple[Option, ...] = field(default_factory=tuple)


def of(*scripts: str) -> Callable[..., Option]:
    """How options of these scripts are written down; in those of `repeatable` they may stand several times."""

    def make(
        names: str,
        help: str,
        kind: Kind,
        default: Any = None,
        repeatable: tuple[str, ...] = (),
        needs: tuple[str, ...] = (),
    ) -> Option:
        return Option(tuple(names.split()), help, kind, default, frozenset(scripts), frozenset(repeatable), needs)

    return make


option = of(TRAIN)
choosing = of(CHOOSE)
scoring = of(SCORE)
looking = of(LOOK)
seeing = of(LOOK, SPOTLIGHT)
trained = of(TRAIN, LOOK, SPOTLIGHT)
paged = of(CHOOSE, SPOTLIGHT)
shared = of(*SCRIPTS)


def span(name: str, help: str, kind: Kind, low: float, high: float) -> tuple[Option, Option]:
    """--min_NAME and --max_NAME of one metaparameter."""
    return (
        option(f"--min_{name}", f"{help}: smallest value tried", kind, low),
        option(f"--max_{name}", f"{help}: largest value tried (equal to the smallest: fixed)", kind, high),
    )


GROUPS = (
    Group(
        "Main arguments",
        (
            shared("-d --directory", "the folder of images, sub-folders included", TEXT),
            shared("--scores", "the score file in the directory (default: scores.json, else scores.csv)", TEXT),
            shared("--score_column", "the column (CSV) or key (JSON) of the score file to learn", TEXT, "score"),
            shared(
                "-m --model",
                "file name of the model in the directory; scripts that use models take several",
                TEXT,
                DEFAULT_MODEL,
                USING_MODELS,
            ),
            shared("--modelpath", "the model as a path to anywhere, instead of --model", TEXT, None, USING_MODELS),
            option("-s --savefile", "write all scores, model scores and splits to this CSV or JSON file", TEXT),
            option("--name", "name of the study (default: the name of the directory)", TEXT),
            trained(
                "--database",
                "where studies are kept: any Optuna storage URL; empty: in memory",
                ANY_TEXT,
                "sqlite:///db.sqlite",
            ),
            option(
                "--server",
                "Optuna's dashboard: on while training, or daemon: it stays",
                choice("on", "daemon", "off"),
                "off",
            ),
            shared("--seed", "where all random numbers start", whole(0, 2**32 - 1), 42),
            shared("--device", "where networks run", choice("auto", "cpu", "cuda", "mps"), "auto"),
            shared("--cache_directory", "where features are kept (default: .aesthetic_cache in the directory)", TEXT),
        ),
    ),
    Group(
        "Features",
        (
            of(TRAIN, CHOOSE)(
                "--feature_extractor --feature_extractor_model",
                "the image model: efficientnet-lite0 (embedded, needs no download), or one by hub name or folder; "
                "several with commas between",
                TEXT,
                "ChrisGoringe/vitH16",
            ),
            option("--list_extractors", "print well-known image models, and which are here, and stop", ON_OFF, False),
            shared("--extract_batch_size", "images that go through the image model at once", whole(1), 16),
            of(TRAIN, CHOOSE)("--fp16_features", "run the image model in half precision", ON_OFF, False),
            option(
                "--aim_batch_norm",
                "AIM only: its head normalises by the statistics of its training (eval) or of each image (batch)",
                choice("eval", "batch"),
                "eval",
            ),
            of(TRAIN, CHOOSE)(
                "--hidden_states_used",
                "layers to take features from, counted from the last one, 0 (default: the image model's best)",
                STATES,
            ),
            option(
                "--hidden_states_mode",
                "how several layers are put together; default: as suits the image model",
                choice("default", "join", "average", "weight"),
                "default",
            ),
            option("--weight_hidden_states", "the same as --hidden_states_mode=weight", ON_OFF, False),
            option(
                "--fixed_hidden_state_weights",
                "mode weight with these weights, one a layer and then, if wanted, the bias, instead of trained ones",
                NUMBERS,
            ),
        ),
    ),
    Group(
        "Splits",
        (
            trained(
                "--fraction_for_eval", "share of the images kept for choosing the best trial", number(0, 0.9), 0.25
            ),
            trained("--fraction_for_test", "share of the images looked at once, at the end", number(0, 0.9), 0.0),
            trained("--eval_pick_seed", "draws the split (default: --seed)", whole(0, 2**32 - 1)),
            trained(
                "--ignore_existing_split", "draw anew, whatever the score file's split column says", ON_OFF, False
            ),
            option(
                "--folds",
                "judge trials by cross-validation in so many parts instead of one eval split; near-identical images "
                "stay together",
                whole(2, 100),
            ),
            option("--group_column", "with --folds: images of equal value in this column stay together", TEXT),
            option(
                "--filter_model",
                "train on those images alone that this model passes: a file in the directory, or a path",
                TEXT,
            ),
            option("--filter_threshold", "the --filter_model's score from which an image passes", number()),
        ),
    ),
    Group(
        "Network",
        (
            option(
                "--high_end_fix",
                "a second network, of the same sizes, which speaks where the first finds an image good",
                ON_OFF,
                False,
            ),
            option(
                "--variable_high_end_fix", "the same, and where and how much it speaks is trained too", ON_OFF, False
            ),
        ),
    ),
    Group(
        "Loss and metrics",
        (
            option("--loss_model", "what training minimises", choice("mse", "wmse", "ab", "nll", "choices"), "mse"),
            option(
                "--weight_by_error",
                "images of uncertain score count for less, by the score file's column score_error (loss mse or wmse)",
                ON_OFF,
                False,
            ),
            option(
                "--balance",
                "bring groups of train images to one size: some are repeated or left out",
                BALANCE,
                "none",
            ),
            option("--balance_by", "what the groups are: score (in bins), folder, or a column", TEXT, "score"),
            option("--balance_bins", "equal steps of the score that are groups", whole(2), 10, needs=("balance",)),
            option(
                "--normalise_weights",
                "scale the weight column to mean 1 (loss wmse)",
                ON_OFF,
                False,
                needs=("loss_model=wmse",),
            ),
            option(
                "--set_for_scoring",
                "the images that decide which trial is best",
                choice("eval", "train", "full", "test"),
                "eval",
            ),
            option("--metric_for_scoring", "the number that decides (default: that of the loss)", choice(*METRICS)),
            option(
                "--accuracy_divider",
                "accuracy asks: on the right side of this score? (default: the median)",
                number(),
            ),
            *(option(f"--calculate_{metric}", f"record {metric} of every trial", ON_OFF, True) for metric in METRICS),
        ),
    ),
    Group(
        "Search",
        (
            option(
                "--trials",
                "networks to try, those of a resumed study included; 0: only prepare features",
                whole(0),
                60,
            ),
            option(
                "--sampler",
                "how the search picks metaparameters",
                choice("tpe", "CmaEs", "gp", "random", "QMC"),
                "tpe",
            ),
            option(
                "--pruner",
                "how hopeless trials are given up early",
                choice("none", "median", "percentile", "hyperband", "successive_halving"),
                "none",
            ),
            option(
                "--ensemble", "keep so many of the best networks as one model, which gives their mean", whole(1), 1
            ),
            option("--resume", "go on with the newest study of this name", ON_OFF, False),
            option(
                "--layer_sweep",
                "which layer knows best? each by itself, on the eval images: by ridge regression (quick), or also by "
                "the best trial's network; alone: network",
                choice("off", "ridge", "network", bare="network"),
                "off",
            ),
            option("--model_seed", "starts the networks' weights (default: --seed)", whole(0, 2**32 - 1)),
            option(
                "--model_type",
                "what is trained: mlp, networks; ridge, ridge regression, which needs no search",
                choice("mlp", "ridge"),
                "mlp",
            ),
        ),
    ),
    Group(
        "Metaparameters",
        (
            *span("train_epochs", "passes over the train split", whole(1), 5, 50),
            *span("warmup_ratio", "share of the steps in which the learning rate rises", number(0, 1), 0.0, 0.2),
            *span("log_lr", "log10 of the learning rate", number(-10, 1), -4.5, -2.5),
            *span("log_weight_lr", "log10 of the learning rate of hidden state weights", number(-10, 1), -4.5, -2.5),
            *span("batch_size", "images a step", whole(1), 1, 100),
            *span("first_layer_size", "size of the first hidden layer", whole(1), 10, 1000),
            *span("second_layer_size", "size of the second hidden layer", whole(1), 10, 1000),
            *span("dropout", "dropout before the second layer", number(0, 0.99), 0.0, 0.8),
            *span("input_dropout", "dropout of the features", number(0, 0.99), 0.0, 0.8),
            *span("output_dropout", "dropout before the output", number(0, 0.99), 0.0, 0.0),
        ),
    ),
    Group(
        "Choosing",
        (
            of(CHOOSE, TRAIN, LOOK)(
                "--comparisons",
                "the file that keeps every choice (default: comparisons.sqlite in the directory)",
                TEXT,
            ),
            of(CHOOSE, TRAIN, LOOK)("--rater", "who chooses; each rater's choices are rated apart", TEXT, "me"),
            choosing("--number", "screens in a batch; statistics follow each", whole(1), 100),
            choosing("--number_to_compare", "images on a screen", whole(2, 9), 2),
            choosing(
                "--pairing",
                "which images come next: near (the least compared, against one of similar rating), random, classic",
                choice("near", "random", "classic"),
                "near",
            ),
            choosing(
                "--low_count_weight",
                "pairing classic: how much each comparison lowers an image's chance to be drawn",
                number(0, 0.99),
                0.4,
                needs=("pairing=classic",),
            ),
            of(CHOOSE, SCORE, LOOK)(
                "--regex",
                "only images whose relative path this regular expression finds; analysis: a line for each",
                REGEX,
                None,
                (SCORE, LOOK),
            ),
            of(CHOOSE, SCORE)(
                "--minimum_score",
                "only images of at least this score, as it would be written; scoring: of the first model's score",
                number(),
            ),
            choosing(
                "--hidden_repeats", "share of screens that silently repeat an earlier one", number(0, 0.5), 0.05
            ),
            choosing(
                "--new_from_model", "images without comparisons start at the score of the --model", ON_OFF, False
            ),
        ),
    ),
    Group(
        "Ratings",
        (
            choosing(
                "--rating",
                "how ratings come from choices: assisted (similar images teach each other, where features can be had "
                "without a download, else bradley_terry), bradley_terry (all choices at once), elo (one by one)",
                choice("assisted", "bradley_terry", "elo"),
                "assisted",
            ),
            choosing("--k", "elo: the largest step of one choice", number(0.001, 100), 0.8, needs=("rating=elo",)),
            choosing("--weight_by_speed", "quick choices count for more", ON_OFF, False),
            *(
                choosing(name, help, number(low), default, needs=("weight_by_speed",))
                for name, help, low, default in (
                    ("--default_seconds", "a choice that takes this long has weight 1", 0.01, 1.5),
                    ("--weight_min", "the least that a slow choice weighs", 0.001, 0.5),
                    ("--weight_max", "the most that a quick choice weighs", 0.001, 2.0),
                )
            ),
            choosing(
                "--rescale",
                "scores are written with mean 0 and deviation 1 over the compared images (standard), or in Elo units",
                choice("standard", "none"),
                "standard",
            ),
        ),
    ),
    Group(
        "Page",
        (
            paged("--no_browser", "print the page's address, open no browser", ON_OFF, False),
            paged("--port", "the page's port; 0: any that is free", whole(0, 65535), 8765),
            choosing(
                "--host",
                "the address to serve on; any but this computer's own needs the token that is printed",
                TEXT,
                "127.0.0.1",
            ),
        ),
    ),
    Group(
        "Scoring",
        (
            scoring("-o --outfile", "write the scores to this .csv, .json or .parquet (none: a table here)", TEXT),
            scoring("--convert", "only write the --model, whoever made it, to this file in our own format", TEXT),
            scoring("--export_onnx", "only write the --model, from features to score, to this .onnx file", TEXT),
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
                "the model score from which an image passes: one for all models, or one for each --model in their "
                "order",
                number(),
                None,
                (SCORE, LOOK),
            ),
            scoring("--only_passed", "choose images that pass every model's --threshold", ON_OFF, False),
            scoring(
                "--gate",
                "images that the filter of a model (--filter_model in training) fails get the filter's score",
                ON_OFF,
                True,
            ),
            scoring("--copy_to", "copy the chosen images into this folder, with a scores.csv", TEXT),
            scoring("--move_to", "move them there", TEXT),
            scoring("--link_to", "link to them there", TEXT),
            scoring(
                "--filename_format",
                "their names there, of rank, score, percentile, name, extension",
                TEXT,
                "{rank:05}_{score:.3f}_{name}{extension}",
                needs=WAYS_TO,
            ),
            scoring(
                "--dry_run",
                "only print what would be copied, moved, linked, rated or filled in",
                ON_OFF,
                False,
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
                False,
                needs=("update_scores",),
            ),
            scoring("--write_xmp", "write stars (xmp:Rating) into sidecar files", ON_OFF, False),
            scoring(
                "--stars",
                "percentiles where 2, 3, 4 and 5 stars begin",
                STARS,
                (10, 30, 60, 85),
                needs=("write_xmp",),
            ),
            scoring(
                "--xmp_name",
                "a new sidecar of a.jpg: full is a.jpg.xmp, stem is a.xmp",
                choice("full", "stem"),
                "full",
                needs=("write_xmp",),
            ),
            scoring("--watch", "stay, and score images as they appear, until Ctrl-C", ON_OFF, False),
        ),
    ),
    Group(
        "Analysis",
        (
            seeing("--model_scores", "a score file of model scores, where there is no --model", TEXT),
            seeing(
                "--split",
                "a file that says which images are train, eval, test (default: split.json, else the score file's "
                "column, else drawn as in training)",
                TEXT,
            ),
            looking(
                "--include_train_split", "look at all images, not at those of the eval split alone", ON_OFF, False
            ),
            looking("--directories", "a line for each sub-folder by itself", ON_OFF, False),
            looking("--confidence", "95 % intervals of spearman, pearson and AB", ON_OFF, False),
            looking("--save_scores_and_errors", "write scores, model scores, their differences and splits", TEXT),
            looking("--save_model_scorefile", "write a score file in which the model score is the score", TEXT),
            looking("--save_error_scorefile", "write a score file of model score minus score", TEXT),
            of(TRAIN, LOOK)(
                "--report",
                "write a page of numbers, plots and thumbnails, such as report.html",
                TEXT,
            ),
            looking("--plots", "write the plots into this folder as PNG", TEXT),
            looking("--study", "the study to export with --study_csv; list: which there are", TEXT),
            looking("--study_csv", "write all trials of --study to this CSV file", TEXT),
        ),
    ),
)
