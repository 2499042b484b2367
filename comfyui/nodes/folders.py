"""Where ComfyUI keeps the models: models/aesthetic, and the older tool's models/customaesthetic."""

from pathlib import Path

import folder_paths

from ..models import FOLDERS

NAME = FOLDERS[0]


def register() -> None:
    """Make the folders known, beside those that the person's extra_model_paths.yaml names."""
    known = folder_paths.folder_names_and_paths
    elsewhere = [path for name in FOLDERS if name in known for path in known[name][0]]
    for path in [*(str(Path(folder_paths.models_dir) / name) for name in FOLDERS), *elsewhere]:
        folder_paths.add_model_folder_path(NAME, path)
    known[NAME] = (known[NAME][0], {".safetensors"})  # ComfyUI makes an empty set, which is: every file


def names() -> list[str]:
    return folder_paths.get_filename_list(NAME)


def path_of(name: str) -> str | None:
    return folder_paths.get_full_path(NAME, name)
