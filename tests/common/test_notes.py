"""What scripts print beside their output, and library calls keep to themselves."""

import huggingface_hub
from huggingface_hub.utils import are_progress_bars_disabled

from src.common.notes import note, notes_kept
from src.features.batches import in_threads
from src.features.extractors import checkpoint


def test_a_note_is_printed_unless_it_is_kept(capfd):
    note("note: one")
    with notes_kept() as kept:
        note("note: two")
        with notes_kept() as inner:
            note("note: three")
        note("note: four")
    note("note: five")
    assert (kept, inner) == (["note: two", "note: four"], ["note: three"])
    assert capfd.readouterr() == ("", "note: one\nnote: five\n")


def test_threads_that_open_images_keep_notes_too(capfd):
    with notes_kept() as kept:
        list(in_threads(note, ["a", "b", "c"], threads=2, waiting=2))
    assert sorted(kept) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")


def test_a_download_is_announced_with_a_bar_by_scripts_alone(tmp_path, monkeypatch, capfd):
    bars_hidden = []

    def download(name, filename):
        bars_hidden.append(are_progress_bars_disabled())
        return tmp_path / filename

    monkeypatch.setattr(checkpoint, "_cached_file", lambda *_: None)
    monkeypatch.setattr(checkpoint, "_hub_answers", lambda: True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with notes_kept():
        assert checkpoint.hub_file("a/b", "config.json") == tmp_path / "config.json"
    assert capfd.readouterr() == ("", "")
    checkpoint.hub_file("a/b", "config.json")
    assert capfd.readouterr().err == "fetching config.json of a/b from the Hugging Face hub\n"
    assert bars_hidden == [True, False]
