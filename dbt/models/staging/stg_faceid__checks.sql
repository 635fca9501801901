{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
{{ config(enabled=var('faceid_has_checks', false)) }}
SELECT
    campaign,
    action,
    run_id,
    task_id,
    map_index,
    number,
    rule,
    expectation,
    checked_column,
    severity,
    mostly,
    evaluated,
    unexpected,
    success,
    source,
    dag_id,
    provider_version,
    updated_at
FROM {{ source('faceid', 'checks') }}
