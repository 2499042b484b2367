"""--shard and --merge: which images are in which part, and the parts put together."""

import json

import pytest

from src.common.errors import UserError
from src.scoring.merging import merge
from src.scoring.shards import About, Portion, Shard, describe, digest, is_done, write_about

PATHS = [f"folder {i % 7}/{i:05}.jpg" for i in range(3_000)]


@pytest.mark.parametrize("count", [1, 3, 64])
def test_every_image_is_in_exactly_one_shard_and_shards_are_of_like_size(count):
    shards = [[path for path in PATHS if Shard(i + 1, count).has(path)] for i in range(count)]
    assert sorted(path for shard in shards for path in shard) == sorted(PATHS)
    expected = len(PATHS) / count
    assert all(abs(len(shard) - expected) < 6 * expected**0.5 for shard in shards)  # six standard deviations


def test_a_shard_is_by_name_alone_whatever_else_is_there_and_whatever_letters_it_has():
    few = ["a.jpg", "ü.jpg", "\udcff.jpg"]
    assert [Shard(2, 5).has(path) for path in few] == [Shard(2, 5).has(path) for path in (*few, *PATHS)][:3]


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "1/2/3", "a/b", "1/501", "-1/4", ""])
def test_a_shard_that_can_not_be_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        Shard.read(text)


def test_shards_are_read_as_they_are_written():
    assert Shard.read("3/64") == Shard(3, 64)
    assert str(Shard(3, 64)) == "3/64"


def test_a_digest_tells_where_one_name_ends():
    assert digest(["ab", "c"]) != digest(["a", "bc"])


def table(tmp_path, number, count, lines, **about):
    """A shard's file and what is known of it, of these (path, score)."""
    file = Shard(number, count).file(tmp_path / "out.csv")
    file.write_text("".join(f"{path},{score}\n" for path, score in [("relative_path", "model_score"), *lines]))
    known = {"listed": 4, "own": len(lines), "images": "", "asked": "x", "rows": len(lines), "unreadable": 0}
    write_about(file, About(**{**known, **about}))
    return file


def test_the_whole_is_sorted_by_path_and_says_how_much_it_is(tmp_path):
    table(tmp_path, 1, 2, [("a.png", 1), ("d.png", 2)])
    table(tmp_path, 2, 2, [("b.png", 3), ('"c,1.png"', 4)])
    assert merge(str(tmp_path / "out.csv"), "score") == "4 rows of 2 shards; 0 images could not be read."
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == ["relative_path,model_score", "a.png,1", "b.png,3", '"c,1.png",4', "d.png,2"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (None, r"of 2 shards of \S+out.csv there is not --shard=2/2; run what is missing"),
        ({"rows": 3}, r"shard-2-of-2.csv: has 2 rows and should have 3"),
        ({"listed": 5}, r"shard-2-of-2.csv is of other images than shard 1"),
        ({"asked": "y"}, r"shard-2-of-2.csv is of other models or choices than shard 1"),
        ({"own": 3}, r"hold 5 of 4 images; they changed meanwhile"),
    ],
)
def test_what_does_not_belong_together_is_not_put_together(tmp_path, second, message):
    table(tmp_path, 1, 2, [("a.png", 1), ("d.png", 2)])
    if second is not None:
        table(tmp_path, 2, 2, [("b.png", 3), ("c.png", 4)], **second)
    with pytest.raises(UserError, match=message):
        merge(str(tmp_path / "out.csv"), "score")
    assert not (tmp_path / "out.csv").exists()


def test_shards_of_two_numbers_and_none_at_all_are_said(tmp_path):
    with pytest.raises(UserError, match="none is there"):
        merge(str(tmp_path / "out.csv"), "score")
    table(tmp_path, 1, 2, [])
    table(tmp_path, 1, 4, [])
    with pytest.raises(UserError, match="those of 2 and of 4 are there; delete the others"):
        merge(str(tmp_path / "out.csv"), "score")


def test_a_shard_whose_description_is_damaged_is_named(tmp_path):
    file = table(tmp_path, 1, 1, [("a.png", 1)], listed=1)
    file.with_suffix(".about.json").write_text(json.dumps({"rows": 1}))
    with pytest.raises(UserError, match=r"does not say what out.shard-1-of-1.csv holds"):
        merge(str(tmp_path / "out.csv"), "score")


def test_other_columns_are_refused(tmp_path):
    table(tmp_path, 1, 2, [("a.png", 1)], listed=2)
    file = table(tmp_path, 2, 2, [("b.png", 1)], listed=2)
    file.write_text("relative_path,model_score,passes\nb.png,1,0\n")
    with pytest.raises(UserError, match=r"shard-2-of-2.csv: has other columns than out.shard-1-of-2.csv"):
        merge(str(tmp_path / "out.csv"), "score")


def test_done_is_what_is_there_of_the_same_images_models_and_choices(tmp_path):
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"one")
    portion = Portion(Shard(1, 2))
    own = [path for path in PATHS[:20] if portion(path)]
    about = describe(portion, own, [model], "all")
    file = Shard(1, 2).file(tmp_path / "out.csv")
    assert not is_done(file, about)
    write_about(file, about)
    assert not is_done(file, about)  # killed before the table itself
    file.write_text("relative_path\n")
    assert is_done(file, about)
    with pytest.raises(UserError, match="what another model or other choices gave"):
        is_done(file, describe(portion, own, [model], "the best"))
    model.write_bytes(b"two")
    with pytest.raises(UserError, match="what another model or other choices gave"):
        is_done(file, describe(portion, own, [model], "all"))
    model.write_bytes(b"one")
    with pytest.raises(UserError, match="holds scores of other images"):
        is_done(file, describe(portion, own[1:], [model], "all"))
