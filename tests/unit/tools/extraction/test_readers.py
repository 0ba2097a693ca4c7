"""Documents of offices, books and notebooks: what their readers bring, and what they do not let a hostile file do."""

import io
import json
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.tools.documents.folder import CONTENT_TYPES
from fusion_tool.tools.extraction.content import ExtractionError
from fusion_tool.tools.extraction.extract import extract
from fusion_tool.tools.extraction.readers.read import read_document
from fusion_tool.tools.extraction.readers.tables import table_lines

TABLE = [["City", "Depth in m"], ["Brest", "3.4"], ["Oslo", ""]]
IN_LINES = "City | Depth in m\nCity: Brest | Depth in m: 3.4\nCity: Oslo"


def saved(document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def word() -> bytes:
    from docx import Document
    from docx.oxml import parse_xml

    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    document = Document()
    document.core_properties.title = "The harbour"
    document.add_heading("Tides", 1)
    paragraph = document.add_paragraph("The price was ")
    paragraph.add_run("100 crowns").font.strike = True
    paragraph._p.append(
        parse_xml(f'<w:ins xmlns:w="{space}" w:id="1" w:author="a"><w:r><w:t>80 crowns</w:t></w:r></w:ins>')
    )
    removed = f'<w:del xmlns:w="{space}" w:id="2" w:author="a"><w:r><w:delText>90 crowns</w:delText></w:r></w:del>'
    paragraph._p.append(parse_xml(removed))
    counted = document.add_paragraph("It counted 3.2 \u00d7 10")
    counted.add_run("6").font.superscript = True
    counted.add_run(" waves")
    table = document.add_table(3, 2)
    for row, texts in zip(table.rows, TABLE, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_paragraph("After the table.")
    return saved(document)


def slides() -> bytes:
    from pptx import Presentation
    from pptx.util import Inches

    presentation = Presentation()
    presentation.core_properties.title = "The harbour"
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Tides at Brest"
    grouped = slide.shapes.add_group_shape()
    grouped.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "In a group"
    table = slide.shapes.add_table(3, 2, 0, 0, Inches(2), Inches(2)).table
    for number, texts in enumerate(TABLE):
        for column, text in enumerate(texts):
            table.cell(number, column).text = text
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    return saved(presentation)


def workbook() -> bytes:
    import xlsxwriter

    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet("Depths")
    sheet.write_row(0, 0, ["City", "Depth in m", "Year", "Sum"])
    sheet.write_row(1, 0, ["Brest", 3.4, 1861])
    sheet.write_formula(1, 3, "=B2+1", None, 4.4)
    hidden = book.add_worksheet("Secret")
    hidden.write(0, 0, "hidden words")
    hidden.hide()
    book.close()
    return file.getvalue()


def archive(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return file.getvalue()


def book(chapter: str = "<p>The tide rose at noon.</p>", *, head: str = "") -> bytes:
    package = (
        f'<?xml version="1.0"?>{head}<package xmlns="http://www.idpf.org/2007/opf"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The harbour</dc:title></metadata><manifest>'
        '<item id="b" href="two.xhtml"/><item id="a" href="text/one%20a.xhtml"/><item id="c" href="gone.xhtml"/>'
        '</manifest><spine><itemref idref="a"/><itemref idref="c"/><itemref idref="b"/></spine></package>'
    )
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    entries = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": container,
        "OEBPS/book.opf": package,
        "OEBPS/text/one a.xhtml": f"<html><body><h1>One</h1>{chapter}</body></html>",
        "OEBPS/two.xhtml": "<html><body><p>It fell at six.</p></body></html>",
    }
    return archive({name: text.encode() for name, text in entries.items()})


def notebook() -> bytes:
    output = {"output_type": "execute_result", "data": {"text/plain": ["4", ".4"], "image/png": "aGk="}}
    cells = [
        {"cell_type": "markdown", "source": ["# Tides\n", "Measured at Brest."]},
        {"cell_type": "code", "source": "depth + 1", "outputs": [output, {"output_type": "stream", "text": "done\n"}]},
    ]
    return json.dumps({"nbformat": 4, "cells": cells}).encode()


CSV = b"City;Depth in m\r\nBrest;3.4\r\nOslo;\r\n"
READ = {
    ".docx": (
        word(),
        "The harbour",
        f"Tides\nThe price was 80 crowns\nIt counted 3.2 \u00d7 10^6 waves\n{IN_LINES}\nAfter the table.",
    ),
    ".pptx": (slides(), "The harbour", f"Slide 1\nTides at Brest\nIn a group\n{IN_LINES}\nNotes: Say it slowly."),
    ".xlsx": (
        workbook(),
        "",
        "Sheet Depths\nCity | Depth in m | Year | Sum\nCity: Brest | Depth in m: 3.4 | Year: 1861 | Sum: 4.4",
    ),
    ".csv": (CSV, "", IN_LINES),
    ".tsv": (CSV.replace(b";", b"\t"), "", IN_LINES),
    ".epub": (book(), "The harbour", "One\nThe tide rose at noon.\n\nIt fell at six."),
    ".ipynb": (notebook(), "Tides", "# Tides\nMeasured at Brest.\n\ndepth + 1\n\n4.4\n\ndone"),
}  # fmt: skip


async def read(data: bytes, suffix: str):
    return await extract(data, content_type=CONTENT_TYPES[suffix], timeout=5)


async def outcome(data: bytes, suffix: str) -> str:
    try:
        return (await read(data, suffix)).text
    except ExtractionError as error:
        return str(error)


@pytest.mark.parametrize("suffix", READ)
async def test_a_document_reads_as_it_means(suffix):
    data, title, text = READ[suffix]
    extracted = await read(data, suffix)
    assert (extracted.title, extracted.text) == (title, text)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"name\nAda\nBob", "name\nAda\nBob"),
        (b'a,b\n"one, two",3', "a | b\na: one, two | b: 3"),
        (b'a,b\n"one\ntwo",3', "a | b\na: one two | b: 3"),
        (b"1861,3.4\n1862,3.5", "1861 | 3.4\n1862 | 3.5"),
        ("Stadt;Größe\nKöln;1".encode("cp1252"), "Stadt | Größe\nStadt: Köln | Größe: 1"),
        ("Stadt\tGröße\nKöln\t1".encode("utf-16"), "Stadt | Größe\nStadt: Köln | Größe: 1"),
        (b"a,b\n1,2,3", "a | b\na: 1 | b: 2 | 3"),
    ],
)
async def test_rows_are_read_whatever_separates_and_encodes_them(data, lines):
    assert (await read(data, ".csv")).text == lines


