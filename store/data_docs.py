"""Makes Great Expectations' Data Docs readable without a network, and safe to open.

The pages load a style sheet, icons and scripts from elsewhere, and pass on whatever stood in the data. Each page is
therefore rewritten: elements and attributes that are not known to be harmless are left out, and a small style and
script of our own stand in.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from store import disk

_META = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
_DROPPED = frozenset(
    {"script", "style", "iframe", "object", "embed", "svg", "math", "template", "noscript", "footer", "title"}
)
_TAG_NAMES = """
html head body nav div span p a ol ul li h1 h2 h3 h4 h5 h6 table thead tbody tr th td br hr strong b em i code pre
small section label input button
"""
_TAGS = frozenset(_TAG_NAMES.split())
_VOID = frozenset({"br", "hr", "input"})
_ATTRIBUTE_NAMES = """
class id href data-toggle data-target aria-expanded aria-controls aria-current aria-hidden role type name checked
hidden colspan rowspan
"""
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())


def make_offline(folder: Path) -> int:
    """Rewrite every page under ``folder`` in place so that opening it fetches nothing; returns the number of pages.

    What only the original style needed (images, fonts, icons) is removed. The index, which a script filled, becomes a
    list of links.
    """
    pages = sorted(path for path in folder.rglob("*.html") if path != folder / "index.html")
    style, script = (_text(name) for name in ("data_docs.css", "data_docs.js"))
    with disk.storage_errors("rewrite the Data Docs"):
        for page in pages:
            page.write_text(offline_page(page.read_text(encoding="utf-8"), style, script), encoding="utf-8")
        shutil.rmtree(folder / "static", ignore_errors=True)
        if pages:
            links = [page.relative_to(folder).as_posix() for page in pages]
            (folder / "index.html").write_text(index_page(links, style), encoding="utf-8")
    return len(pages)


def index_page(links: Sequence[str], style: str) -> str:
    """A page that leads to the others."""
    kinds = {"expectations": "What is expected", "validations": "What was found"}
    rows = "".join(
        f"<tr><td>{escape(kinds.get(link.split('/')[0], ''))}</td>"
        f'<td><a href="{quote(link)}">{escape(link)}</a></td></tr>'
        for link in links
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{_META}<title>Data Docs</title><style>{style}</style></head>'
        '<body><div class="container-fluid"><h1>Data Docs</h1>'
        '<p class="lead">Made by Great Expectations for this run.</p>'
        f"<table><tbody>{rows}</tbody></table></div></body></html>\n"
    )


def offline_page(html: str, style: str, script: str) -> str:
    """One page with only harmless markup left, ``style`` and ``script`` inlined."""
    rewriter = _Rewriter(f"<title>Data Docs</title><style>{style}</style>", f"<script>{script}</script>")
    rewriter.feed(html)
    rewriter.close()
    return "<!DOCTYPE html>\n" + "".join(rewriter.parts)


def _text(name: str) -> str:
    return files("store.templates").joinpath(name).read_text(encoding="utf-8")


class _Rewriter(HTMLParser):
    """Copies known markup; counts how deep it is inside something that is left out."""

    def __init__(self, head: str, foot: str) -> None:
        super().__init__(convert_charrefs=True)
        self.head, self.foot = head, foot
        self.parts: list[str] = []
        self.dropping: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.dropping or tag in _DROPPED:
            self.dropping.append(tag)
        elif tag in _TAGS:
            self.parts.append(f"<{tag}{''.join(_attribute(name, value) for name, value in attrs)}>")
            if tag == "head":
                self.parts.append(_META + self.head)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self.dropping and tag not in _DROPPED:
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.dropping:
            if tag in self.dropping:
                while self.dropping.pop() != tag:
                    pass
        elif tag in _TAGS - _VOID:
            self.parts.append(f"{self.foot if tag == 'body' else ''}</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self.dropping:
            self.parts.append(escape(data))


def _attribute(name: str, value: str | None) -> str:
    """An attribute as written, or nothing: links lead inside the folder only, and nothing runs."""
    if name not in _ATTRIBUTES:
        return ""
    if name == "href" and (value is None or ":" in value or value.strip().startswith(("/", "\\"))):
        return ""
    return f" {name}" if value is None else f' {name}="{escape(value)}"'
