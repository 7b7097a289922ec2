"""The documentation builds, without a link that leads nowhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built(site):
    pages = (page.relative_to(ROOT / "docs") for page in ROOT.glob("docs/**/*.md"))
    for page in pages:
        name = page.with_suffix("") if page.stem != "index" else page.parent
        assert (site / name / "index.html").is_file()


def test_every_page_is_in_the_menu(site):
    front = (site / "index.html").read_text("utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        assert f'href="{name}/"' in front or name == "index"
