{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    campaign AS campaign,
    action AS action,
    bins.number AS similarity_from,
    bins.number + 1 AS similarity_to,
    CAST(SUM(CASE WHEN score = bins.number THEN scored ELSE 0 END) AS {{ faceid.whole_number_type() }}) AS compared
FROM (
    SELECT
        campaign,
        action,
        {{ faceid.floor("similarity") }} AS score,
        COUNT(*) AS scored,
        COUNT(CASE WHEN outcome = 'match' THEN 1 END) AS accepted,
        COUNT(CASE WHEN outcome = 'review' THEN 1 END) AS reviewed
    FROM {{ ref('stg_faceid__results') }}
    WHERE status = 'answered' AND similarity IS NOT NULL
    GROUP BY campaign, action, {{ faceid.floor("similarity") }}
) AS scores
CROSS JOIN (
    SELECT
        tens.digit * 10 + ones.digit AS number
    FROM (
        SELECT 0 AS digit UNION ALL SELECT 1 AS digit UNION ALL SELECT 2 AS digit UNION ALL SELECT 3 AS digit UNION ALL SELECT 4 AS digit UNION ALL SELECT 5 AS digit UNION ALL SELECT 6 AS digit UNION ALL SELECT 7 AS digit UNION ALL SELECT 8 AS digit UNION ALL SELECT 9 AS digit UNION ALL SELECT 10 AS digit
    ) AS tens
    CROSS JOIN (
        SELECT 0 AS digit UNION ALL SELECT 1 AS digit UNION ALL SELECT 2 AS digit UNION ALL SELECT 3 AS digit UNION ALL SELECT 4 AS digit UNION ALL SELECT 5 AS digit UNION ALL SELECT 6 AS digit UNION ALL SELECT 7 AS digit UNION ALL SELECT 8 AS digit UNION ALL SELECT 9 AS digit
    ) AS ones
    WHERE tens.digit * 10 + ones.digit BETWEEN 0 AND 100
) AS bins
GROUP BY campaign, action, bins.number
