"""What each sub-command takes."""

from src.options import ON_OFF, STATES, TEXT, Kind, choice, number, whole

from ..common.commands import CACHE, DEVICE, EXCLUDE, GROUP, LOG, RESUME, RUNS, SEED_, Command, Study, opt

BLOCK = whole(0)
TAPS = Kind(
    lambda text: tuple(sorted({BLOCK.read(part) for part in text.split(",")})),
    "whole numbers with commas between, such as 1,4,9",
)
PATHS = Kind(lambda text: tuple(text.split(",")), "relative paths with commas between")
SETS = Kind(
    lambda text: tuple(tuple(STATES.read(part)) for part in text.split(":")),
    "hidden states, with : between the sets, such as 0:3:3,7",
    write=lambda sets: ":".join(",".join(map(str, states)) for states in sets),
)
FOUND = (
    RUNS,
    CACHE,
    DEVICE,
    EXCLUDE,
    SEED_,
    opt("fraction_for_val", "share of the images that choose the best epoch, and are judged", number(0.01, 0.9), 0.2),
    GROUP,
    opt("feature_extractor_model", "the image model whose features are decoded", TEXT, "efficientnet-lite0"),
)
TRAINED = (
    opt("perceptor", "the image model in which pictures are compared: another one, of those embedded", TEXT,
        "efficientnet-lite2"),
    opt("taps", "its blocks, from 0, at which they are compared", TAPS, (1, 4, 9, 15, 20)),
    opt("perceptor_size", "pixels on a side of what it looks at (default: the size, or the next multiple of 32)",
        whole(32, 512)),
    opt("size", "pixels on a side of what is drawn: 4, 5, 6 or 7 times a power of 2, such as 64, 112 or 128",
        whole(8, 512), 64),
    opt("decoder", "small: a convolution a size; large: two, twice as wide", choice("small", "large"), "small"),
    opt("perceptual_weight", "of the distance in the perceptor", number(0), 11.0),
    opt("laplace_weight", "of the distance between Laplacian pyramids", number(0), 1.0),
    opt("mse_weight", "of the mean squared error of pixels in [0, 1]", number(0), 1.0),
    opt("adversarial_weight", "of what a second network, the critic, takes for no photograph", number(0), 0.0),
    opt("schedule", "cosine: the learning rate falls all the time; plateau: by half, when val gets no better",
        choice("cosine", "plateau"), "cosine"),
    opt("lr", "the learning rate of AdamW, at first", number(1e-7, 1), 1e-3),
    opt("min_lr", "and at last", number(0, 1), 1e-5),
    opt("weight_decay", "of AdamW", number(0, 100), 0.01),
    opt("clip", "the longest gradient; 0: any", number(0), 10.0),
    opt("batch_size", "images that are drawn at once", whole(1), 200),
    opt("accumulate", "such batches a step", whole(1), 1),
    opt("epochs", "passes over the train images", whole(1), 100),
    opt("augment", "versions of each train image, with features of their own: itself, mirrored, then cropped",
        whole(1, 100), 1),
    opt("normalise_features", "standardise them, each hidden state weighing alike", ON_OFF, True),
    opt("visualize_each_step", "draw nine val images every so many steps (and at steps 1, 10, 100, …); 0: never",
        whole(0), 500),
)  # fmt: skip
USED = opt("hidden_states_used", "its layers that are decoded (default: its best)", STATES)
WEIGHTS = opt("weights", "best on val, or those of the last epoch, as for images that are learnt by heart",
              choice("best", "last"), "best")  # fmt: skip
MODEL = opt("model", "the output folder of train, by its name there or as a path (default: the newest)", TEXT)
COMMANDS = {
    "train": Command("train a decoder from features to pictures", "decoder", (*FOUND, USED, *TRAINED, RESUME, LOG)),
    "validate": Command(
        "how near do reconstructions come, as image models see it, beside chance and the originals",
        "",
        (
            opt("set", "judge by the images of this folder (default: the val images of the run)", TEXT),
            MODEL,
            WEIGHTS,
            RUNS,
            CACHE,
            DEVICE,
            EXCLUDE,
        ),
    ),
    "reconstruct": Command(
        "draw what features hold: of images, of their mean, on the way between two, or as a model would like it",
        "",
        (
            MODEL,
            WEIGHTS,
            opt("images", "only these of the folder", PATHS),
            opt("average", "draw the mean of all their features", ON_OFF, False),
            opt("interpolate", "draw so many pictures on the way between two images", whole(3, 100)),
            opt("from_model", "an aesthetic model: walk features where its score rises, and draw that", TEXT),
            opt("towards", "high: where the score rises; low: where it falls", choice("high", "low"), "high"),
            opt("distance", "how far to walk, in deviations of the train images' features", number(0.1, 1000), 8.0),
            opt("export_onnx", "also write the decoder as an ONNX file, and check it", TEXT),
            RUNS,
            CACHE,
            DEVICE,
            EXCLUDE,
        ),
        "INPUT",
    ),
    "sweep": Command(
        "train a small decoder on each of several sets of hidden states, and set what they draw side by side",
        "sweep",
        (*FOUND, opt("states", "the sets (default: each of its best layers)", SETS), *TRAINED, LOG),
    ),
}

STUDY = Study("studies/feature_decoder.py", COMMANDS)
read_command = STUDY.read_command
