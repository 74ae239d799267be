"""The trial: protocol, allocation, visits, ratings, records, safety events and export.

A study is a folder with three files: `study.toml` (the protocol, which the researcher writes), `study.sqlite`
(the record) and `study.key` (the secret from which links and tokens are made). `Study.open` joins them.
"""
