//! Texts to numbers: durations, rates, shares and switches, exactly as `product.md` reads them.

use crate::domain::Millis;

use super::model::{Share, Size};

/// `450ms`, `30s`, `5m`, `2h`.
pub(super) fn duration(text: &str) -> Option<Millis> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    whole(number)?.checked_mul(scale).filter(|ms| *ms <= YEAR).map(Millis)
}

/// Longer than any wait that is meant: it keeps sums of durations far from their end.
const YEAR: u64 = 365 * 24 * 3_600_000;

/// `10/s`, `300/m`, as requests a minute.
pub(super) fn rate(text: &str) -> Option<u32> {
    let (number, unit) = text.split_once('/')?;
    let scale = match unit {
        "s" => 60,
        "m" => 1,
        _ => return None,
    };
    let per_minute = whole(number)?.checked_mul(scale)?;
    u32::try_from(per_minute).ok().filter(|rate| *rate > 0)
}

/// `0%` to `100%`.
pub(super) fn share(text: &str) -> Option<Share> {
    let percent = whole(text.strip_suffix('%')?)?;
    u32::try_from(percent).ok().filter(|percent| *percent <= 100).map(Share)
}

/// `3` or `25%`, and not nothing.
pub(super) fn size(text: &str) -> Option<Size> {
    if text.ends_with('%') {
        return share(text).filter(|share| share.0 > 0).map(Size::Share);
    }
    u32::try_from(whole(text)?).ok().filter(|count| *count > 0).map(Size::Count)
}

/// Digits and nothing else: no sign, no `1_000`, no `0x10`.
pub(super) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A plain decimal number.
pub(super) fn number(text: &str) -> Option<f64> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if decimal { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// `true` or `false`.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A name that a shell takes for an environment variable.
pub(super) fn is_env_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let good = [("450ms", 450), ("0s", 0), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000)];
        for (text, ms) in good {
            assert_eq!(duration(text), Some(Millis(ms)), "{text}");
        }
        for text in
            ["", "5", "m", "1h30m", "1.5h", "-1s", "5 m", "5M", "99999999999999999999h", "9999999h"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn rates_are_requests_a_second_or_a_minute() {
        assert_eq!((rate("10/s"), rate("300/m"), rate("1/m")), (Some(600), Some(300), Some(1)));
        for text in ["0/s", "10", "10/h", "/s", "10/", "1.5/s", "99999999999/s"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_never_nothing() {
        assert_eq!(size("3"), Some(Size::Count(3)));
        assert_eq!(size("25%"), Some(Size::Share(Share(25))));
        for text in ["0", "0%", "101%", "-1", "1.5", "", "%", "many"] {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!(
            (share("0%"), share("100%"), share("101%")),
            (Some(Share(0)), Some(Share(100)), None)
        );
    }

    #[test]
    fn whole_numbers_have_no_disguise() {
        assert_eq!(whole("007"), Some(7));
        for text in ["1_000", "0x10", "+1", "-1", "1e3", " 1", ""] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert_eq!(
            (number("1.5"), number("nan"), number("inf"), number("1e9")),
            (Some(1.5), None, None, None)
        );
    }
}
