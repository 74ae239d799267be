"""The report: an analysis as one page that opens anywhere, as a PDF, as CSV tables, and as figures."""
