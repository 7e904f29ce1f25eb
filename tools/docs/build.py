"""Build the documentation site into build/site: `make docs`, or `python tools/docs/build.py`.

The pages are those of docs/ and, made on the way, the references and the examples. With --sources only the Markdown is
written. Any warning, such as a link that leads nowhere, fails the build.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from reference import command_page, module_pages, python_page

ROOT = Path(__file__).resolve().parents[2]
# Pages that lie at the root of the repository, and where they are found on the site.
FROM_ROOT = {
    "README.md": "project/readme.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
    "THIRD_PARTY_NOTICES.md": "project/notices.md",
}
NAV = {
    "Start": ("index.md", "quickstart.md", "concepts.md", "faq.md", "examples.md"),
    "Use": (
        *("python.md", "plugins.md", "formats.md", "estimates.md", "report.md", "refinement.md"),
        *("long.md", "training.md", "evaluation.md", "measured.md", "datasets.md"),
    ),
    "Reference": (
        *("conventions.md", "joints.md", "reference/cli.md", "reference/python.md", "reference/modules.md"),
        *("models/flow.md", "models/lifting.md", "models/integration.md", "models/person-heads.md"),
    ),
    "Project": ("design.md", *FROM_ROOT.values()),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--sources", action="store_true", help="write the Markdown, do not build the site")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build", help="folder for pages/ and site/")
    options = parser.parse_args(arguments)
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    write_pages(folder / "pages")
    config = folder / "zensical.toml"
    config.write_text(configuration(folder / "pages"), encoding="utf-8")
    if options.sources:
        return 0
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(config)]
    return subprocess.run(command, cwd=folder, check=False).returncode


def write_pages(pages: Path) -> None:
    """All pages of the site as Markdown, below a folder that is emptied first."""
    from dyad.cli import app

    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages)
    (pages / "reference").mkdir()
    made = {"cli.md": command_page(app), "python.md": python_page(ROOT / "src"), **module_pages(ROOT / "src")}
    for name, text in made.items():
        (pages / "reference" / name).write_text(text, encoding="utf-8")
    (pages / "examples.md").write_text(examples_page(), encoding="utf-8")
    (pages / "project").mkdir()
    for source, target in FROM_ROOT.items():
        if (ROOT / source).is_file():
            (pages / target).write_text(from_root((ROOT / source).read_text("utf-8")), encoding="utf-8")
    for page in pages.rglob("*.md"):
        text = page.read_text("utf-8")
        above = "../" * (len(page.relative_to(pages).parts) - 1)
        for source, target in FROM_ROOT.items():
            text = text.replace(f"]({above}../{source}", f"]({above}{target}")
        page.write_text(text, encoding="utf-8")


def from_root(text: str) -> str:
    """A page of the repository's root as one of the site's folder project/."""
    text = re.sub(r"\]\(docs/", "](../", text)
    for source, target in FROM_ROOT.items():
        text = text.replace(f"]({source}", f"]({target.removeprefix('project/')}")
    return text.replace("[LICENSE](LICENSE)", "LICENSE")


def examples_page() -> str:
    """The examples' code, each under the first line of what it says of itself."""
    lines = ["# Examples", "", "Each is a script in `examples/` that a test runs. They use the public names only."]
    for file in sorted((ROOT / "examples").glob("*.py")):
        code = file.read_text("utf-8")
        told = code.split('"""')[1].split("\n")[0].rstrip(".")
        lines += ["", f"## {told}", "", f"`examples/{file.name}`", "", "```python", code.rstrip("\n"), "```"]
    return "\n".join(lines) + "\n"


def configuration(pages: Path) -> str:
    """The site's settings; a title is the first heading of its page. Nothing is fetched from elsewhere."""
    nav = []
    for group, names in NAV.items():
        there = [name for name in names if (pages / name).is_file()]
        nav.append({group: [{_title(pages / name): name} for name in there]})
    settings = {
        "site_name": "Dyad",
        "site_description": "The 3D motion of everyone in an ordinary video, in metres and in one camera frame.",
        "docs_dir": "pages",
        "site_dir": "site",
        # Pages open from a folder, without a server.
        "use_directory_urls": False,
    }
    lines = ["[project]", *(f"{name} = {json.dumps(value)}" for name, value in settings.items())]
    lines += ["nav = ["]
    for group in nav:
        for name, entries in group.items():
            inside = ", ".join(f"{{ {json.dumps(t)} = {json.dumps(p)} }}" for e in entries for t, p in e.items())
            lines += [f"  {{ {json.dumps(name)} = [{inside}] }},"]
    lines += ["]", "", "[project.theme]", "font = false", 'features = ["navigation.sections", "content.code.copy"]']
    return "\n".join(lines) + "\n"


def _title(page: Path) -> str:
    return next(line for line in page.read_text("utf-8").splitlines() if line.startswith("# "))[2:].replace("`", "")


if __name__ == "__main__":
    sys.exit(main())
