"""Folders of images, one a style: can they be told apart, and what is it that tells them apart?

python studies/style_folders.py classify FOLDER "@arguments.txt" --head=mlp
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from src.common import run_script
from studies.style_folders.options import STUDY


def main() -> None:
    STUDY.run(sys.argv[1:])


if __name__ == "__main__":
    run_script(main)
