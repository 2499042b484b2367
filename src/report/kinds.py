"""What kind of model a file holds, in words, and why it is no network where networks were searched for."""

import json
from collections.abc import Mapping

from .text import TYPES

FORMULAS = ("ridge", "gp")  # fitted at once, without a search


def is_of_networks_alone(metadata: Mapping[str, str]) -> bool:
    """Whether it is a network or the mean of some; files that say nothing of their type are."""
    return metadata.get("model_type", "mlp") not in (*FORMULAS, "blend")


def is_from_choices(metadata: Mapping[str, str]) -> bool:
    """Whether the A/B scorer made it, which learns from every image that has a score."""
    return metadata.get("made_from") == "choices"


def kind(metadata: Mapping[str, str]) -> str:
    """Such as "ridge regression" or "the mean of 5 networks"; empty where the file doesn't say."""
    name = metadata.get("model_type", "")
    if name in FORMULAS:
        return {"gp": "a Gaussian process"}.get(name, TYPES[name])
    trials = len(trials_of(metadata))
    networks = f"the mean of {trials} networks" if trials > 1 else "a network"
    if name != "blend":
        return networks if name == "mlp" else ""
    if "blend_share" not in metadata:
        return "a blend of a Gaussian process and networks"
    share = float(metadata["blend_share"])
    return f"a blend, {share:.0%} a Gaussian process and {1 - share:.0%} {networks}"


def trials_of(metadata: Mapping[str, str]) -> list[int]:
    """The trials that the model is made of, the best first; none in a formula."""
    if metadata.get("model_type") in FORMULAS or "trial" not in metadata:
        return []
    return [int(trial) for trial in json.loads(metadata.get("trials", f"[{metadata['trial']}]"))]


def why_no_network(metadata: Mapping[str, str], figure: str = "") -> str:
    """Why a search for networks gave a formula, to go on after "as"; empty where it didn't, or there was none.

    figure: the formula's own, which was to be beaten, such as "eval_mse of 0.3970".
    """
    if metadata.get("model_type") not in FORMULAS or "study" not in metadata:
        return ""
    if "metaparameters" not in metadata:
        return "the search for networks did not come to its end"
    beaten = f"beat its {figure}" if figure else "was better"
    return f"no blend of networks and the Gaussian process {beaten}"


def kind_and_why(metadata: Mapping[str, str], figure: str = "") -> str:
    """As `kind`, with the reason where there is one."""
    reason = why_no_network(metadata, figure)
    return kind(metadata) + (f", as {reason}" if reason else "")


def beside_trials(metadata: Mapping[str, str]) -> str:
    """A sentence for below a list of trials: what the model has to do with them; empty where it is one of them."""
    if why_no_network(metadata):
        text = f"The model is none of them, but {kind_and_why(metadata)}."
        if "metaparameters" in metadata:
            text += " Their values flatter: the best of many is also the luckiest."
        return text
    trials = trials_of(metadata)
    if len(trials) < 2 and is_of_networks_alone(metadata):
        return ""
    numbers = ", ".join(map(str, trials))
    which = f" (trial{'s' * (len(trials) > 1)} {numbers})" if trials else ""
    return f"The model is {kind(metadata)}{which}." if kind(metadata) else ""
