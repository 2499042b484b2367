"""Prompt, seed and model in what ComfyUI and A1111's web UI write into images."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

SEEDS = ("seed", "noise_seed")
MODELS = ("ckpt_name", "unet_name", "model_name", "lora_name")
SETTINGS = ("steps", "cfg", "sampler_name", "scheduler", "denoise")
WORDS = ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "string", "value", "populated_text")

Graph = Mapping[str, Any]


def from_a1111(text: str) -> dict[str, str]:
    """Its `parameters`: the prompt, "Negative prompt: …", and a last line of "Name: value" with commas between."""
    words, _, last = text.strip().rpartition("\n")
    if not last.startswith("Steps: "):
        words, last = text[: text.index("Steps: ")], text[text.index("Steps: ") :]
    prompt, _, negative = words.partition("Negative prompt:")
    # A value in quotes may hold commas.
    named = {
        name.strip().lower(): value.strip('" ') for name, value in re.findall(r'([^:,]+): ("[^"]*"|[^,]*)', last)
    }
    wanted = ("seed", "model", "lora hashes", "sampler", "schedule type", "steps", "cfg scale", "size")
    facts = {"prompt": prompt.strip(), "negative prompt": negative.strip()}
    return facts | {name: named[name] for name in wanted if name in named}


def from_comfyui(graph: Graph) -> dict[str, str]:
    """Its `prompt`: {node: {"class_type": …, "inputs": {name: value, or [node, output]}}}.

    The words are those that lead to the input `positive` or `negative` of a sampler, else all there are.
    """
    facts = dict[str, str]()
    for side, name in (("positive", "prompt"), ("negative", "negative prompt")):
        starts = [inputs[side] for inputs in _all_inputs(graph) if _is_link(inputs.get(side))]
        facts[name] = _joined(word for start in starts for word in _words(graph, start, side, set()))
    if not facts["prompt"]:
        facts["prompt"] = _joined(word for inputs in _all_inputs(graph) for word in _own_words(inputs))
    for name, keys in (("seed", SEEDS), ("model", MODELS)):
        facts[name] = _joined((str(v) for v in _values(graph, keys)), ", ")
    others = {key.removesuffix("_name"): (str(v) for v in _values(graph, (key,))) for key in SETTINGS}
    return facts | {name: _joined(values, ", ") for name, values in others.items()}


def _all_inputs(graph: Graph) -> Iterator[Mapping[str, Any]]:
    for node in graph.values():
        if isinstance(node, dict) and isinstance(node.get("inputs"), dict):
            yield node["inputs"]


def _values(graph: Graph, keys: tuple[str, ...]) -> Iterator[str | int | float]:
    for inputs in _all_inputs(graph):
        for key in keys:
            if isinstance(inputs.get(key), str | int | float):
                yield inputs[key]


def _words(graph: Graph, link: list, side: str, seen: set[str]) -> Iterator[str]:
    """What lies behind a link; a node with both sides leads on by the one that is wanted. seen: nodes, once each."""
    node = graph.get(str(link[0]))
    inputs = node.get("inputs") if isinstance(node, dict) else None
    if not isinstance(inputs, dict) or str(link[0]) in seen:
        return
    seen.add(str(link[0]))
    yield from _own_words(inputs)
    both = _is_link(inputs.get("positive")) and _is_link(inputs.get("negative"))
    for name, value in inputs.items():
        if _is_link(value) and (name == side or not (both and name in ("positive", "negative"))):
            yield from _words(graph, value, side, seen)


def _own_words(inputs: Mapping[str, Any]) -> Iterator[str]:
    yield from (inputs[name] for name in WORDS if isinstance(inputs.get(name), str))


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int)


def _joined(values: Iterator[str], between: str = "\n") -> str:
    return between.join(dict.fromkeys(value.strip() for value in values if value.strip()))
