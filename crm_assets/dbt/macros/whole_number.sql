{# A text as a number, if it is the number's usual spelling, or as 7.0: a cast alone makes 12.7 the record 13, and 1_0 the record 10. #}
{% macro whole_number(text) -%}
    try_cast(regexp_extract({{ text }}, '^(0|-?[1-9][0-9]*)([.]0+)?$', 1) as bigint)
{%- endmacro %}
