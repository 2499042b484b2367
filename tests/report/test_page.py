"""The page of a report: escaped, self-contained, and looked at in a browser."""

import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from src.common import Steps, expected_order
from src.features import data_url
from src.model.config import PredictorConfig
from src.model.network import Predictor
from src.model.training import train
from src.report import plots
from src.report.analysis import Subset
from src.report.drawings import drawings, write_plots
from src.report.full_report import build_page, write_report
from src.report.learning_curve import learning_curve, verdict
from src.report.material import Material
from src.scores.scorefile import new_table, read_scorefile
from src.scoring.model_scores import ModelScores
from tests.pages import assert_accessible
from tests.training import FEW
from tests.waiting import wait_for

COUNT = 80
NASTY = "&amp;'.png" if os.name == "nt" else '<script>alert(1)<!--"&.png'  # a file name can't hold a slash
PARAMETERS = {"train_epochs": 4, "batch_size": 8, "log_lr": -2.5, "warmup_ratio": 0.1}


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.report.analysis.RESAMPLES", FEW)
        patch.setattr("src.report.learning_curve.REPEATS", FEW)
        yield


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """80 images of one colour each, the redder the better; a model that learnt it from 6 features, in part."""
    folder = tmp_path_factory.mktemp("gallery")
    generator = np.random.default_rng(0)
    colours = generator.integers(0, 256, (COUNT, 3))
    paths = [NASTY, *(f"sub/{number:02}.jpg" for number in range(COUNT - 1))]
    (folder / "sub").mkdir()
    for path, colour in zip(paths, colours, strict=True):
        Image.new("RGB", (300, 200), tuple(colour.tolist())).save(folder / path)
    (folder / "sub" / "03.jpg").write_bytes(b"broken")
    (folder / "scores.csv").write_text(
        "relative_path,score\n"
        + "".join(f'"{p.replace(chr(34), chr(34) * 2)}",{c[0] / 51}\n' for p, c in zip(paths, colours, strict=True)),
        encoding="utf-8",
    )
    inputs = np.column_stack([colours / 255, (colours / 255) ** 2]).astype(np.float32)
    split = np.where(np.arange(COUNT) % 3 == 0, "eval", "train")
    table = read_scorefile(folder / "scores.csv")
    predictor = Predictor(PredictorConfig("toy", (0,), "join", (6,), (8, 4)))
    metadata = {"metaparameters": json.dumps(PARAMETERS), "study": "<b>toy</b>", "feature_extractor_model": "toy"}
    scores = table.scores + generator.normal(0, 1, COUNT)
    model = ModelScores("<i>m</i>", scores, np.full(COUNT, np.nan), inputs, predictor, metadata)
    chosen = [Subset("All", np.flatnonzero(split == "eval")), Subset("<u>x</u>", np.arange(5))]
    tables = [("Models", [["<u>a</u>", "b"], ["<u>c</u>", "1"]])]
    return Material(folder, table, [model], split, chosen, "", 0, tables, ["I chose <u>this</u>."])


@pytest.fixture(scope="module")
def steps():
    return Steps()


@pytest.fixture(scope="module")
def html(material, steps):
    return build_page(material, material.directory / "report.html", steps)


def test_the_bar_of_a_report_counts_each_plot_and_each_thumbnail(html, steps):
    assert steps.done == steps.total == html.count("<figure") > 20


def test_whatever_a_file_or_a_study_is_called_it_stays_text(html):
    assert len(re.findall("<script", html)) == 2  # what is shown on the map, and the page's own
    for tag in ("<b>", "<i>", "<u>"):
        assert tag not in html
    assert "&lt;script&gt;" in html or "&amp;amp;" in html


def test_the_page_names_no_address_and_forbids_the_browser_to_ask_for_any(html):
    assert not re.search(r"https?:|url\((?!#)|@import|<link(?! rel=\"icon\" href=\"data:)", html)
    assert "default-src 'none'" in html
    assert {url[:5] for url in re.findall(r'\bsrc="([^"]+)"', html)} == {"data:"}


def test_ids_in_the_page_are_unique_and_every_reference_is_answered(html):
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', html)) <= set(ids)


def test_every_plot_and_both_scores_of_every_thumbnail_are_there(html, material):
    for title in ("Score against model score", "Error by score", "Calibration", "Scores by split", "Map of the"):
        assert title in html
    assert "Learning curve" in html
    ranks = stats.rankdata(material.model_scores) - stats.rankdata(material.scores)
    worst = material.rows[ranks.argmax()]
    first = html.split("Ranked too high")[1].split("</figure>")[0]
    assert f"{material.table.scores[worst]:.2f}" in first
    assert f"{material.model.scores[worst]:.2f}" in first


