-- ServerChannel's outbox in MySQL 8.0 and MariaDB 10.6 and newer, part 1: what transactions posted, until a relay has
-- brought it into the log. Every statement can be run again.
--
-- DELIMITER is for the command `mysql`; other clients run what stands between the lines of two slashes.

DELIMITER //

-- What triggers and procedures are made under is what they run under.
SET NAMES utf8mb4
//
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'
//

-- Whoever posts locks this row until his transaction has ended, so numbers have the order of the commits. Nothing ever
-- changes it: transactions with a snapshot (innodb_snapshot_isolation) would fail on each other.
CREATE TABLE IF NOT EXISTS serverchannel_order (
  one TINYINT NOT NULL PRIMARY KEY
) ENGINE = InnoDB
//
INSERT IGNORE INTO serverchannel_order (one) VALUES (1)
//

CREATE TABLE IF NOT EXISTS serverchannel_outbox (
  -- The order. Never to be given by the poster.
  number BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  -- Texts may be longer here than they are allowed to be: where a session is not strict, too long ones would be cut.
  sender VARCHAR(1024) NOT NULL DEFAULT '',
  -- Any JSON value, as '{"id":42}' or JSON_OBJECT('id', 42). A text is JSON_QUOTE('text').
  body LONGTEXT NOT NULL DEFAULT ('null'),
  -- JSON, as '{"users":"user-7"}' or '{"groups":["sales"],"except":["a-connection-id"]}'. NULL: for all.
  audience LONGTEXT NULL,
  -- Whoever is behind gets only the newest message of each sender and key.
  message_key VARCHAR(1024) NULL,
  -- After so long nobody gets it any more.
  ttl_ms BIGINT NULL,
  -- The message's id, and its idempotency key: a second one with it is the same message.
  id VARCHAR(1024) NOT NULL DEFAULT (UUID()),
  -- Of its sender and key a page gets at most one in so long. Needs a message_key.
  min_interval_ms BIGINT NULL,
  body_type_name VARCHAR(1024) NULL,
  channel_type VARCHAR(1024) NULL,
  -- Milliseconds since 1970. Of UTC: local time has an hour twice a year.
  posted_at BIGINT NOT NULL DEFAULT (TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
//

-- What a server refused for good, and why. To post it once more: insert it into the outbox.
CREATE TABLE IF NOT EXISTS serverchannel_refused (
  number BIGINT NOT NULL PRIMARY KEY,
  reason LONGTEXT NOT NULL,
  refused_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  sender VARCHAR(1024) NOT NULL,
  body LONGTEXT NOT NULL,
  audience LONGTEXT NULL,
  message_key VARCHAR(1024) NULL,
  ttl_ms BIGINT NULL,
  id VARCHAR(1024) NOT NULL,
  min_interval_ms BIGINT NULL,
  body_type_name VARCHAR(1024) NULL,
  channel_type VARCHAR(1024) NULL,
  posted_at BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
//

-- A commit is visible before it is on the disk. A relay changes this row between reading and appending: when that is on
-- the disk, all that it read is.
CREATE TABLE IF NOT EXISTS serverchannel_relay (
  one TINYINT NOT NULL PRIMARY KEY,
  takes BIGINT UNSIGNED NOT NULL
) ENGINE = InnoDB
//
INSERT IGNORE INTO serverchannel_relay (one, takes) VALUES (1, 0)
//

DELIMITER ;
