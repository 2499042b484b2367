"""Options of choosing: which images are shown, how choices become ratings, and the page."""

from ...ab_page import Words
from ...ratings import METHODS, MOST_AT_ONCE, PAIRINGS, SCALES, PairingSettings, RatingSettings
from ..kinds import ON_OFF, REGEX, TEXT, WORDS, choice, number, whole
from ..option import CHOOSE, LOOK, SCORE, TRAIN, Group, choosing, of, paged

FOR_CHOICES = ("loss_model=choices", "metric_for_scoring=choices")  # in training

CHOOSING = Group(
    "Choosing",
    (
        of(CHOOSE, TRAIN, LOOK)(
            "--comparisons",
            "the file that keeps every choice (default: comparisons.sqlite in the directory)",
            TEXT,
            needs=FOR_CHOICES,
        ),
        of(CHOOSE, TRAIN, LOOK)(
            "--rater", "who chooses; each rater's choices are rated apart", WORDS, "me", needs=FOR_CHOICES
        ),
        choosing("--number", "screens in a batch; statistics follow each", whole(1), PairingSettings.number),
        choosing(
            "--number_to_compare", "images on a screen", whole(2, MOST_AT_ONCE), PairingSettings.number_to_compare
        ),
        choosing(
            "--pairing",
            "which images come next: near (the least compared, against one of similar rating), random, classic",
            choice(*PAIRINGS),
            PairingSettings.pairing,
        ),
        choosing(
            "--low_count_weight",
            "pairing classic: how much each comparison lowers an image's chance to be drawn",
            number(0, 0.99),
            PairingSettings.low_count_weight,
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
            "--follow_links",
            "show also images that links out of the folder lead to, as in a folder made by --link_to",
            ON_OFF,
            False,
        ),
        choosing(
            "--hidden_repeats",
            "share of screens that silently repeat an earlier one, which tells how sure you are",
            number(0, 0.5),
            PairingSettings.hidden_repeats,
        ),
        choosing(
            "--held_out_screens",
            "share of the images, and of the screens, that no rating learns from: what a model foresees of their "
            "choices is an honest number",
            number(0, 0.5),
            PairingSettings.held_out_screens,
        ),
        choosing(
            "--no_model",
            "leave the --model as it is; else one that is fitted to the choices takes its place, batch by batch",
            ON_OFF,
            False,
            needs=("rating=assisted",),
        ),
        choosing(
            "--preview",
            "a folder of other images: the page shows which of them that model finds best and worst (none: of those "
            "not compared yet)",
            TEXT,
            idle_with=("no_model",),
            needs=("rating=assisted",),
        ),
        choosing(
            "--new_from_model",
            "images without comparisons start at the score of the --model",
            ON_OFF,
            RatingSettings.new_from_model,
        ),
    ),
)

RATINGS = Group(
    "Ratings",
    (
        choosing(
            "--rating",
            "how ratings come from choices: assisted (similar images teach each other, where features can be had "
            "without a download, else bradley_terry), bradley_terry (all choices at once), elo (one by one)",
            choice(*METHODS),
            RatingSettings.rating,
        ),
        choosing(
            "--k",
            "elo: the largest step of one choice",
            number(0.001, 100),
            RatingSettings.k,
            needs=("rating=elo",),
        ),
        choosing("--weight_by_speed", "quick choices count for more", ON_OFF, RatingSettings.weight_by_speed),
        *(
            choosing(name, help, number(low), default, needs=("weight_by_speed",))
            for name, help, low, default in (
                (
                    "--default_seconds",
                    "a choice that takes this long has weight 1",
                    0.01,
                    RatingSettings.default_seconds,
                ),
                ("--weight_min", "the least that a slow choice weighs", 0.001, RatingSettings.weight_min),
                ("--weight_max", "the most that a quick choice weighs", 0.001, RatingSettings.weight_max),
            )
        ),
        choosing(
            "--rescale",
            "scores are written with mean 0 and deviation 1 over the compared images (standard), or in Elo units",
            choice(*SCALES),
            RatingSettings.rescale,
        ),
    ),
)

PAGE = Group(
    "Page",
    (
        choosing("--question", "what is asked above the images", TEXT, Words.question),
        paged("--no_browser", "print the page's address, open no browser", ON_OFF, False),
        paged("--port", "the page's port; 0: any that is free", whole(0, 65535), 8765),
        choosing(
            "--host",
            "the address to serve on; any but this computer's own needs the token that is printed",
            TEXT,
            "127.0.0.1",
        ),
    ),
)
