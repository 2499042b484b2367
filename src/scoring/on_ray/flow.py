"""Images through Ray: the stream that is given to it, and what comes back."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
from tqdm import tqdm

from ...common import Names, UserError, first_line, note, number_of
from ..models import Model, Scored
from ..settings import ScoringSettings
from .cluster import NotStarted, Plan, joined, plan, twice
from .parts import NAMES, Parts
from .pulse import SECONDS_A_LOOK, Listener, Patience
from .workers import Asking, Order, prepare

BATCH = 64  # images that go together from a task to an actor: of most image models 10 to 40 MB
MOST_BLOCKS = 20_000  # Ray keeps account of each


def score_on_ray(
    directory: Path,
    paths: Sequence[str],
    models: Sequence[Model],
    settings: ScoringSettings,
    parts: Parts,
    address: str | None = None,
) -> Scored:
    """As `score_images`, by tasks and actors of Ray; what has come back before is in `parts`, and is not done again.

    address: of a cluster whose machines see the images and models under the same names; None: Ray is started here.
    Raises UserError where Ray can't be had, tried twice, or as `Patience` does.
    """
    result = _Result(directory, paths, models, parts)
    todo = result.take_known()
    if not len(todo):
        return result.scored(0)
    settings = replace(settings, threshold=())
    order = Order(directory.absolute(), tuple(model.path.absolute() for model in models), settings, Path.cwd())
    bar = tqdm(total=len(paths), initial=len(paths) - len(todo), desc="scoring", unit="image", disable=None)
    with bar:
        twice(lambda: _ask(paths, todo, order, address, lambda table: bar.update(result.take(table))))
    return result.scored(len(todo))


def _ask(
    paths: Sequence[str], todo: np.ndarray, order: Order, address: str | None, take: Callable[[Any], object]
) -> None:
    """Start or join Ray, and take what it gives. Raises NotStarted where it is gone before anything was done."""
    with joined(address) as ray:
        listener = Listener(ray)
        patience = Patience(listener.heard, partial(_free, ray))
        try:
            nodes = sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes())
            asked = plan(ray.cluster_resources(), nodes, order.settings.device)
            for table in _coming(_stream(ray, paths, todo, replace(order, pulse=listener.name), asked), patience):
                take(table)
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError as error:
            kind = UserError if patience.has_started else NotStarted
            raise kind(f"--engine=ray: {first_line(error)}; started again, it goes on from what is done")


class _Result:
    """Scores by the positions of their images. Whatever comes is in `parts` soon after."""

    def __init__(self, directory: Path, paths: Sequence[str], models: Sequence[Model], parts: Parts) -> None:
        self._directory, self._paths, self._models, self._parts = directory, paths, models, parts
        self._values = np.full((3, len(paths), len(models)), np.nan)
        self._done = np.zeros(len(paths), dtype=bool)
        self._unreadable: dict[str, str] = {}

    def take_known(self) -> np.ndarray:
        """What was scored before; positions of the others, (n,)."""
        places: dict[str, int] = {}
        for names, values in self._parts.read(self._directory):
            places = places or {path: place for place, path in enumerate(self._paths)}
            rows = [row for row, name in enumerate(names) if name in places]
            own = [places[names[row]] for row in rows]
            self._values[:, own], self._done[own] = values[:, rows], True
        if known := int(self._done.sum()):
            note(f"note: {number_of(known, 'image', 'is')} in {self._parts.folder} already, from before")
        return np.flatnonzero(~self._done)

    def take(self, table: Any) -> int:
        """A table of `Asking`; how many images it is of."""
        places, reasons = table["place"].to_numpy(), table["reason"].to_pylist()
        flat = table["values"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        values = flat.reshape(len(places), 3, -1).transpose(1, 0, 2)  # (3, N, models)
        good = np.array([reason is None for reason in reasons], dtype=bool)
        self._values[:, places[good]], self._done[places[good]] = values[:, good], True
        names = [self._paths[place] for place in places]
        self._unreadable |= {name: why for name, why in zip(names, reasons, strict=True) if why is not None}
        self._parts.add([name for name, is_good in zip(names, good, strict=True) if is_good], values[:, good])
        return len(places)

    def scored(self, extracted: int) -> Scored:
        """In the order of the paths. extracted: images that went through the image models now."""
        self._parts.flush()
        lost = len(self._paths) - int(self._done.sum()) - len(self._unreadable)
        if lost:
            raise UserError(f"--engine=ray: Ray gave back nothing of {number_of(lost, 'image')}; run it again")
        names = Names(path for path, done in zip(self._paths, self._done.tolist(), strict=True) if done)
        scores, errors, gates = self._values[:, self._done]
        unreadable = dict(sorted(self._unreadable.items()))
        return Scored(self._models, names, scores, errors, gates, unreadable, extracted - len(unreadable))


def _stream(ray: Any, paths: Sequence[str], todo: np.ndarray, order: Order, plan: Plan) -> Any:
    """The dataset; nothing runs yet."""
    import pyarrow

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    rows = BATCH * -(-len(todo) // (BATCH * MOST_BLOCKS))
    blocks = []
    for start in range(0, len(todo), rows):
        places = todo[start : start + rows]
        names = [paths[place].encode(*NAMES) for place in places]
        blocks.append(pyarrow.table({"place": places, "path": pyarrow.array(names, pyarrow.binary())}))
    opened = ray.data.from_arrow(blocks).map_batches(
        partial(prepare, order=order), batch_size=BATCH, batch_format="pyarrow", num_cpus=1
    )
    return opened.map_batches(
        Asking,
        fn_constructor_args=(order,),
        compute=ray.data.ActorPoolStrategy(size=plan.actors),
        batch_size=BATCH,
        batch_format="pyarrow",
        num_cpus=plan.cpus,
        num_gpus=plan.gpus,
    )


def _coming(stream: Any, patience: Patience) -> Iterator[Any]:
    """Tables as they come."""
    queue: Queue[Any] = Queue(maxsize=100)
    threading.Thread(target=_feed, args=(stream, queue), daemon=True).start()
    while True:
        try:
            item = queue.get(timeout=SECONDS_A_LOOK)
        except Empty:
            patience.look()
            continue
        if item is None:
            return
        if isinstance(item, BaseException):
            raise _explained(item)
        patience.came()
        yield item


def _feed(stream: Any, queue: "Queue[Any]") -> None:
    try:
        for table in stream.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            queue.put(table)
        queue.put(None)
    except BaseException as error:
        queue.put(error)


def _free(ray: Any) -> str:
    have, left = ray.cluster_resources(), ray.available_resources()
    kinds = [kind for kind in ("CPU", "GPU") if have.get(kind)]
    return ", ".join(f"{left.get(kind, 0):.0f} of {have[kind]:.0f} {kind}s are free" for kind in kinds)


def _explained(error: BaseException) -> BaseException:
    """Our own sentence, where a process of Ray raised one."""
    seen: BaseException | None = error
    while seen is not None:
        cause = getattr(seen, "cause", None)
        for one in (seen, cause):
            if isinstance(one, UserError):
                return UserError(str(one))
        seen = seen.__cause__
    return error
