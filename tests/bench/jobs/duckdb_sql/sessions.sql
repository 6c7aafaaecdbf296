-- The rows of the sessions table.
COPY (
    SELECT
        session_id, user_id, make_timestamp(start_us) AS start_time, make_timestamp(end_us) AS end_time, n_events,
        n_decisions, is_cut, is_cut OR closing_us < getvariable('watermark_us') AS is_closed,
        make_timestamp(start_us)::DATE AS date
    FROM session_bounds
) TO '{folder}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date), OVERWRITE_OR_IGNORE);
