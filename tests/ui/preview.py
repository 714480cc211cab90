"""Write every page with invented data to a folder, static files beside it, to look at by eye.

`python -m tests.ui.preview FOLDER` and then serve FOLDER, e.g. with `tests.ui.browser.serve`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def write(folder: Path) -> None:
    """Render PAGES in both themes into `folder`, with `static/` copied by the finders."""
    from django.contrib.staticfiles.finders import get_finders

    from tests.ui.pages import PAGES, render

    folder.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        for theme in ("dark", "light"):
            (folder / f"{name}.{theme}.html").write_text(render(name, theme), encoding="utf-8")
    for finder in get_finders():
        for path, storage in finder.list([]):
            prefix = getattr(storage, "prefix", None)
            target = folder / "static" / (prefix or "") / path
            if "unfold" in path or "drf" in path or "admin" in path:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(storage.path(path), target)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "awfdrs_site.settings")
    import django

    django.setup()
    write(Path(sys.argv[1]))
