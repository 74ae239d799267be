"""The report of an audit: one page that opens anywhere, its tables as CSV, its figures as SVG, worst transcripts first."""
