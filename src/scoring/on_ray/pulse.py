"""Whether anything goes on in Ray's processes: they say so to an actor, and who waits for scores looks there.

Scores alone don't tell: they come back in tables of many images, and none before processes are started and image
models loaded, which may take minutes without anything being wrong.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from ...common import UserError, note

SECONDS_A_LOOK = 1.0
SECONDS_OF_SILENCE = 60.0
SECONDS_TO_START = 600.0  # and to load an image model
SECONDS_BETWEEN_BEATS = 1.0

Heard = tuple[int, bool]  # how often something was done, and whether image models are being loaded


class Pulse:
    """The actor. It is told of each step of work, and of image models that are loaded."""

    def __init__(self) -> None:
        self._beats, self._is_first, self._loading = 0, True, set[str]()

    def beat(self) -> None:
        """An image was opened, or a batch has gone through an image model."""
        self._beats += 1

    def loads(self, process: str) -> None:
        """This process begins to load its image models; no progress by itself, as it may fail again and again."""
        self._loading.add(process)

    def ready(self, process: str) -> None:
        """It has them."""
        self._beats, self._is_first = self._beats + 1, False
        self._loading.discard(process)

    def heard(self) -> Heard:
        """Image models also count as being loaded until the first process has them."""
        return self._beats, self._is_first or bool(self._loading)


class Listener:
    """The actor's other end, here. name: by which processes of Ray find it; it is gone with this object."""

    def __init__(self, ray: Any) -> None:
        self.name = f"pulse-{uuid.uuid4().hex}"
        self._ray = ray
        self._actor = ray.remote(num_cpus=0)(Pulse).options(name=self.name).remote()

    def heard(self) -> Heard | None:
        """None where it does not answer."""
        with suppress(self._ray.exceptions.RayError):
            heard: Heard = self._ray.get(self._actor.heard.remote(), timeout=SECONDS_A_LOOK)
            return heard
        return None


def tell(name: str, what: str, *words: str) -> None:
    """From a process of Ray: call this method of the `Pulse` of that name. Nothing waits for it; it may be gone."""
    with suppress(ValueError):
        getattr(_actor(name), what).remote(*words)


class Beats:
    """Of this process, so few that they cost nothing. name: of the `Pulse`."""

    def __init__(self, name: str) -> None:
        self._name, self._last = name, -SECONDS_BETWEEN_BEATS

    def __call__(self) -> None:
        """Something was done."""
        if (now := time.monotonic()) - self._last >= SECONDS_BETWEEN_BEATS:
            self._last = now
            tell(self._name, "beat")


@cache
def _actor(name: str) -> Any:
    import ray

    return ray.get_actor(name)


class Patience:
    """How long it is waited for what comes from Ray.

    A minute without any progress; ten, each said, while image models are loaded. heard: of a `Listener`. free: what
    the cluster has left, as text.
    """

    def __init__(self, heard: Callable[[], Heard | None], free: Callable[[], str]) -> None:
        self._heard, self._free = heard, free
        self._beats, self._is_loading = 0, True
        self.has_started = False  # whether anything was done at all
        self._begin()

    def _begin(self) -> None:
        self._silent = self._said = 0.0
        self._looked = time.monotonic()

    def came(self) -> None:
        """Scores have come."""
        self._is_loading, self.has_started = False, True
        self._begin()

    def look(self) -> None:
        """To be called every `SECONDS_A_LOOK` while none come. Raises UserError at the end of all patience."""
        beats, self._is_loading = self._heard() or (self._beats, self._is_loading)
        if beats != self._beats:
            self._beats, self.has_started = beats, True
            return self._begin()
        now = time.monotonic()
        self._silent += min(now - self._looked, 5 * SECONDS_A_LOOK)  # this process may have been stopped for hours
        self._looked = now
        if self._silent > (SECONDS_TO_START if self._is_loading else SECONDS_OF_SILENCE):
            raise UserError(self._end())
        if self._silent - self._said > SECONDS_OF_SILENCE:
            self._said = self._silent
            note(
                f"note: for {self._silent / 60:.0f} min Ray has been starting processes and loading image models "
                f"({self._free()}); that ends after {SECONDS_TO_START / 60:.0f}"
            )

    def _end(self) -> str:
        if self._is_loading:
            what, else_ = f"after {SECONDS_TO_START / 60:.0f} minutes no image model is loaded", ""
        else:
            what = f"nothing was done for {SECONDS_OF_SILENCE:.0f} seconds"
            else_ = ", or a batch takes longer, then give a smaller --extract_batch_size"
        return (
            f"--engine=ray: {what} ({self._free()}); another program of the cluster may have what this needs{else_}; "
            "see Ray's logs, in /tmp/ray/session_latest/logs; started again, it goes on from what is done"
        )
