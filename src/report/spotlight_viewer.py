"""Serve a folder that spotlight_data.py wrote. Runs in .venv-spotlight, and imports no other room.

python spotlight_viewer.py FOLDER PORT browser|no_browser
"""

import json
import sys
from contextlib import suppress
from pathlib import Path


def main() -> None:
    """Serve until stopped."""
    folder, port, browser = sys.argv[1:]
    # Imported only now, as importing this module must print nothing, and these do.
    import numpy as np
    import pandas as pd
    from renumics import spotlight

    table = pd.DataFrame(json.loads((Path(folder) / "table.json").read_text(encoding="utf-8")))
    kinds = {"image": spotlight.Image, "split": spotlight.Category}
    if (Path(folder) / "features.npy").exists():
        table["features"] = list(np.load(Path(folder) / "features.npy"))
        kinds["features"] = spotlight.Embedding
    table = table.sort_values("rank_error", key=abs, ascending=False)
    viewer = spotlight.show(
        table,
        dtype=kinds,
        port="auto" if port == "0" else int(port),
        no_browser=browser == "no_browser",
        analyze=False,
        embed=False,
        wait=False,
    )
    print(f"Spotlight shows {len(table)} images, until Ctrl-C, at http://127.0.0.1:{viewer.port}/", flush=True)
    with suppress(KeyboardInterrupt):
        sys.stdin.read()  # ends when the script that started this one does, however it ends
    viewer.close()


if __name__ == "__main__":
    main()
