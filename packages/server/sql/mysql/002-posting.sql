-- Part 2: posting in a transaction, from whatever language, trigger or terminal. A message is delivered exactly if its
-- transaction commits, in the order of the commits.
--
--   INSERT INTO serverchannel_outbox (sender, body) VALUES ('OrderChanged', JSON_OBJECT('id', 42));
--   CALL serverchannel_post_message_to_all('OrderChanged', '{"id":42}');
--   CALL serverchannel_post_message('user-7', 'OrderChanged', '{"id":42}');
--
-- Who may post: GRANT INSERT ON serverchannel_outbox TO some_account, and EXECUTE on the procedures.

DELIMITER //

SET NAMES utf8mb4
//
SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'
//

DROP PROCEDURE IF EXISTS serverchannel_refuse
//
CREATE PROCEDURE serverchannel_refuse(code VARCHAR(40) CHARACTER SET utf8mb4, why VARCHAR(1000) CHARACTER SET utf8mb4)
  NO SQL
BEGIN
  -- More than 128 characters MySQL does not take.
  DECLARE message VARCHAR(128) CHARACTER SET utf8mb4 DEFAULT LEFT(CONCAT(code, ': ', why), 128);
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message;
END
//

DROP PROCEDURE IF EXISTS serverchannel_require_name
//
CREATE PROCEDURE serverchannel_require_name(
  code VARCHAR(40) CHARACTER SET utf8mb4, what VARCHAR(40) CHARACTER SET utf8mb4, value VARCHAR(1024) CHARACTER SET utf8mb4
)
  NO SQL
BEGIN
  IF value IS NULL OR CHAR_LENGTH(value) NOT BETWEEN 1 AND 256 THEN
    CALL serverchannel_refuse(code, CONCAT('''', what, ''' needs to be a text of 1 to 256 characters; it is ',
      COALESCE(CONCAT('one of ', CHAR_LENGTH(value)), 'NULL'), '.'));
  END IF;
END
//

DROP PROCEDURE IF EXISTS serverchannel_require_body
//
CREATE PROCEDURE serverchannel_require_body(body LONGTEXT CHARACTER SET utf8mb4)
  NO SQL
BEGIN
  -- Each bracket may be a level. MariaDB does not know what nests deeper than 32 for JSON: there the relay finds out.
  DECLARE levels INT DEFAULT CHAR_LENGTH(body) - CHAR_LENGTH(REPLACE(REPLACE(body, '[', ''), '{', ''));
  IF LENGTH(body) > 1048576 THEN
    CALL serverchannel_refuse('body_too_large',
      CONCAT('The body has ', LENGTH(body), ' bytes as JSON, more than the 1048576 that are allowed.'));
  END IF;
  IF levels < 32 AND NOT JSON_VALID(body) THEN
    CALL serverchannel_refuse('body_not_json', 'The body is not JSON. A text is: JSON_QUOTE(some_text).');
  END IF;
  IF levels > 64 AND JSON_VALID(body) AND JSON_DEPTH(body) > 65 THEN
    CALL serverchannel_refuse('body_too_deep', 'The body nests deeper than 64 levels.');
  END IF;
END
//

DROP PROCEDURE IF EXISTS serverchannel_require_audience
//
CREATE PROCEDURE serverchannel_require_audience(audience LONGTEXT CHARACTER SET utf8mb4)
  NO SQL
