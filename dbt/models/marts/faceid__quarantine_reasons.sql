{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    campaign AS campaign,
    action AS action,
    stage AS stage,
    rule AS rule,
    COUNT(*) AS refusals,
    MIN(found_at) AS first_found_at,
    MAX(found_at) AS last_found_at
FROM {{ ref('stg_faceid__quarantine') }}
GROUP BY campaign, action, stage, rule
