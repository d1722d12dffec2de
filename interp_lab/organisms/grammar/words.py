"""Words that several behaviours share, so that a word alone does not give a latent away."""

NAMES = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Iris", "James", "Kate", "Leo",
    "Maria", "Noah", "Olive", "Paul", "Rosa", "Sam", "Tina", "Victor",
)  # fmt: skip
"""People: givers, receivers, applicants, reviewers, writers of tickets."""
FEMALE = ("Anna", "Clara", "Emma", "Grace", "Iris", "Kate", "Maria", "Olive", "Rosa", "Tina")
MALE = ("Ben", "David", "Felix", "Henry", "James", "Leo", "Noah", "Paul", "Sam", "Victor")
PLACES = ("store", "park", "school", "garden", "market", "station", "museum", "library", "beach", "office")
OBJECTS = ("book", "key", "ball", "letter", "pen", "ring", "map", "coin", "lamp", "cup")
COUNTRIES = {
    "France": ("Paris", "French"),
    "Italy": ("Rome", "Italian"),
    "Spain": ("Madrid", "Spanish"),
    "Germany": ("Berlin", "German"),
    "Greece": ("Athens", "Greek"),
    "Poland": ("Warsaw", "Polish"),
    "Sweden": ("Stockholm", "Swedish"),
    "Norway": ("Oslo", "Norwegian"),
    "Japan": ("Tokyo", "Japanese"),
    "Egypt": ("Cairo", "Arabic"),
    "Russia": ("Moscow", "Russian"),
    "Turkey": ("Ankara", "Turkish"),
}
"""Country: (capital, language)."""
CAPITALS = tuple(capital for capital, _ in COUNTRIES.values())
LANGUAGES = tuple(language for _, language in COUNTRIES.values())
NEIGHBOURHOODS = ("Eastgate", "Millbrook", "Northside", "Oakridge", "Riverdale", "Westfield")
"""Neighbourhoods: of applicants, of shops in reviews, of senders of tickets."""
JOBS = ("teacher", "nurse", "driver", "farmer", "baker", "pilot", "clerk", "builder", "doctor", "cook")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COLOURS = ("red", "blue", "green", "white", "black", "brown")
PRODUCTS = ("phone", "printer", "heater", "camera", "radio", "lamp")
"""Things that customers and tickets are about."""
ADJECTIVES = ("cold", "warm", "long", "short", "slow", "quick", "sharp", "soft", "loud", "quiet", "heavy", "light")
"""Words that are good of one thing and bad of another, and mean nothing elsewhere."""
