-- Part 5: what a relay can't ever bring into its log, and who may write entries as they are.

-- Messages that a relay put aside, so that those behind them went on: to be looked at, and deleted, by hand.
CREATE TABLE serverchannel.refused (
  channel integer NOT NULL,
  "offset" bigint NOT NULL,
  -- Milliseconds since 1970.
  posted_at bigint NOT NULL,
  -- As it stood in serverchannel.entries.
  entry text NOT NULL,
  -- A code, and in words why.
  reason text NOT NULL,
  refused_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (channel, "offset")
);

CREATE FUNCTION serverchannel.put_aside(of_channel integer, place bigint, why text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH gone AS (
    DELETE FROM serverchannel.entries e WHERE e.channel = of_channel AND e."offset" = place RETURNING e.*
  )
  INSERT INTO serverchannel.refused (channel, "offset", posted_at, entry, reason)
    SELECT g.channel, g."offset", g.posted_at, g.entry, why FROM gone g
$$;
REVOKE ALL ON FUNCTION serverchannel.put_aside(integer, bigint, text) FROM PUBLIC;

-- Whoever may call it writes whatever a server writes, Header.SentBy too. The functions that post call it as the owner.
REVOKE ALL ON FUNCTION serverchannel.write(text, text, text, integer, bigint) FROM PUBLIC;
