-- Who may come in. Nothing here is a secret that opens anything: passwords are hashed with argon2, tokens with SHA-256.
-- Times are UTC in ISO 8601.

CREATE TABLE account (
    name TEXT PRIMARY KEY,
    password TEXT,             -- argon2's own format; empty until the first password is set
    roles TEXT NOT NULL,       -- JSON: a list
    made_at TEXT NOT NULL,
    disabled_at TEXT
);

CREATE TABLE sign_in (
    token_sha256 TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (name),
    began_at TEXT NOT NULL,
    seen_at TEXT NOT NULL
);
