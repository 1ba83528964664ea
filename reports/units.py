"""Numbers as people read them, with their units."""

from __future__ import annotations

_THIN = "\u202f"  # narrow no-break space, between a number and its unit


def count(number: float) -> str:
    """A whole number, thousands apart: ``1,234,567``."""
    return f"{number:,.0f}"


def duration_us(microseconds: float) -> str:
    """Microseconds in the unit that suits, three digits: ``412 us``, ``1.23 ms``, ``2.05 s``."""
    for limit, divisor, unit in ((1e3, 1, "µs"), (1e6, 1e3, "ms")):
        if microseconds < limit * 0.9995:
            return f"{digits(microseconds / divisor)}{_THIN}{unit}"
    return f"{digits(microseconds / 1e6)}{_THIN}s"


def span_us(low: float, high: float) -> str:
    """An interval of microseconds, the unit once where both ends share it: ``435–524 us``."""
    (first, unit), (second, same) = (duration_us(end).split(_THIN) for end in (low, high))
    return f"{first}–{second}{_THIN}{same}" if unit == same else f"{first}{_THIN}{unit}–{second}{_THIN}{same}"


def duration_s(seconds: float) -> str:
    """Seconds in words: ``0.35 s``, ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 1:
        return duration_us(seconds * 1e6)
    if seconds < 60:
        return f"{digits(seconds)}{_THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_THIN}min" + (f" {rest}{_THIN}s" if rest else "")
    return f"{minutes // 60:,}{_THIN}h {minutes % 60:02d}{_THIN}min"


def rate(per_second: float) -> str:
    """A rate: ``950/s``, ``12,300/s``, ``0.25/s``."""
    return f"{digits(per_second)}/s"


def digits(number: float) -> str:
    """About three digits, never in powers of ten, no needless zeros: ``0.012``, ``4.5``, ``12,346``."""
    if abs(number) >= 99.95:
        return f"{number:,.0f}"
    text = f"{number:.{1 if abs(number) >= 9.995 else 2 if abs(number) >= 0.1 else 3}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def share(part: float, whole: float) -> str:
    """A share in per cent that never rounds up to 100 or down to 0: ``99.98 %``, ``> 99.99 %``, ``0 %``."""
    if not whole:
        return "–"
    return percent(part / whole)


def percent(fraction: float) -> str:
    """A fraction in per cent, honest near both ends."""
    if fraction in (0, 1):
        return f"{fraction * 100:.0f}{_THIN}%"
    if fraction > 0.9999:
        return f">{_THIN}99.99{_THIN}%"
    if 0 < fraction < 0.0001:
        return f"<{_THIN}0.01{_THIN}%"
    decimals = 2 if fraction > 0.99 or fraction < 0.01 else 1
    return f"{fraction * 100:.{decimals}f}{_THIN}%"


def size(number: float) -> str:
    """Bytes in the unit that suits, powers of 1024: ``512 B``, ``3.2 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1023.5 or unit == "TiB":
            return f"{digits(number)}{_THIN}{unit}"
        number /= 1024
    raise AssertionError("the last unit takes all")


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 check``, ``2 checks``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
