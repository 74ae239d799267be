-- The record of one study. Times are UTC in ISO 8601. The columns are described in dictionary.toml.
-- Each table is written through `study.records.Write` alone, which puts the hash of every row into the event log.
-- `study.verify` compares what stands between CREATE and the semicolon with what stands in a record, letter by letter.

-- One row for each version of the protocol that somebody began on: as it was edited before the first enrolment, and as it
-- was amended after it.
CREATE TABLE protocol (
    version INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL,
    text TEXT NOT NULL,
    locked_at TEXT NOT NULL,
    locked_by TEXT NOT NULL,
    why TEXT NOT NULL,
    scheme INTEGER NOT NULL -- counts the allocation schemes: an amendment that changes the allocation begins a new one
);

-- Everybody who opened the study's door, whether they came to take part or not.
CREATE TABLE person (
    code TEXT PRIMARY KEY,
    came_at TEXT NOT NULL,
    protocol INTEGER NOT NULL REFERENCES protocol (version),
    timezone TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('participant', 'test')),
    state TEXT NOT NULL CHECK (state IN ('screening', 'consent', 'baseline', 'enrolled', 'ineligible', 'declined')),
    decided_at TEXT, -- when the rules of eligibility were applied
    reasons TEXT     -- JSON: the reasons of the rules that excluded
);

CREATE TABLE consent (
    id INTEGER PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (code),
    version TEXT NOT NULL,
    sha256 TEXT NOT NULL,      -- of the text, the statements and the permissions that were shown
    permissions TEXT NOT NULL, -- JSON: name to true or false
    given_at TEXT NOT NULL,
    witness TEXT,              -- who vouches for a consent on paper
    UNIQUE (person, version)
);

CREATE TABLE participant (
    code TEXT PRIMARY KEY REFERENCES person (code),
    kind TEXT NOT NULL CHECK (kind IN ('participant', 'test')),
    enrolled_at TEXT NOT NULL,
    starts_on TEXT NOT NULL,   -- the date of study day 1, on the participant's own calendar
    scheme INTEGER,            -- all four empty for a test participant, who uses up no place
    stratum TEXT,
    position INTEGER,
    block INTEGER,
    levels TEXT NOT NULL,      -- JSON: the participant's level of each factor of the allocation
    arm TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'held', 'withdrawn')),
    UNIQUE (scheme, stratum, position)
);

-- An uploaded allocation list, sealed: a place is opened by the enrolment that uses it up.
CREATE TABLE allocation_list (
    stratum TEXT NOT NULL,
    position INTEGER NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (stratum, position)
);

-- A visit of a study day; or, with no exercise, a follow-up.
CREATE TABLE visit (
    id INTEGER PRIMARY KEY,
    participant TEXT NOT NULL REFERENCES participant (code),
    day INTEGER NOT NULL,
    follow_up TEXT,
    exercise TEXT,
    state TEXT NOT NULL CHECK (
        state IN ('before', 'exercise', 'after', 'done', 'stopped', 'missed', 'unfinished')
    ),
    opens_at TEXT NOT NULL,
    closes_at TEXT NOT NULL,   -- until when it can be begun
    ends_at TEXT NOT NULL,     -- until when one that was begun can be finished
    opened_at TEXT NOT NULL,
    ended_at TEXT,
    code TEXT NOT NULL UNIQUE,
    device TEXT,
    UNIQUE (participant, day)
);

CREATE INDEX visit_open ON visit (state, ends_at);

CREATE TABLE rating (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id),
    measure TEXT NOT NULL,
    occasion TEXT NOT NULL CHECK (occasion IN ('before', 'after')),
    value INTEGER NOT NULL CHECK (value BETWEEN 0 AND 100),
    given_at TEXT NOT NULL,
    UNIQUE (visit, measure, occasion)
);

-- One administration of a measure, or of the screening's questions (measure 'screening').
CREATE TABLE form (
    id INTEGER PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (code),
    measure TEXT NOT NULL,
    version TEXT NOT NULL,
    language TEXT NOT NULL,
    occasion TEXT NOT NULL,
    visit INTEGER REFERENCES visit (id),
    given_at TEXT NOT NULL
);

CREATE UNIQUE INDEX form_once ON form (person, measure, occasion, ifnull(visit, 0));

CREATE TABLE answer (
    id INTEGER PRIMARY KEY,
    form INTEGER NOT NULL REFERENCES form (id),
    item TEXT NOT NULL,
    value INTEGER,             -- empty: left out; a question with words to choose from: the place of the choice, from 1
    choice TEXT,               -- the words chosen, for questions of the screening
    UNIQUE (form, item)
);

