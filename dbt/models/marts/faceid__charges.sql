{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    spent.verified_date AS verified_date,
    spent.action AS action,
    spent.code AS code,
    spent.calls AS calls,
    spent.charged AS charged,
    spent.may_be_charged AS may_be_charged,
    prices.currency AS currency,
    prices.price AS price,
    spent.charged * prices.price AS amount,
    (spent.charged + spent.may_be_charged) * prices.price AS amount_at_most
FROM (
    SELECT
        verified_date,
        action,
        code,
        COUNT(CASE WHEN answer.attempts > 0 THEN 1 END) AS calls,
        COUNT(CASE WHEN answer.charged = 1 THEN 1 END) AS charged,
        COUNT(CASE WHEN answer.charged IS NULL AND answer.attempts > 0 THEN 1 END) AS may_be_charged
    FROM {{ ref('stg_faceid__history') }} AS answer
    GROUP BY verified_date, action, code
    UNION ALL
    SELECT
        {{ faceid.service_day("updated_at") }},
        action,
        'no_answer',
        COUNT(*),
        0,
        COUNT(*)
    FROM {{ ref('stg_faceid__results') }}
    WHERE status <> 'answered' AND outcome = 'uncertain'
    GROUP BY {{ faceid.service_day("updated_at") }}, action
) AS spent
LEFT JOIN {{ ref('stg_faceid__prices') }} AS prices ON prices.action = spent.action AND prices.valid_from <= spent.verified_date AND (prices.valid_to IS NULL OR prices.valid_to >= spent.verified_date)
