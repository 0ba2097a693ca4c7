"""Routing: which models answer a question, and with which strategy, decided before any model is called.

`classifier`, `choose` and `policy` are pure functions of their arguments, but for the files that `profiles` and
`policy` read. `decide` is not: it awaits the caller's classifier, and reads the environment, the user's files and which
models have been failing.
"""
