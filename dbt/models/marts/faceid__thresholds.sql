{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    campaign AS campaign,
    action AS action,
    cuts.number AS cut_off,
    CAST(SUM(scored) AS {{ faceid.whole_number_type() }}) AS compared,
    CAST(SUM(CASE WHEN score >= cuts.number THEN scored ELSE 0 END) AS {{ faceid.whole_number_type() }}) AS at_or_above,
    CAST(CAST(SUM(CASE WHEN score >= cuts.number THEN scored ELSE 0 END) AS {{ faceid.whole_number_type() }}) AS {{ faceid.real_type() }}) / NULLIF(CAST(CAST(SUM(scored) AS {{ faceid.whole_number_type() }}) AS {{ faceid.real_type() }}), 0) AS pass_rate,
    CAST(SUM(CASE WHEN score < cuts.number THEN accepted ELSE 0 END) AS {{ faceid.whole_number_type() }}) AS matches_lost,
    CAST(SUM(CASE WHEN score >= cuts.number THEN reviewed ELSE 0 END) AS {{ faceid.whole_number_type() }}) AS matches_gained
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
    WHERE tens.digit * 10 + ones.digit BETWEEN 50 AND 100
) AS cuts
GROUP BY campaign, action, cuts.number
