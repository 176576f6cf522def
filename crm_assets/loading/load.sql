-- superseded: Records of which another version is loaded. This takes little memory for itself, but not within the INSERT,
-- whose buffers of all columns cannot be written to disk; and `arg_max` over all ids keeps its groups in memory.
create or replace temp table superseded as
select _dlt_position
from {records}
where id in (select id from {records} group by id having count(*) > 1)
qualify row_number() over (partition by id order by {changed_at} desc, _dlt_position desc) > 1

-- delete_earlier:
delete from {table}
where _dlt_load_id <= $load_id and id in (select id from {records})

-- insert:
insert into {table} by name
select {names}, $load_id as _dlt_load_id
from {records}
where id not in (select id from {table} where _dlt_load_id > $load_id) and {chosen}