require_audience: BEGIN
  DECLARE list_number INT DEFAULT 0;
  DECLARE list VARCHAR(20) CHARACTER SET utf8mb4;
  DECLARE ids LONGTEXT CHARACTER SET utf8mb4;
  DECLARE one LONGTEXT CHARACTER SET utf8mb4;
  DECLARE place INT;
  DECLARE id_count INT;
  DECLARE named INT DEFAULT 0;
  IF NOT JSON_VALID(audience) THEN
    CALL serverchannel_refuse('audience_invalid', 'The audience is not JSON.');
  END IF;
  IF JSON_TYPE(audience) = 'STRING' AND JSON_UNQUOTE(audience) = 'all' THEN LEAVE require_audience; END IF;
  IF JSON_TYPE(audience) <> 'OBJECT' THEN
    CALL serverchannel_refuse('audience_invalid', 'It is "all" or an object with users, groups or connections.');
  END IF;
  IF JSON_LENGTH(JSON_REMOVE(audience, '$.all', '$.users', '$.groups', '$.connections', '$.except')) > 0 THEN
    CALL serverchannel_refuse('audience_invalid', 'It has users, groups, connections, except or all, and nothing else.');
  END IF;
  IF JSON_CONTAINS(audience, 'true', '$.all') THEN SET named = 1; END IF;
  WHILE list_number < 4 DO
    SET list_number = list_number + 1;
    SET list = ELT(list_number, 'users', 'groups', 'connections', 'except');
    SET ids = JSON_EXTRACT(audience, CONCAT('$.', list));
    IF ids IS NOT NULL AND JSON_TYPE(ids) <> 'NULL' THEN
      IF JSON_TYPE(ids) = 'STRING' THEN SET ids = CONCAT('[', ids, ']'); END IF;
      IF JSON_TYPE(ids) <> 'ARRAY' THEN
        CALL serverchannel_refuse('audience_invalid', CONCAT('''', list, ''' is neither a text nor a list of texts.'));
      END IF;
      SET id_count = JSON_LENGTH(ids);
      IF list <> 'except' OR id_count > 0 THEN SET named = named + 1; END IF;
      -- Longer lists the relay looks through: finding the nth id takes n steps.
      SET place = IF(id_count > 100, id_count, 0);
      WHILE place < id_count DO
        SET one = JSON_EXTRACT(ids, CONCAT('$[', place, ']'));
        IF JSON_TYPE(one) <> 'STRING' OR CHAR_LENGTH(JSON_UNQUOTE(one)) NOT BETWEEN 1 AND 256 THEN
          CALL serverchannel_refuse('audience_invalid', CONCAT('An id in ''', list, ''' is not a text of 1 to 256 characters.'));
        END IF;
        SET place = place + 1;
      END WHILE;
    END IF;
  END WHILE;
  IF named = 0 THEN
    CALL serverchannel_refuse('audience_invalid', 'It names nobody: give users, groups or connections, or "all".');
  END IF;
END
//

DROP TRIGGER IF EXISTS serverchannel_outbox_insert
//
CREATE TRIGGER serverchannel_outbox_insert BEFORE INSERT ON serverchannel_outbox FOR EACH ROW
BEGIN
  DECLARE held TINYINT;
  CALL serverchannel_require_name('sender_invalid', 'sender', NEW.sender);
  -- Not COALESCE: in MariaDB the result of that is a UUID, which no other text is.
  IF NEW.id IS NULL THEN SET NEW.id = UUID(); END IF;
  CALL serverchannel_require_name('id_invalid', 'id', NEW.id);
  SET NEW.body = COALESCE(NEW.body, 'null');
  CALL serverchannel_require_body(NEW.body);
  IF NEW.audience IS NOT NULL THEN CALL serverchannel_require_audience(NEW.audience); END IF;
  IF NEW.message_key IS NOT NULL THEN
    CALL serverchannel_require_name('message_invalid', 'message_key', NEW.message_key);
  END IF;
  IF NEW.ttl_ms IS NOT NULL AND NOT (NEW.ttl_ms > 0 AND NEW.ttl_ms <= 31622400000) THEN
    CALL serverchannel_refuse('ttl_invalid', '''ttl_ms'' needs to be above 0, at most 31622400000, which is 366 days.');
  END IF;
  IF NEW.min_interval_ms IS NOT NULL THEN
    IF NEW.message_key IS NULL THEN
      CALL serverchannel_refuse('message_invalid', '''min_interval_ms'' needs a ''message_key'': what is replaced by what.');
    ELSEIF NOT (NEW.min_interval_ms > 0 AND NEW.min_interval_ms <= 3600000) THEN
      CALL serverchannel_refuse('message_invalid', '''min_interval_ms'' needs to be above 0, at most 3600000, which is an hour.');
    END IF;
  END IF;
  IF NEW.body_type_name <> '' THEN
    CALL serverchannel_require_name('message_invalid', 'body_type_name', NEW.body_type_name);
  END IF;
  IF NEW.channel_type <> '' THEN
    CALL serverchannel_require_name('message_invalid', 'channel_type', NEW.channel_type);
  END IF;
  SET NEW.posted_at =
    COALESCE(NEW.posted_at, TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000);
  -- From here to the end of the transaction. The number is given after it: a BEFORE trigger runs before that.
  SELECT one INTO held FROM serverchannel_order WHERE one = 1 FOR UPDATE;
  IF held IS NULL THEN
    CALL serverchannel_refuse('store_failed', 'The row of serverchannel_order is gone: INSERT INTO serverchannel_order VALUES (1)');
  END IF;
END
//

-- A text is that text, but for one that is a JSON object or array: so literals may be written as they are.
DROP PROCEDURE IF EXISTS serverchannel_post_message_to_all
//
CREATE PROCEDURE serverchannel_post_message_to_all(
  of_sender VARCHAR(1024) CHARACTER SET utf8mb4, of_body LONGTEXT CHARACTER SET utf8mb4
)
  MODIFIES SQL DATA
BEGIN
  INSERT INTO serverchannel_outbox (sender, body)
    VALUES (of_sender, IF(LEFT(LTRIM(of_body), 1) IN ('[', '{') AND JSON_VALID(of_body), of_body, JSON_QUOTE(of_body)));
END
//

DROP PROCEDURE IF EXISTS serverchannel_post_message
//
CREATE PROCEDURE serverchannel_post_message(
  to_user VARCHAR(1024) CHARACTER SET utf8mb4,
  of_sender VARCHAR(1024) CHARACTER SET utf8mb4, of_body LONGTEXT CHARACTER SET utf8mb4
)
  MODIFIES SQL DATA
BEGIN
  INSERT INTO serverchannel_outbox (sender, body, audience)
    VALUES (of_sender, IF(LEFT(LTRIM(of_body), 1) IN ('[', '{') AND JSON_VALID(of_body), of_body, JSON_QUOTE(of_body)),
      JSON_OBJECT('users', JSON_ARRAY(to_user)));
END
//

DELIMITER ;
