-- Part 4: what a fail-over to a synchronous standby needs, so that the log may go on in the same epoch.
--
-- A promoted standby has the beginning of what its primary had. Whether that is all, nothing on it says. So whoever runs it
-- has to say that no other standby is promoted than one that was synchronous; and a node that followed the log until then
-- has to find there what it saw last.

ALTER TABLE serverchannel.channels
  -- As the address of the node says that looked last.
  ADD COLUMN has_synchronous_standbys boolean NOT NULL DEFAULT false,
  -- How safe commits were then. On a standby: how safe they were when it last heard of its primary, or somewhat earlier.
  ADD COLUMN durability text;

-- What pages have seen must not be undone by a fail-over either, where it is said to keep everything.
CREATE OR REPLACE FUNCTION serverchannel.wait_for_disk() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', CASE
      WHEN EXISTS (SELECT FROM serverchannel.channels WHERE has_synchronous_standbys) THEN 'on'
      ELSE 'local'
    END, true);
  END IF;
END $$;

-- Keeps what a node says of the standbys, and how safe commits are, beside the log.
CREATE FUNCTION serverchannel.note_standbys(of_channel integer, are_synchronous boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM 1 FROM serverchannel.channels c WHERE c.number = of_channel
    AND (c.has_synchronous_standbys, c.durability) IS DISTINCT FROM (are_synchronous, serverchannel.durability());
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM serverchannel.lock_order();
  PERFORM serverchannel.wait_for_disk();
  UPDATE serverchannel.channels SET has_synchronous_standbys = are_synchronous, durability = serverchannel.durability()
    WHERE number = of_channel;
END $$;

-- To be called before open_log by a node whose address says that standbys are synchronous. Where all that differs is the
-- timeline, and what the node saw last is there, the log's life goes on on this one. seen_hash: SHA-256 of that entry, as
-- hexadecimal digits; NULL where the node did not see its text.
CREATE FUNCTION serverchannel.vouch(channel_name text, seen_epoch text, seen_head bigint, seen_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  log serverchannel.channels;
  life_now text := serverchannel.life();
  old_parts text[];
  new_parts text[];
BEGIN
  PERFORM serverchannel.lock_order();
  SELECT * INTO log FROM serverchannel.channels c WHERE c.name = channel_name;
  IF NOT FOUND OR log.life = life_now THEN RETURN false; END IF;
  old_parts := string_to_array(log.life, '/');
  new_parts := string_to_array(life_now, '/');
  IF old_parts[1] = '' OR old_parts[1] <> new_parts[1] OR old_parts[3] <> new_parts[3]
    OR old_parts[2] COLLATE "C" >= new_parts[2] COLLATE "C" THEN RETURN false; END IF;
  IF NOT log.has_synchronous_standbys OR log.durability IS DISTINCT FROM 'replicated' THEN RETURN false; END IF;
  IF log.epoch <> seen_epoch OR serverchannel.head(log.number) < seen_head THEN RETURN false; END IF;
  IF seen_head > log.trimmed_to AND seen_hash IS NOT NULL THEN
    PERFORM 1 FROM serverchannel.entries e WHERE e.channel = log.number AND e."offset" = seen_head
      AND encode(sha256(convert_to(e.entry, 'UTF8')), 'hex') = seen_hash;
    IF NOT FOUND THEN RETURN false; END IF;
  END IF;
  PERFORM serverchannel.wait_for_disk();
  UPDATE serverchannel.channels c SET life = life_now WHERE c.number = log.number;
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION serverchannel.note_standbys(integer, boolean), serverchannel.vouch(text, text, bigint, text) FROM PUBLIC;
