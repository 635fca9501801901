{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    action AS action,
    code AS code,
    outcome AS outcome,
    description AS description,
    answers AS answers,
    charged AS charged,
    may_be_charged AS may_be_charged,
    CAST(answers AS {{ faceid.real_type() }}) / NULLIF(CAST(SUM(answers) OVER (PARTITION BY action) AS {{ faceid.real_type() }}), 0) AS share
FROM (
    SELECT
        action,
        code,
        outcome,
        MAX(description) AS description,
        COUNT(CASE WHEN 1 = 1 THEN 1 END) AS answers,
        COUNT(CASE WHEN answer.charged = 1 THEN 1 END) AS charged,
        COUNT(CASE WHEN answer.charged IS NULL AND answer.attempts > 0 THEN 1 END) AS may_be_charged
    FROM {{ ref('stg_faceid__history') }} AS answer
    GROUP BY action, code, outcome
) AS counted
