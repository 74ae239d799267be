"""The trial: protocol, allocation, visits, ratings, records, safety events and export.

A study is a folder: `study.toml` (the protocol, which the researcher writes), `study.sqlite` (the record), `study.key`
(the secret from which links are made) and `identity.enc` (who the people are). `Study.open` joins them.
"""
