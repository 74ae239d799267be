"""Who may come in: the accounts of those who run a study, and the tokens of its devices.

They are in `access.sqlite` in the study's folder, beside the record and never in it: a record that is handed on carries
nobody's password. What somebody did is in the record's log, under the account's name.
"""
