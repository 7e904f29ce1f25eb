"""Pages that are made from the code: every verb of the command line, every public name, every module."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

GROUPS = {
    "Runs": (
        "run",
        "stream",
        "refine",
        "load",
        "export_tracks",
        "evaluate",
        "Result",
        "Coverage",
        "Stream",
        "Exported",
    ),
    "Videos and cameras": ("Video", "Chunk", "Camera"),
    "What is found": ("Tracks", "Window", "Flag", "World", "Detections", "Skeleton", "Flow", "Clip"),
    "Parts": ("Pipeline", "Detector", "Tracker", "Lifter", "Integrator", "FlowEstimator"),
    "Errors": ("DyadError", "BadUsage", "BadInput", "MissingWeights", "MissingExtra"),
}
SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")


def public_names(source: Path) -> dict[str, str]:
    """Each name of `dyad.__all__` and the module that it lives in, as the package's own table says."""
    for node in ast.parse((source / "dyad" / "__init__.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return {name: home for home, names in ast.literal_eval(node.value).items() for name in names}
    raise LookupError("dyad/__init__.py has no table _HOMES")


def python_page(source: Path) -> str:
    """The public names, each with its signature, its docstring, and its public methods."""
    homes = public_names(source)
    grouped = [name for names in GROUPS.values() for name in names]
    if sorted(grouped) != sorted(homes):
        raise LookupError(f"GROUPS and dyad.__all__ differ in {sorted(set(grouped) ^ set(homes))}")
    lines = [
        "# Python reference",
        "",
        "All that `import dyad` offers. These names are stable: a change of one gets a line in the changelog. What "
        "lies deeper (see [all modules](modules.md)) may move.",
    ]
    for group, names in GROUPS.items():
        lines += ["", f"## {group}"]
        for name in names:
            lines += _entry(name, homes[name], source)
    known = "|".join(homes)
    # Names that stand alone in backticks lead to their entries.
    return re.sub(rf"(?<!\[)`(?:dyad\.)?({known})`", lambda m: f"[`{m[1]}`](#dyad.{m[1]})", "\n".join(lines)) + "\n"


def module_pages(source: Path) -> dict[str, str]:
    """A page a room, by file name: every module with what it is for and its public names; `modules.md` lists them."""
    pages: dict[str, list[str]] = {}
    index = ["# All modules", "", "What lies below the [public names](python.md). It may move without notice."]
    for file in sorted((source / "dyad").rglob("*.py"), key=lambda file: (file.parent != source / "dyad", file)):
        parts = file.relative_to(source).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        tree = ast.parse(file.read_text("utf-8"))
        told = ast.get_docstring(tree)
        if told is None or parts[-1] == "__main__":
            continue
        room = "dyad" if len(parts) == 2 else f"dyad.{parts[1]}"
        page = f"modules-{room.removeprefix('dyad.')}.md"
        if page not in pages:
            pages[page] = [f"# {room}"]
            index += ["", f"## [{room}]({page})", ""]
        anchor = "" if name == room else f"#{name}"
        index.append(f"* [`{name}`]({page}{anchor}): {_first(told)}")
        pages[page] += ["", f"## {name} {{ #{name} }}" if anchor else "", "", *_text(told)]
        found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"]
        for node in found:
            pages[page] += ["", f"* `{_signature(node)}`{_dash(ast.get_docstring(node))}"]
    return {"modules.md": "\n".join(index) + "\n"} | {page: "\n".join(text) + "\n" for page, text in pages.items()}


def command_page(app: Any) -> str:
    """Every verb with its options, as the verbs themselves declare them."""
    lines = [
        "# Command line reference",
        "",
        "Made from the verbs themselves; `dyad VERB --help` says the same. `--debug` goes with every verb. The exit "
        "status is 0 on success, 2 for options that make no sense, 3 for input that cannot be read, 4 for missing "
        "weights, 1 for a fault in Dyad itself.",
    ]
    for words, command in _verbs(app, ("dyad",)):
        told, _, _ = str(command.help).partition("Parameters\n")
        lines += ["", f"## {' '.join(words)}", "", _plain(told)]
        arguments = [
            one for one in command.assemble_argument_collection(parse_docstring=True) if one.names and one.show
        ]
        places = [one.names[0] for one in arguments if not one.names[0].startswith("-")]
        lines += [
            "",
            "```",
            " ".join((*words, *places, "[OPTIONS]" if len(places) < len(arguments) else "")),
            "```",
            "",
        ]
        lines += ["| option | meaning | default |", "|---|---|---|"]
        for one in arguments:
            names = ", ".join(f"`{name}`" for name in one.names)
            lines.append(f"| {names} | {_cell(one.parameter.help or '')}{_choices(one.hint)} | {_default(one)} |")
    return "\n".join(lines) + "\n"


def _verbs(app: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in app:
        if not name.startswith("-"):
            below = app[name]
            if below.default_command is not None:
                yield (*words, name), below
            yield from _verbs(below, (*words, name))


def _choices(hint: Any) -> str:
    values = [value for part in (hint, *get_args(hint)) for value in get_args(part) if isinstance(value, str)]
    words = [f"`{value}`" for value in dict.fromkeys(values)]
    return f" One of {', '.join(words)}." if words else ""


def _default(argument: Any) -> str:
    value = argument.field_info.default
    if argument.required:
        return "*needed*"
    return "" if value in (None, False) or value is argument.field_info.empty else f"`{_cell(str(value))}`"


def _module(source: Path, name: str) -> ast.Module:
    path = source.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text("utf-8"))


def _entry(name: str, home: str, source: Path) -> list[str]:
    tree = _module(source, home)
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _heading(name, home) + _code(node) + _text(ast.get_docstring(node))
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _heading(name, home) + _code(node) + _text(ast.get_docstring(node)) + _members(node)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name and isinstance(after, ast.Expr):
            return _heading(name, home) + _text(ast.literal_eval(after.value))
        if isinstance(node, ast.ImportFrom) and node.module and name in {one.name for one in node.names}:
            return _entry(name, node.module, source)
    raise LookupError(f"{home} defines no {name} with a docstring")


def _heading(name: str, home: str) -> list[str]:
    # An anchor of its own: `stream` and `Stream` would share one.
    return ["", f"### {name} {{ #dyad.{name} }}", "", f"*`{home}`*"]


def _members(node: ast.ClassDef) -> list[str]:
    lines = []
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and _shown(member):
            lines += ["", f"* `{node.name}.{_signature(member)}`{_dash(ast.get_docstring(member))}"]
    return lines


def _shown(member: ast.FunctionDef) -> bool:
    public = not member.name.startswith("_") or member.name in ("__call__", "__len__", "__getitem__", "__iter__")
    return public and "overload" not in {ast.unparse(one) for one in member.decorator_list}


def _signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        return node.name
    decorators = {ast.unparse(one) for one in node.decorator_list}
    if {"property", "cached_property"} & decorators:
        return f"{node.name} -> {ast.unparse(node.returns) if node.returns else ''}".removesuffix(" -> ")
    arguments = re.sub(r"^(self|cls)(, |$)", "", ast.unparse(node.args)).removeprefix("/, ")
    return f"{node.name}({arguments})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def _code(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        head, arguments = f"dyad.{node.name}(", ast.unparse(node.args)
        parts = re.split(r", (?=\*|\w+(?::|=|$|,))", arguments)
        return [
            "",
            "```python",
            head,
            *(f"    {part}," for part in parts),
            f") -> {ast.unparse(node.returns or node)}",
            "```",
        ]
    made = next((m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"), None)
    if made is not None:
        return ["", "```python", f"dyad.{_signature(made).replace('__init__', node.name).partition(' -> ')[0]}", "```"]
    fields = [ast.unparse(one) for one in node.body if isinstance(one, ast.AnnAssign)]
    fields += [ast.unparse(one) for one in node.body if isinstance(one, ast.Assign)]
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    return [
        "",
        "```python",
        f"class {node.name}({bases}):".replace("()", ""),
        *(f"    {f}" for f in fields or ["..."]),
        "```",
    ]


def _text(told: str | None) -> list[str]:
    """A docstring as Markdown: sections become lists, an entry an item; code keeps its indentation."""
    lines: list[str] = [""]
    section = False
    for line in (told or "").splitlines():
        depth, words = len(line) - len(line.lstrip()), line.strip()
        if depth == 0:
            section = words.rstrip(":") in SECTIONS and words.endswith(":")
            lines += ["", f"**{words.rstrip(':')}**", ""] if section else [words]
        elif section:
            begins = depth == 4 and re.match(r"[\w*][\w*, ]*: ", words)
            lines.append(f"* {words}" if begins else f"  {words}")
        else:
            lines.append(line)
    return lines


def _first(told: str) -> str:
    return re.split(r"(?<=[.:])\s+(?=[A-Z`])", " ".join(told.split("\n\n")[0].split()))[0]


def _dash(told: str | None) -> str:
    return f": {_first(told)}" if told else ""


def _plain(told: str) -> str:
    """Help text; words in capitals and options stay as they are typed."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", told.strip()))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")
