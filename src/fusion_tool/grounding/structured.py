"""Citations in an answer that is a JSON object: they stand inside its strings, and nowhere else."""

import json
from collections.abc import Mapping
from typing import Any

from fusion_tool.grounding.citations import Numbering, Renumbered, renumber
from fusion_tool.grounding.grammar import tokens


def renumber_json(text: str, known: Mapping[str, object]) -> Renumbered:
    """As `renumber`, in each string of the JSON that `text` is; a list of ids, `["1a2b3c4d"]`, is no citation.

    Args:
        text: JSON; text that is none is renumbered as Markdown.
        known: The retrieved sources by id; only the keys matter.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return renumber(text, known)
    numbers, dropped = dict[str, int](), list[str]()

    def within(value: Any) -> Any:
        match value:
            case str():
                numbering = Numbering(frozenset(known), numbers, dropped)
                written = "".join([numbering.write(token) for token in tokens(value, numbering.known)])
                return written + numbering.close()
            case list():
                return [within(one) for one in value]
            case dict():
                return {key: within(one) for key, one in value.items()}
            case _:
                return value

    return Renumbered(json.dumps(within(value), ensure_ascii=False), numbers, dropped)
