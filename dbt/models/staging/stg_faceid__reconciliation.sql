{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
{{ config(enabled=var('faceid_has_reconciliation', false)) }}
SELECT
    verified_date,
    action,
    code,
    charged,
    billed,
    difference,
    may_be_charged,
    in_doubt,
    explained,
    unexplained,
    dag_id,
    run_id,
    updated_at
FROM {{ source('faceid', 'reconciliation') }}
