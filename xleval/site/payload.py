"""What the script reads: ``data/<page>.js`` and ``data/<page>.pairs-<n>.js``, each one call with one JSON value.

A script and not a JSON file, for pages opened from a disk may load nothing else.
"""

from __future__ import annotations

import json
from typing import Any

from xleval.site.board import BADGES, PUBLISHED, Page, PrintedLine
from xleval.site.known import FACETS

#: As ``|tojson`` of Jinja2 does: no end of a script element, no comment, no line that old engines take for an end.
_ESCAPES = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def files_of(page: Page, title: str) -> dict[str, str]:
    """Name below ``data/`` → content."""
    files = {f"{page.slug}.js": _call("data", page.slug, _page(page, title))}
    for backbone, (rows, pairs) in page.pairs.items():
        name = f"{page.slug}.pairs-{backbone}.js"
        files[name] = _call("pairs", page.slug, backbone, {"rows": rows, **pairs})
    return files


def _call(function: str, *values: Any) -> str:
    texts = (json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) for value in values)
    return f"xleval.{function}({','.join(texts).translate(_ESCAPES)});\n"


def _page(page: Page, title: str) -> dict[str, Any]:
    facets = {}
    for facet in FACETS:
        each = [getattr(column, facet) for column in page.languages]
        values = sorted(set(each))
        facets[facet] = {"values": values, "of": [values.index(value) for value in each]}
    return {
        "page": page.slug,
        "title": title,
        "languages": [column.code for column in page.languages],
        "names": [column.name for column in page.languages],
        "facets": facets,
        "backbones": [{"name": one.name, "seen": one.seen} for one in page.backbones],
        "badges": BADGES,
        "tables": [*([_measured(page)] if page.lines else []), *([_printed(page)] if page.printed else [])],
    }


def _measured(page: Page) -> dict[str, Any]:
    # Cells of a row stand language by language, seed by seed; `at` is where a row begins.
    cells: list[int] = []
    rows = []
    for line in page.lines:
        rows.append(
            {
                "id": line.id, "label": line.label, "backbone": line.backbone, "badge": line.badge,
                "source": line.entry, "href": line.href, "seeds": line.seeds, "at": len(cells),
            }
        )  # fmt: skip
        for seeds in line.cells:
            cells += seeds
    return {
        "kind": "measured",
        "rows": rows,
        "cells": cells,
        "half": [half for line in page.lines for half in line.half],
        "tied": [tied for line in page.lines for tied in line.tied],
        "sets": [vars(one) for one in page.sets],
    }


def _printed(page: Page) -> dict[str, Any]:
    size = len(page.languages)
    return {
        "kind": "published",
        "rows": [_printed_row(line, number * size) for number, line in enumerate(page.printed)],
        "cells": [cell for line in page.printed for cell in line.cells],
    }


def _printed_row(line: PrintedLine, at: int) -> dict[str, Any]:
    return {
        "label": line.label, "backbone": line.backbone, "badge": PUBLISHED, "source": line.where, "href": line.url,
        "average": line.average if line.average >= 0 else None, "seeds": [0], "at": at,
    }  # fmt: skip