def test_colours_in_svg_are_variables_of_the_page(html):
    assert "#01020" not in html
    for name in ("ink", "line", "a", "b"):
        assert f"var(--{name})" in html


def test_the_learning_curve_rises_where_there_is_something_to_learn():
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(300, 40)).astype(np.float32)
    scores = inputs @ generator.normal(size=40)
    split = np.where(np.arange(300) < 220, "train", "eval")
    config = PredictorConfig("toy", (0,), "join", (40,), (16, 8))
    metadata = {"metaparameters": json.dumps({**PARAMETERS, "batch_size": 32, "log_lr": -2.2})}
    before = torch.random.get_rng_state()
    curve = learning_curve(config, metadata, inputs, scores, np.ones(300), split, 0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert [point.images for point in curve] == [26, 55, 110, 220]
    means = [point.evaluated.mean() for point in curve]
    assert means[0] < means[-1] - 0.05
    assert means[-1] > 0.6


def test_the_learning_curve_of_ridge_regression_is_of_the_best_trials_networks(monkeypatch):
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(80, 20)).astype(np.float32)
    split = np.where(np.arange(80) < 50, "train", "eval")
    ridge = PredictorConfig("toy", (0,), "join", (20,), (), dropouts=(0.0,))
    found = {**PARAMETERS, "first_layer_size": 7, "second_layer_size": 5, "components": 4}
    trained = []

    def watched(config, training, data):
        trained.append((config.layers, data.components.directions.shape))
        return train(config, training, data)

    monkeypatch.setattr("src.report.learning_curve.train", watched)
    metadata = {"model_type": "ridge", "metaparameters": json.dumps(found)}
    assert learning_curve(ridge, metadata, inputs, inputs @ np.ones(20), np.ones(80), split, 0)
    assert set(trained) == {((7, 5), (20, 4))}


def test_the_learning_curve_leaves_out_parts_that_hold_one_score_alone():
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(60, 4)).astype(np.float32)
    scores = (np.arange(60) >= 38).astype(float)  # two of the 40 train images are liked
    split = np.where(np.arange(60) < 40, "train", "eval")
    config = PredictorConfig("toy", (0,), "join", (4,), (8, 8))
    metadata = {"metaparameters": json.dumps({**PARAMETERS, "batch_size": 16}), "loss_model": "ab"}
    scores[50:] = 0
    curve = learning_curve(config, metadata, inputs, scores, np.ones(60), split, 0)
    assert np.isnan(curve[0].evaluated).any()
    assert np.isfinite(curve[-1].evaluated).all()
    assert "more images" in verdict(curve).lower()
    *_, mean = plots.learning_curve_plot(plots.ON_WHITE, curve).axes[0].lines
    assert np.isfinite(mean.get_ydata()[-1])


def test_png_plots_are_pictures_on_white(material, tmp_path):
    for path in write_plots(material, tmp_path / "plots"):
        with Image.open(path) as image:
            assert image.size == (880, 660)
            assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
            assert len(image.convert("RGB").getcolors(1_000_000)) > 20


def test_few_images_make_a_page_too(material):
    table = new_table(["sub/00.jpg", "sub/01.jpg"])
    model = ModelScores("m", np.array([1.0, 2]), np.full(2, np.nan))
    table = type(table)(**{**vars(table), "scores": np.array([1.0, 1])})
    chosen = [Subset("All", np.arange(2))]
    page = build_page(
        Material(material.directory, table, [model], np.array(["", ""]), chosen, "", 0), Path("report.html")
    )
    assert "too few or too equal" in page
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page)


def test_fewer_than_ten_images_have_numbers_without_intervals(material, monkeypatch):
    monkeypatch.setattr("src.report.full_report.drawings", lambda _: {})  # each takes a tenth of a second
    model = ModelScores("m", material.models[0].scores, np.full(COUNT, np.nan))
    for count in (9, 10):
        chosen = [Subset("All", np.arange(count))]
        page = build_page(
            Material(material.directory, material.table, [model], material.split, chosen, "", 0), Path("report.html")
        )
        assert page.count("too few for an interval") == (3 if count == 9 else 0)


