{# A share with four digits, half away from zero. As a double, 1.00005 is a little less: so all are made a little more. #}
{% macro share(part, whole, digits=38) -%}
    cast({{ part }} / nullif({{ whole }}, 0) * (1 + 1e-15) as decimal({{ digits }}, 4))
{%- endmacro %}
