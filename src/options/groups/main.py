"""Options that all scripts share: where images, scores and models are, and where random numbers start."""

from ...common import SEED
from ...search import StudySettings
from ..kinds import ANY_TEXT, TEXT, WORDS, choice, whole
from ..option import DEFAULT_MODEL, NO_SEARCH, SCRIPTS, USING_MODELS, Group, option, shared, trained, with_scores

MAIN = Group(
    "Main arguments",
    (
        shared("-d --directory", "the folder of images, sub-folders included", TEXT),
        shared(
            "--exclude",
            "leave out folders and files of this name or relative path; * is any text; may stand several times",
            TEXT,
            None,
            SCRIPTS,
            idle_with=("list",),
        ),
        with_scores("--scores", "the score file in the directory (default: scores.json, else scores.csv)", TEXT),
        shared("--score_column", "the column (CSV) or key (JSON) of the score file to learn", TEXT, "score"),
        shared(
            "-m --model",
            "file name of the model in the directory; scripts that use models take several",
            TEXT,
            DEFAULT_MODEL,
            USING_MODELS,
            idle_with=("modelpath",),
        ),
        shared("--modelpath", "the model as a path to anywhere, instead of --model", TEXT, None, USING_MODELS),
        option(
            "-s --savefile",
            "write all scores, model scores and splits to this CSV or JSON file in the directory; empty: none",
            ANY_TEXT,
        ),
        option("--name", "name of the study (default: the name of the directory)", WORDS),
        trained(
            "--database",
            "where studies are kept: any Optuna storage URL; empty: in memory",
            ANY_TEXT,
            StudySettings.database,
        ),
        option(
            "--server",
            "Optuna's dashboard: on while training, or daemon: it stays",
            choice("on", "daemon", "off"),
            "off",
            idle_with=NO_SEARCH,
        ),
        with_scores("--seed", "where all random numbers start", whole(0, 2**32 - 1), SEED),
        shared("--device", "where networks run", choice("auto", "cpu", "cuda", "mps"), "auto"),
        shared(
            "--cache_directory",
            "where features are kept (default: .aesthetic_cache in the directory)",
            TEXT,
            idle_with=("engine=ray",),
        ),
    ),
)
