"""Draw a gallery of landscapes and abstract compositions, scored by an imaginary person, to try the toolkit on.

    python examples/sample_gallery.py gallery

The person's taste, by which they choose between two pictures, now and then by mistake:

- likes calm pictures, those that change little from one spot to the next,
- dislikes harsh ones: hard edges between very different tones, as in loud stripes and clutter,
- likes warm colours: the larger the part of the picture that is more red than blue, the better,
- likes to see a sun or a moon.

It is measured on the finished picture (`taste`), so that there is something true for a model to find.
"""

import argparse
import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from examples.abstracts import KINDS, abstract
from examples.drawing import Array, Canvas, pick
from examples.landscapes import PLACES, landscape
from examples.scene import LIGHTS
from src.common.errors import UserError, run
from src.common.files import write_text

SIZES = [(384, 288), (288, 384), (320, 320), (432, 243)]
TASTE = {"calm": 3.0, "harsh": -6.0, "warm": 1.4, "sun": 0.4}
MARK = ".sample_gallery.json"  # says which gallery a folder holds, so that nobody else's files are overwritten


def main() -> None:
    args = parse_arguments()
    folder, settings = Path(args.folder), {"images": args.images, "seed": args.seed}
    check_folder(folder, settings)
    names, tastes = draw_gallery(folder, args.images, args.seed)
    winners, losers = choose(np.array(tastes), args.seed)
    ratings = bradley_terry(winners, losers, args.images)
    save_scores(folder, names, ratings, np.bincount(np.append(winners, losers), minlength=args.images), settings)
    print(f"{folder}: {len(names)} pictures, scores from {len(winners)} simulated choices in scores.csv")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draw a gallery of pictures with scores, to try the toolkit on.")
    parser.add_argument("folder", help="where the pictures and scores.csv go; made if it does not exist")
    parser.add_argument("--images", type=int, default=300, help="how many, from 10 to 10000 (default 300)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other pictures (default 1)")
    args = parser.parse_args()
    if not 10 <= args.images <= 10_000:
        raise UserError(f"--images={args.images}: must be from 10 to 10000")
    if args.seed < 0:
        raise UserError(f"--seed={args.seed}: must be 0 or more")
    return args


# --- pictures ---


def draw_gallery(folder: Path, images: int, seed: int) -> tuple[list[str], list[float]]:
    """Write the pictures; their relative paths, and how much the person likes each."""
    names, tastes = [], []
    for index in tqdm(range(images), desc="drawing", unit="image", delay=2, mininterval=0.5):
        name, picture, sun = draw_picture(index, seed)
        save_picture(folder / name, picture)
        names.append(name)
        tastes.append(taste(picture, sun))
    return names, tastes


def draw_picture(index: int, seed: int) -> tuple[str, Image.Image, float]:
    """Picture number `index`, whatever the others are: its relative path, itself, and its visible pixels of sun."""
    draw = np.random.default_rng([seed, index])
    canvas = Canvas(pick(draw, SIZES))
    title = subject(index, seed)
    if " " in title:
        landscape(draw, canvas, *title.split())
        folder, ending = "landscapes", pick(draw, ["jpg"] * 5 + ["png"])
    else:
        abstract(draw, canvas, title)
        folder, ending = "abstracts", pick(draw, ["png", "png", "jpg"])
    pixels = (canvas.picture.clip(0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)  # (H, W, 3)
    name = f"{folder}/{title.replace(' ', '_')}_{index + 1:03}.{ending}"
    return name, Image.fromarray(pixels), canvas.sun_seen()


def subject(index: int, seed: int) -> str:
    """A time of day and a place, or a kind of abstract. Three of five are landscapes; each subject has its turn."""
    turn, step = divmod(index, 5)
    landscapes = [f"{time} {place}" for time in LIGHTS for place in PLACES]
    subjects, number = (landscapes, 3 * turn + step) if step < 3 else (list(KINDS), 2 * turn + step - 3)
    order = np.random.default_rng([seed, len(subjects)]).permutation(len(subjects))
    return subjects[order[number % len(subjects)]]


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write the picture unless it is there already, so that a second run leaves it as old as it was."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG" if path.suffix == ".png" else "JPEG", quality=90, compress_level=2)
    if not path.exists() or path.read_bytes() != buffer.getvalue():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(buffer.getvalue())  # one that was cut off would be written anew next time


