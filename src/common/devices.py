"""Which processor networks run on, and how many of its threads they may use."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import UserError


def pick_device(name: str) -> torch.device:
    """The device of `--device`: auto is cuda where there is one, else mps, else cpu. UserError if it isn't there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, is_there in there.items() if is_there))
    if not there.get(name, False):
        found = ", ".join(device for device, is_there in there.items() if is_there)
        raise UserError(f"--device={name}: this machine or this build of torch has none (it has: {found}); use auto")
    return torch.device(name)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use this many threads in the block, and as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
