-- ServerChannel in SQLite 3.9 and newer: posting in a transaction. A message is delivered exactly if its transaction
-- commits, in the order of the commits: SQLite has one writer at a time, so that is the order of the numbers.
--
--   INSERT INTO serverchannel_outbox (sender, body) VALUES ('OrderChanged', '{"id":42}');
--   INSERT INTO serverchannel_outbox (sender, body, audience, message_key, ttl_ms, id)
--     VALUES ('OrderChanged', json_object('id', 42), '{"groups":["sales"]}', 'order:42', 60000, 'payment-7');

-- What waits for a server's relay, which takes it away.
CREATE TABLE IF NOT EXISTS serverchannel_outbox (
  -- The order. Never given twice, and never to be given by the poster.
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  sender TEXT NOT NULL
    CONSTRAINT "sender_invalid: sender has 1 to 256 characters"
    CHECK (typeof(sender) = 'text' AND length(sender) BETWEEN 1 AND 256),
  -- JSON. A text is json_quote('text').
  body TEXT NOT NULL DEFAULT 'null'
    CONSTRAINT "body_not_json: body is JSON; a text is json_quote('text')"
    CHECK (typeof(body) = 'text' AND json_valid(body))
    CONSTRAINT "body_too_large: body has up to 1048576 bytes"
    CHECK (length(CAST(body AS BLOB)) <= 1048576),
  -- JSON, as '{"users":["user-7"]}'. NULL: for all.
  audience TEXT
    CONSTRAINT "audience_invalid: audience is like {""users"":[""user-7""]}, {""groups"":[""sales""]} or ""all"""
    CHECK (
      audience IS NULL OR audience = '"all"' OR CASE WHEN json_valid(audience) AND json_type(audience) = 'object'
        THEN coalesce(json_type(audience, '$.all'), json_type(audience, '$.users'), json_type(audience, '$.groups'),
          json_type(audience, '$.connections'), json_type(audience, '$.except')) IS NOT NULL
        ELSE 0 END
    ),
  -- Whoever is behind gets only the newest message of each sender and key.
  message_key TEXT
    CONSTRAINT "message_invalid: message_key has 1 to 256 characters" CHECK (length(message_key) BETWEEN 1 AND 256),
  -- After so long nobody gets it any more.
  ttl_ms INTEGER
    CONSTRAINT "ttl_invalid: ttl_ms is above 0, at most 366 days"
    CHECK (ttl_ms IS NULL OR (typeof(ttl_ms) = 'integer' AND ttl_ms BETWEEN 1 AND 31622400000)),
  -- The message's id, and its idempotency key: a second one with it is the same message.
  id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16))))
    CONSTRAINT "id_invalid: id has 1 to 256 characters" CHECK (typeof(id) = 'text' AND length(id) BETWEEN 1 AND 256),
  -- Of its sender and key a page gets at most one in so long. Needs a message_key.
  min_interval_ms INTEGER
    CONSTRAINT "message_invalid: min_interval_ms is above 0, at most an hour"
    CHECK (min_interval_ms IS NULL OR (typeof(min_interval_ms) = 'integer' AND min_interval_ms BETWEEN 1 AND 3600000)),
  body_type_name TEXT
    CONSTRAINT "message_invalid: body_type_name has up to 256 characters" CHECK (length(body_type_name) <= 256),
  channel_type TEXT
    CONSTRAINT "message_invalid: channel_type has up to 256 characters" CHECK (length(channel_type) <= 256),
  -- Milliseconds since 1970.
  posted_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER))
    CONSTRAINT "message_invalid: posted_at is milliseconds since 1970" CHECK (typeof(posted_at) = 'integer'),
  CONSTRAINT "message_invalid: min_interval_ms needs a message_key"
    CHECK (min_interval_ms IS NULL OR message_key IS NOT NULL)
);

-- What a server refused for good, and why. To post it once more: insert it into the outbox.
CREATE TABLE IF NOT EXISTS serverchannel_refused (
  number INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  refused_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  sender TEXT,
  body TEXT,
  audience TEXT,
  message_key TEXT,
  ttl_ms INTEGER,
  id TEXT,
  min_interval_ms INTEGER,
  body_type_name TEXT,
  channel_type TEXT,
  posted_at INTEGER
);

-- Which relay takes now, and until when (milliseconds since 1970) the others let it.
CREATE TABLE IF NOT EXISTS serverchannel_relay (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  holder TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);
INSERT OR IGNORE INTO serverchannel_relay (one, holder, expires_at) VALUES (1, '', 0);
