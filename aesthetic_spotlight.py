"""Look through the results of a model in Renumics Spotlight: a table, thumbnails and a map of similar images.

make spotlight
python aesthetic_spotlight.py "@arguments.txt"
"""

import os
import socket
import subprocess
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin on a busy machine

from src.common import UserError, run_script
from src.options import SPOTLIGHT, image_directory, look_settings, models_to_look_at, parse_arguments

DESCRIPTION = "Look through scores, model scores and images in Renumics Spotlight."
ROOT = Path(__file__).parent


def main() -> None:
    arguments = parse_arguments(SPOTLIGHT, DESCRIPTION)
    python = spotlight_python()
    check_port(arguments.port)
    directory = image_directory(arguments)
    # Imported only now, so that --help and mistyped options answer at once: these bring torch and transformers.
    from src.features import FeatureCache, default_folder
    from src.report import write_data
    from src.scores import read_scored_images
    from src.scoring import score_and_split

    cache = FeatureCache(Path(arguments.cache_directory or default_folder(directory)))
    table = read_scored_images(directory, arguments.scores, arguments.score_column, arguments.exclude)
    files = models_to_look_at(arguments, directory)
    images = score_and_split(directory, table, files, cache, look_settings(arguments))
    with tempfile.TemporaryDirectory(prefix="aesthetic-spotlight-") as folder:
        write_data(Path(folder), directory, *images)
        show(python, Path(folder), arguments.port, arguments.no_browser)


def spotlight_python() -> Path:
    """The Python of .venv-spotlight; UserError where there is none."""
    venv = ROOT / ".venv-spotlight"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        raise UserError(
            f"{venv}: is missing; make it with 'make spotlight' (Spotlight needs an older pandas than the rest, so "
            "it has a virtual environment of its own); without make see docs/analysis.md, Spotlight"
        )
    return python


def check_port(port: int) -> None:
    """UserError where somebody answers at this port, before anything is scored. 0: any free one."""
    with socket.socket() as probe:
        if port and probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"--port={port}: a program answers there already; name another port, or --port=0 for any")


def show(python: Path, folder: Path, port: int, no_browser: bool) -> None:
    """Run Spotlight until Ctrl-C; its own exit code is ours."""
    command = [str(python), str(ROOT / "src" / "report" / "spotlight_viewer.py"), str(folder), str(port)]
    command.append("no_browser" if no_browser else "browser")
    environment = {**os.environ, "SPOTLIGHT_OPT_OUT": "true"}  # of its usage statistics
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)  # it ends when this pipe does
    try:
        code = process.wait()
    except KeyboardInterrupt:
        assert process.stdin
        process.stdin.close()
        process.wait()
        return
    if code:
        raise UserError(f"Spotlight ended with exit code {code}; is --port={port} taken? Try --port=0")


if __name__ == "__main__":
    run_script(main)
