{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}

{#
  Columns that only some Actions have, as far as a relation has them, each behind a comma. A table gets
  them when such an Action is asked for the first time.
#}
{% macro own_columns(relation) -%}
{%- if execute -%}
{%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
{%- for name in [
    "bank_card_hash",
    "bank_card_masked",
    "phone_hash",
    "phone_masked",
    "account_bank",
    "account_type",
    "network_months",
    "status_code",
    "isp"
] if name in there -%}
, {{ name }}
{%- endfor -%}
{%- endif -%}
{%- endmacro %}
