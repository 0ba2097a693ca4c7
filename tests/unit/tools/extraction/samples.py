"""Pages and PDFs made here, honest ones and hostile ones."""


def page(body: str, *, head: str = "") -> bytes:
    return f"<!doctype html><html><head><title>A title</title>{head}</head><body>{body}</body></html>".encode()


def pdf(*lines: str, title: str = "A report") -> bytes:
    """A one-page PDF, written by hand: six objects and their cross-reference table."""
    shown = "".join(f"({line}) Tj T* " for line in lines)
    content = f"BT /F1 12 Tf 72 720 Td 14 TL {shown}ET"
    fonts = "<< /Font << /F1 5 0 R >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources {fonts} >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Title ({title}) >>",
    ]
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer << /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n{len(body)}\n%%EOF"
    return f"{body}xref\n0 7\n0000000000 65535 f \n{table}{trailer}".encode()


NESTED = page("<div>" * 200_000)
"""Takes the parsers quadratic time."""
