"""What can go wrong on the web, each as one line that may be shown to a model.

FusionError
├── BlockedAddress
│   └── ExcludedDomain    the caller excluded this domain
├── FetchFailed           the page could not be read
│   └── PageWithheld      it was read, and holds a blocked fragment
└── SearchFailed          no provider gave a result; holds every provider's reason
"""

from collections.abc import Sequence

from fusion_tool.errors import BlockedAddress, FusionError

_LONGEST = 300


def one_line(text: str) -> str:
    """`text` on one line and bounded: addresses and header values in it were written by strangers."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST]).split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "..."


class ExcludedDomain(BlockedAddress):
    """The address, or one that it redirects to, belongs to a domain that the caller excluded."""


class FetchFailed(FusionError):  # noqa: N818 - the public name is part of the contract
    """A page that could not be read; the message says why in one line."""


class PageWithheld(FetchFailed):
    """A page that was read and dropped: it contains one of the caller's blocked fragments."""


class SearchFailed(FusionError):  # noqa: N818 - the public name is part of the contract
    """No provider gave a result that may be shown.

    Args:
        attempts: One line a provider, `"name: reason"`.
        dropped: How many results were found and dropped by exclusion.
    """

    def __init__(self, attempts: Sequence[str], dropped: int = 0) -> None:
        super().__init__("search failed: " + "; ".join(attempts))
        self.attempts = list(attempts)
        self.dropped = dropped
