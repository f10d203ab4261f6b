"""The Atom feed: an entry of the feed for each entry of the leaderboard, the latest first."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from xleval.site.contributions import Contribution
from xleval.site.render import Site

_ATOM = "http://www.w3.org/2005/Atom"
#: What Atom needs where a record does not say when it was made.
_NEVER = "1970-01-01T00:00:00Z"


def feed(site: Site, found: Sequence[tuple[Contribution, str]]) -> str:
    """Atom 1.0 (RFC 4287) of entries and what they have, in words; links are relative without an address."""
    root = Xml.Element("feed", {"xmlns": _ATOM})
    _put(root, "title", site.title)
    _put(root, "id", _id(site.url or site.title))
    _put(root, "updated", site.updated or _NEVER)
    _put(Xml.SubElement(root, "author"), "name", site.title)
    Xml.SubElement(root, "link", {"href": f"{site.url}feed.xml", "rel": "self"})
    Xml.SubElement(root, "link", {"href": f"{site.url}index.html"})
    for one, words in sorted(found, key=lambda pair: (pair[0].updated, pair[0].name), reverse=True):
        entry = Xml.SubElement(root, "entry")
        _put(entry, "title", one.name)
        _put(entry, "id", _id(f"{site.url or site.title} {one.name}"))
        _put(entry, "updated", one.updated or _NEVER)
        Xml.SubElement(entry, "link", {"href": f"{site.url}entry/{one.name}/index.html"})
        _put(entry, "summary", words)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _id(name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"xleval leaderboard {name}").urn


def _put(parent: Xml.Element, tag: str, text: str) -> None:
    # XML has no letters of control, not even escaped.
    Xml.SubElement(parent, tag).text = "".join(c for c in text if c >= " " or c in "\t\n")
