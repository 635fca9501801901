{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    campaign AS campaign,
    action AS action,
    status AS status,
    outcome AS outcome,
    {{ faceid.service_day("not_before") }} AS due_date,
    COUNT(*) AS waiting,
    MIN(not_before) AS due_at,
    MIN(updated_at) AS waiting_since
FROM {{ ref('stg_faceid__results') }}
WHERE status IN ('postponed', 'held')
GROUP BY campaign, action, status, outcome, {{ faceid.service_day("not_before") }}
