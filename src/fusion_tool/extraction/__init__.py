"""Text out of untrusted bytes: HTML and PDF are parsed in a limited process that can be killed."""

from fusion_tool.extraction.extract import extract
from fusion_tool.extraction.result import Extracted, ExtractionFailed

__all__ = ["Extracted", "ExtractionFailed", "extract"]
