-- One row per check of the data, those that most records fail first.
select
    check_name,
    checked,
    failing,
    share,
    amount_affected,
    abs(amount_affected) as size_affected
from marts.data_quality
order by share desc nulls last, failing desc, check_name asc
