-- ServerChannel in PostgreSQL 12 and newer, part 1: channels, their entries, and the one order of each.
--
-- An entry gets its offset when its transaction commits, under a lock that is held until the commit is visible. So
-- whoever sees an offset sees all lower ones that there will ever be: what is missing below it was rolled back.

CREATE TABLE serverchannel.channels (
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE CHECK (char_length(name) BETWEEN 1 AND 256),
  -- Names this life of the log; changes when it was lost or rewound.
  epoch text NOT NULL,
  -- Which database on which history this is: what comes from a backup, or after a fail-over, has another one.
  life text NOT NULL,
  -- Who takes the entries: the nodes of a store, or the relay to another one. NULL: nobody has yet.
  reader text CHECK (reader IN ('store', 'relay')),
  -- Entries up to and including this offset are gone.
  trimmed_to bigint NOT NULL DEFAULT 0,
  -- What history's bound in bytes is measured by: entries up to counted_to take kept_bytes.
  counted_to bigint NOT NULL DEFAULT 0,
  kept_bytes bigint NOT NULL DEFAULT 0
);

CREATE TABLE serverchannel.entries (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- No foreign key: its check would fail in REPEATABLE READ after any change of the channel's row.
  channel integer NOT NULL,
  -- NULL until the transaction commits. Nobody but that transaction ever sees it so.
  "offset" bigint,
  -- SHA-256 of the idempotency key, as JSON; NULL where the poster gave none.
  id bytea,
  -- Milliseconds since 1970.
  posted_at bigint NOT NULL,
  -- What it counts for in the bounds of history.
  bytes integer NOT NULL,
  -- A line of JSON with all but the body, and below it the body as JSON.
  entry text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1);

CREATE UNIQUE INDEX entries_offset ON serverchannel.entries (channel, "offset");
-- Only of those that have an offset: so nobody ever waits for a transaction that has not come to its commit.
CREATE UNIQUE INDEX entries_id ON serverchannel.entries (channel, id) WHERE id IS NOT NULL AND "offset" IS NOT NULL;

-- One lock for all channels of the database: with one each, two transactions that post to the same two in different
-- order would wait for each other.
CREATE FUNCTION serverchannel.lock_order() RETURNS void
LANGUAGE sql AS $$ SELECT pg_catalog.pg_advisory_xact_lock(1396917571, 1) $$;

CREATE FUNCTION serverchannel.new_epoch() RETURNS text
LANGUAGE sql AS $$
  SELECT substr(md5(random()::text || clock_timestamp()::text || pg_backend_pid()::text), 1, 16)
$$;

CREATE FUNCTION serverchannel.life() RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  cluster text := '';
  timeline text := '';
BEGIN
  -- What a hosted database does not let one ask is left out, always the same.
  BEGIN
    SELECT system_identifier::text INTO cluster FROM pg_control_system();
  EXCEPTION WHEN insufficient_privilege OR undefined_function THEN NULL;
  END;
  BEGIN
    timeline := substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
  EXCEPTION WHEN insufficient_privilege OR undefined_function THEN NULL;
  END;
  RETURN cluster || '/' || timeline || '/' || (SELECT oid FROM pg_database WHERE datname = current_database());
END $$;

-- Offset of the newest entry.
CREATE FUNCTION serverchannel.head(of_channel integer) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT greatest(c.trimmed_to, (SELECT max(e."offset") FROM serverchannel.entries e WHERE e.channel = c.number))
  FROM serverchannel.channels c WHERE c.number = of_channel
$$;

CREATE FUNCTION serverchannel.create_channel(channel_name text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_number integer;
BEGIN
  SELECT number INTO found_number FROM serverchannel.channels WHERE name = channel_name;
  IF FOUND THEN RETURN found_number; END IF;
  INSERT INTO serverchannel.channels (name, epoch, life)
    VALUES (channel_name, serverchannel.new_epoch(), serverchannel.life())
    ON CONFLICT (name) DO NOTHING RETURNING number INTO found_number;
  IF found_number IS NULL THEN
    SELECT number INTO found_number FROM serverchannel.channels WHERE name = channel_name;
  ELSE
    EXECUTE format('CREATE SEQUENCE IF NOT EXISTS serverchannel.%I', 'offsets_' || found_number);
  END IF;
  RETURN found_number;
END $$;

-- The next offset of a channel. Under lock_order only.
CREATE FUNCTION serverchannel.next_offset(of_channel integer) RETURNS bigint
LANGUAGE sql AS $$ SELECT nextval(('serverchannel.offsets_' || of_channel)::regclass) $$;

-- What pages have seen must not be undone by a crash: a commit that gives offsets waits for the disk, whatever the session
-- wants.
CREATE FUNCTION serverchannel.wait_for_disk() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'local', true);
  END IF;
END $$;

CREATE FUNCTION serverchannel.number_at_commit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
-- Another plan than a look at this very row would be a conflict with other SERIALIZABLE transactions.
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
  PERFORM serverchannel.lock_order();
  PERFORM serverchannel.wait_for_disk();
  IF NEW.id IS NOT NULL THEN
    PERFORM 1 FROM serverchannel.entries
      WHERE channel = NEW.channel AND id = NEW.id AND "offset" IS NOT NULL;
    IF FOUND THEN
      -- The same message once more: the first one stands.
      DELETE FROM serverchannel.entries WHERE number = NEW.number;
      RETURN NULL;
    END IF;
    BEGIN
      UPDATE serverchannel.entries SET "offset" = serverchannel.next_offset(NEW.channel)
        WHERE number = NEW.number AND "offset" IS NULL;
    EXCEPTION WHEN unique_violation THEN
      RAISE EXCEPTION 'A message with this id was posted after this transaction began.'
        USING ERRCODE = 'serialization_failure', HINT = 'Run the transaction again.';
    END;
  ELSE
    UPDATE serverchannel.entries SET "offset" = serverchannel.next_offset(NEW.channel)
      WHERE number = NEW.number AND "offset" IS NULL;
  END IF;
  PERFORM pg_notify('serverchannel_' || NEW.channel, '');
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER number_at_commit AFTER INSERT ON serverchannel.entries
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW."offset" IS NULL)
  EXECUTE FUNCTION serverchannel.number_at_commit();

CREATE FUNCTION serverchannel.entries_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM serverchannel.lock_order();
  UPDATE serverchannel.channels SET epoch = serverchannel.new_epoch(),
    trimmed_to = greatest(trimmed_to, serverchannel.next_offset(number)), counted_to = 0, kept_bytes = 0;
  PERFORM pg_notify('serverchannel_' || number, '') FROM serverchannel.channels;
  RETURN NULL;
END $$;

CREATE TRIGGER entries_truncated AFTER TRUNCATE ON serverchannel.entries
  FOR EACH STATEMENT EXECUTE FUNCTION serverchannel.entries_truncated();
