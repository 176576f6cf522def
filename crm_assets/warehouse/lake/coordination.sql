-- lock:
select pg_advisory_lock(hashtextextended(%(key)s, 0))

-- share:
select pg_advisory_lock_shared(hashtextextended(%(key)s, 0))

-- lock_if_free:
select pg_try_advisory_lock(hashtextextended(%(key)s, 0))

-- backend: PostgreSQL's process id of a session. A pooler gives connections another number.
select pg_backend_pid()

-- holders:
select coalesce(string_agg(distinct application_name, ', '), 'another process')
from pg_locks
inner join pg_stat_activity using (pid)
where
    locktype = 'advisory' and granted and objsubid = 1 and pid <> pg_backend_pid()
    and pg_locks.database = (select oid from pg_database where datname = current_database())
    and ((classid::bigint << 32) | objid::bigint) = hashtextextended(%(key)s, 0)

-- requests: One row per request of the last two hours.
create table if not exists crm_assets_requests (
    crm text not null,
    sent_at timestamp with time zone not null default clock_timestamp()
);
create index if not exists crm_assets_requests_by_time on crm_assets_requests (crm, sent_at);

-- one_at_a_time:
select pg_advisory_xact_lock(hashtextextended('crm_assets requests ' || %(crm)s, 0))

-- until_one_more: Seconds until the oldest of the last `before + 1` requests is out of the period.
select extract(epoch from sent_at - clock_timestamp()) + %(period)s
from crm_assets_requests
where crm = %(crm)s and sent_at <= clock_timestamp()
order by sent_at desc
limit 1
offset %(before)s

-- sent:
insert into crm_assets_requests (crm) values (%(crm)s)

-- delete_old: Also those in the future, of a clock that was ahead.
delete from crm_assets_requests
where sent_at not between clock_timestamp() - interval '2 hours' and clock_timestamp()
