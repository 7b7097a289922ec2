"""What the README and the documentation promise is run or parsed here."""

import re
import shlex
from pathlib import Path

import pytest

from napari_pffnet.cli import main
from napari_pffnet.cli.app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def pffnet_lines(text: str) -> list[list[str]]:
    """Return the words behind ``pffnet`` of all command lines in a page."""
    steps = [
        step.strip()
        for block in blocks(text, "sh")
        for line in block.splitlines()
        for step in line.split("&&")
    ]
    programs = ("pffnet ", ".venv/bin/pffnet ")
    return [shlex.split(step)[1:] for step in steps if step.startswith(programs)]


def test_the_quick_start_in_python_finds_the_nuclei_of_the_sample():
    found: dict[str, object] = {}
    exec(blocks(README, "python")[0], found)
    assert 90 < len(found["result"].objects) < 135
    assert found["scores"]["pq"] > 0.7


def test_the_first_command_segments_the_sample(tmp_path):
    words = pffnet_lines(README)[0]
    words[words.index("--out") + 1] = str(tmp_path)
    assert main(words) == 0
    endings = ("labels.tif", "semantic.tif", "objects.csv", "overlay.png", "run.json")
    assert all((tmp_path / f"fluorescence_{end}").stat().st_size for end in endings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_of_the_documentation_is_understood(page):
    for words in pffnet_lines(page.read_text("utf-8")):
        app.parse_args(words, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("command", ["segment", "train", "evaluate"])
def test_the_page_of_the_command_line_knows_every_option(command, capsys):
    main([command, "--help"])
    lines = capsys.readouterr().out.splitlines()
    options = {o for line in lines for o in re.findall(r"^│[ *]+(--[a-z-]+)", line)}
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    part = page.split(f"## pffnet {command}")[1].split("\n## ")[0]
    assert len(options) > 3
    assert {option for option in options if f"`{option}`" not in part} == set()


def test_ci_runs_the_second_command_of_the_readme():
    install, test = (line for line in blocks(README, "sh")[:2])
    assert "pffnet segment" in install
    assert test.strip() in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
