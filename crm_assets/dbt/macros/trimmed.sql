{# A text without white space at both ends, as the views of schema present show it: trim leaves tabs and line ends. Empty ones are null. #}
{% macro trimmed(text) -%}
    nullif(regexp_replace({{ text }}, '^[\s\v\p{Z}\x1c-\x1f\x85]+|[\s\v\p{Z}\x1c-\x1f\x85]+$', '', 'g'), '')
{%- endmacro %}
