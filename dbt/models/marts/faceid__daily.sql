{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    verified_date AS verified_date,
    action AS action,
    outcome AS outcome,
    answers AS answers,
    people AS people,
    charged AS charged,
    CAST(answers AS {{ faceid.real_type() }}) / NULLIF(CAST(SUM(answers) OVER (PARTITION BY verified_date, action) AS {{ faceid.real_type() }}), 0) AS share
FROM (
    SELECT
        verified_date,
        action,
        outcome,
        COUNT(*) AS answers,
        COUNT(DISTINCT id_card_hash) AS people,
        COUNT(CASE WHEN answer.charged = 1 THEN 1 END) AS charged
    FROM {{ ref('stg_faceid__history') }} AS answer
    GROUP BY verified_date, action, outcome
) AS counted
