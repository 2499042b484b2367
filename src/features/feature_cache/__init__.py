"""Features on disk, keyed by image content, extractor and hidden state. docs/feature-cache.md describes the files."""

from .cache import FOLDER_NAME, FeatureCache, default_folder
from .places import Places
from .shards import as_kept

__all__ = ["FOLDER_NAME", "FeatureCache", "Places", "as_kept", "default_folder"]
