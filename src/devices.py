"""Which processor networks run on."""

import torch

from src.errors import UserError


def pick_device(name: str) -> torch.device:
    """The device of `--device`: auto is cuda where there is one, else mps, else cpu. UserError if it isn't there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, is_there in there.items() if is_there))
    if not there.get(name, False):
        found = ", ".join(device for device, is_there in there.items() if is_there)
        raise UserError(f"--device={name}: this machine or this build of torch has none (it has: {found}); use auto")
    return torch.device(name)
