{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
{{ config(enabled=var('faceid_has_reconciliation_calls', false)) }}
SELECT
    verified_date,
    action,
    code,
    campaign,
    source_key,
    written_on,
    dag_id,
    run_id,
    updated_at
FROM {{ source('faceid', 'reconciliation_calls') }}
