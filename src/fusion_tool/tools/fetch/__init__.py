"""Reading pages behind an address guard.

`guard` decides which addresses may be reached, `body` reads what they send within bounds, `fetch` follows the
redirects, and `page` holds the policy and the result. Importing this package is cheap: httpx and the guard's library
are loaded by the first call that needs them.
"""

from fusion_tool.tools.fetch.fetch import fetch_text

__all__ = ["fetch_text"]
