"""Threads of BLAS, behind numpy's and scipy's matrices."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import scipy.linalg  # noqa: F401 (it brings a BLAS of its own, which is to be found below)
from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[Any]:
    """One in the block, and as many as before after it: they wait for each other on a busy machine."""
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> ThreadpoolController:
    """Those that are loaded; looking for them takes milliseconds."""
    return ThreadpoolController()