-- A value that was given wrongly, put right by somebody who says why. What was given stays where it stands; of several
-- corrections of one value the last holds. Whoever reads values reads the two views below.
CREATE TABLE correction (
    id INTEGER PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (code),
    visit INTEGER REFERENCES visit (id),
    form INTEGER REFERENCES form (id),
    occasion TEXT NOT NULL,
    measure TEXT NOT NULL,
    item TEXT NOT NULL,
    rating INTEGER REFERENCES rating (id),
    answer INTEGER REFERENCES answer (id),
    value_before INTEGER,
    choice_before TEXT,
    value INTEGER,
    choice TEXT,
    corrected_at TEXT NOT NULL,
    corrected_by TEXT NOT NULL,
    why TEXT NOT NULL,
    CHECK ((rating IS NULL) != (answer IS NULL)),
    CHECK (rating IS NULL OR value BETWEEN 0 AND 100)
);

CREATE INDEX correction_of_rating ON correction (rating) WHERE rating IS NOT NULL;

CREATE INDEX correction_of_answer ON correction (answer) WHERE answer IS NOT NULL;

-- Ratings as they hold now. `corrected` counts the corrections of a value.
CREATE VIEW rating_now AS
SELECT rating.id, rating.visit, rating.measure, rating.occasion,
    iif(c.id IS NULL, rating.value, c.value) AS value, rating.given_at,
    (SELECT count(*) FROM correction WHERE rating = rating.id) AS corrected
FROM rating LEFT JOIN correction c ON c.id = (SELECT max(id) FROM correction WHERE rating = rating.id);

-- Answers as they hold now.
CREATE VIEW answer_now AS
SELECT answer.id, answer.form, answer.item,
    iif(c.id IS NULL, answer.value, c.value) AS value, iif(c.id IS NULL, answer.choice, c.choice) AS choice,
    (SELECT count(*) FROM correction WHERE answer = answer.id) AS corrected
FROM answer LEFT JOIN correction c ON c.id = (SELECT max(id) FROM correction WHERE answer = answer.id);

CREATE TABLE turn (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id),
    number INTEGER NOT NULL,
    speaker TEXT NOT NULL CHECK (speaker IN ('participant', 'therapist')),
    step TEXT NOT NULL,
    text TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('participant', 'script', 'model', 'fallback', 'person', 'crisis')),
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

-- How long after the participant's words the answer to them began to sound, as the robot measured it.
CREATE TABLE first_sound (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id),
    reply_to INTEGER NOT NULL, -- the number of the participant's turn
    after_ms REAL NOT NULL,
    reported_at TEXT NOT NULL,
    UNIQUE (visit, reply_to)
);

-- Turns with the times of each: the engine's, which stand in the provenance, and the robot's, which come later.
CREATE VIEW turn_timed AS
SELECT turn.*,
    turn.provenance ->> '$.queue_ms' AS queue_ms,
    turn.provenance ->> '$.first_token_ms' AS first_token_ms,
    turn.provenance ->> '$.first_sentence_ms' AS first_sentence_ms,
    turn.provenance ->> '$.last_token_ms' AS last_token_ms,
    turn.provenance ->> '$.ready_ms' AS ready_ms,
    turn.provenance ->> '$.held_ms' AS held_ms,
    turn.provenance ->> '$.total_ms' AS total_ms,
    first_sound.after_ms AS first_sound_ms
FROM turn LEFT JOIN first_sound ON first_sound.visit = turn.visit AND first_sound.reply_to = turn.reply_to;

CREATE TABLE draft (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id),
    step TEXT NOT NULL,
    text TEXT NOT NULL,
    saved_at TEXT NOT NULL,
    UNIQUE (visit, step)
);

-- When a person wrote the therapist's answers in the engine's place.
CREATE TABLE takeover (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id),
    taken_at TEXT NOT NULL,
    taken_by TEXT NOT NULL,
    why TEXT NOT NULL,
    released_at TEXT,          -- empty while they hold it
    released TEXT CHECK (released IN ('handed back', 'away', 'visit over', 'server stopped'))
);

CREATE UNIQUE INDEX takeover_by_one ON takeover (visit) WHERE released_at IS NULL;

