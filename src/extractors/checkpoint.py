"""Where a pretrained model's files are: a local folder, or the Hugging Face hub and its cache on this machine."""

import json
import sys
from pathlib import Path
from typing import Any

from src.errors import UserError

OFFLINE_EXTRACTOR = "efficientnet-lite0"
# In the order in which transformers itself looks for them.
WEIGHTS_NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
PATIENCE = 10.0  # seconds, for the hub's first answer


class Checkpoint:
    """A pretrained model's folder. name: a hub name or a local folder, as the person gave it.

    config: the parsed config.json. Files that are not on this machine are fetched from the hub. Raises UserError
    where that is not possible, or config.json can't be understood.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_local = Path(name).expanduser().is_dir()
        self.config = _read_json(self.file("config.json"))
        self.folder = self.file("config.json").parent

    def file(self, filename: str) -> Path:
        """A file of this checkpoint. Raises UserError if there is none."""
        if not self.is_local:
            return hub_file(self.name, filename)
        path = Path(self.name).expanduser() / filename
        if not path.is_file():
            raise UserError(f"{self.name}: has no {filename}; give a folder made by save_pretrained, or a hub name")
        return path

    def weights(self) -> list[Path]:
        """All weights files, those of a sharded checkpoint in the order of their names."""
        for name in WEIGHTS_NAMES:
            try:
                path = self.file(name)
            except UserError:
                continue
            if path.suffix != ".json":
                return [path]
            return [self.file(shard) for shard in sorted(set(_read_json(path)["weight_map"].values()))]
        raise UserError(f"{self.name}: no weights there; one of these is needed: {', '.join(WEIGHTS_NAMES)}")


def hub_file(name: str, filename: str) -> Path:
    """A file of a model on the hub, from the cache on this machine if it is there, else downloaded."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, filename, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    except ValueError:  # not the form of a hub name
        raise UserError(f"extractor {name!r}: {_nowhere(name)}")
    _check_connection(name)
    print(f"fetching {filename} of {name} from the Hugging Face hub", file=sys.stderr)
    try:
        return Path(hf_hub_download(name, filename))
    except OSError as error:  # the hub's own errors are OSErrors too
        raise UserError(f"extractor {name!r}: the hub gave no {filename} ({_first_line(error)}); {_help(name)}")


def _check_connection(name: str) -> None:
    # Asked once and plainly, because the hub's own client tries six times in 24 seconds.
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        raise UserError(f"extractor {name!r}: {_nowhere(name)}")
    try:
        get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception:  # whichever client the hub's package uses, each has errors of its own
        raise UserError(f"extractor {name!r}: {_nowhere(name)}")


def _nowhere(name: str) -> str:
    return f"no such folder, not in the Hugging Face cache on this machine, and the hub can't be asked; {_help(name)}"


def _help(name: str) -> str:
    return (
        f"with a network, fetch it by: hf download {name}. "
        f"The extractor {OFFLINE_EXTRACTOR} needs no download and works offline"
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: can't be read as JSON ({_first_line(error)}); fetch the checkpoint again")
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no JSON object; fetch the checkpoint again")
    return content


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
