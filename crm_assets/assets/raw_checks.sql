-- last_read:
select
    _dlt_load_id,
    mode,
    complete,
    incomplete_because,
    rows_in_source
from raw.sync_log
left join raw.sync_details using (resource, _dlt_load_id)
where resource = ?
order by _dlt_load_id desc
limit 1

-- rejected: Until the first load by this release, the table has no column `records`.
select
    reason,
    sum(coalesce(records, 1))::bigint as records,
    coalesce(sum(records) filter (where record is null), 0)::bigint as not_stored
from (select null::bigint as records where false union all by name select * from raw.rejected_records)
where resource = ? and _dlt_load_id = ?
group by reason
order by reason

-- dropped:
select field from raw.dropped_fields where resource = ? and _dlt_load_id = ? order by field
