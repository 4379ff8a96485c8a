"""What the site has besides the files of this folder, as a hook of MkDocs.

Pages of reference are made of the code, so that none has to be kept in step by hand: of the command line,
and of what ``vadpipe.__all__`` names. Files of the repository that a page links to (model cards, examples,
CONTRIBUTING) become pages as well, so that the site is whole without a network.
"""

from __future__ import annotations

import inspect
import posixpath
import re
from dataclasses import MISSING, is_dataclass
from dataclasses import fields as fields_of
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, get_type_hints

import typer
import typer.main
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import vadpipe
from vadpipe.cli import app

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page
    from typer.core import TyperCommand, TyperGroup

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "repository/"  # where pages of files outside this folder are
ALWAYS = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")

LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)\s#]+)")
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
ATTRIBUTE = re.compile(r"^    ([a-z_0-9, ]+): (.*(?:\n     .*)*)", re.MULTILINE)  # of a docstring
CODE = re.compile(r"<code>[^<]*</code>")
ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):<code>~?([^<]+)</code>")
REMOTE = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*rel=\"?stylesheet[^>]*//"
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    made = {
        "reference/commands.md": commands(),
        "reference/python.md": python_names(),
        "reference/settings.md": settings(),
    }
    for path, text in {**made, **linked_files(files)}.items():
        level = InclusionLevel.NOT_IN_NAV if path.startswith(REPOSITORY) else InclusionLevel.UNDEFINED
        files.append(File.generated(config, path, content=text, inclusion=level))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to files of the repository to their pages."""
    here = page.file.src_uri

    def redirect(link: re.Match[str]) -> str:
        target = site_path(repository_path(here, link[1]))
        if target is None:
            return link[1]
        return posixpath.relpath(target, posixpath.dirname(here))

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(redirect, part) for part in parts)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show names in docstrings without the role before them, and bars in code without the backslash."""
    html = ROLE.sub(r"<code>\1</code>", html)
    # GitHub wants bars in tables escaped in code as well; Python-Markdown shows the backslash then.
    return CODE.sub(lambda code: code[0].replace("\\|", "|"), html)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that would fetch something from elsewhere."""
    for page in Path(config.site_dir).rglob("*.html"):
        found = REMOTE.search(page.read_text(encoding="utf-8"))
        if found:
            raise PluginError(f"{page}: takes something from the network: {found[0]}")


# Files of the repository


def repository_path(page: str, link: str) -> str:
    """Return where in the repository a link of a page of the site leads."""
    source = page.removeprefix(REPOSITORY) if page.startswith(REPOSITORY) else f"docs/{page}"
    if page.startswith(REPOSITORY) and not (ROOT / source).exists():
        source = source.removesuffix(".md")
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))


def site_path(path: str) -> str | None:
    """Return the page of a file of the repository; none where it has none, as folders and what is missing."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path == "README.md":
        return "index.md"
    if path.startswith("..") or not (ROOT / path).is_file():
        return None
    return REPOSITORY + (path if path.endswith(".md") else f"{path}.md")


