"""Options of the analysis: what is looked at, and what is written."""

from ...report import AnalysisSettings
from ..kinds import ON_OFF, TEXT
from ..option import LOOK, TRAIN, Group, looking, of, seeing

OF_A_STUDY = ("study", "study_csv", "database", "directory")  # what an export heeds

ANALYSIS = Group(
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
            "--include_train_split",
            "look at all images, not at those of the eval split alone",
            ON_OFF,
            AnalysisSettings.include_train_split,
        ),
        looking("--directories", "a line for each sub-folder by itself", ON_OFF, AnalysisSettings.directories),
        looking("--confidence", "95 % intervals of spearman, pearson and AB", ON_OFF, AnalysisSettings.confidence),
        looking("--save_scores_and_errors", "write scores, model scores, their differences and splits", TEXT),
        looking("--save_model_scorefile", "write a score file in which the model score is the score", TEXT),
        looking("--save_error_scorefile", "write a score file of model score minus score", TEXT),
        of(TRAIN, LOOK)(
            "--report",
            "write a page of numbers, plots and thumbnails into the directory, such as report.html",
            TEXT,
        ),
        looking("--plots", "write the plots into this folder as PNG", TEXT),
        looking("--study", "the study to export with --study_csv; list: which there are", TEXT, alone=OF_A_STUDY),
        looking("--study_csv", "write all trials of --study to this CSV file", TEXT, alone=OF_A_STUDY),
    ),
)
