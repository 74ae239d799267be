-- The record of one study. Times are UTC in ISO 8601. The columns are described in dictionary.toml.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE protocol (
    sha256 TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    locked_at TEXT NOT NULL
);

CREATE TABLE participant (
    code TEXT PRIMARY KEY,
    enrolled_at TEXT NOT NULL,
    stratum TEXT NOT NULL,
    position INTEGER NOT NULL,
    block INTEGER NOT NULL,
    arm TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'held')),
    UNIQUE (stratum, position)
);

CREATE TABLE visit (
    id INTEGER PRIMARY KEY,
    participant TEXT NOT NULL REFERENCES participant (code),
    day INTEGER NOT NULL,
    exercise TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('before', 'exercise', 'after', 'done', 'stopped')),
    opened_at TEXT NOT NULL,
    ended_at TEXT,
    code TEXT NOT NULL UNIQUE,
    device TEXT,
    UNIQUE (participant, day)
);

CREATE TABLE rating (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id),
    measure TEXT NOT NULL,
    occasion TEXT NOT NULL CHECK (occasion IN ('before', 'after')),
    value INTEGER NOT NULL CHECK (value BETWEEN 0 AND 100),
    given_at TEXT NOT NULL,
    UNIQUE (visit, measure, occasion)
);

CREATE TABLE turn (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id),
    number INTEGER NOT NULL,
    speaker TEXT NOT NULL CHECK (speaker IN ('participant', 'therapist')),
    step TEXT NOT NULL,
    text TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('participant', 'script', 'model', 'fallback', 'crisis')),
    recorded_at TEXT NOT NULL,
    token TEXT,
    reply_to INTEGER,
    next_step TEXT,
    screen TEXT,
    provenance TEXT,
    UNIQUE (visit, number),
    UNIQUE (visit, token),
    UNIQUE (visit, reply_to)
);

CREATE TABLE draft (
    visit INTEGER NOT NULL REFERENCES visit (id),
    step TEXT NOT NULL,
    text TEXT NOT NULL,
    saved_at TEXT NOT NULL,
    PRIMARY KEY (visit, step)
);

CREATE TABLE safety_event (
    id INTEGER PRIMARY KEY,
    participant TEXT NOT NULL REFERENCES participant (code),
    visit INTEGER REFERENCES visit (id),
    turn INTEGER,
    source TEXT NOT NULL CHECK (source IN ('participant', 'therapist', 'draft')),
    category TEXT NOT NULL,
    rule TEXT NOT NULL,
    raised_at TEXT NOT NULL,
    told_at TEXT,
    acknowledged_at TEXT,
    acknowledged_by TEXT
);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE
);

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

CREATE TRIGGER turn_is_never_changed BEFORE UPDATE ON turn
BEGIN SELECT RAISE(ABORT, 'turns are append-only'); END;

CREATE TRIGGER rating_is_never_changed BEFORE UPDATE ON rating
BEGIN SELECT RAISE(ABORT, 'ratings are append-only'); END;
