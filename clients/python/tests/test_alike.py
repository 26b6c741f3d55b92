"""The two stores are one text: what is changed in one and not in the other fails here."""

import re
from pathlib import Path

import hacs_refinery_store

PACKAGE = Path(hacs_refinery_store.__file__).parent


def synchronous(text: str) -> str:
    for asynchronous, plain in [
        (r"\basync (def|with) ", r"\1 "),
        (r"\bawait ", ""),
        (r"\basynccontextmanager\b", "contextmanager"),
        (r"__a(enter|exit)__", r"__\1__"),
        (r"\bAsync(Iterator|Connection|ConnectionPool|Unit|Store)\b", r"\1"),
        (r"_AsyncOperations\b", "_Operations"),
        (r"programs with asyncio", "programs that wait"),
    ]:
        text = re.sub(asynchronous, plain, text)
    return text


def imported(text: str) -> list[str]:
    """What it imports, in whatever order."""
    return sorted(re.findall(r"\w+", text[: text.index("\nclass ")]))


def body(text: str) -> str:
    """All the rest, wherever its lines break."""
    return re.sub(r"\s", "", text[text.index("\nclass ") :]).replace(",)", ")")


def test_the_stores_are_alike() -> None:
    asynchronous = synchronous((PACKAGE / "_asynchronous.py").read_text())
    plain = (PACKAGE / "_synchronous.py").read_text()
    assert imported(asynchronous) == imported(plain)
    assert body(asynchronous) == body(plain)