-- Everything that may be harm: hits of the screen, item alerts, adverse events that somebody reports.
CREATE TABLE safety_event (
    id INTEGER PRIMARY KEY,
    participant TEXT NOT NULL REFERENCES person (code),
    visit INTEGER REFERENCES visit (id),
    turn INTEGER,
    source TEXT NOT NULL CHECK (source IN ('participant', 'therapist', 'draft', 'item', 'report', 'asked')),
    category TEXT NOT NULL,
    rule TEXT NOT NULL,
    description TEXT,
    raised_at TEXT NOT NULL,
    raised_by TEXT NOT NULL,
    told_at TEXT,
    acknowledged_at TEXT,
    acknowledged_by TEXT,
    escalated_at TEXT,
    severity TEXT CHECK (severity IN ('mild', 'moderate', 'severe', 'life-threatening', 'fatal')),
    serious TEXT CHECK (serious IN ('yes', 'no')),
    relatedness TEXT CHECK (relatedness IN ('not', 'unlikely', 'possible', 'probable', 'definite')),
    expectedness TEXT CHECK (expectedness IN ('expected', 'unexpected')),
    outcome TEXT CHECK (outcome IN ('recovered', 'recovering', 'not recovered', 'sequelae', 'fatal', 'unknown')),
    assessed_by TEXT,
    closed_at TEXT
);

CREATE INDEX safety_event_open ON safety_event (acknowledged_at);

CREATE TABLE halt (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL CHECK (scope IN ('participant', 'arm', 'study')),
    target TEXT NOT NULL,      -- the participant's code, the arm's name; empty for the study
    halted_at TEXT NOT NULL,
    halted_by TEXT NOT NULL,
    why TEXT NOT NULL,
    lifted_at TEXT,
    lifted_by TEXT,
    lifted_why TEXT
);

CREATE TABLE withdrawal (
    participant TEXT PRIMARY KEY REFERENCES person (code),
    withdrawn_at TEXT NOT NULL,
    withdrawn_by TEXT NOT NULL,
    reason TEXT,               -- in the participant's own words, if they gave any
    erased_at TEXT             -- when what they had given was erased; empty if it was kept
);

CREATE TABLE unblinding (
    id INTEGER PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('analyst', 'assessor')),
    participant TEXT REFERENCES participant (code), -- empty: the whole study
    unblinded_at TEXT NOT NULL,
    unblinded_by TEXT NOT NULL,
    why TEXT NOT NULL
);

-- Messages: claimed before they are sent, so that none is sent twice. `key` is what the message is about.
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('reminder', 'safety', 'escalation')),
    participant TEXT,
    visit INTEGER,
    safety_event INTEGER,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'sending', 'sent', 'failed', 'unsure')),
    claimed_at TEXT NOT NULL,
    ended_at TEXT,
    attempts INTEGER NOT NULL
);

-- The log. `detail` is JSON with a salt; the chain covers its hash, so that it can be erased with a participant's data
-- and the chain still holds. It has no index: each would be one more page to write with every change of the record.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT,
    detail TEXT,
    detail_sha256 TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
WHEN NEW.detail IS NOT NULL
    OR (OLD.id, OLD.at, OLD.actor, OLD.what, OLD.subject, OLD.person, OLD.detail_sha256, OLD.previous, OLD.hash)
    IS NOT (NEW.id, NEW.at, NEW.actor, NEW.what, NEW.subject, NEW.person, NEW.detail_sha256, NEW.previous, NEW.hash)
    OR NOT EXISTS (SELECT 1 FROM withdrawal WHERE participant = OLD.person AND erased_at IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the event log is append-only'); END;

CREATE TRIGGER turn_is_never_changed BEFORE UPDATE ON turn
BEGIN SELECT RAISE(ABORT, 'turns are append-only'); END;

CREATE TRIGGER first_sound_is_never_changed BEFORE UPDATE ON first_sound
BEGIN SELECT RAISE(ABORT, 'first sounds are append-only'); END;

CREATE TRIGGER rating_is_never_changed BEFORE UPDATE ON rating
BEGIN SELECT RAISE(ABORT, 'ratings are append-only'); END;

CREATE TRIGGER answer_is_never_changed BEFORE UPDATE ON answer
BEGIN SELECT RAISE(ABORT, 'answers are append-only'); END;

CREATE TRIGGER correction_is_never_changed BEFORE UPDATE ON correction
BEGIN SELECT RAISE(ABORT, 'corrections are append-only'); END;

CREATE TRIGGER consent_is_never_changed BEFORE UPDATE ON consent
BEGIN SELECT RAISE(ABORT, 'consents are append-only'); END;