# --- the imaginary person ---


def taste(picture: Image.Image, sun: float) -> float:
    """How much the person likes a picture, in Elo units: P(a preferred to b) = 1 / (1 + 10^-(a - b)).

    sun: visible pixels of the sun or moon.
    """
    pixels = np.asarray(picture.resize((192, 192), Image.Resampling.BOX), np.float32) / 255  # (192, 192, 3)
    tone = pixels @ np.array([0.3, 0.6, 0.1], np.float32)  # (192, 192)
    steps = np.hypot(np.diff(tone, axis=0)[:, 1:], np.diff(tone, axis=1)[1:])
    seen = {
        "calm": -np.log10(steps.mean() + 0.003),
        "harsh": (steps > 0.15).mean(),
        "warm": (pixels[..., 0] - pixels[..., 2] > 0.05).mean(),
        "sun": min(1.0, sun / 400),
    }
    return float(sum(weight * seen[quality] for quality, weight in TASTE.items()))


def choose(tastes: Array, seed: int, rounds: int = 20) -> tuple[Array, Array]:
    """Winners and losers of simulated choices, by picture number.

    In each round nine of ten pictures meet another one: about 18 comparisons for each, rarely fewer than 14.
    """
    draw = np.random.default_rng([seed, 2**32])
    met = len(tastes) * 9 // 20 * 2
    pairs = [draw.permutation(len(tastes))[:met].reshape(-1, 2) for _ in range(rounds)]
    first, second = np.concatenate(pairs).T
    first_wins = draw.random(len(first)) < 1 / (1 + 10 ** (tastes[second] - tastes[first]))
    return np.where(first_wins, first, second), np.where(first_wins, second, first)


def bradley_terry(winners: Array, losers: Array, images: int) -> Array:
    """Ratings of mean 0 and deviation 1, (images,), by the minorise-maximise steps of Hunter (2004).

    Each picture also has half a win and half a loss against one of strength 1, so that none runs off to infinity.
    """
    wins = np.bincount(winners, minlength=images) + 0.5
    strength = np.ones(images)
    for _ in range(2000):
        share = 1 / (strength[winners] + strength[losers])
        met = np.bincount(winners, share, images) + np.bincount(losers, share, images)
        strength = wins / (met + 1 / (strength + 1))
    ratings = np.log10(strength)
    return (ratings - ratings.mean()) / ratings.std()


# --- what is in the folder ---


def check_folder(folder: Path, settings: dict[str, int]) -> None:
    """Make the folder ready, or stop if it holds something that is not ours to overwrite."""
    mark, scores = folder / MARK, folder / "scores.csv"
    before = json.loads(mark.read_text()) if mark.exists() else {}
    if before and any(before.get(key) != settings[key] for key in settings):
        made = f"--images={before.get('images')} --seed={before.get('seed')}"
        raise UserError(f"{folder}: holds the gallery of {made}; name another folder, or delete this one")
    if scores.exists() and fingerprint(scores) != before.get("scores"):
        raise UserError(f"{scores}: not as this script wrote it, so it is not overwritten; name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: can't be made ({error.strerror})")
    if not before:
        write_text(mark, json.dumps(settings))


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_scores(folder: Path, names: list[str], ratings: Array, counts: Array, settings: dict[str, int]) -> None:
    rows = sorted(zip(names, ratings, counts, strict=True))
    lines = ["relative_path,score,comparisons", *(f"{name},{rating:.4f},{count}" for name, rating, count in rows)]
    write_text(folder / "scores.csv", "\n".join(lines) + "\n")
    write_text(folder / MARK, json.dumps({**settings, "scores": fingerprint(folder / "scores.csv")}))


if __name__ == "__main__":
    run(main)
