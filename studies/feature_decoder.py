"""What do features still hold? A decoder from the features of an image model back to pictures.

python studies/feature_decoder.py train FOLDER "@arguments.txt" --perceptor=efficientnet-lite2
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from src.common import run_script
from studies.feature_decoder.options import STUDY


def main() -> None:
    STUDY.run(sys.argv[1:])


if __name__ == "__main__":
    run_script(main)