def linked_files(files: Files) -> dict[str, str]:
    """Return the pages of all files outside this folder that a page links to, directly or by another one."""
    made: dict[str, str] = {}
    waiting = [(REPOSITORY + path, as_page(path)) for path in ALWAYS]
    waiting += [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    while waiting:
        page, text = waiting.pop()
        if page.startswith(REPOSITORY):
            made[page] = text
        for link in LINK.findall(FENCE.sub("", text)):
            path = repository_path(page, link)
            target = site_path(path)
            if target is not None and target.startswith(REPOSITORY) and target not in made:
                made[target] = as_page(path)
                waiting.append((target, made[target]))
    return made


def as_page(path: str) -> str:
    """Return a file of the repository as Markdown."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    suffix = PurePosixPath(path).suffix.removeprefix(".")
    return f"# {path}\n\n```{suffix or 'text'}\n{text.rstrip()}\n```\n"


# The command line


def commands() -> str:
    """Return the page of all commands, as ``--help`` tells of them."""
    lines = ["# Commands", "", "What `--help` says, of every command.", ""]
    root = typer.main.get_command(app)
    lines += command_lines(root, typer.Context(root, info_name="vadpipe"), depth=2)
    return "\n".join(lines)


def command_lines(command: TyperCommand | TyperGroup, context: typer.Context, depth: int) -> list[str]:
    """Return the section of a command, and those of the commands below it."""
    context.get_help()  # some options are told in full only then
    usage = " ".join(context.get_usage().removeprefix("Usage:").split())
    lines = [f"{'#' * depth} {context.command_path}", "", inspect.cleandoc(command.help or ""), ""]
    lines += ["```console", f"$ {usage}", "```", ""]
    records = filter(None, (parameter.get_help_record(context) for parameter in command.get_params(context)))
    rows = (f"| `{cell(name)}` | {cell(text)} |" for name, text in records)
    lines += ["| option | meaning |", "|---|---|", *rows, ""]
    for name, below in getattr(command, "commands", {}).items():
        inner = typer.Context(below, info_name=name, parent=context)
        lines += command_lines(below, inner, min(depth + 1, 3))
    return lines


def cell(text: str) -> str:
    """Return text that may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


# Python


def python_names() -> str:
    """Return the page of what ``import vadpipe`` offers; settings have a page of their own."""
    lines = ["# From Python", "", "All that `import vadpipe` offers.", ""]
    objects = {name: getattr(vadpipe, name) for name in vadpipe.__all__}
    functions = [name for name, value in objects.items() if not inspect.isclass(value)]
    classes = [name for name, value in objects.items() if inspect.isclass(value) and not is_settings(value)]
    for title, names in (("Functions", functions), ("Classes", classes)):
        lines += [f"## {title}", ""]
        for name in names:
            lines += [f"::: vadpipe.{name}", ""]
    return "\n".join(lines)


def is_settings(value: object) -> bool:
    """Return whether this is a class of settings."""
    return inspect.isclass(value) and value.__name__.endswith("Settings")


def settings() -> str:
    """Return the page of all settings: type, default, meaning."""
    lines = ["# Settings", "", "What `settings=` takes in Python.", ""]
    for name in vadpipe.__all__:
        value = getattr(vadpipe, name)
        if is_settings(value):
            lines += settings_lines(name, value)
    return "\n".join(lines)


def settings_lines(name: str, record: type) -> list[str]:
    """Return the section of one class of settings. Raises PluginError where a setting is not explained."""
    summary, _, attributes = (inspect.getdoc(record) or "").partition("Attributes:\n")
    told = {}
    for names, text in ATTRIBUTE.findall(attributes):
        told.update(dict.fromkeys(names.split(", "), text))
    lines = [
        f"## {name}",
        "",
        summary.strip(),
        "",
        "| setting | type | default | meaning |",
        "|---|---|---|---|",
    ]
    hints = get_type_hints(record)
    for field, default in defaults(record).items():
        if field not in told:
            raise PluginError(f"vadpipe.{name} does not explain its setting {field}")
        kind = hints[field].__name__ if inspect.isclass(hints[field]) else str(hints[field])
        kind = cell(re.sub(r"\b(?:\w+\.)+(?=\w)", "", kind))
        lines.append(f"| `{field}` | `{kind}` | `{cell(default)}` | {cell(told[field])} |")
    return [*lines, ""]


def defaults(record: type) -> dict[str, str]:
    """Return the default of each setting, as Python writes it."""
    if issubclass(record, BaseModel):
        fields = record.model_fields.items()
        values = {name: field.get_default(call_default_factory=True) for name, field in fields}
    else:
        values = {
            field.name: field.default if field.default_factory is MISSING else field.default_factory()
            for field in fields_of(record)
        }
    return {name: shown_default(value) for name, value in values.items()}


def shown_default(value: object) -> str:
    """Return a default as it is written; of a record that is all defaults itself, its call."""
    if value is MISSING or value is PydanticUndefined:
        return "required"
    return f"{type(value).__name__}()" if is_dataclass(value) and value == type(value)() else repr(value)
