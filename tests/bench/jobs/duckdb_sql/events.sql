-- The rows of the events table, from whatever reads the lines.
COPY (
    WITH read AS ({reading})
    SELECT
        event_id, user_id, epoch_ms(time_ms) AS event_time,
        CASE event WHEN 'view' THEN 'view' WHEN 'addtocart' THEN 'cart' WHEN 'transaction' THEN 'purchase' END AS event_type,
        item_id, category_id, (price::DECIMAL(18, 6) * 1000000)::BIGINT AS price, epoch_ms(time_ms)::DATE AS event_date
    FROM read
) TO '{folder}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (event_date), OVERWRITE_OR_IGNORE);
