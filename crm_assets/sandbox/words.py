"""The words of the generated CRM: its places and phrases."""

TRADES = (
    "Logistics", "Foods", "Textiles", "Robotics", "Analytics", "Dental Care", "Roofing", "Software",
    "Packaging", "Energy", "Consulting", "Interiors", "Motors", "Paper", "Marine", "Instruments",
)  # fmt: skip
FORMS = ("Inc", "LLC", "Ltd", "GmbH", "Group", "& Sons", "Partners", "Co")
LEVELS = ("Head of", "Director of", "VP", "Manager,", "Senior Manager,", "Specialist,")
FUNCTIONS = ("Operations", "Procurement", "Finance", "IT", "Marketing", "Sales", "Human Resources")
PRODUCTS = (
    "Starter plan", "Team plan", "Enterprise plan", "Onboarding", "Support renewal", "Pilot", "Upgrade",
    "Training", "Data migration", "Annual licence", "Additional seats", "Integration",
)  # fmt: skip
NOTES = (
    "Asked for a quote by the end of the month.", "Left a voicemail.", "Happy with the pilot so far.",
    "Budget is decided next quarter.", "Wants to see the integration first.", "Prefers e-mail.",
    "Met at the trade fair; follow up.", "Legal is reviewing the contract.", "New decision maker.",
    "Renewal looks safe.", "Compares us with one competitor.", "Needs a reference in the same trade.",
)  # fmt: skip
TAGS = (("vip",), ("newsletter",), ("partner", "vip"), ("trade fair",), ("renewal", "reference"), ("inbound",))
ORIGINS = {
    "source": ("Web", "Organic search", "Referral", "Trade fair", "Paid search", "Cold call"),
    "medium": ("Blog", "Google", "Newsletter", "LinkedIn", "Partner site"),
    "campaign": ("Spring webinar", "Year-end offer", "Migration week", "Launch"),
}
CONTACT_MODES = ("Email", "Phone", "Email Opened", "Chat", "Outgoing call", "Meeting")
TIME_ZONES = ("Eastern Time (US & Canada)", "Arizona", "Central America", "London", "Berlin", "UTC")
OCCASIONS = ("Demo with {}", "Kick-off with {}", "Quarterly review with {}", "Lunch with {}")
LOCATIONS = ("Video call", "Their office", "Our office", "Trade fair", None)
ERRANDS = ("Call {}", "Send the quote to {}", "Follow up with {}", "Remind {} of the renewal")
PLACES = (  # city, state, country, zip code
    ("Boston", "Massachusetts", "United States", "02110"),
    ("New York", "New York", "United States", "10014"),
    ("Chicago", "Illinois", "United States", "60607"),
    ("Austin", "Texas", "United States", "78702"),
    ("Toronto", "Ontario", "Canada", "M8Z 4H4"),
    ("London", "Greater London", "United Kingdom", "EC1A 1BB"),
    ("Dresden", "Saxony", "Germany", "01069"),
    ("Chennai", "Tamil Nadu", "India", "600006"),
)


def domain(company: str) -> str:
    """A company's Internet domain, in the top-level domain reserved for examples."""
    return "-".join(company.lower().replace("&", "and").split()) + ".example"
