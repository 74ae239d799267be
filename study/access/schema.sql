-- Who may come in. Nothing here is a secret that opens anything: passwords are hashed with argon2, tokens and recovery codes
-- with SHA-256, and the secret of a second factor is encrypted with a key that follows from study.key.
-- Times are UTC in ISO 8601.

CREATE TABLE account (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    roles TEXT NOT NULL,       -- JSON: a list
    password TEXT,             -- argon2's own format; empty until it is set
    factor TEXT,               -- the second factor's secret, encrypted; empty until it is set
    factor_step INTEGER,       -- the half minute of the last code that was taken: none is taken twice
    made_at TEXT NOT NULL,
    disabled_at TEXT
);

CREATE TABLE recovery_code (
    code_sha256 TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (name)
);

-- One-time links: by which somebody sets the password and the second factor of their account.
CREATE TABLE invitation (
    token_sha256 TEXT PRIMARY KEY,
    account TEXT REFERENCES account (name), -- empty: the first administrator, who chooses their name
    expires_at TEXT NOT NULL
);

CREATE TABLE sign_in (
    token_sha256 TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (name),
    began_at TEXT NOT NULL,
    seen_at TEXT NOT NULL
);

-- Failures to sign in, by the hash of what was given as the name, whether there is such an account or not.
CREATE TABLE failure (
    name_sha256 TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    last_at TEXT NOT NULL,
    wait_until TEXT
);
