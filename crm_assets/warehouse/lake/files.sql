-- maintenance: Each is a transaction of its own.
call ducklake_merge_adjacent_files('lake');
call ducklake_expire_snapshots('lake', older_than => now() - interval '{kept}');
call ducklake_cleanup_old_files('lake', older_than => now() - interval '{undisturbed}')

-- erasure: Each is a transaction of its own. A deleted row stays in its file until that is rewritten, and the file
-- exists until no snapshot needs it. Files that no snapshot has ever had are those of killed writers. All snapshots
-- but the current one expire, whatever their times: clocks of machines differ.
call ducklake_flush_inlined_data('lake');
call ducklake_rewrite_data_files('lake', delete_threshold => 0);
call ducklake_expire_snapshots('lake', older_than => timestamptz '9999-12-31');
call ducklake_cleanup_old_files('lake', cleanup_all => true);
call ducklake_delete_orphaned_files('lake', cleanup_all => true)

-- inlined_tables:
select table_name from {catalog}.ducklake_inlined_data_tables

-- files:
select coalesce(sum(file_count), 0)::bigint, coalesce(sum(file_size_bytes), 0)::bigint
from ducklake_table_info('lake')

-- types:
select distinct column_type from {catalog}.ducklake_column where end_snapshot is null

-- bounds: Bounds of the columns of one type. Left out are columns of which a file has values, but not their bounds.
select
    columns.table_id,
    columns.column_id,
    arg_min(in_file.min_value, try_cast(in_file.min_value as {type})) as min_value,
    arg_max(in_file.max_value, try_cast(in_file.max_value as {type})) as max_value
from {catalog}.ducklake_column as columns
left join {catalog}.ducklake_file_column_stats as in_file
    on
        columns.table_id = in_file.table_id
        and columns.column_id = in_file.column_id
        and in_file.data_file_id in (select data_file_id from {catalog}.ducklake_data_file where end_snapshot is null)
where columns.end_snapshot is null and columns.column_type = {named}
group by columns.table_id, columns.column_id
having
    bool_and(
        coalesce(in_file.value_count, 0) = 0
        or (try_cast(in_file.min_value as {type}) is not null and try_cast(in_file.max_value as {type}) is not null)
    )

-- renewed:
update {catalog}.ducklake_table_column_stats as stored
set min_value = renewed.min_value, max_value = renewed.max_value
from ({bounds}) as renewed
where
    stored.table_id = renewed.table_id
    and stored.column_id = renewed.column_id
    and (stored.min_value is distinct from renewed.min_value or stored.max_value is distinct from renewed.max_value)

-- counted:
update {catalog}.ducklake_table_stats as stored
set record_count = counted.rows
from (
    select table_id, sum(record_count)::bigint as rows
    from {catalog}.ducklake_data_file
    where end_snapshot is null
    group by table_id
) as counted
where stored.table_id = counted.table_id and stored.record_count <> counted.rows

-- of_dropped_columns:
delete from {catalog}.ducklake_table_column_stats
where
    (table_id, column_id) not in (
        select (table_id, column_id) from {catalog}.ducklake_column where end_snapshot is null
    )
