{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    {{ faceid.service_day("updated_at") }} AS service_date,
    campaign AS campaign,
    action AS action,
    source_key AS source_key,
    status AS status,
    attempts AS attempts,
    run_id AS run_id,
    updated_at AS updated_at
FROM {{ ref('stg_faceid__results') }}
WHERE status <> 'answered' AND outcome = 'uncertain'