LAUGHS = "<!DOCTYPE d [" + "".join(
    f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' if n else '<!ENTITY e1 "ha">' for n in range(10)
) + "]>"  # fmt: skip


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        entries = {entry: packed.read(entry) for entry in packed.namelist()}
    return archive(entries | {name: content})


def lying(data: bytes, name: str) -> bytes:
    """The archive with `name` said to unpack to 100 bytes, whatever it unpacks to."""
    packed = bytearray(data)
    place = packed.rfind(name.encode())
    header = packed.rfind(b"PK\x01\x02", 0, place)
    packed[header + 24 : header + 28] = (100).to_bytes(4, "little")
    return bytes(packed)


def laughing(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        text = packed.read(name).decode()
    declaration, _, rest = text.partition("?>")
    opening, middle, end = rest.partition("</w:t>") if "</w:t>" in rest else rest.partition("</a:t>")
    return with_part(data, name, f"{declaration}?>{LAUGHS}{opening}&e10;{middle}{end}".encode())


SPACES = b" " * (200 << 20)
MAIN = "word/document.xml"
HOSTILE = {
    "a zip bomb, docx": (".docx", lambda: with_part(word(), "word/media/bomb.bin", SPACES), "unpacks to 200 MB"),
    "a zip bomb, xlsx": (".xlsx", lambda: with_part(workbook(), "xl/sharedStrings.xml", SPACES), "unpacks to 200 MB"),
    "a zip bomb, epub": (".epub", lambda: with_part(book(), "OEBPS/two.xhtml", SPACES), "unpacks to 200 MB"),
    "a bomb that lies": (".docx", lambda: lying(with_part(word(), MAIN, SPACES), MAIN), "more memory than"),
    "very many files": (".pptx", lambda: archive({f"{n}.xml": b"" for n in range(20_001)}), "20001 files"),
    "entities, docx": (".docx", lambda: laughing(word(), MAIN), None),
    "entities, pptx": (".pptx", lambda: laughing(slides(), "ppt/slides/slide1.xml"), None),
    "entities, epub": (".epub", lambda: book(head=LAUGHS), None),
    "no archive": (".docx", lambda: b"PK\x03\x04 and then nothing", "no zip archive"),
    "another archive": (".docx", lambda: archive({"readme.txt": b"hi"}), "cannot be opened"),
    "encrypted": (".xlsx", lambda: b"\xd0\xcf\x11\xe0" + bytes(512), "is encrypted"),
    "an empty book": (".epub", lambda: archive({"META-INF/container.xml": b"<container/>"}), "no package document"),
    "a program": (".csv", lambda: b"\x7fELF\0\0", "it is binary"),
    "a broken notebook": (".ipynb", lambda: b'{"cells": [', "no valid JSON"),
    "a list for a notebook": (".ipynb", lambda: b"[1]", "no valid JSON"),
    "deep nesting": (".ipynb", lambda: b"[" * 100_000, "no valid JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_document_costs_itself_alone(name):
    """It is refused in one line, or read without what it hides; the next document is read."""
    suffix, make, reason = HOSTILE[name]
    said = await outcome(make(), suffix)
    assert "\n" not in said or not reason
    assert (reason or "") in said
    assert "haha" not in said
    assert (await read(CSV, ".csv")).text == IN_LINES


def test_a_reader_that_is_not_installed_is_named_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(ExtractionError, match=r"needs the extra 'documents': pip install 'fusion-tool\[documents\]'"):
        read_document(CONTENT_TYPES[".docx"], READ[".docx"][0], 1000)


@given(st.lists(st.lists(st.text(max_size=12), max_size=5), max_size=6))
def test_every_filled_cell_of_a_table_is_in_its_lines(rows):
    text = "\n".join(table_lines(rows))
    for row in rows:
        for cell in row:
            assert " ".join(cell.split()) in text


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(sorted(READ)))
async def test_any_bytes_are_a_text_or_a_typed_error(data, suffix):
    assert isinstance(await outcome(data, suffix), str)
