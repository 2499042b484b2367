"""The library as a part of another program: under any name, beside another `src`, and without a trace on the disk."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from src.features import extract, load_extractor
from src.model import fit_predictor, save_predictor
from src.scoring import load_scorer
from tests import ROOT

# argv: the folder of the other src, that of some/, the folder of the pictures. Reports every file that Python opens
# for writing, makes, moves or deletes.
HOST = """
import json, os, sys
sys.path[:0] = sys.argv[1:3]
touched = []
def watch(event, arguments):
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & writing
    if opens or event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"):
        touched.append([event, str(arguments[0])])
import src
assert src.WHOSE == "another's"
sys.addaudithook(watch)

from some.package.src.features import extract
from some.package.src.model import fit_predictor
from some.package.src.ratings import rate
from some.package.src.scoring import load_scorer
import numpy as np

photos = sys.argv[3]
paths = [f"{photos}/{i}.png" for i in range(4)]
scorer = load_scorer(f"{photos}/model.safetensors", device="cpu")
scores = scorer.score(paths).values.tolist()
features = extract(paths, scorer.extractor, (3,))
refitted = fit_predictor(features, np.arange(4.0), extractor=scorer.extractor, epochs=2, device="cpu")
ratings = rate([("a", "b"), {"b", "c"}]).ratings.tolist()
ours = sorted(name for name in sys.modules if name.split(".")[0] == "src")
print(json.dumps([scores, refitted.predict(features)[0].tolist(), ratings, ours, touched]))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four pictures and a model that scores them."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(4)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)
    extractor = load_extractor("efficientnet-lite0", "cpu")
    features = extract(paths, extractor)
    predictor = fit_predictor(features, np.arange(4.0), extractor=extractor, epochs=2, device="cpu")
    save_predictor(folder / "model.safetensors", predictor)
    return folder


@pytest.mark.script
def test_a_copy_below_another_package_scores_beside_anothers_src_and_leaves_no_trace(tmp_path, photos):
    shutil.copytree(ROOT / "src", tmp_path / "host/some/package/src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "other/src").mkdir(parents=True)
    (tmp_path / "other/src/__init__.py").write_text('WHOSE = "another\'s"\n')
    (tmp_path / "elsewhere").mkdir()
    before = sorted(tmp_path.rglob("*")) + sorted(photos.rglob("*"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [sys.executable, "-c", HOST, str(tmp_path / "other"), str(tmp_path / "host"), str(photos)],
        cwd=tmp_path / "elsewhere",
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    scores, refitted, ratings, ours, touched = json.loads(ended.stdout)
    scorer = load_scorer(photos / "model.safetensors", device="cpu")
    assert scores == pytest.approx(scorer.score([photos / f"{i}.png" for i in range(4)]).values, rel=1e-5)
    assert np.isfinite(refitted).all()
    assert ratings[0] > ratings[1]
    assert ours == ["src"]
    # Torch's optimizers bring its compiler, which makes an empty folder for temporary files.
    assert [each for each in touched if not each[1].startswith("/dev/") and "torchinductor" not in each[1]] == []
    assert sorted(tmp_path.rglob("*")) + sorted(photos.rglob("*")) == before
