"""plot: where images lie, by style and by clusters of the same points, and how far the two agree."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from src.common import UserError, note, number_of, working, write_text
from src.features import UnreadableImage, open_image

from ..common.learning import write_csv
from ..common.looking import cache_of, features_of, load_image_model, pixels_of
from ..common.pictures import jpeg_url
from ..common.runs import RESULTS, find_run, new_run, options_of, runs_folder, write_configuration
from ..common.weighing import Weighing
from .autoencode import load_autoencoder, styles_of_run
from .folders import Styles, find_styles, without_unreadable
from .page import points_page
from .pictures import colour, draw_points

THUMBNAIL = 96  # pixels on a longest side, in the page
MOST_IN_THE_PAGE = 3000
STARTS = 10  # of k-means; the best is taken
BATCH = 128


class Places(NamedTuple):
    """points: (N, 2). explained: the shares of all variance that the two axes hold; empty for UMAP."""

    name: str
    points: np.ndarray
    explained: tuple[float, ...]

    def labels(self) -> list[str]:
        """Of the axes."""
        shares = [f" ({share:.1%} of the variance)" for share in self.explained] or ["", ""]
        return [f"{self.name} {i + 1}{share}" for i, share in enumerate(shares)]


def main(arguments: Namespace) -> Path:
    """Write pictures, coordinates.csv and page.html into a numbered folder, which is returned."""
    styles, vectors, about = see(arguments)
    k = arguments.k or len(styles.names)
    if k >= len(vectors):
        raise UserError(f"--k={k}: there are {len(vectors)} images; give fewer clusters")
    with working("Looking for clusters"):
        clusters = clusters_of(vectors, k, arguments.seed)
    folder = new_run(runs_folder(arguments), "plot")
    configuration = {"command": "plot", "options": options_of(arguments), "of": about, "split": {}}
    write_configuration(folder, {**configuration, "styles": {name: i for i, name in enumerate(styles.names)}})
    places = [principal(vectors), *_umap(vectors, arguments.seed)]
    groups = [f"cluster {i + 1}" for i in range(k)]
    for each in places:
        panels = [
            ("by style", each.points, styles.codes, styles.names),
            ("by k-means", each.points, clusters, groups),
        ]
        draw_points(folder / f"{each.name.lower()}.png", panels, each.labels())
    agreement = agreement_of(styles.codes, clusters)
    write_text(folder / RESULTS, json.dumps(agreement, indent=1) + "\n")
    _write_coordinates(folder, styles, clusters, places)
    write_text(folder / "page.html", _page(styles, clusters, places[-1]))
    print(f"{number_of(len(vectors), 'image')}, {k} clusters: ARI {agreement['ari']:.3f}, NMI {agreement['nmi']:.3f}")
    print(f"pictures, coordinates.csv and page.html are in {folder}")
    return folder


def see(arguments: Namespace) -> tuple[Styles, np.ndarray, dict[str, Any]]:
    """Images, their vectors (N, D), and what those are."""
    if arguments.space == "features":
        styles = find_styles(arguments)
        extractor = load_image_model(arguments.feature_extractor_model, arguments.device)
        states = arguments.hidden_states_used or extractor.default_hidden_states
        seen = features_of(styles.root, styles.paths, extractor, states, cache_of(arguments))
        weighing = Weighing(seen.x.shape[1])
        weighing.fit(seen.x, seen.widths)
        styles = without_unreadable(styles, seen.unreadable)
        return styles, weighing(torch.from_numpy(seen.x)).numpy(), {"image_model": extractor.name, "states": states}
    model = find_run(runs_folder(arguments), "ae", arguments.model)
    network, configuration = load_autoencoder(model, arguments.device)
    styles = styles_of_run(configuration, arguments.root)
    seen = pixels_of(styles.root, styles.paths, configuration["identity"]["size"])
    styles = without_unreadable(styles, seen.unreadable)
    return styles, latents_of(network.encoder, seen.x), {"model": model.name}


@torch.no_grad()
def latents_of(encoder: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """(N, latent) of pixels (N, 3, S, S) uint8."""
    device = next(encoder.parameters()).device
    return torch.cat(
        [encoder(part.to(device).float() / 255).cpu() for part in torch.from_numpy(x).split(BATCH)]
    ).numpy()


def principal(vectors: np.ndarray) -> Places:
    """The first two principal components; each axis points to where its largest number is above 0."""
    from sklearn.decomposition import PCA

    found = PCA(2, svd_solver="covariance_eigh" if vectors.shape[1] < 3000 else "full").fit(vectors)
    points = found.transform(vectors)
    points *= np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    return Places("PCA", points, tuple(map(float, found.explained_variance_ratio_)))


def clusters_of(vectors: np.ndarray, k: int, seed: int) -> np.ndarray:
    """(N,) from 0, the largest cluster first."""
    from sklearn.cluster import KMeans

    found = KMeans(k, n_init=STARTS, random_state=seed).fit_predict(vectors)
    order = np.argsort(-np.bincount(found, minlength=k), kind="stable")
    return np.argsort(order)[found]


def agreement_of(codes: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
    """Adjusted Rand index (0: chance, 1: the same) and normalised mutual information (0 to 1)."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return {
        "ari": float(adjusted_rand_score(codes, clusters)),
        "nmi": float(normalized_mutual_info_score(codes, clusters)),
    }


def _umap(vectors: np.ndarray, seed: int) -> list[Places]:
    """Where umap-learn is installed."""
    try:
        from umap import UMAP
    except ImportError:
        return []
    return [Places("UMAP", np.asarray(UMAP(random_state=seed).fit_transform(vectors)), ())]


def _write_coordinates(folder: Path, styles: Styles, clusters: np.ndarray, places: list[Places]) -> None:
    header = ["path", "style", "cluster", *(f"{each.name.lower()}{i}" for each in places for i in (1, 2))]
    rows = [
        [path, styles.names[styles.codes[i]], int(clusters[i]) + 1, *(float(v) for p in places for v in p.points[i])]
        for i, path in enumerate(styles.paths)
    ]
    write_csv(folder / "coordinates.csv", [header, *rows])


def _page(styles: Styles, clusters: np.ndarray, places: Places) -> str:
    """All points, or so many drawn of them; each knows its picture."""
    rows = np.arange(len(styles.paths))
    if len(rows) > MOST_IN_THE_PAGE:
        note(f"note: page.html shows {MOST_IN_THE_PAGE} of the {len(rows)} images, coordinates.csv all")
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_IN_THE_PAGE, replace=False))
    points = [
        {
            "path": styles.paths[i],
            "style": styles.names[styles.codes[i]],
            "cluster": int(clusters[i]) + 1,
            "x": float(places.points[i, 0]),
            "y": float(places.points[i, 1]),
            "colour": colour(int(styles.codes[i])),
            "picture": _thumbnail(styles.root / styles.paths[i]),
        }
        for i in rows.tolist()
    ]
    legend = {name: colour(code) for code, name in enumerate(styles.names)}
    return points_page(f"{styles.root.name}: where its images lie", places.labels(), points, legend)


def _thumbnail(path: Path) -> str:
    """A data: URL; empty where the image has gone meanwhile."""
    try:
        image = open_image(path)
    except UnreadableImage:
        return ""
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    return jpeg_url(image)
