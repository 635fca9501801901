{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    action,
    valid_from,
    valid_to,
    currency,
    price,
    updated_at
FROM {{ source('faceid', 'prices') }}
