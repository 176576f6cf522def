-- table: One row. `is_erased` is false while free blocks of the file may still hold removed values.
create schema if not exists raw;
create table if not exists raw.personal_data_policy (
    personal_data varchar not null,
    key_check varchar not null,
    rules varchar not null,
    is_erased boolean not null
);

-- still_listed:
update raw.forgotten set _dlt_load_id = ? where resource = ? and id_hash in (select unnest(?))
