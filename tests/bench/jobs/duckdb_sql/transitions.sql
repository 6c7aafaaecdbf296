-- The rows of the transitions table, of sessions that start on the days asked for: a point at every decision and, behind
-- a session's last one, at its closing; features as of each point, by conf/kernel.
COPY (
WITH
hashes AS (
    -- The first 64 bits of the key's SHA-256, signed, as conf.observation_features.id_hash gives them.
    SELECT key, (('0x' || left(sha256(key), 16))::UBIGINT::HUGEINT) AS unsigned
    FROM (SELECT item_id AS key FROM numbered UNION SELECT category_id FROM numbered)
),
ids AS (
    SELECT key, (CASE WHEN unsigned >= 9223372036854775808 THEN unsigned - 18446744073709551616 ELSE unsigned END)::BIGINT AS id
    FROM hashes
),
sessions AS (
    SELECT * FROM session_bounds
    WHERE start_day BETWEEN getvariable('first_day') AND getvariable('last_day') AND n_decisions > 0
),
rows AS (
    SELECT
        s.session_id, n.user_id, n.time_us, n.event_type = 'view' AS is_decision, false AS is_closing, n.event_type,
        n.item_id, items.id AS item, categories.id AS category, n.price, n.event_id, s.start_us, s.start_day, s.is_cut,
        s.closing_us
    FROM numbered n
    JOIN sessions s USING (user_id, piece_start_us, part)
    JOIN ids items ON items.key = n.item_id
    JOIN ids categories ON categories.key = n.category_id
    UNION ALL
    SELECT
        session_id, user_id, closing_us, false, true, NULL, NULL, NULL, NULL, NULL, NULL, start_us, start_day, is_cut,
        closing_us
    FROM sessions
),
-- What all earlier events of the session show.
seen AS (
    SELECT
        *,
        count(*) FILTER (is_decision) OVER before AS session_step,
        count(*) FILTER (event_type IN ('click', 'view')) OVER before AS n_session_clicks,
        count(*) FILTER (event_type IN ('cart', 'favorite')) OVER before AS n_session_carts,
        count(*) FILTER (event_type = 'purchase') OVER before AS n_session_purchases,
        lag(time_us) OVER session AS previous_us,
        lag(price) OVER session AS previous_price,
        list(item) OVER recent AS engaged
    FROM rows
    WINDOW
        session AS (PARTITION BY session_id ORDER BY time_us),
        before AS (PARTITION BY session_id ORDER BY time_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        recent AS (PARTITION BY session_id ORDER BY time_us ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING)
),
-- What earlier decisions show, at decisions and closings alone.
shown AS (
    SELECT
        *,
        list(item) OVER recent AS shown_items,
        list(category) OVER recent AS shown_categories
    FROM seen
    WHERE is_decision OR is_closing
    WINDOW recent AS (PARTITION BY session_id ORDER BY time_us ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING)
),
days AS (
    SELECT
        user_id, day, 1 AS n_visits,
        count(*) FILTER (event_type IN ('click', 'view')) AS n_clicks,
        count(*) FILTER (event_type = 'purchase') AS n_purchases
    FROM numbered
    GROUP BY user_id, day
),
asked AS (SELECT DISTINCT user_id, time_us // 86400000000 AS day FROM shown),
past AS (
    SELECT
        user_id, day,
        coalesce(sum(n_visits) OVER before, 0)::BIGINT AS n_past_sessions_days,
        coalesce(day - max(CASE WHEN n_visits > 0 THEN day END) OVER before, -1)::BIGINT AS days_since_last_visit,
        coalesce(sum(n_clicks) OVER before, 0)::BIGINT AS n_past_clicks,
        coalesce(sum(n_purchases) OVER before, 0)::BIGINT AS n_past_purchases
    FROM (
        SELECT user_id, day, coalesce(n_visits, 0) AS n_visits, coalesce(n_clicks, 0) AS n_clicks,
            coalesce(n_purchases, 0) AS n_purchases
        FROM days FULL JOIN asked USING (user_id, day)
    )
    WINDOW before AS (
        PARTITION BY user_id ORDER BY day
        RANGE BETWEEN getvariable('history_days') PRECEDING AND 1 PRECEDING
    )
),
observed AS (
    SELECT
        shown.*,
        {{
            'recent_shown_items': coalesce(list_reverse(shown_items), []),
            'recent_engaged_items': coalesce(list_reverse(engaged), []),
            'recent_shown_categories': coalesce(list_reverse(shown_categories), []),
            'session_step': session_step,
            'n_session_clicks': n_session_clicks,
            'n_session_carts': n_session_carts,
            'n_session_purchases': n_session_purchases,
            'seconds_since_session_start': (time_us - start_us) // 1000000,
            'seconds_since_previous_event': coalesce((time_us - previous_us) // 1000000, -1),
            'last_price_band': coalesce(length(bin(previous_price)), -1),
            'hour_of_day': time_us // 3600000000 % 24,
            'day_of_week': (time_us // 86400000000 + 3) % 7 + 1,
            'n_past_sessions_days': n_past_sessions_days,
            'days_since_last_visit': days_since_last_visit,
            'n_past_clicks': n_past_clicks,
            'n_past_purchases': n_past_purchases
        }} AS observation
    FROM shown
    JOIN past ON past.user_id = shown.user_id AND past.day = time_us // 86400000000
),
following AS (
    SELECT
        *,
        lead(observation) OVER session AS next_observation,
        lead(time_us) OVER session AS next_us,
        lead(is_closing) OVER session AS is_last
    FROM observed
    WINDOW session AS (PARTITION BY session_id ORDER BY time_us)
),
-- A cart or purchase goes to its shopper's latest earlier decision on the same item, within the window.
earned AS (
    SELECT
        d.user_id, d.time_us,
        count(*) FILTER (c.event_type = 'cart') AS carts,
        count(*) FILTER (c.event_type = 'purchase') AS purchases
    FROM (SELECT user_id, item_id, time_us, event_type FROM numbered WHERE event_type IN ('cart', 'purchase')) c
    ASOF JOIN (SELECT user_id, item_id, time_us FROM numbered WHERE event_type = 'view') d
        ON c.user_id = d.user_id AND c.item_id = d.item_id AND c.time_us > d.time_us
    WHERE c.time_us - d.time_us <= getvariable('window_us')
    GROUP BY d.user_id, d.time_us
),
ended AS (
    SELECT
        *,
        is_last AND NOT is_cut AND closing_us < getvariable('watermark_us') AS terminal,
        is_last OR session_step % getvariable('max_steps') = getvariable('max_steps') - 1 AS may_end
    FROM following
    WHERE is_decision
)
SELECT
    left(sha256(session_id || '|' || session_step // getvariable('max_steps')), 32) AS episode_id,
    (session_step % getvariable('max_steps'))::INTEGER AS step,
    session_id,
    ended.user_id,
    event_id AS decision_id,
    NULL::INTEGER AS position,
    make_timestamp(time_us) AS decision_time,
    observation,
    item AS action_id,
    item_id AS action_key,
    coalesce(carts, 0) * 3000000 + coalesce(purchases, 0) * 10000000 AS reward,
    {{'clicks': 0::BIGINT, 'carts': coalesce(carts, 0), 'purchases': coalesce(purchases, 0), 'refunds': 0::BIGINT}} AS metrics,
    next_observation,
    terminal,
    may_end AND NOT terminal AS timeout,
    time_us + getvariable('window_us') <= getvariable('horizon_end_us') AS reward_settled,
    NULL::DECIMAL(18, 15) AS propensity,
    'none' AS propensity_source,
    NULL::VARCHAR AS policy_version,
    NULL::VARCHAR AS availability_id,
    NULL::VARCHAR AS next_availability_id,
    (next_us - time_us) // 1000000 AS elapsed_seconds,
    make_timestamp(start_us)::DATE AS date
FROM ended
LEFT JOIN earned USING (user_id, time_us)
) TO '{folder}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date), OVERWRITE_OR_IGNORE);
