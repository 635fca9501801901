{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    verified_date AS verified_date,
    action AS action,
    CAST(MAX(CASE WHEN measure = 'latency' THEN in_all END) AS {{ faceid.whole_number_type() }}) AS calls,
    MIN(CASE WHEN measure = 'latency' AND up_to * 100 >= in_all * 50 THEN took END) AS p50_ms,
    MIN(CASE WHEN measure = 'latency' AND up_to * 100 >= in_all * 95 THEN took END) AS p95_ms,
    MIN(CASE WHEN measure = 'latency' AND up_to * 100 >= in_all * 99 THEN took END) AS p99_ms,
    MIN(CASE WHEN measure = 'waiting' AND up_to * 100 >= in_all * 50 THEN took END) AS p50_with_wait_ms,
    MIN(CASE WHEN measure = 'waiting' AND up_to * 100 >= in_all * 95 THEN took END) AS p95_with_wait_ms,
    MIN(CASE WHEN measure = 'waiting' AND up_to * 100 >= in_all * 99 THEN took END) AS p99_with_wait_ms
FROM (
    SELECT
        verified_date,
        action,
        measure,
        took,
        SUM(requests) OVER (PARTITION BY verified_date, action, measure ORDER BY took) AS up_to,
        SUM(requests) OVER (PARTITION BY verified_date, action, measure) AS in_all
    FROM (
        SELECT
            verified_date,
            action,
            'latency' AS measure,
            latency_ms AS took,
            COUNT(*) AS requests
        FROM {{ ref('stg_faceid__history') }}
        WHERE attempts > 0 AND latency_ms IS NOT NULL
        GROUP BY verified_date, action, latency_ms
        UNION ALL
        SELECT
            verified_date,
            action,
            'waiting' AS measure,
            latency_ms + waited_ms AS took,
            COUNT(*) AS requests
        FROM {{ ref('stg_faceid__history') }}
        WHERE attempts > 0 AND latency_ms + waited_ms IS NOT NULL
        GROUP BY verified_date, action, latency_ms + waited_ms
    ) AS times
) AS ranked
GROUP BY verified_date, action
