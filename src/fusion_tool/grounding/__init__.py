"""Checks of answers without a model: citations against sources, closed answers against each other.

The audit of a text, in the order of its steps:

1. Citation: `grammar` finds the cited ids in the Markdown; `citations` replaces them by the numbers that a reader sees.
2. Claim: `claims` cuts the text into sentences and gives each citation the sentence, or the part of it, that it backs;
   `framing` takes off what only says where it is from.
3. Passages: `passages` reads claim and source alike, by their figures (`quantities`), `dates` and words and names
   (`wording`), and selects the passages of the source that share most words with the claim.
4. Checks: `support` compares the claim with each passage: quotations, names, figures, dates, hedges, words;
   `contradictions` finds what the passage says otherwise.
5. Verdict: the passage nearest to the claim decides between `supported`, `weak` and `mismatch`; `audit.Audit` collects
   the verdicts, and shows a source that backs several claims with its worst.

`sources` holds what was retrieved, by id. `closed_answers` stands apart: it finds the final answers of several texts
and tells which are equal. How often the checks err, and what they cannot see, stands in `docs/grounding.md`.
"""
