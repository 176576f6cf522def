select
    cast(n as bigint) as n,
    case n % 2 when 1 then 'odd' when 0 then 'even' end as parity,
    cast(n // 2 as bigint) as half
from unnest([1, 2, 3, 4, 5, null]) as numbers (n)
where n is not null
