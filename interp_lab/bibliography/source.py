"""What a publication is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A publication that a method or a number comes from."""

    key: str
    """Citation key, such as `olsson2022induction`."""
    title: str
    authors: str
    year: int
    url: str
    """Where to read it; an arXiv address where there is one."""

    def bibtex(self) -> str:
        """Return a BibTeX entry."""
        entries = {"title": self.title, "author": self.authors, "year": self.year, "url": self.url}
        return "\n".join([f"@misc{{{self.key},", *(f"  {name} = {{{value}}}," for name, value in entries.items()), "}"])
