"""Sources: what a seat retrieved, and the ids by which answers cite it.

An id is a short hash of the source's canonical URL, so that it is the same in every seat, process and
resumed run without anything being shared.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

Kind: TypeAlias = Literal["page", "result", "document", "command"]
"""`page` was read, `result` is a search snippet, `document` the user's own file, `command` a shell's output."""

_TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid")
# Short enough for a model to copy without a slip; `grammar` takes exactly this many hex digits for an id.
_ID_LENGTH = 8
_DEFAULT_PORTS = {"http": 80, "https": 443}


class RetrievedSource(TypedDict):
    """A retrieved source with the text that was seen; plain JSON, as it stands in the graph's state."""

    id: str
    url: str
    title: str
    kind: Kind
    text: str


class Source(BaseModel):
    """A source as the result lists it.

    `retrieved_by` holds the labels of the seats that saw it; empty where none did, and the source was handed on by the
    earlier run `from_run` (its id), which this one goes on from. Else `from_run` is `None`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    url: str
    title: str
    kind: Kind
    retrieved_by: list[str]
    from_run: str | None = None


def canonical_url(url: str) -> str:
    """Return the form of `url` under which two spellings of one address are the same source.

    Scheme and host in lower case, default port, fragment, tracking parameters and a trailing slash
    dropped; parameters keep their order.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:  # not an address that could be fetched; its own text tells it apart
        return url.strip()
    if parts.scheme not in _DEFAULT_PORTS:  # documents and commands: every character counts
        return url.strip()
    # "example.org." with the root's dot is the same host; `hostname` has lost the brackets of an IPv6 address.
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    # Queries in old encodings are not UTF-8; what cannot be decoded must still be told apart.
    pairs = parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
    query = urlencode([(k, v) for k, v in pairs if not k.startswith(_TRACKING)], errors="surrogateescape")
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), query, ""))


def source_id(url: str) -> str:
    """Return the id of the source at `url`: the first 8 hex digits of the SHA-256 of its canonical form."""
    return hashlib.sha256(canonical_url(url).encode(errors="surrogatepass")).hexdigest()[:_ID_LENGTH]


def make_source(url: str, *, title: str, kind: Kind, text: str) -> RetrievedSource:
    """Return a `RetrievedSource` whose id is that of `url`."""
    return RetrievedSource(id=source_id(url), url=url, title=title, kind=kind, text=text)


_RANK: dict[Kind, int] = {"page": 3, "document": 2, "command": 1, "result": 0}
"""Which kind of two retrievals of one address is kept: the one that saw more of it."""


def merge_sources(sources: Iterable[RetrievedSource]) -> dict[str, RetrievedSource]:
    """Return sources by id, in order of first retrieval.

    A source retrieved more than once keeps its best kind (a page that was read beats its snippet) and every
    text that was seen, since a citation may rest on any of them.
    """
    by_id: dict[str, RetrievedSource] = {}
    for source in sources:
        earlier = by_id.get(source["id"])
        if earlier is None:
            by_id[source["id"]] = source
            continue
        best = max(earlier, source, key=lambda retrieval: _RANK[retrieval["kind"]])
        text = earlier["text"] if source["text"] in earlier["text"] else f"{earlier['text']}\n\n{source['text']}"
        by_id[source["id"]] = RetrievedSource(
            id=best["id"], url=best["url"], title=best["title"], kind=best["kind"], text=text
        )
    return by_id
