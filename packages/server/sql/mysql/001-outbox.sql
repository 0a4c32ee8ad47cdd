-- ServerChannel in MySQL 8.0.16 and newer, and in MariaDB 10.4 and newer: posting in a transaction. A message is delivered
-- exactly if its transaction commits, in the order of the commits.
--
--   INSERT INTO serverchannel_outbox (sender, body) VALUES ('OrderChanged', '{"id":42}');
--   INSERT INTO serverchannel_outbox (sender, body, audience, message_key, ttl_ms, id)
--     VALUES ('OrderChanged', JSON_OBJECT('id', 42), '{"groups":["sales"]}', 'order:42', 60000, 'payment-7');
--
-- Who may post: GRANT INSERT ON serverchannel_outbox TO some_user.

-- What waits for a server's relay, which takes it away.
CREATE TABLE IF NOT EXISTS serverchannel_outbox (
  -- The order. Never to be given by the poster.
  number BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  -- Wider than may be: a session that is not strict would cut off silently what does not fit.
  sender VARCHAR(1000) NOT NULL,
  -- JSON. A text is JSON_QUOTE('text').
  body LONGTEXT NOT NULL DEFAULT ('null'),
  -- JSON, as '{"users":["user-7"]}'. NULL: for all.
  audience LONGTEXT NULL,
  -- Whoever is behind gets only the newest message of each sender and key.
  message_key VARCHAR(1000) NULL,
  -- After so long nobody gets it any more.
  ttl_ms BIGINT NULL,
  -- The message's id, and its idempotency key: a second one with it is the same message.
  id VARCHAR(1000) NOT NULL DEFAULT (UUID()),
  -- Of its sender and key a page gets at most one in so long. Needs a message_key.
  min_interval_ms BIGINT NULL,
  body_type_name VARCHAR(1000) NULL,
  channel_type VARCHAR(1000) NULL,
  -- Milliseconds since 1970.
  posted_at BIGINT NOT NULL DEFAULT (FLOOR(UNIX_TIMESTAMP(NOW(3)) * 1000)),
  -- Their names are what the error says.
  CONSTRAINT `sender_invalid: sender has 1 to 256 characters` CHECK (CHAR_LENGTH(sender) BETWEEN 1 AND 256),
  CONSTRAINT `body_not_json: body is JSON; a text is JSON_QUOTE(text)` CHECK (JSON_VALID(body)),
  CONSTRAINT `body_too_large: body has up to 1048576 bytes` CHECK (LENGTH(body) <= 1048576),
  CONSTRAINT `audience_invalid: audience is like {"users":["user-7"]}` CHECK (
    audience IS NULL OR audience = '"all"' OR IF(JSON_VALID(audience), JSON_TYPE(audience) = 'OBJECT'
      AND JSON_CONTAINS_PATH(audience, 'one', '$.all', '$.users', '$.groups', '$.connections', '$.except'), FALSE)
  ),
  CONSTRAINT `message_invalid: message_key has 1 to 256 characters` CHECK (CHAR_LENGTH(message_key) BETWEEN 1 AND 256),
  CONSTRAINT `ttl_invalid: ttl_ms is above 0, at most 366 days` CHECK (ttl_ms BETWEEN 1 AND 31622400000),
  CONSTRAINT `id_invalid: id has 1 to 256 characters` CHECK (CHAR_LENGTH(id) BETWEEN 1 AND 256),
  CONSTRAINT `message_invalid: min_interval_ms is at most an hour` CHECK (min_interval_ms BETWEEN 1 AND 3600000),
  CONSTRAINT `message_invalid: min_interval_ms needs a message_key` CHECK (
    min_interval_ms IS NULL OR message_key IS NOT NULL
  ),
  CONSTRAINT `message_invalid: body_type_name has up to 256 characters` CHECK (CHAR_LENGTH(body_type_name) <= 256),
  CONSTRAINT `message_invalid: channel_type has up to 256 characters` CHECK (CHAR_LENGTH(channel_type) <= 256)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What a server refused for good, and why. To post it once more: insert it into the outbox.
CREATE TABLE IF NOT EXISTS serverchannel_refused (
  number BIGINT NOT NULL PRIMARY KEY,
  reason LONGTEXT NOT NULL,
  refused_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  sender VARCHAR(1000) NOT NULL,
  body LONGTEXT NOT NULL,
  audience LONGTEXT NULL,
  message_key VARCHAR(1000) NULL,
  ttl_ms BIGINT NULL,
  id VARCHAR(1000) NOT NULL,
  min_interval_ms BIGINT NULL,
  body_type_name VARCHAR(1000) NULL,
  channel_type VARCHAR(1000) NULL,
  posted_at BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The one row that a transaction locks with its first message, until it ends: so numbers are given in the order of the
-- commits. It is never changed: else REPEATABLE READ transactions would fail on each other where snapshots are isolated.
CREATE TABLE IF NOT EXISTS serverchannel_order (one TINYINT NOT NULL PRIMARY KEY) ENGINE = InnoDB;
INSERT IGNORE INTO serverchannel_order (one) VALUES (1);

-- Runs before the row gets its number.
DROP TRIGGER IF EXISTS serverchannel_lock_order;
CREATE TRIGGER serverchannel_lock_order BEFORE INSERT ON serverchannel_outbox FOR EACH ROW
  UPDATE serverchannel_order SET one = 1 WHERE one = 1;

-- What the relay writes before it passes on what it took: what it took is on the disk as well then.
CREATE TABLE IF NOT EXISTS serverchannel_relay (
  one TINYINT NOT NULL PRIMARY KEY,
  takes BIGINT NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO serverchannel_relay (one, takes) VALUES (1, 0);
