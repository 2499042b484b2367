"""How far the bar to a good order came: it never goes back, whatever the estimates do, and whoever restarts what."""

from contextlib import suppress
from dataclasses import replace

from ..common import UserError
from ..ratings import GOOD_ORDER, Comparisons, Progress

STEP = 0.01  # of the way: less isn't worth a row
SLACK = 0.03  # an order that was good may come to be estimated so much lower, and still is called good


class Furthest:
    """Kept with the choices. It begins anew where images are added, for their order isn't known."""

    def __init__(self, comparisons: Comparisons) -> None:
        self._comparisons = comparisons
        self._shares: dict[tuple[str, int], float] = {}  # by way, as `Progress` has it, and number of images
        self._stored: dict[tuple[str, int], float] = {}

    def share(self, way: str, images: int) -> float:
        """0…1, of so many images."""
        key = way, images
        if key not in self._shares:
            self._shares[key] = self._stored[key] = self._comparisons.reached(way, images)
        return self._shares[key]

    def keep(self, now: Progress, images: int) -> Progress:
        """The same with what was reached before, if that was more."""
        key = now.way, images
        share = self._shares[key] = max(now.share, self.share(now.way, images))
        if share > self._stored[key] and (share >= self._stored[key] + STEP or share == 1):
            with suppress(UserError):  # a database that can't be written says so at the next choice
                self._comparisons.reach(share, now.way, images)
                self._stored[key] = share
        still_good = share == 1 and round(now.order, 2) >= GOOD_ORDER - SLACK
        return replace(now, share=share, low=0, high=0) if still_good else replace(now, share=share)
