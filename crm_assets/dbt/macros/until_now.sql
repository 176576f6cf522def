{# Whether a time has come. One that is noted while a clock is a year ahead stays the latest for a year. Clocks of machines differ a little. #}
{% macro until_now(time) -%}
    {{ time }} <= now() + interval 10 minute
{%- endmacro %}
