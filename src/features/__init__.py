"""Images -> {hidden state: (N, W) float32}: finding and opening images, extractors, the cache of features."""

from typing import TYPE_CHECKING

from ..common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .batches import pixels_of
    from .extraction import Features, extract_features, fill_cache
    from .extractors import EMBEDDED, FAST, Extractor, extractor_in_words, load_extractor
    from .extractors.checkpoint import in_cache
    from .extractors.efficientnet import embedded_network
    from .extractors.known import list_extractors
    from .feature_cache import FeatureCache, default_folder
    from .images import (
        IMAGE_SUFFIXES,
        Stamp,
        UnreadableImage,
        content_hash,
        data_url,
        expanded,
        facts_of,
        file_stamps,
        find_images,
        find_names,
        image_file,
        images_below,
        is_left_out,
        is_remote,
        is_there,
        leading_out,
        no_own_files,
        open_image,
        readable_suffixes,
        thumbnail,
        write_object,
    )
    from .in_memory import AnyImage, extract, extract_prepared
    from .near_duplicates import near_identical_groups
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
