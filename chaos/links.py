"""Links between actors, by name: `bot->dtms` is what bot sends to dtms and gets back."""

from __future__ import annotations

from chaos.refusal import refuse_unless

ARROW = "->"
ANY = "*"


def check_link(link: str) -> None:
    """Raises `ValueError` for what is no link name; `*` on either side stands for everybody."""
    source, arrow, target = link.partition(ARROW)
    refuse_unless(
        bool(source and arrow and target) and ARROW not in target,
        f'A link is called like "bot->dtms" or "*->dtms", not {link!r}.',
    )


def covers(pattern: str, link: str) -> bool:
    """Whether the link is one of those that `pattern` means."""
    if pattern == link:
        return True
    pattern_source, _, pattern_target = pattern.partition(ARROW)
    source, _, target = link.partition(ARROW)
    return pattern_source in (ANY, source) and pattern_target in (ANY, target)
