"""Text from prompts, made fit to be shown: what would steer the display becomes something one can read."""

import html
import re

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, marks that turn the direction of writing, and halves of characters; not tab and newline."""


def visible(text: str) -> str:
    r"""Return the text with every character that steers the display written out, such as `\u202e`."""
    return _STEERING.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def token_label(token: str, *, longest: int) -> str:
    r"""Return a token as it is shown on an axis: `·the` for ` the`, `\n` for a newline, cut where it is too long."""
    shown = visible(token.replace("\n", "\\n").replace("\t", "\\t"))
    stripped = shown.lstrip(" ")
    shown = "·" * (len(shown) - len(stripped)) + stripped
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def literal(text: str) -> str:
    """Return text that a plotly figure shows as it stands: plotly reads `<b>` as bold, and drops the token `<bos>`."""
    return html.escape(visible(text), quote=False)
