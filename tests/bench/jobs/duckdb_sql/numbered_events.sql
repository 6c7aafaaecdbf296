-- Events with the session each is in, by the rules of conf/kernel/sessions.py: a silence ends a chain, a chain is cut at
-- its second midnight and at each later one, and what is left at each full longest duration. A session's key is its
-- shopper, where its piece starts (piece_start_us) and the part of it (part).
CREATE OR REPLACE TEMP TABLE numbered AS
WITH
read AS (
    SELECT
        user_id, epoch_us(event_time) AS time_us, epoch_us(event_time) // 86400000000 AS day, event_type, event_id,
        item_id, category_id, price
    FROM read_parquet(getvariable('event_files'), hive_partitioning = false)
),
neighbors AS (
    SELECT
        *,
        coalesce(time_us - lag(time_us) OVER shopper > getvariable('gap_us'), true) AS starts_chain,
        lag(day) OVER shopper AS previous_day
    FROM read
    WINDOW shopper AS (PARTITION BY user_id ORDER BY time_us)
),
chains AS (
    SELECT
        *,
        max(CASE WHEN starts_chain THEN time_us END)
            OVER (PARTITION BY user_id ORDER BY time_us ROWS UNBOUNDED PRECEDING) AS chain_start_us
    FROM neighbors
),
pieces AS (
    SELECT
        *,
        max(
            CASE
                WHEN starts_chain OR (day <> previous_day AND day >= chain_start_us // 86400000000 + 2) THEN time_us
            END
        ) OVER (PARTITION BY user_id ORDER BY time_us ROWS UNBOUNDED PRECEDING) AS piece_start_us
    FROM chains
)
SELECT
    user_id, time_us, day, event_type, event_id, item_id, category_id, price, chain_start_us, piece_start_us,
    (time_us - piece_start_us) // getvariable('longest_us') AS part
FROM pieces;

CREATE OR REPLACE TEMP TABLE session_bounds AS
WITH
grouped AS (
    SELECT
        user_id, piece_start_us, part,
        min(time_us) AS start_us,
        max(time_us) AS end_us,
        min(day) AS start_day,
        min(chain_start_us) AS chain_start_us,
        count(*) AS n_events,
        count(*) FILTER (event_type = 'view') AS n_decisions,
        arg_min(event_id, time_us) AS first_event_id
    FROM numbered
    GROUP BY user_id, piece_start_us, part
),
followed AS (
    SELECT
        *,
        lead(start_us) OVER shopper AS next_start_us,
        -- A session is cut where the next one starts without a silence.
        coalesce(lead(start_us <> chain_start_us) OVER shopper, false) AS is_cut
    FROM grouped
    WINDOW shopper AS (PARTITION BY user_id ORDER BY start_us)
)
SELECT
    *,
    CASE WHEN is_cut THEN next_start_us ELSE end_us + getvariable('gap_us') END AS closing_us,
    left(sha256(user_id || '|' || start_us || '|' || first_event_id), 32) AS session_id
FROM followed;
