"""The tools of the seats: web search, page reading, the user's documents, a sandboxed shell.

`builtin` defines them as LangChain tools over the packages `search`, `fetch`, `documents` and `sandbox`; `extraction`
makes text of what was fetched. `build` decides which tools a run has, and `toolkit` is what its seats share. All that
comes from outside passes `exclusions` and `untrusted`.
"""