@pytest.mark.parametrize("errors", [True, False])
def test_scores_that_features_assisted_have_both_cautious_figures_on_the_page(
    material, monkeypatch, tmp_path, errors
):
    monkeypatch.setattr("src.report.full_report.drawings", lambda _: {})
    lines = [f"{number}.png,{number},toy,{0.7 if errors else ''}" for number in range(20)]
    (tmp_path / "scores.csv").write_text("\n".join(["relative_path,score,assisted_by,score_error", *lines]))
    table = read_scorefile(tmp_path / "scores.csv")
    said = np.arange(20.0) + np.random.default_rng(0).normal(0, 5, 20)
    model = ModelScores("m", said, np.full(20, np.nan))
    chosen = [Subset("All", np.arange(20))]
    page = build_page(
        Material(tmp_path, table, [model], np.array(["eval"] * 20), chosen, "", 0), tmp_path / "report.html"
    )
    expected = expected_order(np.arange(20.0), np.full(20, 0.7), said)
    tiles = dict(re.findall(r'<span class="label">([^<]*)</span><strong>([^<]*)</strong>', page))
    assert ("Spearman, errors counted" in tiles) == errors
    if errors:
        assert tiles["AB, errors counted"] == f"{100 * expected.ab:.1f} %"
        assert tiles["Spearman, errors counted"] == f"{expected.spearman:.3f}"
        assert f'data-column="Spearman">{expected.spearman:.4f}<' in page


def test_a_thumbnail_is_small_and_a_broken_image_is_none(material):
    assert data_url(material.directory / "sub/03.jpg") is None
    assert len(data_url(material.directory / "sub/00.jpg")) < 5000


def look_closer(page):
    """Enlarge with keys alone, and point at the map."""
    first = page.locator(".gallery").first.locator("button.frame")
    first.first.focus()
    page.keyboard.press("Enter")
    wait_for(
        lambda: page.evaluate("document.querySelector('#view img').naturalWidth") == 300, 20
    )  # not its thumbnail
    assert page.locator("#view p").text_content().startswith(first.first.locator("img").get_attribute("alt"))
    page.keyboard.press("ArrowRight")
    assert page.locator("#view p").text_content().startswith(first.nth(1).locator("img").get_attribute("alt"))
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)  # that it was closed is told late, and gives the focus back
    page.locator("svg[tabindex]").focus()
    page.keyboard.press("ArrowRight")
    named = json.loads(page.locator("#map-points").text_content())
    best = int(np.argmax(named["scores"]))
    said = f"{named['names'][best]}: {named['scores'][best]:.2f}"
    wait_for(lambda: page.locator("#pointed p").text_content() == said)
    page.evaluate("document.querySelector('svg[tabindex]').scrollIntoView({block: 'center'})")
    box = page.locator("svg[tabindex]").bounding_box()
    x, y = named["points"][3]
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    assert page.locator("#pointed p").text_content().startswith(named["names"][3])


def test_a_point_of_the_map_is_where_its_image_is_drawn(material):
    figure = drawings(material)["map"].figure(plots.ON_WHITE)
    with Image.open(io.BytesIO(plots.to_png(figure))) as png:
        pixels, (width, height) = np.asarray(png.convert("RGB")).astype(int), png.size
    for x, y in plots.places_in(figure):
        column, row = round(x * width), round(y * height)
        assert pixels[row - 2 : row + 3, column - 2 : column + 3].min() < 200  # not the white ground


@pytest.fixture(scope="module")
def report(material, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(material, path)
    return path


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1400, "light"), (390, "dark")])
def test_in_a_browser_the_page_asks_for_nothing_and_shows_all_pictures(material, report, browser, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    pictures = "[...document.querySelectorAll('.gallery img')]"
    widths = page.evaluate(f"{pictures}.map(i => Math.min(i.naturalWidth, i.clientWidth))")
    assert len(widths) == 4 * 6  # four galleries of a fifth of 30 images
    assert min(widths) > 60
    drawings = page.evaluate("[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width)")
    assert len(drawings) == 6
    assert min(drawings) > 300
    check_tables(page, width)
    assert_accessible(page)
    look_closer(page)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(ground) < 80) == (scheme == "dark")
    page.close()
    assert said == []
    allowed = ("data:", report.as_uri(), material.directory.as_uri())
    assert [url for url in asked if not url.startswith(allowed)] == []


def check_tables(page, width):
    """On a phone nothing is beyond its edge, and each number says what it is."""
    tables = page.locator(".scroll").all()
    assert len(tables) == 2
    for table in tables:
        assert table.evaluate("t => t.scrollWidth - t.clientWidth") == 0
        heads, row = table.locator("thead th"), table.locator("tbody tr").first
        assert heads.first.is_visible() == (width > 390)
        column = "cell => getComputedStyle(cell, '::before').content"
        names = [cell.evaluate(column) for cell in row.locator("td").all()]
        assert (names == [f'"{name}"' for name in heads.all_text_contents()[1:]]) == (width == 390)
