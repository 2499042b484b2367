"""plot: where images lie, by style and by clusters."""

import csv
import json
import re

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from src.common import UserError
from studies.style_folders import autoencode, plot
from studies.style_folders.page import points_page
from tests.studies.conftest import arguments


def test_styles_of_different_colours_are_the_clusters_of_their_features(gallery, drawn_for_real):
    folder = plot.main(arguments("plot", gallery))
    assert folder.name == "plot1"
    found = json.loads((folder / "results.json").read_text())
    assert found["ari"] == pytest.approx(1)
    assert found["nmi"] == pytest.approx(1)
    with (folder / "coordinates.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 44
    assert {(row["style"], row["cluster"]) for row in rows} == {("bars", "1"), ("dots", "2"), ("rings", "3")}
    assert Image.open(folder / "pca.png").width > 900
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert page.count("<circle") == page.count("data:image/jpeg") == 44
    assert not re.search(r"https?:|src=|@import", page)


def test_latent_vectors_are_those_of_the_newest_autoencoder(gallery):
    with pytest.raises(UserError, match="holds no ae1 or later; run the sub-command that makes it first"):
        plot.main(arguments("plot", gallery, "--space=latent"))
    autoencode.main(arguments("autoencode", gallery, "--toy"))
    folder = plot.main(arguments("plot", gallery, "--space=latent", "--k=5"))
    assert json.loads((folder / "run.json").read_text())["of"] == {"model": "ae1"}
    with (folder / "coordinates.csv").open(encoding="utf-8") as file:
        assert {row["cluster"] for row in csv.DictReader(file)} == set("12345")


def test_the_axes_are_principal_components_with_their_shares():
    vectors = np.random.default_rng(0).normal(size=(40, 6)) * [5, 3, 1, 1, 1, 1]
    places = plot.principal(vectors)
    expected = PCA(2).fit(vectors)
    assert places.explained == pytest.approx(expected.explained_variance_ratio_)
    assert np.abs(places.points) == pytest.approx(np.abs(expected.transform(vectors)))
    assert places.labels()[0] == f"PCA 1 ({expected.explained_variance_ratio_[0]:.1%} of the variance)"


def test_more_clusters_than_images_are_refused(gallery):
    with pytest.raises(UserError, match="--k=44: there are 44 images; give fewer clusters"):
        plot.main(arguments("plot", gallery, "--k=44"))


def test_a_name_cannot_end_the_pages_script():
    name = "</script><b>x"
    point = {"x": 0, "y": 0, "colour": "#000", "path": name, "style": name, "cluster": 1, "picture": ""}
    page = points_page(name, ["a", "b"], [point], {name: "#000"})
    assert name not in page
    assert page.count("</script>") == 2
