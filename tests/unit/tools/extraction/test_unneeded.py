"""A package that happens to be installed beside this one keeps no page from being read."""

import subprocess
import sys

import pytest

from fusion_tool.tools.extraction import pool
from fusion_tool.tools.extraction.extract import extract
from fusion_tool.tools.extraction.protocol import UNNEEDED
from tests.unit.tools.extraction.samples import page, pdf

PAGE = page("<p>" + "A sentence that can be read. " * 10 + "</p>")
HARM = {
    "takes 300 MB": "held = bytearray(300 << 20)",
    "raises": "raise RuntimeError('broken')",
    "imports numpy": "import numpy",
    "ends the process": "import os; os._exit(1)",
}


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Put modules where the workers of this test find them before any other."""

    def put(name, source):
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)

    monkeypatch.syspath_prepend(tmp_path)
    pool._close()
    yield put
    pool._close()


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
async def test_pages_are_read_whatever_is_installed_beside(beside, harm):
    for name in UNNEEDED:
        beside(name, HARM["takes 300 MB"] if name in harm else harm)
    assert "can be read" in (await extract(PAGE, content_type="text/html")).text
    assert (await extract(pdf("fine"), content_type="application/pdf")).text == "fine"


OPTIONAL = """
import ast, sys
from pathlib import Path
from fusion_tool.tools.extraction.html import read_html
from fusion_tool.tools.extraction.protocol import block_unneeded_imports
block_unneeded_imports()
read_html(sys.stdin.buffer.read(), None, "http://page.example/")
files = [file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None) or "")]
tried = [
    line
    for file in files if file.endswith(".py") and "-packages" in file
    for node in ast.walk(ast.parse(Path(file).read_bytes()))
    if isinstance(node, ast.Try) and any("Import" in ast.unparse(h.type or node) for h in node.handlers)
    for line in node.body
]
for line in tried:
    if isinstance(line, ast.Import):
        print(*(alias.name for alias in line.names), sep="\\n")
    elif isinstance(line, ast.ImportFrom) and not line.level:
        print(*(f"{line.module}.{alias.name}" for alias in line.names), sep="\\n")
"""


def test_whatever_a_parser_would_import_where_it_is_installed_is_refused():
    """The table is checked against the source of all modules that reading a page loads."""
    ran = subprocess.run([sys.executable, "-c", OPTIONAL], input=PAGE, capture_output=True, check=True)
    tried = set(ran.stdout.decode().split())
    needed = {"charset_normalizer", "idna", "lxml_html_clean", "regex", "urllib3", *sys.stdlib_module_names}
    needed |= {"compression", "UserDict"}  # the standard library's of newer and of older Pythons
    assert {"py3langid", "brotli", "cchardet.detect"} <= tried
    unknown = {name for name in tried if not {name, name.partition(".")[0]} & {*UNNEEDED, *needed}}
    assert unknown == set()
