"""The words of the generated CRM: its places and phrases."""

from typing import Final, NamedTuple

from crm_assets.sandbox.chance import Dice

TRADES: Final = (
    "Logistics", "Foods", "Textiles", "Robotics", "Analytics", "Dental Care", "Roofing", "Software",
    "Packaging", "Energy", "Consulting", "Interiors", "Motors", "Paper", "Marine", "Instruments",
    "Printing", "Biotech", "Farms", "Security", "Travel", "Media", "Tools", "Glass",
)  # fmt: skip
FORMS: Final = ("Inc", "LLC", "Ltd", "GmbH", "Group", "& Sons", "Partners", "Co")
LEVELS: Final = ("Head of", "Director of", "VP", "Manager,", "Senior Manager,", "Specialist,")
FUNCTIONS: Final = (
    "Operations", "Procurement", "Finance", "IT", "Marketing", "Sales", "Human Resources", "Logistics",
)  # fmt: skip
PRODUCTS: Final = (
    "Starter plan", "Team plan", "Enterprise plan", "Onboarding", "Support renewal", "Pilot", "Upgrade",
    "Training", "Data migration", "Annual licence", "Additional seats", "Integration",
)  # fmt: skip
NOTES: Final = (
    "Asked for a quote by the end of the month.", "Left a voicemail.", "Happy with the pilot so far.",
    "Budget is decided next quarter.", "Wants to see the integration first.", "Prefers e-mail.",
    "Met at the trade fair; follow up.", "Legal is reviewing the contract.", "New decision maker.",
    "Renewal looks safe.", "Compares us with one competitor.", "Needs a reference in the same trade.",
)  # fmt: skip
TAGS: Final = ("vip", "newsletter", "partner", "trade fair", "renewal", "reference", "inbound")
SOURCES: Final = ("Web", "Organic search", "Referral", "Trade fair", "Paid search", "Cold call")
MEDIA: Final = ("Blog", "Google", "Newsletter", "LinkedIn", "Partner site")
CAMPAIGNS: Final = ("Spring webinar", "Year-end offer", "Migration week", "Launch")
CONTACT_MODES: Final = ("Email", "Phone", "Email Opened", "Chat", "Outgoing call", "Meeting")
TIME_ZONES: Final = ("Eastern Time (US & Canada)", "Arizona", "Central America", "London", "Berlin", "UTC")


class Place(NamedTuple):
    """A city. In ``zipcode`` every ``#`` stands for a digit."""

    city: str
    state: str
    country: str
    zipcode: str


PLACES: Final = (
    Place("Boston", "Massachusetts", "United States", "021##"),
    Place("Newark", "New Jersey", "United States", "071##"),
    Place("Hartford", "Connecticut", "United States", "061##"),
    Place("New York", "New York", "United States", "100##"),
    Place("Atlanta", "Georgia", "United States", "303##"),
    Place("Chicago", "Illinois", "United States", "606##"),
    Place("Austin", "Texas", "United States", "787##"),
    Place("Denver", "Colorado", "United States", "802##"),
    Place("Phoenix", "Arizona", "United States", "850##"),
    Place("Seattle", "Washington", "United States", "981##"),
    Place("Toronto", "Ontario", "Canada", "M8Z #H#"),
    Place("Vancouver", "British Columbia", "Canada", "V6B #L#"),
    Place("London", "Greater London", "United Kingdom", "EC1A #BB"),
    Place("Dresden", "Saxony", "Germany", "01###"),
    Place("Hamburg", "Hamburg", "Germany", "20###"),
    Place("Chennai", "Tamil Nadu", "India", "6000##"),
)


def pick_place(dice: Dice) -> Place:
    """Draw a city with a full zip code."""
    drawn = dice.pick(PLACES)
    digits = drawn.zipcode
    while "#" in digits:
        digits = digits.replace("#", dice.pick("0123456789"), 1)
    return drawn._replace(zipcode=digits)


def pick_phone(dice: Dice) -> str:
    """Draw a telephone number of those reserved for fiction."""
    return f"+1-{dice.number(201, 990)}-555-01{dice.number(0, 100):02d}"


def domain(company: str) -> str:
    """Give a company's Internet domain, under the top-level domain reserved for examples."""
    return "-".join(company.lower().replace("&", "and").split()) + ".example"
