-- Part 3: posting in a transaction, from whatever language, trigger or terminal. A message is delivered exactly if its
-- transaction commits, in the order of the commits.
--
--   SELECT serverchannel.post_message_to_all('OrderChanged', '{"id":42}');
--   SELECT serverchannel.post_message('user-7', 'OrderChanged', to_jsonb(row));
--   SELECT serverchannel.post('OrderChanged', '{"id":42}', audience => '{"groups":["sales"]}', key => 'order:42',
--                             ttl => interval '1 minute', id => 'payment-7', min_interval => interval '1 second');
--
-- Each gives the message's id. Who may post: GRANT USAGE ON SCHEMA serverchannel TO some_role.

CREATE FUNCTION serverchannel.refuse(code text, message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', message USING ERRCODE = 'invalid_parameter_value', DETAIL = code;
END $$;

CREATE FUNCTION serverchannel.require_name(code text, what text, value text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF value IS NULL OR char_length(value) NOT BETWEEN 1 AND 256 THEN
    PERFORM serverchannel.refuse(code, format('''%s'' needs to be a text of 1 to 256 characters; it is %s.', what,
      coalesce('one of ' || char_length(value), 'NULL')));
  END IF;
END $$;

-- An audience as it is written, as '{"users":"user-7"}', in the form that the log keeps.
CREATE FUNCTION serverchannel.parse_audience(audience jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  parsed jsonb := '{}';
  list text;
  ids jsonb;
  wrong text;
  ids_count integer := 0;
BEGIN
  IF audience IS NULL OR audience = '"all"' OR audience = '{"all":true}' THEN RETURN '{"all":true}'; END IF;
  IF jsonb_typeof(audience) <> 'object' THEN
    PERFORM serverchannel.refuse('audience_invalid',
      'The audience is not one. It is "all" or an object with users, groups or connections.');
  END IF;
  SELECT name INTO wrong FROM jsonb_object_keys(audience) AS name
    WHERE name NOT IN ('all', 'users', 'groups', 'connections', 'except') LIMIT 1;
  IF FOUND THEN
    PERFORM serverchannel.refuse('audience_invalid', format('The audience is not one. It has no ''%s''.', wrong));
  END IF;
  FOREACH list IN ARRAY ARRAY['users', 'groups', 'connections', 'except'] LOOP
    ids := audience -> list;
    CONTINUE WHEN ids IS NULL OR ids = 'null';
    IF jsonb_typeof(ids) = 'string' THEN ids := jsonb_build_array(ids); END IF;
    IF jsonb_typeof(ids) <> 'array' THEN
      PERFORM serverchannel.refuse('audience_invalid',
        format('The audience is not one. ''%s'' is neither a text nor a list of texts.', list));
    END IF;
    SELECT jsonb_agg(DISTINCT one), min(one::text) FILTER (WHERE jsonb_typeof(one) <> 'string'
      OR char_length(one #>> '{}') NOT BETWEEN 1 AND 256)
      INTO ids, wrong FROM jsonb_array_elements(ids) AS one;
    IF wrong IS NOT NULL THEN
      PERFORM serverchannel.refuse('audience_invalid',
        format('The audience is not one. An id in ''%s'' is not a text of 1 to 256 characters.', list));
    END IF;
    ids := coalesce(ids, '[]');
    ids_count := ids_count + jsonb_array_length(ids);
    IF ids_count > 10000 THEN
      PERFORM serverchannel.refuse('audience_invalid', 'The audience is not one. It names more than 10000 ids; use a group.');
    END IF;
    IF list <> 'except' OR jsonb_array_length(ids) > 0 THEN parsed := parsed || jsonb_build_object(list, ids); END IF;
  END LOOP;
  IF audience -> 'all' = 'true' OR parsed - 'except' = '{}' THEN
    IF audience -> 'all' IS DISTINCT FROM 'true' AND parsed = '{}' THEN
      PERFORM serverchannel.refuse('audience_invalid',
        'The audience is not one. It names nobody: give users, groups or connections, or "all".');
    END IF;
    RETURN '{"all":true}'::jsonb || coalesce(nullif(jsonb_build_object('except', parsed -> 'except'), '{"except":null}'), '{}');
  END IF;
  RETURN parsed;
END $$;

-- Writes what is checked already: text as the log keeps it, the idempotency key as JSON text or NULL.
CREATE FUNCTION serverchannel.write(channel_name text, text_of_entry text, id_text text, size integer, at bigint)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_channel integer;
BEGIN
  SELECT number INTO of_channel FROM serverchannel.channels WHERE name = channel_name;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'There is no channel ''%'' in this database.', channel_name USING ERRCODE = 'invalid_parameter_value',
      HINT = format('Create it: SELECT serverchannel.create_channel(%L)', channel_name);
  END IF;
  INSERT INTO serverchannel.entries (channel, id, posted_at, bytes, entry)
    VALUES (of_channel, sha256(convert_to(id_text, 'UTF8')), at, size, text_of_entry);
END $$;

CREATE FUNCTION serverchannel.milliseconds(span interval) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$ SELECT round(extract(epoch FROM span)::numeric * 1000, 3) $$;

CREATE FUNCTION serverchannel.post(
  sender text, body jsonb DEFAULT 'null', audience jsonb DEFAULT '{"all":true}', key text DEFAULT NULL,
  ttl interval DEFAULT NULL, id text DEFAULT NULL, min_interval interval DEFAULT NULL,
  body_type_name text DEFAULT NULL, channel_type text DEFAULT NULL, channel text DEFAULT 'main'
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  message_id text := id;
  body_text text := coalesce(body, 'null')::text;
  now_ms bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
  head jsonb;
  entry text;
BEGIN
  PERFORM serverchannel.require_name('sender_invalid', 'sender', sender);
  IF id IS NULL THEN
    message_id := md5(random()::text || clock_timestamp()::text || pg_backend_pid()::text || random()::text)::uuid::text;
  ELSE
    PERFORM serverchannel.require_name('id_invalid', 'id', id);
  END IF;
  IF octet_length(body_text) > 1048576 THEN
    PERFORM serverchannel.refuse('body_too_large', format('The body has %s bytes as JSON, more than the 1048576 that are '
      'allowed. Post a reference and let pages fetch the rest.', octet_length(body_text)));
  END IF;
  -- Only what has that many brackets can nest so deep.
  IF char_length(body_text) - char_length(translate(body_text, '[{', '')) > 64 AND jsonb_path_exists(body,
    'strict $.**{64} ? (@.type() == "array" || @.type() == "object")') THEN
    PERFORM serverchannel.refuse('body_too_deep', 'The body nests deeper than 64 levels.');
  END IF;
  head := jsonb_build_object('id', message_id, 'sender', sender, 'postedAt', now_ms);
  IF id IS NOT NULL THEN head := head || '{"isIdempotent":true}'; END IF;
  IF audience IS DISTINCT FROM '{"all":true}' THEN
    head := head || jsonb_build_object('audience', serverchannel.parse_audience(audience));
  END IF;
  IF key IS NOT NULL THEN
    PERFORM serverchannel.require_name('message_invalid', 'key', key);
    head := head || jsonb_build_object('key', key);
  END IF;
  IF ttl IS NOT NULL THEN
    IF ttl <= interval '0' OR ttl > interval '366 days' THEN
      PERFORM serverchannel.refuse('ttl_invalid', '''ttl'' needs to be an interval above 0, at most 366 days.');
    END IF;
    head := head || jsonb_build_object('expiresAt', now_ms + serverchannel.milliseconds(ttl));
  END IF;
  IF min_interval IS NOT NULL THEN
    IF key IS NULL THEN
      PERFORM serverchannel.refuse('message_invalid', '''min_interval'' needs a ''key'': what is replaced by what.');
    ELSIF min_interval <= interval '0' OR min_interval > interval '1 hour' THEN
      PERFORM serverchannel.refuse('message_invalid', '''min_interval'' needs to be above 0, at most an hour.');
    END IF;
    head := head || jsonb_build_object('intervalMs', serverchannel.milliseconds(min_interval));
  END IF;
  IF body_type_name <> '' THEN
    PERFORM serverchannel.require_name('message_invalid', 'body_type_name', body_type_name);
    head := head || jsonb_build_object('bodyTypeName', body_type_name);
  END IF;
  IF channel_type <> '' THEN
    PERFORM serverchannel.require_name('message_invalid', 'channel_type', channel_type);
    head := head || jsonb_build_object('channelType', channel_type);
  END IF;
  entry := head::text || E'\n' || body_text;
  PERFORM serverchannel.write(channel, entry, to_json(id)::text, octet_length(entry) + 500, now_ms);
  RETURN message_id;
END $$;

-- A text is that text, but for one that is a JSON object or array: so literals may be written without a type.
CREATE FUNCTION serverchannel.body_of(body text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF body ~ '^\s*[\[{]' THEN
    RETURN body::jsonb;
  END IF;
  RETURN to_jsonb(body);
EXCEPTION WHEN invalid_text_representation THEN
  RETURN to_jsonb(body);
END $$;

CREATE FUNCTION serverchannel.post_message_to_all(sender text, body jsonb) RETURNS text
LANGUAGE sql AS $$ SELECT serverchannel.post(sender, body) $$;
CREATE FUNCTION serverchannel.post_message_to_all(sender text, body json) RETURNS text
LANGUAGE sql AS $$ SELECT serverchannel.post(sender, body::jsonb) $$;
CREATE FUNCTION serverchannel.post_message_to_all(sender text, body text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$ SELECT serverchannel.post(sender, serverchannel.body_of(body)) $$;

CREATE FUNCTION serverchannel.post_message("user" text, sender text, body jsonb) RETURNS text
LANGUAGE sql AS $$ SELECT serverchannel.post(sender, body, jsonb_build_object('users', "user")) $$;
CREATE FUNCTION serverchannel.post_message("user" text, sender text, body json) RETURNS text
LANGUAGE sql AS $$ SELECT serverchannel.post(sender, body::jsonb, jsonb_build_object('users', "user")) $$;
CREATE FUNCTION serverchannel.post_message("user" text, sender text, body text DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
  SELECT serverchannel.post(sender, serverchannel.body_of(body), jsonb_build_object('users', "user"))
$$;

SELECT serverchannel.create_channel('main');
