import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from src.common import return_large_arrays

ROOT = Path(__file__).parents[2]
MEASURE = """
import ctypes
import numpy as np
from src.common import return_large_arrays
from src.common.memory import LARGE

class Mallinfo2(ctypes.Structure):  # of malloc.h
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

def mapped():
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Mallinfo2
    return library.mallinfo2().hblkhd  # bytes of blocks that are the system's own, one by one

{first}
larger = np.ones(4 * LARGE, np.uint8)
del larger
before = mapped()
large = np.ones(LARGE, np.uint8)
print(mapped() - before >= len(large))
del large
print(mapped() - before)
"""


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33")
@pytest.mark.parametrize(("first", "own"), [("return_large_arrays()", True), ("", False)])
def test_large_arrays_go_back_even_after_a_larger_one_was_freed(first, own):
    code = MEASURE.replace("{first}", first)
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.split() == [str(own), "0"], found.stderr


def test_a_library_without_the_setting_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    return_large_arrays()
