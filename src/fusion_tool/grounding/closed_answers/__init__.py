"""Closed answers: where a text states its answer, and a normal form in which equal answers are equal.

`compare` is the entry. `question` reads what form of answer a question expects, `extraction` finds the final answer in
a text, `sentences` the one value that its sentences state, and `values` gives the value by which it is compared: a
choice, a truth value, a literal, words, or what `terms` parses: dates, quantities, lists, relations, and the
`expressions` of exact `algebra`. `latex` makes LaTeX plain text first.
"""
