"""Where a pretrained model's files are: a local folder, or the Hugging Face hub and its cache on this machine."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...common import UserError, first_line, keeps_notes, note, stand_in

OFFLINE_HELP = "--feature_extractor_model=embedded needs no download and works offline"
LARGE = 100e6  # bytes; before so many, it is said that there is a way without
NOWHERE = "no such folder, not in the Hugging Face cache on this machine, and the hub can't be asked"
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
        self.config = read_json(self.file("config.json"))
        self.folder = self.file("config.json").parent

    def file(self, filename: str) -> Path:
        """A file of this checkpoint. Raises UserError if there is none."""
        path = self._here(filename) if self.is_local else hub_file(self.name, filename)
        if path is None:
            raise UserError(f"{self.name}: has no {filename}; give a folder made by save_pretrained, or a hub name")
        return path

    def weights(self) -> list[Path]:
        """All weights files, those of a sharded checkpoint in the order of their names."""
        found = self.first_of(WEIGHTS_NAMES)
        if found is None:
            raise UserError(f"{self.name}: no weights there; one of these is needed: {', '.join(WEIGHTS_NAMES)}")
        files = [found]
        if found.suffix == ".json":
            shards = read_json(found).get("weight_map")
            if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
                raise UserError(f"{found}: has no weight_map of file names; fetch the checkpoint again")
            files = [self.file(shard) for shard in sorted(set(shards.values()))]
        for file in files:
            if what := stand_in(file):
                raise UserError(f"{file}: {what}")
        return files

    def weight_names(self) -> set[str]:
        """What all tensors are called. Raises UserError where the files can't be read."""
        try:
            return {name for path in self.weights() for name in _tensor_names(path)}
        except UserError:
            raise
        except Exception as error:  # each weights format has errors of its own
            raise UserError(
                f"{self.name}: its weights can't be read ({first_line(error)}); fetch the checkpoint again"
            )

    def first_of(self, names: Sequence[str]) -> Path | None:
        """The first of these files that is on this machine, else the first that the hub has, else None."""
        found = next((path for name in names if (path := self._here(name))), None)
        if found is None and not self.is_local:
            found = next((path for name in names if (path := hub_file(self.name, name))), None)
        return found

    def _here(self, filename: str) -> Path | None:
        if not self.is_local:
            return _cached_file(self.name, filename)
        path = Path(self.name).expanduser() / filename
        return path if path.is_file() else None


def hub_file(name: str, filename: str) -> Path | None:
    """A file of a model on the hub, from the cache on this machine or downloaded; None if the model has no such file.

    Raises UserError if the model is not on the hub, or not in the cache and the hub can't be asked.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    if cached := _cached_file(name, filename):
        return cached
    if not _hub_answers():
        raise UserError(f"extractor {name!r}: {NOWHERE}; {_help(name, filename)}")
    note(f"fetching {filename} of {name}{_size(name, filename)} from the Hugging Face hub")
    try:
        with _hubs_bar():
            return Path(hf_hub_download(name, filename))
    except RemoteEntryNotFoundError:
        return None
    except Exception as error:  # not found, gated, cut off: the hub's errors and those of its HTTP client
        reason = first_line(error)
        raise UserError(f"extractor {name!r}: the hub gave no {filename} ({reason}); {_help(name, filename)}")


def in_cache(name: str) -> bool:
    """Whether a model's configuration and weights are in the Hugging Face cache on this machine."""
    return all(any(_cached_file(name, filename) for filename in names) for names in (("config.json",), WEIGHTS_NAMES))


def _cached_file(name: str, filename: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, filename, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except ValueError:  # not the form of a hub name
        raise UserError(f"extractor {name!r}: no such folder, and no name on the Hugging Face hub; {OFFLINE_HELP}")


@contextmanager
def _hubs_bar() -> Iterator[None]:
    """A download's bar is shown, but in library calls."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    hides = keeps_notes() and not are_progress_bars_disabled()
    if hides:
        disable_progress_bars()
    try:
        yield
    finally:
        if hides:
            enable_progress_bars()


def _hub_answers() -> bool:
    # Asked once and plainly, because the hub's own client tries six times in 24 seconds.
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception:  # whichever HTTP client the hub's package uses, each has errors of its own
        return False
    return True


def _size(name: str, filename: str) -> str:
    """How large a file of weights is, in brackets, and how to do without; nothing where the hub doesn't say."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    if filename.endswith(".json"):
        return ""
    try:
        size = get_hf_file_metadata(hf_hub_url(name, filename)).size or 0
    except Exception:  # as for a download, and that will say it
        return ""
    return f" ({size / 1e9:.1f} GB; --feature_extractor_model=embedded needs no download)" if size >= LARGE else ""


def _help(name: str, filename: str) -> str:
    # Of a model that is needed for its processor only, the weights (gigabytes) are not.
    file = f" {filename}" if filename == "preprocessor_config.json" else ""
    return f"with a network, fetch it by: hf download {name}{file}. {OFFLINE_HELP}"


def _tensor_names(path: Path) -> Iterable[str]:
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            return list(file.keys())
    import torch

    return torch.load(path, map_location="meta", weights_only=True)  # without reading the values


def read_json(path: Path) -> dict[str, Any]:
    """The object in a checkpoint's JSON file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: can't be read as JSON ({first_line(error)}); fetch the checkpoint again")
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no JSON object; fetch the checkpoint again")
    return content
