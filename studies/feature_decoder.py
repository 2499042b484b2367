"""What do features still hold? A decoder from the features of an image model back to pictures.

python studies/feature_decoder.py train FOLDER "@arguments.txt" --perceptor=efficientnet-lite2
"""

import os
import sys
from importlib import import_module
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from src.common import run_script, working
from studies.feature_decoder.options import COMMANDS, help_text, read_command


def main() -> None:
    words = sys.argv[1:]
    if {"-h", "--help"} & set(words):
        return print(help_text(next((word for word in words if word in COMMANDS), None)))
    arguments = read_command(words)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch.
    with working("Loading torch"):
        command = import_module(f"studies.feature_decoder.{arguments.command}")
    command.main(arguments)


if __name__ == "__main__":
    run_script(main)
