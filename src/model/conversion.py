"""A model file, whoever made it, in our own format, or as ONNX."""

from collections.abc import Sequence
from pathlib import Path

from ..common import UserError, check_writable, note
from .export import export_onnx
from .file import load_predictor, save_converted
from .foreign import Unsaid, unasked
from .gate import moved


def convert(paths: Sequence[Path], ours: str | None, onnx: str | None, unsaid: Unsaid) -> list[str]:
    """Write the one model to the files that are named, and say where it is now.

    ours: a .safetensors; onnx: an .onnx, from features to score. unsaid: what to take where another's file does not
    say it. Raises UserError for several models, other endings, and models that can't be read.
    """
    for option, text, suffix in (("convert", ours, ".safetensors"), ("export_onnx", onnx, ".onnx")):
        if text and Path(text).suffix != suffix:
            raise UserError(f"--{option}={text}: must end with {suffix}")
        if text:
            check_writable(option, Path(text).expanduser())
    if len(paths) > 1:
        raise UserError(f"{len(paths)} models are given, and one can be converted or exported at once")
    predictor, metadata = load_predictor(paths[0], unsaid)
    for sentence in unasked(unsaid, [predictor.config]):
        note(sentence)
    if ours:
        target = Path(ours).expanduser()
        save_converted(target, predictor, moved(metadata, paths[0], target))
    if onnx:
        export_onnx(predictor, Path(onnx).expanduser(), metadata)
    said = [f"{paths[0]} is now also {text}" for text in (ours, onnx) if text]
    if onnx and "filter_model" in metadata:
        said.append(
            f"{onnx} is the second of two stages alone: {metadata['filter_model']} belongs before it, and of images "
            f"that have less than {metadata.get('filter_threshold')} there its scores mean nothing."
        )
    return said
