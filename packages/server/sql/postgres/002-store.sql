-- Part 2: what the nodes of a server call.

-- How safe what this session commits is, by the settings that hold for it now.
CREATE FUNCTION serverchannel.durability() RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN current_setting('fsync') <> 'on' THEN 'logged'
    WHEN current_setting('synchronous_standby_names') <> ''
      AND current_setting('synchronous_commit') IN ('on', 'remote_write', 'remote_apply') THEN 'replicated'
    ELSE 'synced'
  END
$$;

-- Appends all or none. ids: idempotency keys as JSON texts, NULL for none. oldest: milliseconds since 1970; of what was
-- posted before, ids are forgotten. since: offsets up to this one are those of messages that were there before.
CREATE FUNCTION serverchannel.append(
  of_channel integer, texts text[], ids text[], sizes integer[], times bigint[], oldest bigint,
  OUT epoch text, OUT durability text, OUT offsets bigint[], OUT since bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  log serverchannel.channels;
  sequence regclass := ('serverchannel.offsets_' || of_channel)::regclass;
  hashes bytea[];
  base bigint;
  added bigint;
BEGIN
  PERFORM serverchannel.lock_order();
  PERFORM serverchannel.wait_for_disk();
  SELECT * INTO log FROM serverchannel.channels c WHERE c.number = of_channel;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'Channel % is gone from this database.', of_channel USING ERRCODE = 'undefined_object';
  END IF;
  epoch := log.epoch;
  durability := serverchannel.durability();
  SELECT array_agg(sha256(convert_to(id, 'UTF8'))) INTO hashes FROM unnest(ids) AS id WHERE id IS NOT NULL;
  IF hashes IS NOT NULL THEN
    UPDATE serverchannel.entries e SET id = NULL
      WHERE e.channel = of_channel AND e.id = ANY (hashes) AND e."offset" IS NOT NULL
        AND (e.posted_at < oldest OR e."offset" <= log.trimmed_to);
  END IF;
  base := nextval(sequence) - 1;
  since := base;
  WITH drafts AS (
    SELECT d.*, sha256(convert_to(d.id_text, 'UTF8')) AS id
    FROM unnest(texts, ids, sizes, times) WITH ORDINALITY AS d (entry, id_text, bytes, posted_at, place)
  ), marked AS (
    SELECT d.*, known."offset" AS known_at,
      d.id IS NULL OR (known."offset" IS NULL AND row_number() OVER (PARTITION BY d.id ORDER BY d.place) = 1) AS is_new
    FROM drafts d LEFT JOIN serverchannel.entries known
      ON known.channel = of_channel AND known.id = d.id AND known."offset" IS NOT NULL
  ), placed AS (
    SELECT m.*, base + count(*) FILTER (WHERE is_new) OVER (ORDER BY place) AS own FROM marked m
  ), inserted AS (
    INSERT INTO serverchannel.entries (channel, "offset", id, posted_at, bytes, entry)
      SELECT of_channel, own, id, posted_at, bytes, entry FROM placed WHERE is_new ORDER BY place
  )
  SELECT count(*) FILTER (WHERE p.is_new), array_agg(
    CASE WHEN p.is_new THEN p.own ELSE coalesce(p.known_at, p.first_own) END ORDER BY p.place)
  INTO added, offsets
  FROM (SELECT placed.*, min(own) FILTER (WHERE is_new) OVER (PARTITION BY id) AS first_own FROM placed) p;
  IF added > 0 THEN
    PERFORM setval(sequence, base + added);
    PERFORM pg_notify('serverchannel_' || of_channel, (base + added)::text);
  ELSE
    PERFORM setval(sequence, base + 1, false);
  END IF;
END $$;

-- Where the log is; makes it the log of a store, or of a relay, and gives it a new epoch where it is not what it was.
CREATE FUNCTION serverchannel.open_log(
  channel_name text, for_reader text,
  OUT number integer, OUT epoch text, OUT head bigint, OUT trimmed_to bigint, OUT durability text, OUT is_foreign boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  log serverchannel.channels;
  last bigint;
BEGIN
  number := serverchannel.create_channel(channel_name);
  PERFORM serverchannel.lock_order();
  SELECT * INTO log FROM serverchannel.channels c WHERE c.number = open_log.number;
  is_foreign := log.reader IS NOT NULL AND log.reader <> for_reader;
  IF is_foreign THEN RETURN; END IF;
  head := serverchannel.head(number);
  EXECUTE format('SELECT last_value FROM serverchannel.%I', 'offsets_' || number) INTO last;
  -- Somebody may have set it back; an offset is never given twice.
  IF last < head THEN PERFORM setval(('serverchannel.offsets_' || number)::regclass, head); END IF;
  epoch := log.epoch;
  IF log.life <> serverchannel.life() THEN epoch := serverchannel.new_epoch(); END IF;
  IF epoch <> log.epoch OR log.reader IS NULL THEN
    PERFORM serverchannel.wait_for_disk();
    UPDATE serverchannel.channels c SET epoch = open_log.epoch, life = serverchannel.life(), reader = for_reader
      WHERE c.number = open_log.number;
  END IF;
  trimmed_to := log.trimmed_to;
  durability := serverchannel.durability();
END $$;

-- Entries were seen that are not there any more: unless somebody else has said so already, the log has another life.
CREATE FUNCTION serverchannel.renew_epoch(of_channel integer, seen_epoch text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM serverchannel.lock_order();
  PERFORM serverchannel.wait_for_disk();
  UPDATE serverchannel.channels SET epoch = serverchannel.new_epoch(), trimmed_to = serverchannel.head(of_channel),
    counted_to = 0, kept_bytes = 0
    WHERE number = of_channel AND epoch = seen_epoch;
  DELETE FROM serverchannel.entries e USING serverchannel.channels c
    WHERE c.number = of_channel AND e.channel = of_channel AND e."offset" <= c.trimmed_to;
  PERFORM pg_notify('serverchannel_' || of_channel, '');
END $$;

-- Lets go of the oldest entries that do not fit the bounds, some hundreds at a time; one node does it at a time.
CREATE FUNCTION serverchannel.trim(
  of_channel integer, count_max bigint, bytes_max bigint, oldest bigint,
  OUT trimmed_to bigint, OUT oldest_at bigint, OUT kept_count bigint, OUT kept_bytes bigint, OUT is_done boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  log serverchannel.channels;
  head bigint;
  counted bigint;
  upto bigint;
  freed bigint;
BEGIN
  -- If a crash undoes it, it is done again.
  PERFORM set_config('synchronous_commit', 'off', true);
  is_done := NOT pg_try_advisory_xact_lock(1396917572, of_channel);
  SELECT * INTO log FROM serverchannel.channels c WHERE c.number = of_channel;
  trimmed_to := log.trimmed_to;
  IF is_done THEN RETURN; END IF;
  head := serverchannel.head(of_channel);
  SELECT coalesce(sum(e.bytes), 0) INTO counted FROM serverchannel.entries e
    WHERE e.channel = of_channel AND e."offset" > greatest(log.counted_to, log.trimmed_to) AND e."offset" <= head;
  kept_bytes := log.kept_bytes + counted;
  SELECT max(w."offset"), coalesce(sum(w.bytes), 0) INTO upto, freed FROM (
    SELECT f."offset", f.bytes, bool_and(
      f."offset" <= head - count_max OR f.posted_at < oldest OR trim.kept_bytes - f.bytes_before > bytes_max
    ) OVER (ORDER BY f."offset") AS goes
    FROM (
      SELECT e."offset", e.posted_at, e.bytes, sum(e.bytes) OVER (ORDER BY e."offset") - e.bytes AS bytes_before
      FROM serverchannel.entries e WHERE e.channel = of_channel AND e."offset" > log.trimmed_to AND e."offset" <= head
      ORDER BY e."offset" LIMIT 500
    ) f
  ) w WHERE w.goes;
  IF upto IS NOT NULL THEN
    DELETE FROM serverchannel.entries e
      WHERE e.channel = of_channel AND e."offset" <= upto;
    kept_bytes := kept_bytes - freed;
    trimmed_to := upto;
  END IF;
  IF upto IS NOT NULL OR counted > 0 THEN
    UPDATE serverchannel.channels c SET trimmed_to = trim.trimmed_to, counted_to = head, kept_bytes = trim.kept_bytes
      WHERE c.number = of_channel AND c.epoch = log.epoch;
  END IF;
  kept_count := head - trimmed_to;
  SELECT e.posted_at INTO oldest_at FROM serverchannel.entries e
    WHERE e.channel = of_channel AND e."offset" > trim.trimmed_to ORDER BY e."offset" LIMIT 1;
  is_done := upto IS NULL OR (kept_count <= count_max AND kept_bytes <= bytes_max AND coalesce(oldest_at, oldest) >= oldest);
END $$;

-- Those are for the server, which connects as the owner of this schema.
REVOKE ALL ON FUNCTION serverchannel.append(integer, text[], text[], integer[], bigint[], bigint),
  serverchannel.open_log(text, text), serverchannel.renew_epoch(integer, text),
  serverchannel.trim(integer, bigint, bigint, bigint), serverchannel.create_channel(text) FROM PUBLIC;

-- What a relay calls: entries up to and including this offset are in the other store.
CREATE FUNCTION serverchannel.acknowledge(of_channel integer, upto bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- If a crash undoes it, they are appended again, and are found to be there by their ids.
  PERFORM set_config('synchronous_commit', 'off', true);
  DELETE FROM serverchannel.entries WHERE channel = of_channel AND "offset" <= upto;
  UPDATE serverchannel.channels SET trimmed_to = greatest(trimmed_to, upto) WHERE number = of_channel;
END $$;
REVOKE ALL ON FUNCTION serverchannel.acknowledge(integer, bigint) FROM PUBLIC;
