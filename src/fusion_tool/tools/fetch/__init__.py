"""Reading pages behind an address guard.

Importing this package is cheap: httpx and the guard are loaded by the first call that needs them.
"""

from fusion_tool.tools.fetch.fetch import fetch_text

__all__ = ["fetch_text"]
