"""The report of an audit: one page that opens anywhere, tables as CSV, figures as SVG, worst transcripts first."""
