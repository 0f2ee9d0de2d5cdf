-- A ledger of version 1 with one request, as it was written then: never edited.
PRAGMA application_id = 1802990189;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE drops (at REAL NOT NULL, count INTEGER NOT NULL, reason TEXT NOT NULL);
INSERT INTO "drops" VALUES(1790000000.5,3,'the queue is full (10000 records wait to be written)');
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY,  -- in the order of writing, which is the order in which requests ended
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    front TEXT NOT NULL,
    client TEXT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    lineage TEXT NOT NULL,
    parent TEXT NOT NULL,
    turn INTEGER NOT NULL,
    upstream TEXT NOT NULL,
    model TEXT NOT NULL,
    stream INTEGER NOT NULL,
    status INTEGER NOT NULL,
    ending TEXT NOT NULL,
    error TEXT NOT NULL,
    received_bytes INTEGER NOT NULL,
    sent_bytes INTEGER NOT NULL,
    answered_bytes INTEGER NOT NULL,
    overhead_ms REAL,
    first_byte_ms REAL,
    first_token_ms REAL,
    total_ms REAL,
    prompt_tokens INTEGER,  -- NULL in these six: the server did not report it, which is not 0
    cached_tokens INTEGER,
    output_tokens INTEGER,
    prompt_ms REAL,
    output_ms REAL,
    written_tokens INTEGER,
    outcome TEXT,  -- NULL: the request got no verdict
    blame TEXT,
    grade TEXT,
    expected INTEGER,
    actual INTEGER,
    lost INTEGER,
    sentence TEXT,
    cause TEXT,  -- the first of `causes`, to sum by
    causes TEXT,  -- JSON
    place TEXT,  -- JSON
    seat_reason TEXT,  -- NULL: the request was never seated
    slot INTEGER,
    replica TEXT,
    edits TEXT NOT NULL,  -- JSON
    metadata TEXT NOT NULL  -- JSON
);
INSERT INTO "requests" VALUES(1,'5f0c2a9e61',1790000000.25,'anthropic','claude-cli/2.1.114','3fa81c22-0000-4000-8000-000000000001','','main','00ff','',1,'llama.cpp','tiny',1,200,'done','',90000,88000,1200,1.5,2.0,330.0,1250.0,20431,20102,40,310.0,900.0,NULL,'hit','nobody','counted',20102,20102,0,'',NULL,'[]',NULL,'its own seat since turn 1',2,'http://127.0.0.1:8080','[]','[]');
CREATE INDEX requests_by_lineage ON requests (lineage);
CREATE INDEX requests_by_session ON requests (session);
CREATE INDEX requests_by_time ON requests (at);
COMMIT;
