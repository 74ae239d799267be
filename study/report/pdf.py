"""The page as a PDF, by WeasyPrint: the same bytes from the same page, on every machine.

WeasyPrint draws text with Pango, a library of the operating system. Where that is missing, the report goes without its
PDF and says what to install. The fonts are those that come with matplotlib, so none of the machine's is needed.
"""

import hashlib
from importlib.resources import files
from pathlib import Path

from study.errors import StudyError

__all__ = ["PdfMissing", "css", "pdf"]

PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
"""What Debian and Ubuntu call the libraries."""

_FONTS = {
    "Bedside Serif": (
        ("STIXGeneral.ttf", "normal", "normal"),
        ("STIXGeneralBol.ttf", "bold", "normal"),
        ("STIXGeneralItalic.ttf", "normal", "italic"),
    ),
    "Bedside Sans": (("DejaVuSans.ttf", "normal", "normal"), ("DejaVuSans-Bold.ttf", "bold", "normal")),
    "Bedside Mono": (("DejaVuSansMono.ttf", "normal", "normal"),),
}


class PdfMissing(StudyError):
    """The PDF cannot be made on this machine; the message says what to install."""


def css() -> str:
    """What the PDF has beyond the page's own rules: paper, fonts, page numbers."""
    faces = [
        f'@font-face {{ font-family: "{family}"; src: url("{(_folder() / name).as_uri()}"); '
        f"font-weight: {weight}; font-style: {style}; }}"
        for family, fonts in _FONTS.items()
        for name, weight, style in fonts
    ]
    rules = (files("study.report") / "static" / "pdf.css").read_text(encoding="utf-8")
    return "\n".join([*faces, rules])


def pdf(html: str) -> bytes:
    """The page as a PDF. Nothing is loaded but the fonts. Raises `PdfMissing`."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise PdfMissing(
            f"The PDF was not written, because a library of the system is missing ({str(error).splitlines()[0]}). On "
            f"Debian and Ubuntu: apt-get install {PACKAGES}"
        ) from error

    document = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=("file", "data")))
    identifier = hashlib.sha256(html.encode()).hexdigest()[:32].encode()
    written: bytes = document.write_pdf(pdf_identifier=identifier, pdf_variant="pdf/ua-1")
    return written


def _folder() -> Path:
    """Where matplotlib keeps the fonts that come with it."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"
