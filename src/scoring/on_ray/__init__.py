"""Scoring on Ray, on this machine or a cluster: tasks open images, actors ask the models, rows come back here."""

from typing import TYPE_CHECKING

from ...common.lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .cluster import check_ray
    from .flow import score_on_ray
    from .parts import Parts, parts_of
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
