-- Posting by a call. A body that is a JSON object or array is that value; any other text is that very text.
--
--   CALL serverchannel_post_message_to_all('OrderChanged', '{"id":42}');
--   CALL serverchannel_post_message('user-7', 'OrderChanged', '{"id":42}');
--
-- Who may call them: GRANT EXECUTE ON PROCEDURE serverchannel_post_message_to_all TO some_user.

DROP PROCEDURE IF EXISTS serverchannel_post_message_to_all;
CREATE PROCEDURE serverchannel_post_message_to_all(
  IN its_sender LONGTEXT CHARACTER SET utf8mb4, IN its_body LONGTEXT CHARACTER SET utf8mb4
)
  MODIFIES SQL DATA
  INSERT INTO serverchannel_outbox (sender, body) VALUES (its_sender, CASE
    WHEN its_body IS NULL THEN 'null'
    WHEN IF(JSON_VALID(its_body), JSON_TYPE(its_body) IN ('OBJECT', 'ARRAY'), FALSE) THEN its_body
    ELSE JSON_QUOTE(its_body)
  END);

DROP PROCEDURE IF EXISTS serverchannel_post_message;
CREATE PROCEDURE serverchannel_post_message(
  IN its_user LONGTEXT CHARACTER SET utf8mb4, IN its_sender LONGTEXT CHARACTER SET utf8mb4,
  IN its_body LONGTEXT CHARACTER SET utf8mb4
)
  MODIFIES SQL DATA
  INSERT INTO serverchannel_outbox (sender, audience, body) VALUES (its_sender, JSON_OBJECT('users', its_user), CASE
    WHEN its_body IS NULL THEN 'null'
    WHEN IF(JSON_VALID(its_body), JSON_TYPE(its_body) IN ('OBJECT', 'ARRAY'), FALSE) THEN its_body
    ELSE JSON_QUOTE(its_body)
  END);
