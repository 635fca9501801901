{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    spent.campaign AS campaign,
    spent.action AS action,
    prices.currency AS currency,
    CAST(SUM(spent.charged) AS {{ faceid.whole_number_type() }}) AS charged,
    CAST(SUM(spent.matched) AS {{ faceid.whole_number_type() }}) AS matched,
    SUM(spent.charged * prices.price) AS amount,
    CAST(SUM(spent.charged * prices.price) AS {{ faceid.real_type() }}) / NULLIF(CAST(SUM(spent.matched) AS {{ faceid.real_type() }}), 0) AS cost_per_match,
    SUM(spent.saved * prices.price) AS avoided
FROM (
    SELECT
        campaign,
        action,
        verified_date,
        COUNT(CASE WHEN answer.charged = 1 THEN 1 END) AS charged,
        COUNT(CASE WHEN answer.outcome = 'match' THEN 1 END) AS matched,
        0 AS saved
    FROM {{ ref('stg_faceid__history') }} AS answer
    GROUP BY campaign, action, verified_date
    UNION ALL
    SELECT
        campaign,
        action,
        {{ faceid.service_day("started_at") }},
        0,
        0,
        SUM(COALESCE(quarantined, 0) + COALESCE(reused, 0) + COALESCE(still_valid, 0))
    FROM {{ ref('stg_faceid__runs') }}
    WHERE state IN ('success', 'failed')
    GROUP BY campaign, action, {{ faceid.service_day("started_at") }}
) AS spent
LEFT JOIN {{ ref('stg_faceid__prices') }} AS prices ON prices.action = spent.action AND prices.valid_from <= spent.verified_date AND (prices.valid_to IS NULL OR prices.valid_to >= spent.verified_date)
GROUP BY spent.campaign, spent.action, prices.currency
