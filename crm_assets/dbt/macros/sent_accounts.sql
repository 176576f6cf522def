{# The accounts sent along with a contact, a JSON array, as a list of structs. A CTE would parse them for all contacts. #}
{% macro sent_accounts(array) -%}
    list_transform(
        from_json({{ array }}, '[{"id": "VARCHAR", "is_primary": "VARCHAR"}]'),
        lambda sent: {
            'id': {{ whole_number("sent['id']") }},
            'is_primary': coalesce(lower(sent['is_primary']) in ('true', '1'), false)
        }
    )
{%- endmacro %}
