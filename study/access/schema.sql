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

-- A robot, or another program that comes to the API.
CREATE TABLE device (
    name TEXT PRIMARY KEY,
    made_at TEXT NOT NULL,
    seen_at TEXT,              -- when it last made a call, to ten seconds; from where is not kept
    reported_at TEXT,          -- when it last said how it is, and what it said
    battery REAL,
    latency_ms REAL,
    state TEXT,
    version TEXT
);

CREATE TABLE device_token (
    id INTEGER PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,
    device TEXT NOT NULL REFERENCES device (name),
    scopes TEXT NOT NULL,      -- JSON: a list
    issued_at TEXT NOT NULL,
    expires_at TEXT,           -- empty: it does not expire
    replaced INTEGER NOT NULL, -- 1 once a rotation put another in its place
    revoked_at TEXT
);

CREATE INDEX device_token_of ON device_token (device);

-- A call that carried an idempotency key, for a day. The key and the call stand here as keyed hashes.
CREATE TABLE device_call (
    device TEXT NOT NULL REFERENCES device (name),
    key TEXT NOT NULL,
    call TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    status INTEGER,            -- empty: not answered, or refused, so that nothing was changed
    answer TEXT,               -- JSON, in which the number of the last turn stands for the turns: nobody's words
    PRIMARY KEY (device, key)
);
