-- unstable: Functions of clocks, chance, sessions, files and other databases. DuckDB 1.5 calls the last five
-- consistent.
select function_name
from duckdb_functions()
where function_type in ('scalar', 'table', 'aggregate')
group by function_name
having
    bool_and(stability is distinct from 'CONSISTENT')
    and function_name not in ('error', 'generate_series', 'json_each', 'json_tree', 'range', 'unnest')
    or function_name in ('age', 'current_localtime', 'current_localtimestamp', 'current_setting', 'getvariable')
