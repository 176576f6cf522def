"""The first lines of the sales review: each question with its answer, in sentences with numbers."""

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping

from crm_assets.counting import counted
from crm_assets.reports.figures import SalesReview
from crm_assets.reports.formats import Formats, half_up, ratio

NO_TARGET = "no target is set"
UNKNOWN_CUSTOMERS = "Which customers are quiet is not known: no won deal names a listed account."

UNASSIGNED = "unassigned"
"""The owner of deals without one, in the marts."""


def answers(review: SalesReview, formats: Formats) -> Mapping[str, str]:
    """Question -> its answer, in the page's order."""
    return {question: " ".join(answer(review, formats)) for question, answer in QUESTIONS.items()}


def _on_target(review: SalesReview, formats: Formats) -> Iterator[str]:
    if not review.parts["target"]:
        yield f"Nothing was won yet, and {NO_TARGET}."
    for row in review.parts["target"]:
        is_month = row["period"] == "this month"
        when = f"in {row['period_from']:%B %Y}" if is_month else f"since {formats.day(row['period_from'])}"
        won, target = formats.money(row["won_amount"]), row["target_to_date"]
        if not target:
            whole = row["target_amount"]
            shown = f"the target is {formats.money(0)}" if whole is not None else NO_TARGET
            state = f"none of the target of {formats.money(whole)} is due yet" if whole else shown
            yield f"{won} was won {when}; {state}."
            continue
        ahead = "ahead" if row["ahead"] >= 0 else "behind"
        yield (
            f"{won} was won {when}, {formats.share(ratio(row['won_amount'], target))} of the target to date: "
            f"{formats.money(abs(row['ahead']))} {ahead}."
        )
        if half_up(row["won_without_target"]):
            yield f"Owners without a target won {formats.money(row['won_without_target'])} of the {won}."
        missing = half_up(row["target_amount"] - row["won_amount"])
        if is_month and missing > 0:
            last = review.today.replace(day=monthrange(review.today.year, review.today.month)[1])
            yield (
                f"{formats.money(missing)} has to be won by {formats.day(last)} to reach the month's target "
                f"of {formats.money(row['target_amount'])}."
            )


def _who(review: SalesReview, formats: Formats) -> Iterator[str]:
    owners = review.parts["owners"]
    year = next((row for row in review.parts["target"] if row["period"] == "this year"), None)
    if year is None or not owners or owners[0]["won_amount_this_year"] <= 0:
        yield "Nobody has won anything this year."
        return
    best = owners[0]
    by = f"{best['owner']} has won the most"
    by = "Most was won in deals without an owner" if best["owner"] == UNASSIGNED else by
    most = f"{by} this year: {formats.money(best['won_amount_this_year'])}"
    if year["won_amount"] > 0:
        share = formats.share(ratio(best["won_amount_this_year"], year["won_amount"]))
        yield f"{most} of {formats.money(year['won_amount'])}, {share}."
    else:  # others have negative amounts
        yield f"{most}."
    if year["owners_with_target"]:
        owners_with_target = counted(year["owners_with_target"], "owner")
        yield f"On target to date: {year['owners_on_target']:,} of {owners_with_target} with a target."


def _from_whom(review: SalesReview, formats: Formats) -> Iterator[str]:
    total = sum(row["won_amount_12m"] for row in review.parts["types"])
    if total <= 0:
        yield f"{formats.money(total) if total else 'Nothing'} was won in the last 12 months."
        return
    shares = {row["revenue_type"]: formats.share(ratio(row["won_amount_12m"], total)) for row in review.parts["types"]}
    unknown = f", {shares['unknown']} from unknown accounts" if "unknown" in shares else ""
    yield (
        f"Of the {formats.money(total)} won in the last 12 months, {shares['first']} came from first deals, "
        f"{shares['repeat']} from repeat deals, {shares['won back']} from customers won back{unknown}."
    )
    if largest := review.parts["customers"]:
        share = formats.share(largest[-1]["cumulative_share_12m"])
        yield f"The {counted(len(largest), 'largest customer')} brought in {share}."
    [retained] = review.parts["retained"]
    if retained["customers"]:
        quarter, bought = formats.quarter(retained["quarter"]), retained["customers_buying"]
        customers = counted(retained["customers"], "customer")
        yield (
            f"{formats.share(ratio(bought, retained['customers']))} of the {customers} "
            f"won before {quarter} bought again in that quarter."
        )


def _at_risk(review: SalesReview, formats: Formats) -> Iterator[str]:
    [risk] = review.parts["risk"]
    if risk["is_unknown"]:
        yield UNKNOWN_CUSTOMERS
    elif risk["quiet_customers"]:
        yield (
            f"{counted(risk['quiet_customers'], 'customer')} who brought in {formats.money(risk['quiet_amount'])} "
            "had no contact for more than 90 days."
        )
    else:
        yield "No customer was without contact for more than 90 days."
    if risk["uncontacted_customers"]:
        yield (
            f"{counted(risk['uncontacted_customers'], 'customer')} who brought in "
            f"{formats.money(risk['uncontacted_amount'])} had no contact on record."
        )
    tasks, overdue = review.headline["open_tasks"], review.headline["overdue_tasks"]
    yield (
        f"{overdue:,} of {counted(tasks, 'open task')} {'is' if 1 in (overdue, tasks) else 'are'} overdue."
        if tasks
        else ("No task is open.")
    )


def _trust(review: SalesReview, formats: Formats) -> Iterator[str]:
    reads = {row["list"]: row["read_at"] for row in review.parts["reads"]}
    if missing := [name for name, read_at in reads.items() if read_at is None]:
        yield f"Never read completely: {', '.join(missing)}."
    else:
        yield f"All lists were read completely, the earliest on {formats.instant(min(reads.values()))}."
    quality = review.parts["quality"]
    failing = [row for row in quality if row["failing"]]
    finds = "finds" if len(failing) == 1 else "find"
    yield f"{len(failing)} of {counted(len(quality), 'data check')} {finds} something."
    if affected := [row for row in failing if row["amount_affected"]]:
        worst = max(affected, key=lambda row: row["amount_affected"])
        yield f"The largest amount affected is {formats.money(worst['amount_affected'])}: {worst['check_name']}."


QUESTIONS: Mapping[str, Callable[[SalesReview, Formats], Iterator[str]]] = {
    "Are we on target?": _on_target,
    "Who brings it in?": _who,
    "From whom?": _from_whom,
    "What is at risk?": _at_risk,
    "Can we trust it?": _trust,
}
