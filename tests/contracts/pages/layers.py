"""The layers that import-linter keeps, each module with what its docstring says that it is."""

import ast
from collections.abc import Iterator

from tests.contracts.pages.markdown import PROJECT, ROOT, table

_PACKAGE = ROOT / "src" / "fusion_tool"


def layers_table() -> str:
    """One row a module, the highest layer first; modules of one layer know nothing of each other's outside."""
    return table(("layer", "module", "what it is"), _rows())


def _rows() -> Iterator[tuple[str, ...]]:
    (contract,) = (one for one in PROJECT["tool"]["importlinter"]["contracts"] if one["name"] == "Imports point down")
    for number, layer in enumerate(contract["layers"]):  # `__main__` stands above the nine
        for place, module in enumerate(layer.replace(":", "|").split("|")):
            yield "" if place or not number else str(number), f"`{module.strip()}`", _about(module.strip())


def _about(module: str) -> str:
    """The first sentence of the module's docstring."""
    path = _PACKAGE / module / "__init__.py" if (_PACKAGE / module).is_dir() else _PACKAGE / f"{module}.py"
    said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(said.partition("\n\n")[0].split())
