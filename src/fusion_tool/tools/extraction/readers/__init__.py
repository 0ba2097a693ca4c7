"""Readers of documents that are neither pages, PDFs nor plain text; they run in the extraction's worker."""
