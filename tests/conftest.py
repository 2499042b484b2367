"""What every test shares: the scripts' folder on the path, one thread for torch, no network."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: beside other work two can be 50 times slower
os.environ["HF_HUB_OFFLINE"] = "1"

sys.path.insert(0, str(Path(__file__).parents[1]))
