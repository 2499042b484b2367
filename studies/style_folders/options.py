"""What each sub-command takes."""

from src.options import BALANCE, ON_OFF, STATES, TEXT, Kind, choice, number, whole

from ..common.commands import CACHE, DEVICE, EXCLUDE, EXTRACTOR, GROUP, LOG, RESUME, RUNS, SEED_, Command, Study, opt

LAYERS = Kind(
    lambda text: tuple(dict.fromkeys(int(part) for part in text.split(","))),
    "whole numbers with commas between, such as 0,1",
)
FOUND = (
    RUNS,
    CACHE,
    DEVICE,
    EXCLUDE,
    SEED_,
    opt("fraction_for_val", "share of each style's images that choose the best epoch", number(0.01, 0.9), 0.15),
    opt("fraction_for_test", "share of each style's images that are looked at once", number(0.01, 0.9), 0.2),
    GROUP,
    opt("limit_per_class", "so many images of each style, drawn at random", whole(1)),
)
TRAINED = (
    RESUME,
    LOG,
    opt("batch_size", "images a step", whole(1), 16),
)
HEADS = choice("linear", "mlp", "conv")
MODEL = "the output folder to use, by its name there or as a path (default: the newest)"
COMMANDS = {
    "classify": Command(
        "train a network that tells the styles apart",
        "classify",
        (
            *FOUND,
            EXTRACTOR,
            opt("hidden_states_used", "layers of the image model (default: its best)", STATES),
            opt("head", "what is trained: linear, mlp (features) or conv (pixels)", HEADS, "mlp"),
            opt("resample", "bring every style to one number of train images", BALANCE, "none"),
            opt("test_resample", "the same of the test images", BALANCE, "none"),
            opt("sampler", "exact: an epoch sees each image of the list once; weighted: drawn, styles equally likely",
                choice("exact", "weighted"), "exact"),
            opt("epochs", "passes over the train images", whole(1), 20),
            opt("learning_rate", "of AdamW, falling to 0 in a cosine (default: as suits the head)", number(1e-7, 1)),
            opt("hidden", "width of the mlp's hidden layer", whole(1), 256),
            opt("dropout", "of the features, and of the hidden layer", number(0, 0.95), 0.5),
            opt("weight_decay", "of AdamW", number(0, 100), 0.05),
            opt("size", "conv: images are this many pixels wide and high", whole(16, 512), 64),
            *TRAINED,
        ),
    ),
    "predict": Command(
        "write path, style and probability of each image of a folder",
        "",
        (
            opt("model", "the output folder of classify, as a path", TEXT),
            opt("outfile", "the CSV file to write (default: styles.csv in the model's folder)", TEXT),
            CACHE,
            DEVICE,
            EXCLUDE,
        ),
    ),
    "autoencode": Command(
        "train a network that squeezes an image into a short vector and draws it again",
        "ae",
        (
            *FOUND,
            opt("size", "images are this many pixels wide and high, a power of 2", whole(16, 512), 64),
            opt("latent", "numbers that stand for an image", whole(2), 128),
            opt("activation", "what follows a convolution", choice("relu", "tanh", "gelu"), "relu"),
            opt("epochs", "passes over the train images", whole(1), 15),
            opt("learning_rate", "of AdamW, falling to 0 in a cosine", number(1e-7, 1), 0.0005),
            opt("weight_decay", "of AdamW", number(0, 100), 0.01),
            opt("toy", "does it run at all? 16 pixels, 16 numbers, 20 images a style, 2 epochs", ON_OFF, False),
            opt("grids", "a picture of originals and reconstructions after each epoch", ON_OFF, False),
            *TRAINED,
        ),
    ),
    "plot": Command(
        "show where images lie, by style and by clusters, and how far the two agree",
        "plot",
        (
            *FOUND,
            EXTRACTOR,
            opt("hidden_states_used", "layers of the image model (default: its best)", STATES),
            opt("space", "latent: the vectors of autoencode; features: those of the image model",
                choice("latent", "features"), "features"),
            opt("model", MODEL, TEXT),
            opt("k", "clusters (default: as many as styles)", whole(2)),
        ),
    ),
    "embed": Command(
        "learn a vector for each style, from which the frozen decoder draws what its images share",
        "embed",
        (
            RUNS,
            DEVICE,
            SEED_,
            opt("model", "that of autoencode, by its name or as a path (default: the newest)", TEXT),
            opt("epochs", "passes over the train images", whole(1), 3),
            opt("learning_rate", "of AdamW, falling to 0 in a cosine", number(1e-7, 1), 0.02),
            *TRAINED,
        ),
    ),
    "transfer": Command(
        "draw images in other styles: a style's vector sets scale and shift in the decoder",
        "transfermodel",
        (
            RUNS,
            DEVICE,
            SEED_,
            opt("model", "that of embed, by its name or as a path (default: the newest)", TEXT),
            opt("epochs", "passes over the train images, each in a style that is drawn", whole(1), 10),
            opt("learning_rate", "of AdamW, falling to 0 in a cosine", number(1e-7, 1), 0.002),
            opt("style_weight", "of the distance to the style's statistics", number(0), 1.0),
            opt("content_weight", "of the distance to the image's own taps", number(0), 2.0),
            opt("layers", "blocks of efficientnet-lite0 to compare; content: the last", LAYERS, (0, 2, 4)),
            opt("statistics", "moments: mean and deviation of each channel; gram: products of channels",
                choice("moments", "gram"), "moments"),
            opt("single_image", "compare one image in every style: its path, as run.json has it", TEXT),
            *TRAINED,
        ),
    ),
}  # fmt: skip

STUDY = Study("studies/style_folders.py", COMMANDS)
read_command = STUDY.read_command
