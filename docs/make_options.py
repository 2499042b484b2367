"""Write docs/options.md anew from the options that the scripts know: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from src.options import options_page

if __name__ == "__main__":
    Path(__file__).with_name("options.md").write_text(options_page(), encoding="utf-8")
