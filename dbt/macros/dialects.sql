{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}

{# Type of a fraction. #}
{% macro real_type() -%}
{{ return(adapter.dispatch('real_type', 'faceid')()) }}
{%- endmacro %}

{% macro duckdb__real_type() -%}
DOUBLE
{%- endmacro %}

{% macro postgres__real_type() -%}
DOUBLE PRECISION
{%- endmacro %}

{% macro default__real_type() -%}
{{ exceptions.raise_compiler_error("faceid: macro 'real_type' is not known for " ~ target.type ~ "; define '" ~ target.type ~ "__real_type' in your project") }}
{%- endmacro %}

{# Type to which a sum of counts is cast. #}
{% macro whole_number_type() -%}
{{ return(adapter.dispatch('whole_number_type', 'faceid')()) }}
{%- endmacro %}

{% macro duckdb__whole_number_type() -%}
BIGINT
{%- endmacro %}

{% macro postgres__whole_number_type() -%}
BIGINT
{%- endmacro %}

{% macro default__whole_number_type() -%}
{{ exceptions.raise_compiler_error("faceid: macro 'whole_number_type' is not known for " ~ target.type ~ "; define '" ~ target.type ~ "__whole_number_type' in your project") }}
{%- endmacro %}

{# Whole number below a number from 0. #}
{% macro floor(number) -%}
{{ return(adapter.dispatch('floor', 'faceid')(number)) }}
{%- endmacro %}

{% macro duckdb__floor(number) -%}
FLOOR({{ number }})
{%- endmacro %}

{% macro postgres__floor(number) -%}
FLOOR({{ number }})
{%- endmacro %}

{% macro default__floor(number) -%}
{{ exceptions.raise_compiler_error("faceid: macro 'floor' is not known for " ~ target.type ~ "; define '" ~ target.type ~ "__floor' in your project") }}
{%- endmacro %}

{# The service's day (Beijing) of a timestamp. #}
{% macro service_day(moment) -%}
{{ return(adapter.dispatch('service_day', 'faceid')(moment)) }}
{%- endmacro %}

{% macro duckdb__service_day(moment) -%}
CAST(make_timestamp(epoch_us({{ moment }}) + 28800000000) AS DATE)
{%- endmacro %}

{% macro postgres__service_day(moment) -%}
CAST({{ moment }} AT TIME ZONE 'Asia/Shanghai' AS DATE)
{%- endmacro %}

{% macro default__service_day(moment) -%}
{{ exceptions.raise_compiler_error("faceid: macro 'service_day' is not known for " ~ target.type ~ "; define '" ~ target.type ~ "__service_day' in your project") }}
{%- endmacro %}

{# This moment. #}
{% macro this_moment() -%}
{{ return(adapter.dispatch('this_moment', 'faceid')()) }}
{%- endmacro %}

{% macro duckdb__this_moment() -%}
CURRENT_TIMESTAMP
{%- endmacro %}

{% macro postgres__this_moment() -%}
CURRENT_TIMESTAMP
{%- endmacro %}

{% macro default__this_moment() -%}
{{ exceptions.raise_compiler_error("faceid: macro 'this_moment' is not known for " ~ target.type ~ "; define '" ~ target.type ~ "__this_moment' in your project") }}
{%- endmacro %}
